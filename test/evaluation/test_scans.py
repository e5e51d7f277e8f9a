"""Scans of a bag are scored as those of the streets that it holds."""
import json
import re

import numpy as np
import pytest
from bag_maker import BagMaker, stamp_of
from ground_scenes import CONFIG

from espnet_ros.cli import main
from espnet_ros.ground.level import LevelView
from espnet_ros.ground.measure import measure, street_lens
from espnet_ros.ground.pose import mounted
from espnet_ros.ground.scan import Scan, Scanner
from espnet_ros.ground.traversability import ground_table, read_traversability
from espnet_ros.labels import CITYSCAPES
from espnet_ros.labels.label_map import set_to_label_map
from espnet_ros.scene import Street

SIZE = WIDTH, HEIGHT = 320, 240
SEED, TIME = 900039, 0.0
NAMES = {c.id: c.name for c in CITYSCAPES.classes}


@pytest.fixture(scope='module')
def street():
    found = Street(WIDTH, HEIGHT, SEED)
    return found, found.frame(TIME, depth=True)


@pytest.fixture
def make(street, tmp_path):
    """Write a bag of the street's frame; changes: to its messages."""
    street, frame = street

    def write(depth=frame.depth, encoding='32FC1', k=street.camera_matrix, size=SIZE, depths=(0,), info=True,
              scan=None, truth=True, name='bag', frames=1):
        with BagMaker(tmp_path / name) as bag:
            if truth:
                bag.text('/camera/ground_truth/label_map', set_to_label_map(CITYSCAPES))
            for number in range(frames):
                bag.image('/camera/image_raw', stamp_of(number), frame.image)
                if truth:
                    bag.image('/camera/ground_truth', stamp_of(number), frame.labels)
            if info:
                region = bag.store.types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
                bag.write('/camera/camera_info', 'sensor_msgs/msg/CameraInfo', stamp_of(0),
                          header=bag._header(stamp_of(0), 'front'), height=size[1], width=size[0],
                          distortion_model='plumb_bob', d=np.zeros(5), k=np.asarray(k, float).ravel(), r=np.zeros(9),
                          p=np.zeros(12), binning_x=0, binning_y=0, roi=region)
            for number in depths:  # recorded when all images are
                bag.image('/camera/depth/image_rect_raw', stamp_of(number), depth, encoding, time=stamp_of(frames))
            if scan is not None:
                bag.write('/ground/scan', 'sensor_msgs/msg/LaserScan', stamp_of(0),
                          header=bag._header(stamp_of(0), 'camera_foot'), angle_min=scan.angle_min, angle_max=1.0,
                          angle_increment=scan.angle_increment, time_increment=0.0, scan_time=0.0,
                          range_min=scan.range_min, range_max=scan.range_max, ranges=scan.ranges,
                          intensities=np.zeros(0, np.float32))
        return tmp_path / name
    return write


@pytest.fixture
def score(street, tmp_path):
    def run(bag, *options):
        assert main(['ground', '--bag', str(bag), '--camera-height', repr(float(street[0].mount)), '--out',
                     str(tmp_path / 'out'), *options]) == 0
        found = json.loads((tmp_path / 'out' / 'ground.json').read_text())
        found['rows'] = {(row.pop('scan'), row.pop('from'), row.pop('to')): row for row in found['rows']}
        return found
    return run


def test_a_bag_has_the_scores_of_its_street(make, score, tmp_path, capsys):
    found = score(make())
    expected = measure(1, read_traversability(CONFIG), SEED, *SIZE)
    for limit in (10.0, 15.0):
        assert found['rows']['true', 0.0, limit] == pytest.approx(expected[0.0, limit]._asdict())
    assert sum(found['rows']['true', near, near + 5]['beams'] for near in (0, 5, 10)) \
        == expected[0.0, 15.0].beams > 0
    assert (found['frames'], found['skipped'], found['unknown'], found['worst']['scan']) == (1, {}, 0, 'true')
    assert (tmp_path / 'out' / 'worst.png').stat().st_size > 10000
    assert 'true, 0-10 m' in capsys.readouterr().out


def test_frames_without_depth_are_counted(make, score):
    found = score(make(frames=4, depths=(3, 1, 1, 9)))
    assert found['frames'] == 2 and found['skipped'] == {'no depth of the same stamp': 2}
    one, two = (scores['rows']['true', 0, 15] for scores in (score(make(name='one')), found))
    assert two['beams'] == 2 * one['beams'] and two['median'] == one['median'] and two['missed'] == one['missed']


