"""Bags as frames: every storage, exact stamps, what does not fit is named."""
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
    SECOND,
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

from espnet_ros.bags import buffer
from espnet_ros.bags.reader import open_bag
from espnet_ros.datasets import ground_truth
from espnet_ros.errors import LabelError, ParameterError, SourceError
from espnet_ros.labels import CAMVID, CATEGORY_SET
from espnet_ros.labels.label_map import label_map_to_set


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


def test_jpeg_is_no_ground_truth(tmp_path):
    with BagMaker(tmp_path / 'bag') as bag:
        bag.text('/cam/ground_truth/label_map', LABEL_MAP)
        bag.image('/cam/image_raw', START, picture(0))
        bag.compressed('/cam/ground_truth', START, labels(0), '.jpg')
    with open_bag(tmp_path / 'bag') as bag:
        frame, = bag
        assert frame.truth is None
        problem, = bag.problems
        assert problem.startswith('1 ground truth images on /cam/ground_truth cannot be used; the first, of stamp '
                                  '1700000000.000000000: the compressed image')
        assert 'is no PNG; labels must be PNG' in problem


def test_the_user_says_what_the_ground_truth_means(tmp_path):
    with BagMaker(tmp_path / 'bag') as bag:
        bag.frame(0)
    with open_bag(tmp_path / 'bag') as bag:
        frame, = bag
        assert frame.truth is None and bag.label_set is None and bag.streams[0].labeled == 0
        assert bag.problems == ('the ground truth on /camera/ground_truth is not used: its label set is given '
                                'neither in the bag, on /camera/ground_truth/label_map, nor by the user',)
    with open_bag(tmp_path / 'bag', truth=ground_truth('camvid', CATEGORY_SET)) as bag:
        frame, = bag
        table = np.append(CAMVID.category_table()[:255], 255).astype(np.uint8)
        np.testing.assert_array_equal(frame.truth, table[labels(0)])
        assert bag.label_set == CATEGORY_SET and bag.problems == ()


def test_colored_ground_truth(tmp_path):
    colors = CAMVID.palette()[labels(3)]  # RGB, black where unlabeled
    with BagMaker(tmp_path / 'bag') as bag:
        bag.image('/camera/image_raw', START, picture(3))
        bag.image('/camera/ground_truth', START, colors, 'rgb8')
    with open_bag(tmp_path / 'bag', truth=ground_truth('color', CAMVID)) as bag:
        frame, = bag
        np.testing.assert_array_equal(frame.truth, labels(3))


@pytest.mark.parametrize('dtype, encoding', [(np.uint16, '16UC1'), (np.uint16, 'mono16'), (np.int32, '32SC1')])
def test_ground_truth_of_more_bits(tmp_path, dtype, encoding):
    with BagMaker(tmp_path / 'bag') as bag:
        bag.text('/camera/ground_truth/label_map', LABEL_MAP)
        for number, extra in enumerate((0, 300)):
            truth = labels(number).astype(dtype)
            truth[0, 0] += extra
            bag.image('/camera/image_raw', stamp_of(number), picture(number))
            bag.image('/camera/ground_truth', stamp_of(number), truth, encoding)
    with open_bag(tmp_path / 'bag') as bag:
        good, bad = bag
        np.testing.assert_array_equal(good.truth, labels(0))
        assert bad.truth is None
        assert 'it holds the value {} in 1 pixels, which is no class of camvid'.format(
            int(labels(1)[0, 0]) + 300) in bag.problems[0]


def test_only_equal_stamps_match(tmp_path):
    with BagMaker(tmp_path / 'bag') as bag:
        bag.text('/camera/ground_truth/label_map', LABEL_MAP)
        for number in range(4):
            bag.image('/camera/image_raw', stamp_of(number), picture(number))
            bag.image('/camera/ground_truth', stamp_of(number) + (number == 2), labels(number))
    with open_bag(tmp_path / 'bag') as bag:
        assert [frame.truth is None for frame in bag] == [False, False, True, False]
        assert bag.streams[0].labeled == 3
        assert bag.problems == ('1 labeled stamps on /camera/ground_truth have no image on /camera/image_raw',)


