"""Scans of a bag are scored as those of the streets that it holds."""
import contextlib
import json
import pickle
import re
import types

import numpy as np
import pytest
from bag_maker import BagMaker, stamp_of
from evaluation_rig import setup_for, small_model
from ground_scenes import CONFIG, SIDEWALK

from espnet_ros.bags.reader import open_bag
from espnet_ros.bags.storage import TF_MESSAGE, _store, deserialize
from espnet_ros.cli import main
from espnet_ros.evaluation.evaluate import evaluate
from espnet_ros.evaluation.live import ThroughNode
from espnet_ros.evaluation.scans import ScanSettings
from espnet_ros.evaluation.transforms import StaticTransforms
from espnet_ros.evaluation.workers import InProcess
from espnet_ros.ground.level import LevelView
from espnet_ros.ground.measure import measure, street_lens
from espnet_ros.ground.pose import OPTICAL, mounted
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
              scan=None, truth=True, name='bag', frames=1, tf=(), cloud=None, p=None):
        """tf: (parent, child, x, y, z, quaternion). cloud: frame, points [N, 3] and ns after the image."""
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
                          p=np.zeros(12) if p is None else p, binning_x=0, binning_y=0, roi=region)
            for number in depths:  # recorded when all images are
                bag.image('/camera/depth/image_rect_raw', stamp_of(number), depth, encoding, time=stamp_of(frames))
            if tf:
                bag.write('/tf_static', TF_MESSAGE, stamp_of(0), transforms=[transform(bag, *one) for one in tf])
            if cloud is not None:
                write_cloud(bag, *cloud)
            if scan is not None:
                bag.write('/ground/scan', 'sensor_msgs/msg/LaserScan', stamp_of(0),
                          header=bag._header(stamp_of(0), 'camera_foot'), angle_min=scan.angle_min, angle_max=1.0,
                          angle_increment=scan.angle_increment, time_increment=0.0, scan_time=0.0,
                          range_min=scan.range_min, range_max=scan.range_max, ranges=scan.ranges,
                          intensities=np.zeros(0, np.float32))
        return tmp_path / name
    return write


def transform(bag, parent, child, x=0.0, y=0.0, z=0.0, q=(0.0, 0.0, 0.0, 1.0)):
    types = bag.store.types
    return types['geometry_msgs/msg/TransformStamped'](
        header=bag._header(stamp_of(0), parent), child_frame_id=child, transform=types['geometry_msgs/msg/Transform'](
            types['geometry_msgs/msg/Vector3'](x, y, z), types['geometry_msgs/msg/Quaternion'](*q)))


def write_cloud(bag, frame, points, late=0, field='z'):
    kind = bag.store.types['sensor_msgs/msg/PointField']
    fields = [kind(name, 4 * i, 7, 1) for i, name in enumerate(('x', 'y', field))]
    header = bag._header(stamp_of(0) + late, frame)
    bag.write('/lidar/points', 'sensor_msgs/msg/PointCloud2', stamp_of(0), header=header, height=1,
              width=len(points), fields=fields, is_bigendian=False, point_step=12, row_step=12 * len(points),
              data=np.ascontiguousarray(points, np.float32).view(np.uint8).ravel(), is_dense=True)


LOOKS = (-0.5, 0.5, -0.5, 0.5)
"""Quaternion of an optical frame that looks along x."""


@pytest.fixture
def score(street, tmp_path):
    def run(bag, *options, height=street[0].mount):
        pose = [] if height is None else ['--camera-height', repr(float(height))]
        assert main(['ground', '--bag', str(bag), *pose, '--out', str(tmp_path / 'out'), *options]) == 0
        found = json.loads((tmp_path / 'out' / 'ground.json').read_text())
        found['rows'] = {(row.pop('scan'), row.pop('from'), row.pop('to')): row for row in found['rows']}
        return found
    return run


def test_of_rectified_images_p_counts(street, make, score):
    plain = score(make())['rows']
    p = np.column_stack((street[0].camera_matrix, np.zeros(3))).ravel()
    assert score(make(k=0.5 * street[0].camera_matrix, p=p, name='rectified'), '--rectified')['rows'] == plain


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
    scan = without_curbs(street)
    row = score(make(scan=scan, truth=False))['rows']['recorded', 0, 15]
    assert 'note: without ground truth' in capsys.readouterr().out
    assert row['beams'] > 20 and row['median'] < 0.1 and row['missed'] < 0.1
    free = scan._replace(ranges=np.full_like(scan.ranges, np.inf))
    assert score(make(scan=free, truth=False, name='free'))['rows']['recorded', 0, 15]['missed'] > 0.98
    short = score(make(scan=free._replace(range_max=10.0), truth=False, name='short'))['rows']
    assert short['recorded', 10, 15]['missed'] == 0 < short['recorded', 5, 10]['missed']


