"""Bags of every storage as frames; what cannot be read is named."""
import pickle
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
from bag_maker import (
    COMPRESSED,
    IMAGE,
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
)
from rosbags.rosbag2 import CompressionMode

from espnet_ros.bags.reader import open_bag
from espnet_ros.errors import SourceError
from espnet_ros.labels import CAMVID


@pytest.mark.parametrize('storage, compression', [
    ('mcap', 'NONE'), ('mcap', 'STORAGE'), ('mcap', 'MESSAGE'), ('mcap', 'FILE'), ('sqlite3', 'NONE'),
    ('sqlite3', 'MESSAGE'), ('sqlite3', 'FILE')])
def test_rosbag2_is_read(tmp_path, storage, compression):
    path = make(tmp_path / 'bag', storage=storage, compression=CompressionMode[compression])
    with open_bag(path) as bag:
        assert len(bag) == 5 and bag.label_set == CAMVID and bag.problems == ()
        check_frames(bag, range(5))
        check_frames(bag, range(5))  # again, from the beginning
        assert bag.streams == (('/camera/image_raw', '/camera/ground_truth', 5, 5, 0),)
    with open_bag(only_file(path)) as bag:
        check_frames(bag, range(5))


@pytest.mark.parametrize('compression', ['NONE', 'LZ4', 'ZSTD'])
@pytest.mark.parametrize('chunked', [True, False])
def test_mcap_of_another_writer_is_read(tmp_path, compression, chunked):
    path = mcap_with(make(tmp_path / 'bag'), tmp_path / 'other.mcap', compression, chunked)
    with open_bag(path) as bag:
        assert bag.problems == ()
        check_frames(bag, range(5))


@pytest.mark.parametrize('compression', ['', 'BZ2', 'LZ4'])
def test_ros1_is_read(tmp_path, compression):
    path = make(tmp_path / 'old.bag', ros1=compression)
    for place in (path, path.parent):
        with open_bag(place) as bag:
            assert bag.label_set == CAMVID and bag.problems == ()
            check_frames(bag, range(5))


def test_a_split_bag_is_one_recording(tmp_path):
    whole = tmp_path / 'whole'
    whole.mkdir()
    for part in range(11):  # 10 comes after 9, not after 1
        with BagMaker(tmp_path / 'part') as bag:
            bag.text('/camera/ground_truth/label_map', LABEL_MAP)
            bag.frame(part)
        only_file(tmp_path / 'part').rename(whole / 'whole_{}.mcap'.format(part))
        shutil.rmtree(tmp_path / 'part')
    paths = [whole / 'whole_{}.mcap'.format(part) for part in range(11)]
    with open_bag(whole) as bag, open_bag(paths) as listed:
        check_frames(bag, range(11))
        check_frames(listed, range(11))
        assert bag.problems == ("'whole' has no metadata.yaml; its files are read in the order of their names",)
        assert [t.messages for t in bag.summary().topics] == [11, 11, 11]


def test_image_and_truth_may_lie_in_different_files(tmp_path):
    with BagMaker(tmp_path / 'images') as bag:
        for number in range(4):
            bag.frame(number, truth=False)
    with BagMaker(tmp_path / 'truth', storage='sqlite3') as bag:
        bag.text('/camera/ground_truth/label_map', LABEL_MAP)
        for number in range(4):
            bag.image('/camera/ground_truth', stamp_of(number), labels(number))
    with open_bag([tmp_path / 'images', tmp_path / 'truth']) as bag:
        check_frames(bag, range(4))


def test_frames_can_be_read_in_shares_by_other_processes(tmp_path):
    path = make(tmp_path / 'bag', 7, compression=CompressionMode.FILE)
    with open_bag(path) as bag:
        copy = pickle.loads(pickle.dumps(bag))
        check_frames(copy.frames(2, 5), [2, 3, 4])
        check_frames(copy.frames(5), [5, 6])
        check_frames(copy.frames(0, 100), range(7))
        assert list(copy.frames(3, 3)) == [] and list(copy.frames(9)) == []
        copy.close()
        check_frames(bag, range(7))


def test_compressed_images_and_truth(tmp_path):
    smooth = cv2.resize(picture(0, 5, 4), (32, 24), interpolation=cv2.INTER_CUBIC)
    with BagMaker(tmp_path / 'bag') as bag:
        bag.text('/cam/ground_truth/compressed/label_map', LABEL_MAP)
        for number, suffix in enumerate(('.png', '.jpg')):
            bag.compressed('/cam/image_raw/compressed', stamp_of(number), smooth, suffix)
            bag.compressed('/cam/ground_truth/compressed', stamp_of(number), labels(number))
    with open_bag(tmp_path / 'bag') as bag:
        first, second = bag
        np.testing.assert_array_equal(first.image, smooth)
        assert 0 < np.abs(second.image.astype(int) - smooth).mean() < 6
        np.testing.assert_array_equal(first.truth, labels(0))
        np.testing.assert_array_equal(second.truth, labels(1))


