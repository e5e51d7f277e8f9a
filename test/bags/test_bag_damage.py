"""Bags that were cut off or damaged: every whole message is used, and the damage is named."""
import sqlite3
import struct

import numpy as np
import pytest
from bag_maker import (
    LABEL_MAP,
    START,
    BagMaker,
    check_frames,
    labels,
    make,
    mcap_with,
    only_file,
    picture,
    stamp_of,
    truncate,
)
from rosbags.rosbag2 import CompressionMode

from espnet_ros.bags.reader import open_bag
from espnet_ros.bags.salvage import sqlite as salvage_sqlite
from espnet_ros.bags.salvage.base import Budget
from espnet_ros.bags.storage import BagFile
from espnet_ros.datasets import ground_truth
from espnet_ros.errors import SourceError

COUNT = 12


def frame_ends(path):
    """The byte of an uncompressed file behind each frame's image and truth."""
    data = path.read_bytes()

    def end(pixels):
        at = data.find(pixels.tobytes())
        assert at > 0
        return at + pixels.size
    return [max(end(picture(n)), end(labels(n))) for n in range(COUNT)]


@pytest.mark.parametrize('chunked', [True, False])
def test_mcap_cut_anywhere_gives_all_that_is_whole(tmp_path, chunked):
    path = mcap_with(make(tmp_path / 'bag', COUNT), tmp_path / 'cut.mcap', 'NONE', chunked, chunk_size=20000)
    size, ends = path.stat().st_size, frame_ends(path)
    cuts = sorted(np.random.default_rng(1).integers(2000, size - 8, 40).tolist(), reverse=True)
    recovered = set()
    for cut in cuts:
        expected = [number for number, end in enumerate(ends) if end <= cut]
        truncate(path, cut)
        with open_bag(path) as bag:
            complete = [frame for frame in bag if frame.truth is not None]
            check_frames(complete, expected)
            assert len(list(bag)) - len(complete) <= 1  # an image whose truth lies behind the cut
            if cut < size * 0.9:
                assert bag.problems[0].startswith("'cut.mcap' was cut off in the record at byte ")
                assert ' and ends at byte {}; its last complete message is from 1700000'.format(cut) in bag.problems[0]
        recovered.add(len(expected))
        if not expected:
            break
    assert len(recovered) > 6


@pytest.mark.parametrize('compression', ['LZ4', 'ZSTD'])
def test_compressed_mcap_cut_off_gives_its_beginning(tmp_path, compression):
    path = mcap_with(make(tmp_path / 'bag', COUNT), tmp_path / 'cut.mcap', compression, chunk_size=7000)
    size = path.stat().st_size
    counts = []
    for share in (0.9, 0.7, 0.5, 0.3):
        truncate(path, int(size * share))
        with open_bag(path) as bag:
            complete = [frame for frame in bag if frame.truth is not None]
            check_frames(complete, range(len(complete)))
            counts.append(len(complete))
            assert 'was cut off' in bag.problems[0]
    assert all(abs(count - COUNT * share) <= 3 for count, share in zip(counts, (0.9, 0.7, 0.5, 0.3)))


def test_mcap_of_a_dead_disk_ends_with_zeros(tmp_path):
    path = mcap_with(make(tmp_path / 'bag', COUNT), tmp_path / 'dead.mcap', 'NONE', chunk_size=500)
    data, cut = path.read_bytes(), frame_ends(path)[7] + 1000
    path.write_bytes(data[:cut] + bytes(len(data) - cut))
    with open_bag(path) as bag:
        check_frames(bag, range(8))
        assert 'its checksum is wrong' in bag.problems[0]
        assert bag.problems[1].startswith("'dead.mcap' was cut off in the record at byte ")


