"""Scans are as right as docs/ground.md says, on a few of its streets; a wrong pitch shows."""
import math

import numpy as np
import pytest
from ground_scenes import CONFIG

from espnet_ros.cli import main
from espnet_ros.ground.level import LevelView
from espnet_ros.ground.measure import longest_miss, measure, measure_frame, street_lens, true_ranges
from espnet_ros.ground.pose import mounted
from espnet_ros.ground.traversability import ground_table, read_traversability
from espnet_ros.labels import CITYSCAPES
from espnet_ros.scene import Street

NAMES = {c.id: c.name for c in CITYSCAPES.classes}


@pytest.fixture(scope='module')
def traversability():
    return read_traversability(CONFIG)


def test_scans_of_true_labels(traversability):
    found = measure(8, traversability, pitch_errors=(0.0, 2.0, -2.0))
    exact = found[0.0, 15.0]
    assert exact.beams > 1000
    assert exact.median < 0.01 and exact.p95 < 0.06
    assert exact.missed < 0.01 and exact.phantoms < 0.01
    # Positive: the camera looks farther down than it is told.
    assert 0.10 < found[2.0, 10.0].bias and found[-2.0, 10.0].bias < -0.08


def test_an_imu_makes_a_wrong_pitch_right_again(traversability):
    told, measured = (measure(2, traversability, pitch_errors=(2.0,), width=320, height=240, imu=imu)[2.0, 10.0]
                      for imu in (None, 0.1))
    exact = measure(2, traversability, width=320, height=240)[0.0, 10.0]
    assert told.bias > 0.1 and abs(measured.bias) < 0.04
    assert measured.median < exact.median + 0.02 < told.median


def test_no_obstacle_is_missed_for_more_than_two_frames(traversability):
    assert longest_miss(2, 5, traversability) <= 2


def test_the_truth_is_that_of_the_depth(traversability):
    street = Street(320, 160, 5)
    frame = street.frame(4.0, depth=True)
    view = LevelView(street_lens(street, 320, 160), mounted(street.mount), 30.0)
    truth = true_ranges(view, frame.depth, ground_table(traversability, NAMES).blocks[frame.labels] > 0)
    column = 40
    i = int(round(float(view.column((159.5 - column) / street.camera_matrix[0, 0]))))
    blocked = (ground_table(traversability, NAMES).blocks[frame.labels[:, column]] > 0) & np.isfinite(
        frame.depth[:, column])
    z = frame.depth[:, column].astype(float)
    height = street.mount - (np.arange(160) - street.camera_matrix[1, 2]) / street.camera_matrix[1, 1] * z
    low = blocked & (height <= 0.5)
    assert truth[i] == pytest.approx(z[low].min() * math.hypot(1, (159.5 - column) / street.camera_matrix[0, 0]),
                                     rel=0.02)


def test_a_street_without_obstacles_in_the_labels_misses_them_all(traversability):
    street = Street(320, 160, 5)
    frame = street.frame(4.0, depth=True)
    beams = measure_frame(street, frame, np.zeros_like(frame.labels), traversability, NAMES)
    assert np.isposinf(beams.estimate).all() and (beams.truth < 15).any()


def test_the_command_prints_a_row_for_each_reach(capsys):
    assert main(['ground', '--streets', '1', '--width', '160', '--height', '120']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[-2:] == ['cut', 'beams'] and len(lines) == 3
    assert lines[1].split()[:6] == ['true,', '+0', 'deg,', '10', 'm', lines[1].split()[5]]