def test_truth_that_never_matches_is_explained(tmp_path):
    with BagMaker(tmp_path / 'bag') as bag:
        bag.text('/camera/ground_truth/label_map', LABEL_MAP)
        for number in range(3):
            bag.image('/camera/image_raw', stamp_of(number), picture(number))
            bag.image('/camera/ground_truth', stamp_of(number) + 3_000_000, labels(number))
    with open_bag(tmp_path / 'bag') as bag:
        assert [frame.truth for frame in bag] == [None] * 3
        assert bag.problems[0] == (
            'no ground truth on /camera/ground_truth has the stamp of an image on /camera/image_raw; the '
            'closest two are 0.003000 s apart, but stamps must be equal')


def test_frames_without_truth_are_frames(tmp_path):
    with BagMaker(tmp_path / 'bag') as bag:
        bag.text('/camera/ground_truth/label_map', LABEL_MAP)
        for number in range(6):
            bag.frame(number, truth=number % 3 == 0)
    with open_bag(tmp_path / 'bag') as bag:
        frames = list(bag)
        assert [frame.truth is not None for frame in frames] == [True, False, False] * 2
        np.testing.assert_array_equal(frames[4].image, picture(4))
        assert bag.streams[0][2:] == (6, 2, 0) and bag.problems == ()


def test_a_bag_without_ground_truth(tmp_path):
    with BagMaker(tmp_path / 'bag') as bag:
        for number in range(3):
            bag.image('/cam/depth', stamp_of(number), picture(number)[..., 0].astype(np.float32), '32FC1')
            bag.image('/cam/image_rect', stamp_of(number), picture(number))
            bag.compressed('/cam/image_rect/compressed', stamp_of(number), picture(number))
            bag.image('/espnet/labels', stamp_of(number), labels(number))  # a prediction, not the truth
    with open_bag(tmp_path / 'bag') as bag:
        frames = list(bag)
        assert [frame.topic for frame in frames] == ['/cam/image_rect'] * 3
        assert all(frame.truth is None for frame in frames)
        assert bag.problems[0] == (
            'no frame has ground truth; its topic must be called ground_truth or be selected by name')
        assert '/cam/image_rect/compressed, /espnet/labels' in bag.problems[1] and len(bag.problems) == 2
    with open_bag(tmp_path / 'bag', truth_topic='/espnet/labels', truth=ground_truth('camvid')) as bag:
        assert bag.streams == (('/cam/image_rect', '/espnet/labels', 3, 3, 0),)
        np.testing.assert_array_equal(next(iter(bag)).truth, labels(0))


def test_two_cameras_keep_their_own_truth(tmp_path):
    with BagMaker(tmp_path / 'bag') as bag:
        for side in ('/right', '/left'):
            bag.text(side + '/ground_truth/label_map', LABEL_MAP)
        for number in range(3):
            for side, shift in (('/left', 0), ('/right', 10)):
                bag.image(side + '/image_raw', stamp_of(number), picture(number + shift))
                bag.image(side + '/ground_truth', stamp_of(number), labels(number + shift))
    with open_bag(tmp_path / 'bag') as bag:
        frames = list(bag)
        assert [frame.stamp for frame in frames] == [stamp_of(n) for n in range(3) for _ in range(2)]
        assert len(bag) == 6 and bag.problems == ()
        for i, frame in enumerate(frames):
            number = i // 2 + (10 if frame.topic == '/right/image_raw' else 0)
            np.testing.assert_array_equal(frame.image, picture(number))
            np.testing.assert_array_equal(frame.truth, labels(number))
    with open_bag(tmp_path / 'bag', image_topic='/right/image_raw') as bag:
        assert bag.streams == (('/right/image_raw', '/right/ground_truth', 3, 3, 0),)
        np.testing.assert_array_equal(next(iter(bag)).truth, labels(10))


