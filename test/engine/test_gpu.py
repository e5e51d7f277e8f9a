"""GPUs by name, without one."""
import types

import pytest
import torch

from espnet_ros.engine import gpu
from espnet_ros.engine.gpu import driver_version, find_gpu, has_fast_fp16, has_fast_int8
from espnet_ros.errors import EngineError

NV_TEGRA_RELEASE = ('# R32 (release), REVISION: 7.1, GCID: 29818004, BOARD: t186ref, EABI: aarch64, DATE: Sat Feb 19 '
                    '17:07:00 UTC 2022\n')
NVRM = ('NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\n'
        'GCC version:  gcc version 12.3.0\n')
NVRM_OPEN = 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (dvs-builder)\n'


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setattr(torch.cuda, 'Stream', lambda device: 'stream of {}'.format(device))
    monkeypatch.setattr(torch.cuda, 'get_device_properties', lambda index: types.SimpleNamespace(
        name='GPU {}'.format(index), major=8, minor=7, multi_processor_count=16))


@pytest.mark.parametrize('device, index', [('auto', 0), ('cuda', 0), ('cuda:0', 0), ('cuda:1', 1)])
def test_gpus_by_name(two_gpus, device, index):
    found = find_gpu(device)
    assert found.device == torch.device('cuda', index) and found.name == 'GPU {}'.format(index)
    assert found.capability == (8, 7) and found.multiprocessors == 16


@pytest.mark.parametrize('device', ['cpu', 'gpu', 'cuda:', 'cuda:x', 'cuda:-1', '', 'CUDA', 'cuda\n', None, 0])
def test_other_devices_are_refused(two_gpus, device):
    with pytest.raises(EngineError, match='is none that TensorRT runs on; use auto, cuda or cuda:N'):
        find_gpu(device)


def test_a_gpu_that_is_not_there(two_gpus, monkeypatch):
    with pytest.raises(EngineError, match=r"'cuda:2' is not there: this machine has 2 GPU\(s\), counted from 0"):
        find_gpu('cuda:2')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(EngineError, match='TensorRT needs an NVIDIA GPU, and PyTorch .* finds none; use the backend'):
        find_gpu()


@pytest.mark.parametrize('capability, fp16, int8', [
    ((5, 0), False, False), ((5, 3), True, False), ((6, 0), True, False), ((6, 1), False, True),
    ((6, 2), True, False), ((7, 0), True, True), ((7, 2), True, True), ((8, 7), True, True), ((12, 0), True, True)])
def test_what_gpus_are_fast_in(capability, fp16, int8):
    assert has_fast_fp16(capability) is fp16 and has_fast_int8(capability) is int8


@pytest.mark.parametrize('tegra, nvrm, expected', [
    (NV_TEGRA_RELEASE, None, 'L4T R32 7.1'), (None, NVRM, 'driver 535.129.03'), (None, NVRM_OPEN, 'driver 580.95.05'),
    (NV_TEGRA_RELEASE, NVRM, 'L4T R32 7.1'), ('', NVRM, 'driver 535.129.03'), (None, '', ''), (None, None, '')])
def test_driver_version(tmp_path, monkeypatch, tegra, nvrm, expected):
    files = []
    for (_, pattern, form), name, text in zip(gpu._DRIVER_FILES, ('tegra', 'nvrm'), (tegra, nvrm)):
        files.append((str(tmp_path / name), pattern, form))
        if text is not None:
            (tmp_path / name).write_text(text)
    monkeypatch.setattr(gpu, '_DRIVER_FILES', tuple(files))
    assert driver_version() == expected