def test_a_damaged_chunk_of_an_mcap_is_skipped(tmp_path):
    path = mcap_with(make(tmp_path / 'bag', COUNT), tmp_path / 'hit.mcap', 'NONE', chunk_size=500)
    data = bytearray(path.read_bytes())
    data[data.find(picture(4).tobytes()) + 50] ^= 1
    path.write_bytes(data)
    with open_bag(path) as bag:
        frames = [frame for frame in bag if frame.truth is not None]
        check_frames(frames, [n for n in range(COUNT) if n != 4])
        assert bag.problems[0].startswith("'hit.mcap': the chunk at byte ")
        assert 'its checksum is wrong' in bag.problems[0]
        assert '1 labeled stamps on /camera/ground_truth have no image' in bag.problems[1]


def test_a_damaged_first_chunk_takes_only_its_own_messages(tmp_path):
    """It also tells the topics; but so does the end of the file."""
    path = mcap_with(make(tmp_path / 'bag', COUNT), tmp_path / 'hit.mcap', 'ZSTD', chunk_size=500)
    data = bytearray(path.read_bytes())
    data[100:120] = bytes(20)
    path.write_bytes(data)
    with open_bag(path, truth=ground_truth('camvid')) as bag:
        assert bag.problems[0].startswith("'hit.mcap': the chunk at byte 46 is damaged (")
        check_frames(bag, range(COUNT))  # the chunk held the label map


def test_mcap_with_a_damaged_index_is_whole(tmp_path):
    path = only_file(make(tmp_path / 'bag', COUNT))
    truncate(path, path.stat().st_size - 20)
    with open_bag(path) as bag:
        check_frames(bag, range(COUNT))
        problem, = bag.problems
        assert problem.startswith("'bag.mcap' has no usable index ('")
        assert problem.endswith('it was read sequentially and is complete')


@pytest.mark.parametrize('position', [8, 9, 17, 25, 40, 60])
def test_mcap_garbled_anywhere_near_its_beginning(tmp_path, position):
    path = only_file(make(tmp_path / 'bag', 3))
    data = bytearray(path.read_bytes())
    for value in (0, 0x7f, 0xff):
        data[position:position + 4] = bytes([value]) * 4
        path.write_bytes(data)
        try:
            with open_bag(path) as bag:
                frames = list(bag)
                check_frames([f for f in frames if f.truth is not None], range(len(frames)))
                assert len(frames) == 3 or bag.problems
        except SourceError as error:
            assert 'bag.mcap' in str(error)


def test_sqlite_cut_off_gives_its_beginning(tmp_path):
    path = only_file(make(tmp_path / 'bag', 60, storage='sqlite3'))
    size = path.stat().st_size
    for share in (0.95, 0.8, 0.5, 0.2):
        cut = int(size * share)
        truncate(path, cut)
        with open_bag(path) as bag:
            complete = [frame for frame in bag if frame.truth is not None]
            check_frames(complete, range(len(complete)))
            assert 60 * share - 8 <= len(complete) <= 60 * share
            assert bag.problems[0].startswith("'bag.db3' was cut off and ends at byte {} of {}; its last complete "
                                              'message is from 170000000'.format(cut, size))


