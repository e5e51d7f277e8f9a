"""The picture of a profile."""
import cv2
import numpy as np
import pytest
from sample_profile import PROFILE

from espnet_ros.performance.profile import plots


def drawn(tmp_path, profile):
    plots.draw(profile, tmp_path / 'profile.png')
    return cv2.imread(str(tmp_path / 'profile.png'))


def test_a_picture(tmp_path):
    picture = drawn(tmp_path, PROFILE)
    assert picture.shape[0] > 600 and picture.shape[1] > 1000
    for color in (plots.BLUE, plots.ORANGE, plots.GREEN, plots.GRAY):  # each of them is drawn somewhere
        bgr = [int(color[i:i + 2], 16) for i in (5, 3, 1)]
        assert np.all(picture == bgr, axis=2).sum() > 50


def test_panels_are_those_of_what_is_known():
    assert [label for label, _, _ in plots._curves(PROFILE)] == ['CPU\n(%)', 'GPU\n(%)', 'memory\n(GiB)', 'power\n(W)']
    cpu, _, memory, power = (lines for _, _, lines in plots._curves(PROFILE))
    assert [values[0] for _, _, values, _, _ in cpu] == [60.0, 0.0, 10.0]  # the cores, then their mean
    assert memory[0][2][0] == 2.0 and power[0][1:3] == (
        tuple(0.5 * i for i in range(13)), (3.0, 3.0) + (8.0,) * 9 + (3.0,) * 2)
    samples = tuple(sample._replace(readings={'cpu/load': 5.0}) for sample in PROFILE.timeline.samples)
    only_cpu = PROFILE._replace(timeline=PROFILE.timeline._replace(samples=samples))
    assert [label for label, _, _ in plots._curves(only_cpu)] == ['CPU\n(%)']


@pytest.mark.parametrize('change', [
    {'timeline': PROFILE.timeline._replace(samples=())}, {'kernels': {'torch': PROFILE.kernels['torch'][:1]}},
    {'positions': {}}, {'gpu_memory': None}])
def test_little_is_drawn_too(tmp_path, change):
    assert drawn(tmp_path, PROFILE._replace(**change)) is not None
