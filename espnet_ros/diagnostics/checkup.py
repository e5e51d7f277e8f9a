"""Checks of an installation: what works on this machine, and the remedy for what does not."""
import concurrent.futures
import glob
import os
import platform
import re
import shutil
import subprocess
import sys
import typing

from espnet_ros import models
from espnet_ros.errors import EspnetError
from espnet_ros.telemetry.host import cpu_kind, cpu_name

OK, NOTE, PROBLEM = 'ok', 'note', 'problem'
"""Status of a check. A note is a limitation that not everybody minds."""
TIMEOUT = 60.0
"""Seconds that importing one library may take."""
FRAME_BYTES = 640 * 480 * 3
"""A small raw image, which shared memory must hold."""
DEFAULT_SEGMENT = 512 * 1024
"""Bytes of Fast DDS's shared memory unless a profile says otherwise."""
DDS_PROFILES = 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE'
"""Variables that name a profile of Fast DDS; it reads the second one before version 3."""

_PROBES = {
    'numpy': 'import numpy; print(numpy.__version__)',
    'OpenCV': 'import cv2; print(cv2.__version__)',
    'PyTorch': 'import torch; print(torch.__version__, torch.cuda.is_available() and torch.cuda.get_device_name())',
    'OpenVINO': 'import openvino; print(openvino.__version__)',
    'TensorRT': 'import tensorrt, torch2trt; print(tensorrt.__version__)',
    'ROS 2': 'import os, rclpy; print(os.environ.get("ROS_DISTRO") or "from wheels", '
             'rclpy.get_rmw_implementation_identifier(), sep=", ")'}
"""Programs that import a library and print what is to be told about it."""


class Check(typing.NamedTuple):
    """One check. status: OK, NOTE or PROBLEM. found: what is there. remedy: what to do, '' if nothing."""

    name: str
    status: str
    found: str
    remedy: str = ''


class Machine(typing.NamedTuple):
    """What the checks look at: the folder with `dev` and `proc`, and variables of the environment."""

    root: str = '/'
    environment: typing.Mapping[str, str] = os.environ