def test_millimeters_and_holes(make, score, street):
    depth = street[1].depth
    millimeters = np.where(depth < 65, np.rint(depth * 1000), 0).astype(np.uint16)
    millimeters[:, :WIDTH // 4] = 0
    found = score(make(millimeters, '16UC1'))
    expected = measure(1, read_traversability(CONFIG), SEED, *SIZE)[0.0, 15.0]
    assert 0.15 < found['unknown'] < 0.35
    assert 0 < found['rows']['true', 0, 15]['beams'] < expected.beams


def recorded(street, table):
    """The ground node's scan of a street's frame."""
    street, frame = street
    scanner = Scanner(LevelView(street_lens(street, *SIZE), mounted(street.mount), 20.0), ground_table(table, NAMES))
    return scanner.scan(scanner.contacts(scanner.look(frame.labels)))


def test_a_recorded_scan_has_the_scores_of_its_labels(make, score, street):
    rows = score(make(scan=recorded(street, read_traversability(CONFIG))))['rows']
    made, labels = (rows[name, 0, 15] for name in ('recorded', 'true'))
    assert made['median'] == pytest.approx(labels['median'], abs=0.01)
    assert made['cut'] == pytest.approx(labels['cut'], abs=0.02)
    assert made['beams'] == pytest.approx(labels['beams'], rel=0.1)


def test_without_ground_truth_obstacles_are_what_stands_up(make, score, street, capsys):
    table = read_traversability(CONFIG)
    flat = {name: table.classes[name]._replace(cost=0) for name in ('sidewalk', 'terrain')}
    scan = recorded(street, table._replace(classes={**table.classes, **flat}))
    row = score(make(scan=scan, truth=False))['rows']['recorded', 0, 15]
    assert 'note: without ground truth' in capsys.readouterr().out
    assert row['beams'] > 20 and row['median'] < 0.1 and row['missed'] < 0.1
    free = scan._replace(ranges=np.full_like(scan.ranges, np.inf))
    assert score(make(scan=free, truth=False, name='free'))['rows']['recorded', 0, 15]['missed'] > 0.98
    short = score(make(scan=free._replace(range_max=10.0), truth=False, name='short'))['rows']
    assert short['recorded', 10, 15]['missed'] == 0 < short['recorded', 5, 10]['missed']


@pytest.mark.parametrize('changes, sentence', [
    ({'depths': ()}, 'the bag has depth .32FC1 or 16UC1. on no topic: record one'),
    ({'info': False}, 'the bag has no CameraInfo on /camera/camera_info'),
    ({'k': np.zeros((3, 3))}, 'camera_info has no focal length'),
    ({'size': (640, 480)}, 'depth is 320x240, the image 320x240 and camera_info 640x480'),
    ({'depth': np.ones((120, 160), np.float32)}, 'depth is 160x120, the image 320x240'),
    ({'depth': np.full((HEIGHT, WIDTH), np.nan, np.float32)}, 'depth has no valid pixel'),
    ({'depths': (5,)}, 'no depth of the same stamp'),
    ({'scan': Scan(0.0, 0.0, 0.1, 20.0, np.zeros(3, np.float32))}, 'the scan has 3 ranges and an angle_increment of 0'),
    ({'truth': False}, 'neither ground truth nor a scan on /ground/scan: give --model')])
def test_what_cannot_be_scored_is_said_in_a_sentence(make, capsys, changes, sentence):
    assert main(['ground', '--bag', str(make(**changes)), '--camera-height', '1.2']) == 1
    captured = capsys.readouterr()
    assert re.search(sentence, captured.err) and captured.err.count('\n') == 1


@pytest.mark.parametrize('options, sentence', [
    ([], '--bag needs the pose'), (['--camera-height', 'nan'], '--bag needs the pose'),
    (['--camera-height', '-1'], 'above the ground'),
    (['--camera-height', '1', '--pitch', '2'], 'are for streets'),
    (['--camera-height', '1', '--scan-topic', '/scan'], 'no LaserScan on /scan: choose one of none')])
def test_options_that_do_not_fit(make, capsys, options, sentence):
    assert main(['ground', '--bag', str(make()), *options]) == 1
    assert sentence in capsys.readouterr().err
