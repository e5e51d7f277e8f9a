"""The bond through which nav2's lifecycle manager notices that a node has died."""

HEARTBEAT_TIMEOUT = 4.0
"""Seconds without a heartbeat after which the manager regards the node as dead, as in nav2's own nodes."""


def start_bond(node):
    """Return a started bondpy Bond of an active node, None where bondpy is not installed.

    Without it, the manager needs `bond_timeout: 0.0`.
    """
    try:
        from bondpy.bondpy import Bond
    except ImportError:
        return None
    bond = Bond(node, 'bond', node.get_name())
    bond.set_heartbeat_timeout(HEARTBEAT_TIMEOUT)
    bond.start()
    return bond