def import_library(program, timeout=TIMEOUT):
    """Run a program of _PROBES in a process of its own, since a broken library can crash or hang.

    Returns (its output, ''), or ('', why it failed).
    """
    try:
        result = subprocess.run([sys.executable, '-c', program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, universal_newlines=True, errors='replace', timeout=timeout)
    except subprocess.TimeoutExpired:
        return '', 'did not load within {:.0f} s'.format(timeout)
    except OSError as error:
        return '', str(error)
    if result.returncode < 0:
        return '', 'crashed with signal {}'.format(-result.returncode)
    if result.returncode:
        return '', (result.stderr.strip().splitlines() or ['failed'])[-1][:200]
    return result.stdout.strip(), ''


def checkup(machine=Machine(), probe=import_library):
    """Yield a Check for each part of the installation, as soon as it is known; never raises for what it finds.

    probe: as import_library.
    """
    with concurrent.futures.ThreadPoolExecutor(len(_PROBES)) as pool:
        answers = {name: pool.submit(probe, program) for name, program in _PROBES.items()}
        yield Check('Python', OK, '{} on {} {} {}'.format(platform.python_version(), *(
            getattr(os.uname(), field) for field in ('sysname', 'release', 'machine'))))
        yield Check('CPU', *_cpu())
        for name in ('numpy', 'OpenCV'):
            found, problem = answers[name].result()
            yield Check(name, PROBLEM if problem else OK, problem or found,
                        'install the requirements of this package again' if problem else '')
        found, problem = answers['PyTorch'].result()
        version, _, gpu = found.partition(' ')
        yield Check('PyTorch', PROBLEM if problem else OK, problem or version,
                    'install PyTorch for this machine: on a Jetson NVIDIA\'s wheel, elsewhere pip install torch'
                    if problem else '')
        gpu = gpu if gpu != 'False' else ''
        yield Check('GPU', *_gpu(gpu, machine))
        yield Check('OpenVINO', *_engine(answers['OpenVINO'].result(), not gpu, 'pip install openvino'))
        yield Check('TensorRT', *_engine(answers['TensorRT'].result(), bool(gpu), 'install TensorRT and torch2trt'))
        found, problem = answers['ROS 2'].result()
        yield Check('ROS 2', *((PROBLEM, problem, 'source /opt/ros/DISTRO/setup.bash, or install the wheels in '
                                'requirements/ros.txt') if problem else (OK, found)))
        yield Check('DDS memory', *_dds_memory(found, machine))
    yield Check('cameras', *_cameras(machine))
    yield Check('models', *_models())
    yield Check('cache', *_cache())


def _cpu():
    kind = cpu_kind()
    found = '{}, {} cores, {}'.format(cpu_name(), os.cpu_count(), kind)
    return (NOTE, found, 'without AVX2 or NEON a network takes several times as long') if kind == 'plain' else (
        OK, found)


def _gpu(gpu, machine):
    if gpu:
        return OK, gpu
    jetson = _text(os.path.join(machine.root, 'proc', 'device-tree', 'model')).strip('\0\n')
    if 'NVIDIA' in jetson or glob.glob(os.path.join(machine.root, 'dev', 'nvidia[0-9]*')):
        return PROBLEM, (jetson or 'an NVIDIA GPU') + ', which PyTorch cannot use', (
            'install a PyTorch built for its CUDA; in Docker run with --gpus all or --runtime nvidia')
    return OK, 'none: networks run on the CPU'


def _engine(answer, is_wanted, remedy):
    found, problem = answer
    if not problem:
        return OK, found
    if 'No module named' in problem:
        return (NOTE, 'not installed', remedy + ': networks run several times faster with it') if is_wanted else (
            OK, 'not installed, and not needed here')
    return (PROBLEM if is_wanted else NOTE), problem, 'install it again, in a version for this Python'


def _dds_memory(ros, machine):
    """ros: what the probe of ROS 2 found."""
    folder = os.path.join(machine.root, 'dev', 'shm')
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return NOTE, 'no {}'.format(folder), 'messages between processes take the slower way through the network stack'
    if free < 32 << 20:
        return PROBLEM, '{} MiB free in {}'.format(free >> 20, folder), (
            'delete old files there; in Docker run with --ipc host or --shm-size 512m')
    if ros and 'fastrtps' not in ros:
        return OK, '{} is free to choose its own'.format(ros.split()[-1])
    segment, where = DEFAULT_SEGMENT, 'Fast DDS default'
    path = next((machine.environment[name] for name in DDS_PROFILES if machine.environment.get(name)), None)
    if path:
        sizes = re.findall(r'<segment_size>\s*([0-9]{1,12})\s*<', _text(path))
        if not os.path.isfile(path):
            return PROBLEM, 'the profile {} does not exist'.format(path), 'correct {}'.format(' or '.join(DDS_PROFILES))
        segment, where = (int(sizes[0]), path) if sizes else (segment, where)
    found = '{} KiB ({})'.format(segment >> 10, where)
    if segment < FRAME_BYTES:
        try:
            profile = os.path.join(models.config_directory(), 'fastdds.xml')
        except EspnetError as error:
            return PROBLEM, str(error), 'install espnet_ros again'
        return NOTE, found, ('best-effort subscribers lose larger raw images: set {} to {}, or publish compressed '
                             'images'.format(' and '.join(DDS_PROFILES), profile))
    return OK, found


def _cameras(machine):
    paths = sorted(glob.glob(os.path.join(machine.root, 'dev', 'video*')))
    if not paths:
        return OK, 'none; videos, folders, streams and the synthetic street need none'
    closed = [path for path in paths if not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        return PROBLEM, 'no permission for ' + ', '.join(closed), 'sudo usermod -aG video $USER, and log in again'
    return OK, ', '.join(paths)


def _models():
    try:
        entries = models.available()
        models.find(models.DEFAULT)
    except EspnetError as error:
        return PROBLEM, str(error), 'install espnet_ros again'
    there = [entry for entry in entries if entry.state != models.NOT_FETCHED]
    return OK, '{} of {} on this machine, default {}'.format(len(there), len(entries), models.DEFAULT)


def _cache():
    try:
        folder = models.cache_directory()
    except EspnetError as error:
        return PROBLEM, str(error), 'set ESPNET_ROS_CACHE to a writable folder'
    above = folder
    while not os.path.exists(above):
        above = os.path.dirname(above)
    if not os.access(above, os.W_OK):
        return PROBLEM, '{} is not writable'.format(folder), 'set ESPNET_ROS_CACHE to a writable folder'
    return OK, folder


def _text(path):
    try:
        with open(path, errors='replace') as stream:
            return stream.read(1 << 20)
    except OSError:
        return ''