def test_the_pose_comes_from_tf_static_unless_it_is_told(make, score, street, capsys):
    mount = street[0].mount
    bag = make(tf=[('base_link', '/mast', 0.3, 0.1, mount - 0.5), ('mast', 'front', 0.0, 0.0, 0.5, LOOKS),
                   ('base_link', 'lidar')])
    assert score(bag, height=None)['rows'] == score(bag)['rows'] != score(bag, height=mount + 0.3)['rows']
    assert score(bag, '--base-frame', 'lidar', height=None)['rows'] == score(bag)['rows']
    assert main(['ground', '--bag', str(bag), '--base-frame', 'robot']) == 1
    assert "does not connect 'front' with 'robot': it has 'base_link, front, lidar, mast'; give --camera-height" \
        in capsys.readouterr().err


def test_transforms_of_ros1_are_read_too(tmp_path):
    with BagMaker(tmp_path / 'one.bag', ros1='') as bag:
        bag.image('/camera/image_raw', stamp_of(0), np.zeros((4, 4, 3), np.uint8))
        bag.store = _store('ros1')
        bag.write('/tf_static', TF_MESSAGE, stamp_of(0), transforms=[
            transform(bag, '/base_link', '/front', 0.0, 0.0, 1.5, LOOKS)])
    tree = StaticTransforms()
    for message in open_bag(tmp_path / 'one.bag').messages({'/tf_static'}):
        tree.add(deserialize(message))
    pose = tree.camera('base_link', 'front')
    assert pose.height == 1.5 and np.allclose(pose.rotation, OPTICAL)


@pytest.mark.parametrize('tf, sentence', [
    ([('a', 'front'), ('front', 'a')], "has a loop at 'front'"),
    ([('base_link', 'front', 0.0, 0.0, 1.0, (0.0,) * 4)], 'is no rotation and translation'),
    ([('base_link', 'front', 0.0, 0.0, np.nan, LOOKS)], 'is no rotation and translation'),
    ([('base_link', 'front', 0.0, 0.0, 1.2)], 'no ground nearer than')])
def test_transforms_that_tell_no_pose(make, capsys, tf, sentence):
    assert main(['ground', '--bag', str(make(tf=tf))]) == 1
    captured = capsys.readouterr()
    assert sentence in captured.err and captured.err.count('\n') == 1


def without_curbs(street):
    """The scan of a robot that may drive on sidewalks and grass."""
    table = read_traversability(CONFIG)
    flat = {name: table.classes[name]._replace(cost=0) for name in ('sidewalk', 'terrain')}
    return recorded(street, table._replace(classes={**table.classes, **flat}))


def test_a_lidar_tells_ranges_too(make, score, street):
    points = street[0].lidar(64)
    points = np.stack([points[name] for name in 'xyz'], 1)
    scan, mount = without_curbs(street), street[0].mount
    mounted_on_roof = [('base_link', 'lidar', 0.4, 0.0, 2.0), ('base_link', 'front', 0.0, 0.0, mount, LOOKS)]
    exact = score(make(scan=scan, truth=False))['rows']['recorded', 0, 15]
    one = score(make(scan=scan, truth=False, depths=(), name='one', cloud=('base_link', points, 30 * 10**6)))
    assert one['truth'] == 'points on /lidar/points' and one['unknown'] < 0.1
    row = one['rows']['recorded', 0, 15]
    assert row['beams'] > 0.6 * exact['beams'] and row['missed'] < exact['missed'] + 0.1
    assert row['median'] == pytest.approx(exact['median'], abs=0.03)
    two = score(make(scan=scan, truth=False, depths=(), name='two', tf=mounted_on_roof, cloud=(
        'lidar', points - (0.4, 0.0, 2.0))), height=None)['rows']['recorded', 0, 15]
    assert two['beams'] == pytest.approx(row['beams'], abs=3)
    assert two['median'] == pytest.approx(row['median'], abs=0.01)


def test_where_a_curb_is_in_front_a_lidar_does_not_tell(make, score, street):
    points = street[0].lidar(64)
    points = np.stack([points[name] for name in 'xyz'], 1)
    found = score(make(depths=(), cloud=('base_link', points)))
    curbs = (street[1].labels == SIDEWALK).any(0).mean()
    assert 0.5 * curbs < found['unknown'] < 0.9


