"""Holding the GPU's clock."""
import builtins
import os
import types

import pytest

from espnet_ros.errors import EngineError
from espnet_ros.performance.profile import clocks
from espnet_ros.performance.profile.clocks import DevfreqClock, NvmlClock, clock_from_words, find_clock


@pytest.fixture
def kernel(devfreq, monkeypatch):
    """Let the files refuse what the kernel does: a minimum above the maximum. Yields what was written, in order."""
    written = []

    class Writer:
        def __init__(self, path):
            self._path = path

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def write(self, text):
            limits = {name: int((devfreq / name).read_text()) for name in ('min_freq', 'max_freq')}
            limits[os.path.basename(self._path)] = int(text)
            if limits['min_freq'] > limits['max_freq']:
                raise OSError(22, 'Invalid argument')
            written.append((os.path.basename(self._path), int(text)))
            with builtins.open(self._path, 'w') as stream:
                stream.write(text + '\n')
    monkeypatch.setattr(clocks, 'open', lambda path, mode='r', **settings: Writer(path) if mode == 'w' else
                        builtins.open(path, mode, **settings), raising=False)
    return written


def limits(folder):
    return [int((folder / name).read_text()) for name in ('min_freq', 'max_freq')]


def test_a_jetsons_clock(devfreq, tmp_path):
    clock = find_clock(str(tmp_path))
    assert clock.folder == str(devfreq) and clock.refusal() == ''
    assert clock.frequencies() == [114.75, 216.75, 624.75, 1134.75, 1300.5]


@pytest.mark.parametrize('path, found', [
    ('sys/class/devfreq/17000000.ga10b', True), ('sys/class/devfreq/17000000.gpu', True),
    ('sys/devices/platform/gpu.0/devfreq/57000000.gpu', True),
    ('sys/class/devfreq/c8000000.nvdec', False), ('sys/class/devfreq/mmc1', False)])
def test_other_boards(tmp_path, monkeypatch, path, found):
    (tmp_path / path).mkdir(parents=True)
    for name in ('available_frequencies', 'min_freq', 'max_freq'):
        (tmp_path / path / name).write_text('306000000')
    monkeypatch.setattr(clocks, 'NvmlClock', lambda index: 'NVML {}'.format(index))
    clock = find_clock(str(tmp_path), 3)
    assert (clock.frequencies() == [306.0]) if found else clock == 'NVML 3'


@pytest.mark.parametrize('frequency, hertz', [(1300.5, 1300500000), (114.75, 114750000), (624.7, 624750000)])
def test_pinned_and_restored_in_an_order_that_the_kernel_takes(devfreq, kernel, frequency, hertz):
    clock = DevfreqClock(str(devfreq))
    clock.pin(frequency)
    assert limits(devfreq) == [hertz, hertz]
    clock.pin(216.75)
    assert limits(devfreq) == [216750000, 216750000]
    clock.restore()
    assert limits(devfreq) == [114750000, 1134750000] and len(kernel) == 6


def test_restored_from_far_above(devfreq, kernel):
    (devfreq / 'max_freq').write_text('216750000')
    clock = DevfreqClock(str(devfreq))
    clock.pin(1300.5)
    clock.restore()
    assert limits(devfreq) == [114750000, 216750000]


def test_another_process_can_restore(devfreq):
    clock = DevfreqClock(str(devfreq))
    clock.pin(624.75)
    clock_from_words(clock.to_words()).restore()
    assert limits(devfreq) == [114750000, 1134750000]


def test_without_the_right_to_write(devfreq, monkeypatch):
    monkeypatch.setattr(clocks.os, 'access', lambda path, mode: False)
    assert 'run again with sudo' in DevfreqClock(str(devfreq)).refusal()
    (devfreq / 'max_freq').unlink()
    (devfreq / 'max_freq').mkdir()
    with pytest.raises(EngineError, match='max_freq'):
        DevfreqClock(str(devfreq))


@pytest.mark.parametrize('text', ['', 'fast', '\n', '1300500000 much'])
def test_files_of_another_content(devfreq, text):
    (devfreq / 'available_frequencies').write_text(text)
    with pytest.raises(EngineError, match='available_frequencies'):
        DevfreqClock(str(devfreq)).frequencies()


def test_a_write_that_fails(devfreq, kernel):
    clock = DevfreqClock(str(devfreq))
    clock.saved = 2000000000, 100
    with pytest.raises(EngineError, match='cannot write .* Invalid argument'):
        clock.restore()


class Nvml:
    """A stand-in for NVIDIA's library."""

    class NVMLError(Exception):
        pass

    def __init__(self):
        self.locked = None

    def nvmlInit(self):
        pass

    def nvmlDeviceGetHandleByIndex(self, index):
        if index > 0:
            raise self.NVMLError('Invalid Argument')
        return 'handle'

    def nvmlDeviceGetSupportedMemoryClocks(self, handle):
        return [810, 9501, 5001]

    def nvmlDeviceGetSupportedGraphicsClocks(self, handle, memory):
        return {9501: [2100, 1500, 300], 810: [300]}[memory]

    def nvmlDeviceSetGpuLockedClocks(self, handle, low, high):
        self.locked = low, high

    def nvmlDeviceResetGpuLockedClocks(self, handle):
        self.locked = None


@pytest.fixture
def nvml(monkeypatch):
    library = Nvml()
    monkeypatch.setitem(__import__('sys').modules, 'pynvml', library)
    return library


def test_a_pcs_clock(nvml, tmp_path):
    clock = find_clock(str(tmp_path))
    assert clock.frequencies() == [300.0, 1500.0, 2100.0]
    clock.pin(1500.0)
    assert nvml.locked == (1500, 1500)
    clock_from_words(clock.to_words()).restore()
    assert nvml.locked is None


def test_a_gpu_that_cannot(nvml, monkeypatch):
    with pytest.raises(EngineError, match='Invalid Argument'):
        NvmlClock(1)
    monkeypatch.delattr(Nvml, 'nvmlDeviceSetGpuLockedClocks')  # as in an old library
    with pytest.raises(EngineError, match='NVML cannot lock the GPU clock'):
        NvmlClock(0).pin(300.0)
    monkeypatch.setattr(clocks, 'os', types.SimpleNamespace(geteuid=lambda: 1000))
    assert 'root' in NvmlClock(0).refusal()


def test_without_nvml(monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'pynvml', None)
    with pytest.raises(EngineError, match='nvidia-ml-py, which is not installed'):
        NvmlClock(0)
