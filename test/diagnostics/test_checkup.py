"""Checks of an installation, with stand-ins of machines."""
import os
import re
import shutil

import pytest

from espnet_ros.diagnostics import checkup as module
from espnet_ros.diagnostics.checkup import NOTE, OK, PROBLEM, Machine, checkup, import_library

PROFILE = '<dds><segment_size> 33554432 </segment_size></dds>'


@pytest.fixture
def checks(tmp_path, monkeypatch):
    """Function checks(failures, found, environment): the checks by name on a machine without devices.

    failures, found: by library, what importing it says in place of success.
    """
    (tmp_path / 'dev' / 'shm').mkdir(parents=True)
    monkeypatch.setattr(module.shutil, 'disk_usage', lambda folder: shutil._ntuple_diskusage(0, 0, 1 << 30))

    def run(failures=(), found=(), environment=()):
        names = {program: name for name, program in module._PROBES.items()}
        answers = {'PyTorch': '2.1.0 False', 'ROS 2': 'humble, rmw_fastrtps_cpp', 'TensorRT': '', **dict(found)}
        problems = {'TensorRT': "ModuleNotFoundError: No module named 'tensorrt'", **dict(failures)}
        if 'TensorRT' in answers and answers['TensorRT']:
            del problems['TensorRT']

        def probe(program):
            name = names[program]
            return ('', problems[name]) if name in problems else (answers.get(name, '1.2.3'), '')
        return {check.name: check for check in checkup(Machine(str(tmp_path), dict(environment)), probe)}
    return run


def test_a_pc_where_all_is_well(checks):
    found = checks()
    assert [name for name, check in found.items() if check.status == PROBLEM] == []
    assert list(found) == ['Python', 'CPU', 'numpy', 'OpenCV', 'PyTorch', 'GPU', 'OpenVINO', 'TensorRT', 'ROS 2',
                           'DDS memory', 'cameras', 'models', 'cache']
    assert (found['PyTorch'].found, found['GPU'].found) == ('2.1.0', 'none: networks run on the CPU')
    assert found['TensorRT'][1:3] == (OK, 'not installed, and not needed here')
    assert found['ROS 2'].found == 'humble, rmw_fastrtps_cpp'
    assert all(bool(check.remedy) == (check.status != OK) for check in found.values())


def test_a_gpu_wants_tensorrt_and_no_openvino(checks):
    failures = {'OpenVINO': "ModuleNotFoundError: No module named 'openvino'"}
    found = checks(failures, {'PyTorch': '2.1.0 NVIDIA Orin Nano'})
    assert found['GPU'][1:3] == (OK, 'NVIDIA Orin Nano') and found['OpenVINO'].status == OK
    assert found['TensorRT'].status == NOTE and 'install TensorRT and torch2trt' in found['TensorRT'].remedy
    assert checks(failures)['OpenVINO'].remedy.startswith('pip install openvino')


@pytest.mark.parametrize('library, name', [('numpy', 'numpy'), ('PyTorch', 'PyTorch'), ('ROS 2', 'ROS 2'),
                                           ('OpenVINO', 'OpenVINO'), ('OpenCV', 'OpenCV')])
def test_a_broken_library_is_a_problem_and_stops_no_other_check(checks, library, name):
    found = checks({library: 'crashed with signal 4'})
    assert found[name][1:3] == (PROBLEM, 'crashed with signal 4') and found[name].remedy
    assert len(found) == 13 and sum(check.status == PROBLEM for check in found.values()) == 1


@pytest.mark.parametrize('device', ['dev/nvidia0', 'proc/device-tree/model'])
def test_a_gpu_that_pytorch_cannot_use_is_a_problem(checks, tmp_path, device):
    (tmp_path / device).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / device).write_text('NVIDIA Jetson TX2\0')
    assert checks()['GPU'].status == PROBLEM


def test_the_memory_of_fast_dds(checks, tmp_path, monkeypatch):
    (tmp_path / 'profile.xml').write_text(PROFILE)
    profile = {'FASTRTPS_DEFAULT_PROFILES_FILE': str(tmp_path / 'profile.xml')}
    small = checks()['DDS memory']
    assert small[1:3] == (NOTE, '512 KiB (Fast DDS default)')
    assert os.path.isfile(re.search('FASTDDS_DEFAULT_PROFILES_FILE and .* to (/.*), or', small.remedy).group(1))
    assert checks(environment=profile)['DDS memory'].found == '32768 KiB ({})'.format(tmp_path / 'profile.xml')
    assert checks(found={'ROS 2': 'humble rmw_cyclonedds_cpp'})['DDS memory'].status == OK
    assert checks(environment={'FASTDDS_DEFAULT_PROFILES_FILE': '/no/file'})['DDS memory'].status == PROBLEM
    monkeypatch.setattr(module.shutil, 'disk_usage', lambda folder: shutil._ntuple_diskusage(0, 0, 5 << 20))
    assert '--shm-size' in checks(environment=profile)['DDS memory'].remedy
    os.rmdir(str(tmp_path / 'dev' / 'shm'))
    monkeypatch.undo()
    assert checks_of(tmp_path)['DDS memory'].status == NOTE


def checks_of(root):
    return {check.name: check for check in checkup(Machine(str(root), {}), lambda program: ('1.0 False', ''))}


def test_cameras(checks, tmp_path, monkeypatch):
    for name in ('video0', 'video2'):
        (tmp_path / 'dev' / name).touch()
    assert checks()['cameras'].found.endswith('video2')
    monkeypatch.setattr(module.os, 'access', lambda path, mode: 'video2' not in path)
    assert checks()['cameras'].status == PROBLEM and 'usermod' in checks()['cameras'].remedy


def test_models_and_cache(checks, tmp_path, monkeypatch):
    monkeypatch.setenv('ESPNET_ROS_CACHE', str(tmp_path / 'a' / 'b'))
    found = checks()
    assert found['cache'][1:3] == (OK, str(tmp_path / 'a' / 'b'))
    assert 'default camvid-espnet-q8' in found['models'].found
    monkeypatch.setattr(module.models, 'DEFAULT', 'nothing')
    monkeypatch.setenv('ESPNET_ROS_CACHE', '/proc/nowhere')
    monkeypatch.setattr(module.os, 'access', lambda path, mode: False)
    found = checks()
    assert found['models'].status == found['cache'].status == PROBLEM


@pytest.mark.unit
@pytest.mark.parametrize('program, answer', [
    ('print(" 1.2 ")', ('1.2', '')), ('import nothing_of_this_name', (
        '', "ModuleNotFoundError: No module named 'nothing_of_this_name'")),
    ('import os, signal; os.kill(os.getpid(), signal.SIGILL)', ('', 'crashed with signal 4')),
    ('raise SystemExit(3)', ('', 'failed'))])
def test_a_library_is_imported_in_a_process_of_its_own(program, answer):
    assert import_library(program) == answer


@pytest.mark.unit
def test_a_library_that_hangs_is_given_up():
    assert import_library('import time; time.sleep(60)', 0.3) == ('', 'did not load within 0 s')
