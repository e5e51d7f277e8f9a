"""A private ROS domain on this machine, for demonstrations and tests."""
import contextlib
import fcntl
import os
import tempfile

from espnet_ros.errors import ParameterError
from espnet_ros.files import open_lock

DOMAINS = range(1, 101)
"""Higher domains use ports that Linux assigns to outgoing connections."""


@contextlib.contextmanager
def private_domain():
    """Reserve a domain id among the programs of this user on this machine; yields it.

    The lock is released when the process ends, however it ends. Raises ParameterError when all ids are taken.
    """
    for number in range(len(DOMAINS)):
        domain = DOMAINS[(os.getpid() + number) % len(DOMAINS)]
        try:
            lock = open_lock(os.path.join(_lock_folder(), 'espnet_ros_domain_{}.{}.lock'.format(domain, os.getuid())))
        except OSError:
            continue
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            yield domain
            return
    raise ParameterError('each of the ROS domains {} to {} is held by another demo or test on this machine'.format(
        DOMAINS[0], DOMAINS[-1]))


def _lock_folder():
    """Return the user's runtime folder where the system has one, which no other user can write to."""
    runtime = '/run/user/{}'.format(os.getuid())
    return runtime if os.access(runtime, os.W_OK) else tempfile.gettempdir()


def private_environment(domain):
    """Return this process's environment, changed to keep a process to `domain` and to this machine."""
    values = {name: value for name, value in os.environ.items()
              if name not in ('ROS_DISCOVERY_SERVER', 'ROS_STATIC_PEERS', 'ROS_SUPER_CLIENT', 'ROS_LOCALHOST_ONLY')}
    values.update(ROS_DOMAIN_ID=str(domain), ROS_AUTOMATIC_DISCOVERY_RANGE='LOCALHOST')
    if os.environ.get('ROS_DISTRO') in ('foxy', 'galactic', 'humble'):  # newer ones warn about the old name
        values['ROS_LOCALHOST_ONLY'] = '1'
    return values
