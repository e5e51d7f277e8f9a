"""Topics of bags: several cameras, each with its own ground truth."""
import numpy as np
import pytest
from bag_maker import LABEL_MAP, START, BagMaker, check_frames, labels, make, picture, stamp_of

from espnet_ros.bags.reader import open_bag
from espnet_ros.datasets import ground_truth
from espnet_ros.errors import ParameterError
from espnet_ros.labels import CAMVID


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


def test_a_topic_without_images_is_refused(tmp_path):
    path = make(tmp_path / 'bag', 1)
    for name in ('/none', '/camera/ground_truth/label_map'):
        for argument in ('image_topic', 'truth_topic'):
            with pytest.raises(ParameterError, match="no images on topic '{}'; those with images are "
                                                     '/camera/ground_truth, /camera/image_raw'.format(name)):
                open_bag(path, **{argument: name})
