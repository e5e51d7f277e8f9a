"""How the node and the machine feel."""
