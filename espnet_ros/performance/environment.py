"""Machine, clocks and versions that a measurement depends on."""
import platform
import time

import psutil

from espnet_ros import __version__
from espnet_ros.telemetry.host import cpu_kind, cpu_name

_MODULES = ('onnxruntime', 'openvino', 'tensorrt', 'torch2trt')


def environment():
    """Return an ordered list of (name, text)."""
    import cv2  # here, because they take seconds to import
    import numpy as np
    import torch
    rows = [('date', time.strftime('%Y-%m-%d %H:%M:%S %z')), ('espnet_ros', __version__), ('cpu', cpu_name()),
            ('cpu kind', cpu_kind()), ('cpu clock', _clock()),
            ('cores', '{} of {}'.format(_usable_cores(), psutil.cpu_count())),
            ('memory', '{:.1f} GiB'.format(psutil.virtual_memory().total / 2 ** 30)), ('gpu', _gpu())]
    board = _first_line('/proc/device-tree/model'), _first_line('/etc/nv_tegra_release')
    rows += [(name, text) for name, text in zip(('board', 'L4T'), board) if text]
    rows += [('system', platform.platform()), ('python', platform.python_version()), ('torch', torch.__version__),
             ('threads', str(torch.get_num_threads())), ('numpy', np.__version__), ('opencv', cv2.__version__)]
    return rows + [(name, version) for name, version in ((name, _version(name)) for name in _MODULES) if version]


def _clock():
    clock = psutil.cpu_freq() if hasattr(psutil, 'cpu_freq') else None
    if clock is None:
        return 'unknown'
    return '{:.0f} MHz{}'.format(clock.current, ', at most {:.0f}'.format(clock.max) if clock.max else '')


def _usable_cores():
    process = psutil.Process()
    return len(process.cpu_affinity()) if hasattr(process, 'cpu_affinity') else psutil.cpu_count()


def _gpu():
    import torch
    if not torch.cuda.is_available():
        return 'none'
    return '{}, CUDA {}, cuDNN {}'.format(torch.cuda.get_device_name(), torch.version.cuda,
                                          torch.backends.cudnn.version())


def _version(name):
    try:
        module = __import__(name)
    except Exception:  # optional libraries fail in ways of their own
        return ''
    return getattr(module, '__version__', 'installed')


def _first_line(path):
    try:
        with open(path) as stream:
            return stream.readline().strip('\0\n# ')
    except OSError:
        return ''