def test_two_cameras_with_different_classes(tmp_path):
    with BagMaker(tmp_path / 'bag') as bag:
        bag.text('/a/ground_truth/label_map', LABEL_MAP)
        bag.text('/b/ground_truth/label_map', LABEL_MAP.replace('"Sky"', '"Heaven"'))
        for side in 'ab':
            bag.image('/{}/image_raw'.format(side), START, picture(1))
            bag.image('/{}/ground_truth'.format(side), START, labels(1))
    with open_bag(tmp_path / 'bag') as bag:
        assert [frame.truth is None for frame in bag] == [False, True] and bag.label_set == CAMVID
        assert bag.problems == ('the ground truth on /b/ground_truth is not used: its label set camvid differs from '
                                'that of another camera, camvid',)
    with open_bag(tmp_path / 'bag', truth=ground_truth('camvid')) as bag:
        assert [frame.truth is None for frame in bag] == [False, False]
        assert bag.problems == ('the ground truth on /b/ground_truth is read as camvid, as requested; the label map on '
                                '/b/ground_truth/label_map is ignored',)


def test_two_cameras_of_which_one_has_truth(tmp_path):
    with BagMaker(tmp_path / 'bag') as bag:
        bag.text('/camera/ground_truth/label_map', LABEL_MAP)
        for number in range(3):
            bag.image('/another/image_raw', stamp_of(number) + 5, picture(50))
            bag.frame(number)
    with open_bag(tmp_path / 'bag') as bag:
        check_frames(bag, range(3))
        problem, = bag.problems
        assert problem.startswith('unused image topics') and '/another/image_raw' in problem


def test_stamps_out_of_order_are_put_in_order(tmp_path):
    order = [3, 0, 1, 4, 2]
    with BagMaker(tmp_path / 'bag') as bag:
        bag.text('/camera/ground_truth/label_map', LABEL_MAP)
        for place, number in enumerate(order):
            bag.image('/camera/image_raw', stamp_of(number), picture(number), time=START + place)
            bag.image('/camera/ground_truth', stamp_of(number), labels(number), time=START + place)
    with open_bag(tmp_path / 'bag') as bag:
        check_frames(bag, range(5))
        check_frames(bag.frames(1, 3), [1, 2])
        assert bag.problems == tuple('2 stamps on /camera/{} are out of order; the frames were sorted'
                                     .format(name) for name in ('image_raw', 'ground_truth'))


def test_truth_that_was_added_at_the_end_waits_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(buffer, 'BUFFER_BYTES', 6000)  # two images
    with BagMaker(tmp_path / 'bag') as bag:
        bag.text('/camera/ground_truth/label_map', LABEL_MAP)
        for number in range(12):
            bag.image('/camera/image_raw', stamp_of(number), picture(number))
        for number in reversed(range(12)):
            bag.image('/camera/ground_truth', stamp_of(number), labels(number), time=START + 100 * SECOND - number)
    with open_bag(tmp_path / 'bag') as bag:
        check_frames(bag, range(12))


def test_repeated_stamps_count_once(tmp_path):
    with BagMaker(tmp_path / 'bag') as bag:
        bag.text('/camera/ground_truth/label_map', LABEL_MAP)
        for number in (0, 1, 2):
            bag.frame(number)
        for number in (1, 2):
            bag.image('/camera/image_raw', stamp_of(number), picture(40), time=START + SECOND)
    with open_bag(tmp_path / 'bag') as bag:
        check_frames(bag, range(3))
        assert bag.problems == (
            '1 stamps on /camera/image_raw are out of order; the frames were sorted',
            '2 messages on /camera/image_raw repeat a stamp; the first of each stamp is used')


