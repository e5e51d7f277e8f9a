"""The ground truth of bags: what it means, and what of it cannot be used."""
import numpy as np
import pytest
from bag_maker import LABEL_MAP, START, BagMaker, labels, picture, stamp_of

from espnet_ros.bags.reader import open_bag
from espnet_ros.datasets import ground_truth
from espnet_ros.errors import LabelError
from espnet_ros.labels import CAMVID, CATEGORY_SET
from espnet_ros.labels.label_map import label_map_to_set


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
