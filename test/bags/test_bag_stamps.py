"""Stamps in bags: frames in order, and ground truth that belongs to an image."""
from bag_maker import LABEL_MAP, SECOND, START, BagMaker, check_frames, labels, picture, stamp_of

from espnet_ros.bags import buffer
from espnet_ros.bags.reader import open_bag


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