def test_without_stamps_the_time_of_recording_counts(tmp_path):
    with BagMaker(tmp_path / 'bag') as bag:
        bag.text('/camera/ground_truth/label_map', LABEL_MAP)
        for number in range(3):
            bag.image('/camera/image_raw', 0, picture(number), time=stamp_of(number))
            bag.image('/camera/ground_truth', 0, labels(number), time=stamp_of(number))
    with open_bag(tmp_path / 'bag') as bag:
        check_frames(bag, range(3))
        assert '3 messages on /camera/image_raw have no stamp; their time of recording is used' in bag.problems


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


def test_a_topic_without_images_is_refused(tmp_path):
    path = make(tmp_path / 'bag', 1)
    for name in ('/none', '/camera/ground_truth/label_map'):
        for argument in ('image_topic', 'truth_topic'):
            with pytest.raises(ParameterError, match="no images on topic '{}'; those with images are "
                                                     '/camera/ground_truth, /camera/image_raw'.format(name)):
                open_bag(path, **{argument: name})


@pytest.mark.parametrize('text', ['', '[]', '{}', '{"label_set": "x", "classes": [{}]}', '[' * 100000, 'null',
                                  LABEL_MAP.replace('"id": 3', '"id": 300')])
def test_a_label_map_that_is_none(tmp_path, text):
    with pytest.raises(LabelError, match='/topic'):
        label_map_to_set(text, '/topic')
    with BagMaker(tmp_path / 'bag') as bag:
        bag.text('/camera/ground_truth/label_map', text)
        bag.frame(0)
    with open_bag(tmp_path / 'bag') as bag:
        frame, = bag
        assert frame.truth is None and bag.label_set is None
        assert bag.problems[0].startswith('the ground truth on /camera/ground_truth is not used: /camera/ground_truth/')


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


def test_instances_that_cannot_be_used_are_named_and_the_frames_are_kept(tmp_path):
    good = np.full((24, 32), 26001, np.uint16)
    with BagMaker(tmp_path / 'bag') as bag:
        bag.text('/camera/ground_truth/label_map', LABEL_MAP)
        for number in range(5):
            bag.frame(number, truth=number != 4)
            pixels = {1: good[:10], 2: good + np.uint16(20000)}.get(number, good)
            bag.image('/camera/ground_truth/instances', stamp_of(number), pixels, encoding='mono16')
        bag.image('/camera/ground_truth/instances', stamp_of(9), good, encoding='mono16')
    with open_bag(tmp_path / 'bag') as bag:
        assert bag.streams == (('/camera/image_raw', '/camera/ground_truth', 5, 4, 4),)
        frames = list(bag)
        assert [frame.truth is not None for frame in frames] == [True, True, True, True, False]
        assert [frame.instances is not None for frame in frames] == [True, False, False, True, False]
        assert np.array_equal(frames[0].instances, good)
        assert bag.problems[0] == ('2 stamps on /camera/ground_truth/instances have no ground truth on '
                                   '/camera/ground_truth')
        assert '2 instance images on /camera/ground_truth/instances cannot be used' in bag.problems[1]
        assert 'its size differs from that of the ground truth' in bag.problems[1] and len(bag.problems) == 2


def test_instances_belong_to_the_ground_truth_that_is_chosen(tmp_path):
    with BagMaker(tmp_path / 'bag') as bag:
        for number in range(3):
            bag.frame(number, truth=False)
            bag.image('/mine', stamp_of(number), labels(number))
            bag.image('/mine/instances', stamp_of(number), np.full((24, 32), 24001, np.uint16), encoding='mono16')
    with open_bag(tmp_path / 'bag', truth_topic='/mine', truth=ground_truth('camvid')) as bag:
        assert bag.streams == (('/camera/image_raw', '/mine', 3, 3, 3),) and bag.problems == ()
        assert all((frame.instances == 24001).all() for frame in bag)
    with open_bag(tmp_path / 'bag', image_topic='/camera/image_raw') as bag:
        assert bag.streams == (('/camera/image_raw', '', 3, 0, 0),)
        assert all(frame.instances is None for frame in bag)