def test_sqlite_cut_off_below_the_upper_levels_of_its_tree(tmp_path):
    """Many rows make a tree of three levels; the middle one lies behind the first thousands of messages."""
    with BagMaker(tmp_path / 'bag', storage='sqlite3') as bag:
        bag.text('/camera/ground_truth/label_map', LABEL_MAP)
        for number in range(9000):
            bag.image('/camera/image_raw', stamp_of(number), picture(number, 14, 12))
    path = only_file(tmp_path / 'bag')
    truncate(path, path.stat().st_size // 5)
    database = sqlite3.connect('file:{}?immutable=1'.format(path), uri=True)
    with pytest.raises(sqlite3.DatabaseError):
        database.execute('SELECT data FROM messages').fetchone()
    database.close()
    with open_bag(path) as bag:
        assert 1700 < len(bag) < 1900
        frames = list(bag)
        assert [frame.stamp for frame in frames] == [stamp_of(n) for n in range(len(frames))]
        np.testing.assert_array_equal(frames[1700].image, picture(1700, 14, 12))


def test_sqlite_salvage_reads_what_sqlite_reads(tmp_path):
    """Blobs of every size around the limits at which they move to overflow pages."""
    with BagMaker(tmp_path / 'bag', storage='sqlite3') as bag:
        for size in [*range(600), *range(3900, 4700, 3), *range(7800, 9000, 7), 70000]:
            bag.raw('/data', 'std_msgs/msg/String', START - size, bytes(np.random.default_rng(size).bytes(size)))
    path = only_file(tmp_path / 'bag')
    with sqlite3.connect(path) as database:
        expected = database.execute('SELECT timestamp, data FROM messages').fetchall()
    notes = []
    found = [(m.time, m.data) for m in salvage_sqlite.sqlite3(path, notes, Budget(path.stat().st_size))]
    assert sorted(found) == sorted(expected) and len(found) == 1040 and notes == []


@pytest.mark.parametrize('page_size', [512, 1024, 65536])
def test_sqlite_pages_of_any_size(tmp_path, page_size):
    path = only_file(make(tmp_path / 'bag', 5, storage='sqlite3'))
    with sqlite3.connect(path) as database:
        database.execute('PRAGMA page_size = {}'.format(page_size))
    database = sqlite3.connect(path)
    database.execute('VACUUM')
    database.close()
    file = BagFile(path)
    expected = {tuple(m) for m in file.messages()}
    file.use_salvage()
    assert {tuple(m) for m in file.messages()} == expected and len(expected) == 11


@pytest.mark.parametrize('compression', ['', 'BZ2', 'LZ4'])
def test_ros1_cut_off_gives_its_beginning(tmp_path, compression):
    path = tmp_path / 'cut.bag'
    with BagMaker(path, ros1=compression) as bag:
        bag.writer.chunk_threshold = 9000
        bag.text('/camera/ground_truth/label_map', LABEL_MAP)
        for number in range(COUNT):
            bag.frame(number)
    size = path.stat().st_size
    counts = []
    for share in (0.9, 0.7, 0.5, 0.3):
        truncate(path, int(size * share))
        with open_bag(path) as bag:
            complete = [frame for frame in bag if frame.truth is not None]
            check_frames(complete, range(len(complete)))
            counts.append(len(complete))
            assert bag.problems[0].startswith("'cut.bag' was cut off in the record at byte ")
    assert all(-1 <= COUNT * share - count <= 4 for count, share in zip(counts, (0.9, 0.7, 0.5, 0.3)))


def test_ros1_that_was_never_closed(tmp_path):
    path = make(tmp_path / 'run.bag', ros1='')
    data = bytearray(path.read_bytes())
    at = data.find(b'index_pos=') + len(b'index_pos=')
    end, = struct.unpack_from('<Q', data, at)
    data[at:at + 8] = bytes(8)
    (tmp_path / 'run.bag.active').write_bytes(data[:end])
    with open_bag(tmp_path / 'run.bag.active') as bag:
        check_frames(bag, range(5))
        assert 'Bag is not indexed' in bag.problems[0]


def test_a_damaged_file_among_split_ones_costs_only_its_own(tmp_path):
    folder = tmp_path / 'split'
    folder.mkdir()
    for part in range(3):
        with BagMaker(tmp_path / str(part)) as bag:
            bag.text('/camera/ground_truth/label_map', LABEL_MAP)
            for number in range(4 * part, 4 * part + 4):
                bag.frame(number)
        only_file(tmp_path / str(part)).rename(folder / 'split_{}.mcap'.format(part))
    truncate(folder / 'split_1.mcap', 0)
    (folder / 'metadata.yaml').write_text(
        'rosbag2_bagfile_information: {message_count: 27, relative_file_paths: [split_0.mcap, split_1.mcap, '
        'split_2.mcap, split_3.mcap]}')
    with pytest.raises(SourceError, match="split_1.mcap': it is not an MCAP file"):
        open_bag(folder / 'split_1.mcap')
    with open_bag(folder) as bag:
        check_frames(bag, [0, 1, 2, 3, 8, 9, 10, 11])
        assert bag.problems[0] == "the file 'split_3.mcap' that metadata.yaml names is missing"
        assert "split_1.mcap': it is not an MCAP file, or its beginning is damaged" in bag.problems[1]
        assert bag.problems[2] == '18 messages were found, but metadata.yaml counts 27' and len(bag.problems) == 3


@pytest.mark.parametrize('text', ['', 'x: [', 'rosbag2_bagfile_information: 3',
                                  'rosbag2_bagfile_information: {message_count: .inf, relative_file_paths: []}',
                                  '\xff', '&a [*a]'])
def test_damaged_metadata_is_not_needed(tmp_path, text):
    path = make(tmp_path / 'bag')
    (path / 'metadata.yaml').write_bytes(text.encode('latin-1'))
    with open_bag(path) as bag:
        check_frames(bag, range(5))
        assert bag.problems[0].startswith('metadata.yaml is damaged and was not used (')


def test_without_metadata(tmp_path):
    path = make(tmp_path / 'bag', compression=CompressionMode.MESSAGE)
    (path / 'metadata.yaml').unlink()
    with open_bag(path) as bag:
        check_frames(bag, range(5))
        assert bag.problems == ("'bag' has no metadata.yaml; its files are read in the order of their names",)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_compressed_file_cut_off_gives_its_beginning(tmp_path, storage):
    path = make(tmp_path / 'bag', 150, storage=storage, compression=CompressionMode.FILE)
    file = only_file(path)
    truncate(file, file.stat().st_size * 2 // 3)
    with open_bag(path) as bag:
        complete = [frame for frame in bag if frame.truth is not None]
        check_frames(complete, range(len(complete)))
        assert 50 < len(complete) < 101
        assert bag.problems[0].startswith("the compressed file 'bag.{}.zstd' was cut off".format(
            'mcap' if storage == 'mcap' else 'db3'))
        assert 'was cut off' in bag.problems[1]


@pytest.mark.parametrize('make_file', [
    lambda folder: mcap_with(make(folder / 'bag', 3), folder / 'x.mcap', 'NONE', chunk_size=4000),
    lambda folder: mcap_with(make(folder / 'bag', 3), folder / 'x.mcap', 'ZSTD', False),
    lambda folder: only_file(make(folder / 'bag', 3, storage='sqlite3')),
    lambda folder: make(folder / 'x.bag', 3, ros1='')], ids=['chunks', 'no chunks', 'sqlite3', 'ros1'])
def test_no_garbled_file_is_more_than_a_sentence(tmp_path, make_file):
    path = make_file(tmp_path)
    data, dice, read = path.read_bytes(), np.random.default_rng(2), 0
    for _ in range(60):
        garbled = bytearray(data)
        for position in dice.integers(0, len(data), 2):
            garbled[position] = dice.integers(0, 256)
        start, length = dice.integers(0, len(data) - 40), dice.integers(1, 40)
        garbled[start:start + length] = bytes([dice.choice([0, 0x7f, 0xff])]) * length
        path.write_bytes(garbled)
        try:
            with open_bag(path) as bag:
                read += sum(1 for _ in bag)
                assert all('\n' not in problem for problem in bag.problems)
        except SourceError as error:
            assert path.name in str(error)
    assert read > 20


def test_messages_in_a_write_ahead_log_are_named(tmp_path):
    path = make(tmp_path / 'bag', storage='sqlite3')
    (path / 'bag.db3-wal').write_bytes(b'x')
    with open_bag(path) as bag:
        check_frames(bag, range(5))
        assert bag.problems[0].startswith("'bag.db3-wal' holds messages that were not yet merged into the database")