@pytest.mark.parametrize('cloud, sentence', [
    (('base_link', np.ones((3, 3)), 90 * 10**6), 'no cloud within 0.05 s'),
    (('lidar', np.ones((3, 3))), "does not connect 'lidar' with 'front': it is empty; record /tf_static, or points in"),
    (('base_link', np.ones((3, 3)), 0, 'intensity'), "no float field z, but 'intensity, x, y'"),
    (('base_link', np.ones((3, 3)), 0, 'label'), 'nor points: record depth')])
def test_clouds_that_tell_nothing(make, capsys, cloud, sentence):
    assert main(['ground', '--bag', str(make(depths=(), cloud=cloud)), '--camera-height', '1.2']) == 1
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize('changes, sentence', [
    ({'depths': ()}, 'the bag has neither depth .32FC1 or 16UC1. nor points: record depth'),
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
    ([], 'the bag has no /tf_static: give --camera-height'), (['--camera-height', 'nan'], 'must be meters'),
    (['--camera-pitch', '2'], 'need --camera-height'),
    (['--camera-height', '1', '--depth-topic', '/camera/camera_info'], 'choose one of /camera/depth/image_rect_raw'),
    (['--camera-height', '-1'], 'above the ground'),
    (['--camera-height', '1', '--pitch', '2'], 'are for streets'),
    (['--camera-height', '1', '--scan-topic', '/scan'], 'no LaserScan on /scan: nor is there another one')])
def test_options_that_do_not_fit(make, capsys, options, sentence):
    assert main(['ground', '--bag', str(make()), *options]) == 1
    assert sentence in capsys.readouterr().err


@pytest.fixture
def evaluated(tmp_path, capsys):
    def run(bag, *options):
        out = tmp_path / 'evaluation'
        assert main(['evaluate', str(bag), '--model', str(small_model(tmp_path / 'model', CITYSCAPES)), '--backend',
                     'torch', '--device', 'cpu', '--restart', '--out', str(out), *options]) == 0
        return json.loads((out / 'metrics.json').read_text())['scans'], (out / 'report.html').read_text(), \
            capsys.readouterr().out
    return run


def test_an_evaluation_scores_scans_where_depth_and_pose_are_there(make, evaluated, score, street):
    bag = make(tf=[('base_link', 'front', 0.0, 0.0, street[0].mount, LOOKS)])
    (scans,), page, printed = evaluated(bag)
    assert {row['scan'] for row in scans['rows']} == {'true', 'small-cityscapes'}
    rows = {(row.pop('scan'), row.pop('from'), row.pop('to')): row for row in scans['rows']}
    assert rows['true', 0, 15] == score(bag)['rows']['true', 0, 15] and scans['bag'] == [str(bag)]
    assert '<h2>Scans</h2>' in page and 'alt="scan of' in page
    assert '<td>5 to 10</td>' in page and 'scan of small-cityscapes</th>' in page
    assert 'scans against depth on /camera/depth/image_rect_raw, to 15 m: true: median error' in printed
    (told,), _, _ = evaluated(bag, '--camera-height', repr(street[0].mount + 0.3))
    assert {(row.pop('scan'), row.pop('from'), row.pop('to')): row for row in told['rows']} != rows


def test_an_evaluation_goes_on_where_scans_cannot_be_scored(make, evaluated):
    (scans,), page, printed = evaluated(make())
    assert list(scans) == ['bag', 'reason'] and 'Not scored: the pose of the camera is not known' in page
    assert 'not scored: the pose of the camera is not known' in printed and 'mIOU' in printed
    assert evaluated(make(name='two'), '--no-scans')[0] == []
    assert evaluated(make(name='three', depths=()), '--camera-height', '1.2')[0] == []


def test_other_processes_and_nodes_score_scans_too(make, street, tmp_path):
    bag = make(tf=[('base_link', 'front', 0.0, 0.0, street[0].mount, LOOKS)])
    setup = setup_for(tmp_path, [bag], label_set=CITYSCAPES)._replace(
        scans=ScanSettings(read_traversability(CONFIG)))
    said = []
    evaluate(setup, tmp_path / 'out', InProcess, working=lambda text: said.append(text) or contextlib.nullcontext())
    assert said == ['scoring scans']
    here, there = (InProcess(one).scans([0])[0] for one in (setup, pickle.loads(pickle.dumps(setup))))
    assert here.describe() == there.describe()
    asked = []
    player = types.SimpleNamespace(engine=lambda: None, ask=lambda stamp, frame_id, image, timeout: asked.append(
        (stamp, frame_id)) or types.SimpleNamespace(labels=street[1].labels))
    node, = ThroughNode(setup, player).scans([0])
    assert asked == [(stamp_of(0), 'front')]
    rows = {(row['scan'], row['from'], row['to']): row for row in node.describe()['rows']}
    assert rows['small-cityscapes', 0, 15]['beams'] == rows['true', 0, 15]['beams'] > 0
