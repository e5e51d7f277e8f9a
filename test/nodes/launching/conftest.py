"""Launch files, run by a stand-in for launch."""
import pathlib
import sys
import types

import pytest
import stand_in_launch

ROOT = pathlib.Path(__file__).resolve().parents[3]
ACTIONS = 'espnet_ros.nodes.launching.actions'


@pytest.fixture
def packages():
    """Names of the installed ROS packages."""
    return {'espnet_ros', 'rviz2'}


@pytest.fixture
def describe(packages, monkeypatch):
    """Return the launch description of a launch file of this checkout."""
    for name, module in stand_in_launch.modules(ROOT, packages).items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, ACTIONS, types.ModuleType(ACTIONS))  # so that the next line's is forgotten
    monkeypatch.delitem(sys.modules, ACTIONS)

    def describe(name):
        namespace = {}
        exec(compile((ROOT / 'launch' / name).read_text(), name, 'exec'), namespace)
        return namespace['generate_launch_description']()
    yield describe
    sys.modules.pop(ACTIONS, None)


@pytest.fixture
def launch(describe, packages):
    """Run a launch file with arguments; returns the stand-in's Launch."""
    return lambda file, **given: stand_in_launch.Launch(packages).run(describe(file + '.launch.py'), **given)
