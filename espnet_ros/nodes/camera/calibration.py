"""sensor_msgs/CameraInfo from a calibration file or a pinhole model."""
import math
import os
import reprlib

from sensor_msgs.msg import CameraInfo

from espnet_ros.errors import ParameterError
from espnet_ros.files import read_yaml
from espnet_ros.limits import MAX_SIDE


def pinhole_to_info(matrix, width, height):
    """Return the CameraInfo of a pinhole camera without distortion; matrix: K, float [3, 3], in pixels."""
    info = CameraInfo(width=width, height=height, distortion_model='plumb_bob', d=[0.0] * 5)
    info.k = [float(v) for row in matrix for v in row]
    info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    info.p = [float(v) for row in matrix for v in list(row) + [0.0]]
    return info


def read_calibration(url):
    """Return the CameraInfo in a YAML file of camera_calibration or camera_info_manager.

    url: a path, file:///path or package://package/path. Raises ParameterError.
    """
    content = read_yaml(_path_of(url), 'camera_info_url', ParameterError)
    try:
        return _info(content)
    except (ValueError, OverflowError) as error:  # OverflowError: a whole number beyond all floats
        raise ParameterError('camera_info_url {} is not a calibration file of camera_calibration: {}'.format(
            url, ' '.join(str(error).split())))


def _path_of(url):
    scheme, separator, rest = url.partition('://')
    if not separator:
        return os.path.expanduser(url)
    if scheme == 'file':
        return rest
    if scheme == 'package':
        from ament_index_python.packages import get_package_share_directory
        package, _, path = rest.partition('/')
        try:
            return os.path.join(get_package_share_directory(package), path)
        except (LookupError, ValueError, OSError):  # OSError: without AMENT_PREFIX_PATH
            raise ParameterError('camera_info_url {}: there is no package {!r} here'.format(url, package))
    raise ParameterError('camera_info_url {} must be a path, file:///path or package://package/path'.format(url))


def _info(content):
    if not isinstance(content, dict):
        raise ValueError('it holds no keys')
    info = CameraInfo()
    info.width, info.height = (_side(content, name) for name in ('image_width', 'image_height'))
    model = content.get('distortion_model', '')
    if not isinstance(model, str):
        raise ValueError('distortion_model must be a name, not {}'.format(reprlib.repr(model)))
    info.distortion_model = model
    info.k = _numbers(content, 'camera_matrix', 9)
    info.d = _numbers(content, 'distortion_coefficients')
    info.r = _numbers(content, 'rectification_matrix', 9)
    info.p = _numbers(content, 'projection_matrix', 12)
    if info.k[0] <= 0 or info.k[4] <= 0:
        raise ValueError('camera_matrix has no focal length')
    return info


def _side(content, name):
    value = content.get(name)
    if type(value) is not int or not 1 <= value <= MAX_SIDE:
        raise ValueError('{} must be a number of pixels, not {}'.format(name, reprlib.repr(value)))
    return value


def _numbers(content, name, count=None):
    matrix = content.get(name)
    data = matrix.get('data') if isinstance(matrix, dict) else None
    if not isinstance(data, list) or any(type(v) not in (int, float) or not math.isfinite(v) for v in data):
        raise ValueError('{} must have data, a list of numbers'.format(name))
    if len(data) > 100 or count not in (None, len(data)):
        raise ValueError('{} has {} numbers, not {}'.format(name, len(data), count or 'a lens'))
    return [float(v) for v in data]
