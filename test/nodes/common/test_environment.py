"""Importing the package changes nothing outside it."""
import os
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize('module', [
    'espnet_ros', 'espnet_ros.nodes.common.process', 'espnet_ros.nodes.segmentation.node',
    'espnet_ros.nodes.diagnostics.node', 'espnet_ros.clients.replay'])
def test_an_import_leaves_the_environment_as_it_was(module):
    if module != 'espnet_ros':
        pytest.importorskip('rclpy')
    values = {name: value for name, value in os.environ.items() if name not in ('AMENT_PREFIX_PATH', 'GOMP_SPINCOUNT')}
    # OpenCV's wheel and those of ROS add their libraries to LD_LIBRARY_PATH.
    program = ('import os; before = dict(os.environ, LD_LIBRARY_PATH=""); import {}; '
               'assert dict(os.environ, LD_LIBRARY_PATH="") == before, os.environ')
    subprocess.run([sys.executable, '-c', program.format(module)], env=values, check=True)
