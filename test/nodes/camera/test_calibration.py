"""Calibration files become CameraInfo, or a sentence."""
import os

import numpy as np
import pytest
import yaml

from espnet_ros.errors import ParameterError
from espnet_ros.nodes.camera.calibration import pinhole_to_info, read_calibration

FILE = """
image_width: 640
image_height: 480
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [500.5, 0, 320.25, 0, 501.5, 240.75, 0, 0, 1]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.25, 0.125, 0.001, -0.002, 0]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1, 0, 0, 0, 1, 0, 0, 0, 1]
projection_matrix:
  rows: 3
  cols: 4
  data: [490.5, 0, 321.5, 0, 0, 495.25, 241.5, 0, 0, 0, 1, 0]
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / 'lens.yaml'
    path.write_text(FILE)
    return path


@pytest.mark.parametrize('prefix', ['', 'file://'])
def test_calibration(path, prefix):
    info = read_calibration(prefix + str(path))
    assert (info.width, info.height, info.distortion_model) == (640, 480, 'plumb_bob')
    assert info.k.tolist() == [500.5, 0, 320.25, 0, 501.5, 240.75, 0, 0, 1]
    assert list(info.d) == [-0.25, 0.125, 0.001, -0.002, 0]
    assert info.r.tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert info.p.tolist() == [490.5, 0, 321.5, 0, 0, 495.25, 241.5, 0, 0, 0, 1, 0]


def changed(**keys):
    """The file with other values; None takes a key away."""
    content = yaml.safe_load(FILE)
    content.update(keys)
    return yaml.safe_dump({key: value for key, value in content.items() if value is not None})


@pytest.mark.parametrize('text, message', [
    ('', 'it holds no keys'), ('- 1', 'it holds no keys'), ('a: [', 'while parsing'), ('[' * 5000, 'recursion'),
    ('%YAML:1.0\n---\nM: !!opencv-matrix\n   rows: 3\n', '.'), ('a: !!python/object/apply:os.getcwd []', 'constructor'),
    ('#' * (1 << 18), 'longer than 131072 characters'), ('#' * (1 << 20), 'more than 524288 bytes'),
    ('a: &a [1]\nb: [*a, *a]\n', 'aliases'),
    (changed(image_width=None), 'image_width must be a number of pixels, not None'),
    (changed(image_height=-3), 'image_height must be a number of pixels, not -3'),
    (changed(image_height='x'), "image_height must be a number of pixels, not 'x'"),
    (changed(image_height='9' * 5000), "not '9999999"),
    (changed(distortion_model=[0] * 5000), 'must be a name, not [0, 0'),
    (changed(camera_matrix={'data': [10**400] * 9}), 'int too large'),
    (changed(camera_matrix=None), 'camera_matrix must have data, a list of numbers'),
    (changed(camera_matrix={'data': [1.0] * 8}), 'camera_matrix has 8 numbers, not 9'),
    (changed(camera_matrix={'data': [0.0] * 9}), 'camera_matrix has no focal length'),
    (changed(projection_matrix={'data': ['1'] * 12}), 'projection_matrix must have data'),
    (changed(rectification_matrix={'data': [float('nan')] * 9}), 'rectification_matrix must have data'),
    (changed(distortion_coefficients={'data': [0.0] * 500}), 'distortion_coefficients has 500 numbers'),
    (changed(distortion_model=5), 'distortion_model must be a name, not 5'),
])
def test_wrong_file(path, text, message):
    path.write_text(text)
    with pytest.raises(ParameterError) as caught:
        read_calibration(str(path))
    assert 'camera_info_url' in str(caught.value) and str(path) in str(caught.value)
    assert message in str(caught.value) and '\n' not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_file_that_is_no_text(path):
    path.write_bytes(b'\xff\xfe\x00')
    with pytest.raises(ParameterError, match='is not text'):
        read_calibration(str(path))


@pytest.mark.parametrize('url, message', [
    ('/no/such.yaml', "cannot read camera_info_url '/no/such.yaml': No such file or directory"),
    ('http://host/lens.yaml', 'must be a path, file:///path or package://package/path'),
    ('package://no_such_package/lens.yaml', "there is no package 'no_such_package' here"),
    ('package:///lens.yaml', "there is no package '' here"),
])
def test_wrong_url(url, message):
    with pytest.raises(ParameterError) as caught:
        read_calibration(url)
    assert message in str(caught.value)


def test_a_named_pipe_does_not_hold_the_camera_node(tmp_path):
    os.mkfifo(str(tmp_path / 'lens.yaml'))
    with pytest.raises(ParameterError, match='it is not a regular file'):
        read_calibration(str(tmp_path / 'lens.yaml'))


def test_pinhole():
    info = pinhole_to_info(np.array([[400.0, 0, 99.5], [0, 410.0, 49.5], [0, 0, 1]]), 200, 100)
    assert (info.width, info.height, info.distortion_model, list(info.d)) == (200, 100, 'plumb_bob', [0.0] * 5)
    assert info.k.tolist() == [400, 0, 99.5, 0, 410, 49.5, 0, 0, 1]
    assert info.p.tolist() == [400, 0, 99.5, 0, 0, 410, 49.5, 0, 0, 0, 1, 0]
    assert info.r.tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 1]
