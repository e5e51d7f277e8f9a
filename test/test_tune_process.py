"""Settings of the whole process, and that importing the package changes none."""
import subprocess
import sys

import pytest

from espnet_ros.process import thread_settings

_IMPORTS = """
import os, sys, types
calls = []

class Library:
    def __getattr__(self, name):
        return lambda *arguments: calls.append((name,) + arguments)


import espnet_ros.process
espnet_ros.process.ctypes = types.SimpleNamespace(CDLL=lambda name: Library())
assert 'torch' not in sys.modules and 'numpy' not in sys.modules  # tune_process must come before PyTorch
import espnet_ros, espnet_ros.engine, espnet_ros.segmenter, espnet_ros.models, espnet_ros.deploy.onnx
assert 'GOMP_SPINCOUNT' not in os.environ and not calls, calls
espnet_ros.process.tune_process()
assert os.environ['GOMP_SPINCOUNT'] == '1000' and calls == [('mallopt', -8, 1)], calls
"""


@pytest.mark.slow
def test_importing_the_package_changes_neither_environment_nor_allocator():
    environment = {'PATH': '/usr/bin:/bin'}
    result = subprocess.run([sys.executable, '-c', _IMPORTS], env=environment, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, universal_newlines=True)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize('environment, added', [
    ({}, {'GOMP_SPINCOUNT': '1000'}), ({'OMP_WAIT_POLICY': 'ACTIVE'}, {}), ({'GOMP_SPINCOUNT': '5'}, {})])
def test_the_users_own_settings_stay(environment, added):
    assert thread_settings(environment) == added
