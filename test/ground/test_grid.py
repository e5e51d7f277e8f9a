"""The grid puts walls where they are, moves with the robot, forgets, and keeps to what was seen."""
import math

import numpy as np
import pytest
from ground_scenes import paint

from espnet_ros.errors import ParameterError
from espnet_ros.ground.grid import Grid
from espnet_ros.ground.overlay import OBSTACLE_COLOR, UNKNOWN_COLOR, from_above
from espnet_ros.ground.scan import Scanner

BUILDING = 2


@pytest.fixture
def fuse(lens, view, table):
    scanner = Scanner(view, table)

    def update(grid, boxes, foot=(0.0, 0.0, 0.0), time=0.0):
        level = scanner.look(paint(lens, view.pose, boxes))
        grid.update(scanner, level, scanner.contacts(level), foot, time)
        return grid.occupancy()
    return update


def cell(grid, data, x, y):
    left, bottom = grid.origin
    return int(data[int(math.floor((y - bottom) / grid.resolution)), int(math.floor((x - left) / grid.resolution))])


def test_free_obstacle_and_unknown_cells(fuse):
    grid = Grid(30.0, 0.1, 5.0)
    for i in range(5):
        data = fuse(grid, [(BUILDING, 8.0, 1.0, 1.0, 0.0, 3.0)], time=0.1 * i)
    assert data.shape == (300, 300) and data.dtype == np.int8
    assert cell(grid, data, 6.0, 1.0) == 0 and cell(grid, data, 12.0, -2.0) == 0
    assert max(cell(grid, data, x, 1.0) for x in (7.9, 8.0, 8.1)) >= 99
    assert cell(grid, data, 9.0, 1.0) == -1  # behind the wall
    assert cell(grid, data, 1.0, 0.0) == -1  # below the picture
    assert cell(grid, data, -6.0, 0.0) == -1  # behind the camera
    assert cell(grid, data, 6.0, 5.0) == -1  # beside the picture


@pytest.mark.parametrize('yaw', [0.0, 0.8, 2.0, 3.5, 5.5])
def test_nothing_is_told_beyond_the_reach_in_any_direction(fuse, view, yaw):
    grid = Grid(80.0, 0.2, 5.0)
    row, column = np.nonzero(fuse(grid, [], (3.0, -7.0, yaw)) >= 0)
    x, y = (column + 0.5) * 0.2 + grid.origin[0] - 3.0, (row + 0.5) * 0.2 + grid.origin[1] + 7.0
    ahead, left = x * math.cos(yaw) + y * math.sin(yaw), y * math.cos(yaw) - x * math.sin(yaw)
    assert view.reach - 0.4 < ahead.max() <= view.reach + 1e-3
    outermost = left / ahead
    assert outermost.min() < 0.95 * view.tangents.min() and outermost.max() > 0.95 * view.tangents.max()


def test_a_grid_of_one_cell(fuse):
    assert fuse(Grid(0.1, 0.1, 5.0), []).shape == (1, 1)


def test_the_grid_turns_and_moves_with_the_pose(fuse):
    grid = Grid(30.0, 0.1, 0.0)
    data = fuse(grid, [(BUILDING, 8.0, 1.0, 0.0, 0.0, 3.0)], (100.0, 50.0, math.pi / 2))
    assert grid.origin == pytest.approx((85.0, 35.0), abs=0.11)
    assert max(cell(grid, data, 100.0, y) for y in (57.9, 58.0, 58.1)) > 50
    assert 0 <= cell(grid, data, 100.0, 55.0) < 40
    again = fuse(grid, [(BUILDING, 6.0, 1.0, 0.0, 0.0, 3.0)], (100.0, 52.0, math.pi / 2), 0.1)
    assert grid.origin == pytest.approx((85.0, 37.0), abs=0.11)
    assert max(cell(grid, again, 100.0, y) for y in (57.9, 58.0, 58.1)) > 80  # the same wall, seen from nearer


def test_one_false_frame_makes_no_obstacle_and_time_forgets(fuse):
    grid = Grid(30.0, 0.1, 2.0)
    for i in range(6):
        data = fuse(grid, [], time=0.1 * i)
    data = fuse(grid, [(BUILDING, 8.0, 1.0, 0.0, 0.0, 3.0)], time=0.6)
    assert 0 <= max(cell(grid, data, x, 0.0) for x in (7.9, 8.0, 8.1)) < 50
    assert 0 <= cell(grid, data, 12.0, 0.0) <= 2  # out of sight now, remembered
    data = fuse(grid, [(BUILDING, 5.0, 50.0, 0.0, 0.0, 3.0)], time=9.0)
    assert cell(grid, data, 12.0, 0.0) == -1


def test_a_jump_back_in_time_starts_anew(fuse):
    grid = Grid(30.0, 0.1, 0.0)
    fuse(grid, [], time=10.0)
    data = fuse(grid, [(BUILDING, 5.0, 50.0, 0.0, 0.0, 3.0)], time=1.0)
    assert cell(grid, data, 12.0, 0.0) == -1


@pytest.mark.parametrize('yaw', [0.0, 0.5 * math.pi, -2.0])
def test_from_above_ahead_is_up_and_left_is_left(yaw):
    foot = (100.0, -50.0, yaw)
    data = np.full((400, 400), -1, np.int8)
    origin = (80.0, -70.0)
    for ahead, left, cost in ((12.0, 4.0, 100), (6.0, -2.0, 0), (17.0, -3.0, 40)):
        x = foot[0] + math.cos(yaw) * ahead - math.sin(yaw) * left
        y = foot[1] + math.sin(yaw) * ahead + math.cos(yaw) * left
        column, row = int((x - origin[0]) / 0.1), int((y - origin[1]) / 0.1)
        data[row - 4:row + 5, column - 4:column + 5] = cost
    picture = from_above(data, 0.1, origin, foot, (240, 360))
    assert picture.shape == (360, 240, 3) and picture.dtype == np.uint8

    def at(ahead, left):  # 18 pixels a meter
        return picture[int(360 - 18 * ahead), int(120 - 18 * left)].tolist()
    assert at(12.0, 4.0) == list(OBSTACLE_COLOR) and at(6.0, -2.0) == [255] * 3 and at(17.0, -3.0) == [191] * 3
    assert at(12.0, -4.0) == at(6.0, 2.0) == at(8.0, 0.0) == list(UNKNOWN_COLOR)


def test_from_above_shows_nothing_where_the_grid_ends():
    picture = from_above(np.zeros((100, 100), np.int8), 0.1, (-5.0, -5.0), (0.0, 0.0, 0.0), (240, 360))
    assert (picture[:-95, :80] == UNKNOWN_COLOR).all(-1).mean() > 0.98 and (picture[-80, 60] == 255).all()


def test_a_grid_of_too_many_cells_is_refused():
    assert Grid(400.0, 0.1, 5.0).cells == 4000
    with pytest.raises(ParameterError, match='has 20000x20000 cells.*smaller grid_size or a larger grid_resolution'):
        Grid(400.0, 0.02, 5.0)