def test_what_cannot_be_decoded_is_skipped_and_named_once(tmp_path):
    with BagMaker(tmp_path / 'bag') as bag:
        bag.text('/camera/ground_truth/label_map', LABEL_MAP)
        for number in range(6):
            bag.compressed('/camera/image_raw', stamp_of(number), b'rubbish' if number in (1, 4) else picture(number))
            bag.image('/camera/ground_truth', stamp_of(number), labels(number))
    with open_bag(tmp_path / 'bag') as bag:
        assert len(bag) == 6 and bag.problems == ()
        for _ in range(2):
            check_frames(bag, [0, 2, 3, 5])
            problem, = bag.problems
            assert problem.startswith('2 images on /camera/image_raw cannot be decoded; the first, of stamp '
                                      '1700000000.100000000: the compressed image of format')


@pytest.mark.parametrize('kind', [IMAGE, COMPRESSED])
@pytest.mark.parametrize('data', [b'', b'\0\1\0\0', b'\0\1\0\0' + b'\xff' * 60, b'\x28\xb5\x2f\xfd' + b'x' * 40])
def test_broken_messages_are_counted(tmp_path, kind, data):
    with BagMaker(tmp_path / 'bag') as bag:
        bag.text('/camera/ground_truth/label_map', LABEL_MAP)
        for number in range(3):
            bag.frame(number)
        bag.raw('/bad/image_raw', kind, START, data)
        bag.raw('/camera/image_raw', IMAGE, START + 1, data)
    with open_bag(tmp_path / 'bag') as bag:
        check_frames(bag, range(3))
        assert sorted(problem.split(';')[0] for problem in bag.problems if 'broken' in problem) == [
            '1 messages on /bad/image_raw are broken and were skipped',
            '1 messages on /camera/image_raw are broken and were skipped']


def test_empty_bags(tmp_path):
    with BagMaker(tmp_path / 'none'):
        pass
    with BagMaker(tmp_path / 'text') as bag:
        bag.text('/chatter', 'hello')
    for name, topics in (('none', 0), ('text', 1)):
        with open_bag(tmp_path / name) as bag:
            assert len(bag) == 0 and list(bag) == [] and bag.problems == ('the bag holds no images',)
            assert len(bag.summary().topics) == topics and bag.label_set is None


def test_what_is_no_bag_is_said(tmp_path):
    (tmp_path / 'x.txt').write_text('x')
    (tmp_path / 'x.mcap').write_bytes(b'')
    (tmp_path / 'x.db3').write_bytes(b'no database at all' * 30)
    (tmp_path / 'x.bag').write_bytes(b'#ROSBAG V1.2\n')
    (tmp_path / 'folder').mkdir()
    for name, sentence in (('x.txt', 'is not a bag; give a folder or a file that ends in .mcap'),
                           ('none', 'is not a bag, there is no such file'), ('x.mcap', 'is not an MCAP file'),
                           ('x.db3', 'is not an SQLite file'), ('x.bag', 'is not a ROS 1 bag of version 2.0'),
                           ('folder', 'holds no bag files')):
        with pytest.raises(SourceError, match=sentence):
            open_bag(tmp_path / name)


def test_summary_tells_rates_and_gaps(tmp_path):
    with BagMaker(tmp_path / 'bag') as bag:
        for number in [*range(10), *range(30, 40)]:
            bag.image('/camera/image_raw', stamp_of(number), picture(0))
            bag.text('/steady', 'x', time=START + number)
    with open_bag(tmp_path / 'bag') as bag:
        summary = bag.summary()
    images, _ = summary.topics
    assert images[:3] == ('/camera/image_raw', IMAGE, 20) and images.rate == pytest.approx(19 / 3.9)
    assert images.gaps == ((stamp_of(9), 2.1),)
    assert (summary.start, summary.end) == (START, stamp_of(39))
    assert summary.size == only_file(tmp_path / 'bag').stat().st_size


@pytest.mark.slow
def test_without_rosbags_one_sentence_says_so():
    program = ('import sys; sys.modules["rosbags"] = None; from espnet_ros import cli; cli.COMMANDS["bag"] = ""\n'
               'sys.exit(cli.main(["bag", "info", "."]))')
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith(
        'espnet-ros: error: reading bags needs the package rosbags; install it with: pip install rosbags (')
    assert done.stderr.count('\n') == 1


@pytest.mark.slow
def test_memory_does_not_grow_with_the_bag(tmp_path):
    for count in (20, 160):  # of 0.77 MB
        with BagMaker(tmp_path / str(count)) as bag:
            bag.text('/camera/ground_truth/label_map', LABEL_MAP)
            for number in range(count):
                bag.image('/camera/image_raw', stamp_of(number), np.full((480, 533, 3), number, np.uint8))
                bag.image('/camera/ground_truth', stamp_of(number), np.zeros((48, 53), np.uint8))
    # Not getrusage's, which begins with the size of the process that started this one.
    program = ('import re, sys; from espnet_ros.bags.reader import open_bag\n'
               'for path in sys.argv[1:]:\n'
               '    with open_bag(path) as bag: count = sum(f.truth is not None for f in bag)\n'
               '    print(count, re.search("VmHWM:[^0-9]*([0-9]+)", open("/proc/self/status").read())[1])')
    done = subprocess.run([sys.executable, '-c', program, str(tmp_path / '20'), str(tmp_path / '160')],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    few, small, many, large = map(int, done.stdout.split())
    assert (few, many) == (20, 160)
    assert large - small < 25000  # kB, of 108 MB more
