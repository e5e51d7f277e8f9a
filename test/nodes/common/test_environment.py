"""Importing the package changes nothing outside it."""
import os
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize('module', [
    'espnet_ros.nodes', 'espnet_ros.nodes.common.process', 'espnet_ros.nodes.diagnostics.node', 'espnet_ros.clients'])
def test_an_import_leaves_the_environment_as_it_was(module):
    values = {name: value for name, value in os.environ.items() if name != 'AMENT_PREFIX_PATH'}
    program = ('import os; before = dict(os.environ); import {}; after = dict(os.environ); '
               'after.pop("GOMP_SPINCOUNT", None); before.pop("GOMP_SPINCOUNT", None); assert after == before, after')
    if module.endswith('.node'):
        pytest.importorskip('rclpy')
    subprocess.run([sys.executable, '-c', program.format(module)], env=values, check=True)
