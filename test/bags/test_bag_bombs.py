"""Small bags that claim or unpack to much more: bounded before memory and time are spent on them."""
import io
import os
import resource
import sqlite3
import struct
import time

import pytest
from bag_maker import BagMaker, check_frames, make, mcap_with, only_file
from rosbags.rosbag2.reader import zstd

from espnet_ros.bags import storage
from espnet_ros.bags.reader import open_bag
from espnet_ros.bags.salvage import base
from espnet_ros.bags.salvage import sqlite as salvage_sqlite
from espnet_ros.bags.unpacking import unpack
from espnet_ros.errors import SourceError


def test_unpacking_is_bounded():
    data = bytes(1 << 20)
    for name, packed in (('zstd', zstd.compress(data)), ('zstd', zstd.compress(data[:9]) + zstd.compress(data[9:]))):
        assert unpack(name, packed, 1 << 20) == data
        with pytest.raises(ValueError, match='it unpacks to more than 1048575 bytes'):
            unpack(name, packed, (1 << 20) - 1)
        with pytest.raises(EOFError):
            unpack(name, packed[:-3], 1 << 20)
        assert data.startswith(unpack(name, packed[:-3], 1 << 20, complete=False))


def test_a_message_that_unpacks_to_gigabytes_is_broken_and_no_more(tmp_path):
    packer = zstd.ZstdCompressor()
    bomb = b''.join(packer.compress(bytes(1 << 24)) for _ in range(32)) + packer.flush()  # 512 MiB
    assert len(bomb) < 100000
    with BagMaker(tmp_path / 'bag') as bag:
        bag.raw('/camera/image_raw', 'sensor_msgs/msg/Image', 10**9, bomb)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open_bag(tmp_path / 'bag') as bag:
        assert len(bag) == 0 and '1 messages on /camera/image_raw are broken' in ' '.join(bag.problems)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20  # KiB


@pytest.mark.parametrize('compression', ['ZSTD', 'LZ4'])
def test_a_chunk_may_not_unpack_to_more_than_it_declares(tmp_path, compression, monkeypatch):
    path = mcap_with(make(tmp_path / 'bag', 3), tmp_path / 'bomb.mcap', compression, chunk_size=500)
    with open_bag(path) as bag:
        check_frames(bag, range(3))
    seen = []
    monkeypatch.setattr('espnet_ros.bags.library.unpack', lambda name, data, limit: seen.append(limit) or b'')
    with open_bag(path) as bag:  # rosbags reads nothing, and it is salvaged
        check_frames(bag, range(3))
    assert seen and max(seen) < 200000


def test_a_compressed_file_is_unpacked_up_to_a_limit(tmp_path, monkeypatch):
    path = only_file(make(tmp_path / 'bag', 5))
    packed = path.with_name(path.name + '.zstd')
    packed.write_bytes(zstd.compress(path.read_bytes()) + zstd.compress(bytes(1 << 26)))
    path.unlink()
    monkeypatch.setattr(storage, 'UNPACKED_BYTES', 1 << 20)
    monkeypatch.setattr(storage, '_BLOCK', 1 << 12)
    with open_bag(packed) as bag:
        check_frames(bag, range(5))
        assert 'unpacks to more than ' in bag.problems[0] and bag.problems[0].endswith('it is read up to there')
        assert os.path.getsize(bag._files[0]._unpacked([])) < 64 * packed.stat().st_size + (1 << 20) + (1 << 17)


def test_an_overflow_chain_that_bites_its_tail_ends():
    """The second page is followed by the third, and that by the second."""
    pages = bytes(512) + struct.pack('>I', 3) + bytes(508) + struct.pack('>I', 2) + bytes(508)
    database = salvage_sqlite._Pages(io.BytesIO(pages), 512, len(pages), 0, lambda: None)
    assert database._overflow(b'', 1016, 2) == bytes(1016)
    assert database._overflow(b'', 1 << 60, 2) is None
    database._budget = 100
    assert database._overflow(b'', 1016, 2) is None


@pytest.mark.parametrize('kind', ['db3', 'mcap', 'bag'])
@pytest.mark.parametrize('limit, sentence', [
    ('SALVAGE_SECONDS', 'is given up here: reading what is left of it takes more than 0 s'),
    ('UNPACKED_BYTES', 'is given up here: its chunks unpack to more than 0 times its size')])
def test_what_is_salvaged_from_a_file_is_bounded(tmp_path, monkeypatch, kind, limit, sentence):
    if kind == 'db3' and limit == 'UNPACKED_BYTES':
        pytest.skip('nothing in it is packed')
    path = make(tmp_path / 'a.bag', 5, ros1='BZ2') if kind == 'bag' else only_file(
        make(tmp_path / 'bag', 5, storage='sqlite3' if kind == 'db3' else 'mcap'))
    if kind == 'mcap':
        path = mcap_with(path.parent, tmp_path / 'a.mcap', 'ZSTD', chunk_size=3000)
    monkeypatch.setattr(base, limit, 0)
    monkeypatch.setattr(base, 'UNPACKED_RATIO', 0)
    file, notes = storage.BagFile(path), []
    file.use_salvage()
    assert len(list(file.messages(notes=notes))) < 5 and sentence in notes[-1] and path.name in notes[-1]


def test_those_who_take_the_messages_spend_no_budget():
    budget = base.Budget(0)
    budget._seconds = 0.05

    def salvaged():
        for number in range(5):
            budget.spend()
            yield number
    notes, found = [], []
    for number in budget.messages(salvaged(), None, notes):
        found.append(number)
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass
    assert len(found) == 5 and not notes


def test_what_the_thread_did_before_spends_no_budget(monkeypatch):
    monkeypatch.setattr(base, 'SALVAGE_SECONDS', time.thread_time() / 2)
    base.Budget(0).spend()


def test_a_topic_whose_name_is_no_text_is_a_sentence_or_skipped(tmp_path):
    path = only_file(make(tmp_path / 'bag', 5, storage='sqlite3'))
    with sqlite3.connect(path) as database:
        database.execute("UPDATE topics SET name = x'00ff' WHERE name LIKE '%ground_truth'")
    with open_bag(path) as bag:
        assert len(bag) == 5 and len(bag.labeled) == 0
        assert '5 messages are incomplete or of an unknown topic' in ' '.join(bag.problems)


def test_sqlite_allocates_no_gigabyte_for_a_row(tmp_path):
    import apsw
    with apsw.Connection(':memory:') as database, pytest.raises(apsw.TooBigError):
        database.execute('SELECT length(zeroblob(300000000))').fetchall()


def test_a_file_without_bytes_for_its_claims(tmp_path):
    path = tmp_path / 'x.mcap'
    path.write_bytes(b'\x89MCAP0\r\n' + struct.pack('<BQ', 6, 1 << 62) + bytes(100))
    with pytest.raises(SourceError):
        with open_bag(path) as bag:
            assert not list(bag) and bag.problems
            raise SourceError('as it should be')
