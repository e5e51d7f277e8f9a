"""Locks of ROS domains: no link is followed, nothing is truncated."""
import os

import pytest

from espnet_ros.clients import domain
from espnet_ros.files import open_lock


def test_a_lock_file_follows_no_link_and_keeps_what_is_there(tmp_path):
    victim = tmp_path / 'victim'
    victim.write_text('precious')
    (tmp_path / 'link').symlink_to(victim)
    with pytest.raises(OSError):
        open_lock(tmp_path / 'link')
    os.mkfifo(str(tmp_path / 'pipe'))
    with pytest.raises(OSError, match='it is not a regular file of this user'):
        open_lock(tmp_path / 'pipe')
    open_lock(victim).close()
    assert victim.read_text() == 'precious'
    open_lock(tmp_path / 'new').close()
    assert (tmp_path / 'new').stat().st_mode & 0o777 == 0o600


def test_a_domain_whose_lock_is_a_link_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(domain, '_lock_folder', lambda: str(tmp_path))
    victim = tmp_path / 'victim'
    victim.write_text('precious')
    first = domain.DOMAINS[os.getpid() % len(domain.DOMAINS)]
    (tmp_path / 'espnet_ros_domain_{}.{}.lock'.format(first, os.getuid())).symlink_to(victim)
    with domain.private_domain() as one, domain.private_domain() as other:
        assert len({first, one, other}) == 3
    assert victim.read_text() == 'precious'
