"""The synthetic street: one seed and time give one picture, and the labels are what was painted."""
import hashlib
import subprocess
import sys

import numpy as np
import pytest

from espnet_ros.errors import ParameterError
from espnet_ros.labels import CITYSCAPES
from espnet_ros.scene import Street, StreetFrame
from espnet_ros.scene.classes import ROAD, SKY

SIZE = (256, 128)


@pytest.fixture(scope='module')
def street():
    return Street(SIZE[0], SIZE[1], 0)


def digest(frame):
    return hashlib.sha256(frame.image.tobytes() + frame.labels.tobytes()).hexdigest()


@pytest.mark.parametrize('width,height', [(64, 32), (33, 67), (480, 360), (361, 641), (1023, 511), (2048, 1024),
                                          (4096, 32), (32, 4096)])
def test_every_size_has_its_shape_and_only_known_classes(width, height):
    frame = Street(width, height, 3).frame(2.5)
    assert isinstance(frame, StreetFrame)
    assert frame.image.shape == (height, width, 3) and frame.image.dtype == np.uint8
    assert frame.labels.shape == (height, width) and frame.labels.dtype == np.uint8
    assert frame.image.flags.c_contiguous and frame.labels.flags.c_contiguous
    assert set(np.unique(frame.labels)) <= set(CITYSCAPES.ids)


def test_a_frame_depends_on_nothing_but_seed_and_time(street):
    first = digest(street.frame(7.25))
    for time in (0.0, 300.0, -40.0):
        street.frame(time)
    assert digest(street.frame(7.25)) == first
    assert digest(Street(SIZE[0], SIZE[1], 0).frame(7.25)) == first


@pytest.mark.slow
def test_another_process_sees_the_same_street(street):
    code = ('import hashlib; from espnet_ros.scene import Street; f = Street(256, 128, 0).frame(7.25); '
            'print(hashlib.sha256(f.image.tobytes() + f.labels.tobytes()).hexdigest())')
    output = subprocess.check_output([sys.executable, '-c', code], timeout=60)
    assert output.decode().strip() == digest(street.frame(7.25))


def test_a_frame_stays_as_it_was_when_the_next_is_made(street):
    frame = street.frame(1.0)
    before = digest(frame)
    street.frame(2.0)
    assert digest(frame) == before


def test_seeds_give_different_streets():
    frames = [Street(SIZE[0], SIZE[1], seed).frame(4.0) for seed in (0, 1, 2, -1, 2**62)]
    assert len({digest(f) for f in frames}) == len(frames)
    for other in frames[1:]:
        assert np.mean(other.labels != frames[0].labels) > 0.05


def test_sky_is_above_the_horizon_and_road_at_the_bottom():
    for seed in range(6):
        street = Street(SIZE[0], SIZE[1], seed)
        horizon = street.camera_matrix[1, 2]
        for time in (0.0, 11.0):
            labels = street.frame(time).labels
            assert np.nonzero((labels == SKY).any(1))[0].max() <= horizon
            assert (labels[-1, 126:130] == ROAD).all()


def test_camera_matrix_is_a_pinhole():
    matrix = Street(1000, 500, 5).camera_matrix
    assert matrix.shape == (3, 3) and matrix.dtype == np.float64
    assert matrix[0, 0] == matrix[1, 1] and 800 <= matrix[0, 0] <= 1100
    assert matrix[0, 2] == 499.5 and 200 <= matrix[1, 2] <= 250
    assert (matrix[2] == (0, 0, 1)).all() and matrix[0, 1] == matrix[1, 0] == 0


def test_a_size_only_scales_the_street():
    small, large = Street(256, 128, 4).frame(6.0).labels, Street(1024, 512, 4).frame(6.0).labels
    assert np.mean(small == large[2::4, 2::4]) > 0.9


def test_labels_change_where_the_paint_changes(street):
    painted = street.paint(5.0).pixels
    color, labels = painted[..., :3].astype(int), painted[..., 3]
    border = labels[:, 1:] != labels[:, :-1]
    step = np.abs(color[:, 1:] - color[:, :-1]).max(2) > 4
    assert border.sum() > 500
    assert step[border].mean() > 0.95
    inside = ~border
    assert step[inside].mean() < 0.5
    assert (labels == street.frame(5.0).labels).all()


def test_every_category_is_seen_within_seconds(street):
    table = CITYSCAPES.category_table()
    seen = np.zeros(8)
    for time in np.arange(0.0, 4.0, 0.5):
        seen += np.bincount(table[street.frame(time).labels].ravel(), minlength=8)
    share = seen / seen.sum()
    assert share[0] == 0
    assert (share[1:] > 0.005).all()
    assert share[6] > 0.01


def test_every_class_is_seen_somewhere():
    seen = set()
    for seed in range(14):
        street = Street(320, 160, seed)
        for time in range(0, 40, 10):
            seen |= set(np.unique(street.frame(float(time)).labels))
    assert set(CITYSCAPES.ids) - seen <= {16}


def test_everything_moves_smoothly(street):
    frames = [street.frame(3.0 + i / 20.0) for i in range(4)]
    for a, b in zip(frames, frames[1:]):
        moved = np.mean(a.labels != b.labels)
        assert 0.001 < moved < 0.12


def test_noise_differs_between_frames_and_not_the_scene():
    street = Street(SIZE[0], SIZE[1], 1)
    a, b = street.frame(2.0), street.frame(2.0 + 1e-3)
    assert np.mean(a.labels != b.labels) < 0.01
    assert np.mean(a.image != b.image) > 0.2


@pytest.mark.parametrize('arguments,word', [
    ((0, 512), 'width 0'), ((-5, 512), 'width -5'), ((1024, 10**6), 'height 1000000'), ((640.0, 480), 'width 640.0'),
    ((True, 480), 'width True'), ((640, '480'), "height '480'"), ((640, None), 'height None'),
    ((31, 32), 'from 32 to 4096'), ((float('nan'), 32), 'width nan')])
def test_bad_sizes_get_a_sentence(arguments, word):
    with pytest.raises(ParameterError, match=word):
        Street(*arguments)


@pytest.mark.parametrize('seed', [1.5, 'a', None, True, 2**63, -2**70])
def test_bad_seeds_get_a_sentence(seed):
    with pytest.raises(ParameterError, match='must be a whole number'):
        Street(64, 64, seed)


@pytest.mark.parametrize('time', [float('nan'), float('inf'), 1e10, 10**400, '3', None, True])
def test_bad_times_get_a_sentence(street, time):
    with pytest.raises(ParameterError, match='number of seconds'):
        street.frame(time)


@pytest.mark.parametrize('time', [1e9, -1e9, np.float32(2.5), 3])
def test_far_times_work(street, time):
    assert (street.frame(time).labels[-1, 126:130] == ROAD).all()
