"""The rules of the code base, each checked by a tool: lint, types, layers, and what a robot's Python 3.6 can read."""
import pathlib
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'espnet_ros'
BIN = pathlib.Path(sys.executable).parent
ABOVE_ROBOT = {'bags', 'cli', 'clients', 'datasets', 'evaluation', 'monitor', 'paper', 'quantization', 'reports',
               'training', 'view'}
ROBOT_COMMANDS = ('__init__', '__main__', 'benchmark', 'build', 'completion', 'demo', 'doctor', 'export', 'files',
                  'models', 'options', 'predict', 'predictor', 'profile', 'progress', 'submission', 'tables')
"""Parts of the command line for a robot's Python too; the others evaluate, train and watch."""
ROS = ('ament_index_python', 'builtin_interfaces', 'cv_bridge', 'diagnostic_msgs', 'geometry_msgs', 'launch',
       'launch_ros', 'lifecycle_msgs', 'nav_msgs', 'rcl_interfaces', 'rclpy', 'rosgraph_msgs', 'sensor_msgs',
       'std_msgs', 'std_srvs', 'tf2_msgs', 'tf2_ros', 'vision_msgs')


def package_files(without):
    """Python files of the package, except those of the named parts."""
    return sorted(path for path in PACKAGE.rglob('*.py') if path.relative_to(PACKAGE).parts[0] not in without)


def robot_files():
    """Python files that run on a robot."""
    return [*package_files(ABOVE_ROBOT), *(PACKAGE / 'cli' / (name + '.py') for name in ROBOT_COMMANDS),
            *sorted((ROOT / 'launch').glob('*.py')), ROOT / 'setup.py']


def run(*command):
    """Run a command in the project's folder; what it printed is the message when it fails."""
    result = subprocess.run([str(word) for word in command], cwd=str(ROOT), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, universal_newlines=True)
    assert result.returncode == 0, result.stdout
    return result.stdout


def test_lint():
    pytest.importorskip('ruff')
    run(BIN / 'ruff', 'check', '.')


def test_types():
    pytest.importorskip('mypy')
    assert 'no issues found' in run(BIN / 'mypy')


def test_layers():
    pytest.importorskip('importlinter')
    assert '2 kept, 0 broken' in run(BIN / 'lint-imports', '--no-cache')


def test_robot_code_needs_no_more_than_python_3_6():
    pytest.importorskip('vermin')
    assert 'Minimum required versions: ' in run(
        BIN / 'vermin', '-t=3.6-', '--no-tips', '--violations', '--eval-annotations', *robot_files())


def test_python_3_6_compiles_robot_code():
    pythons = [*pathlib.Path.home().glob('.pyenv/versions/3.6.*/bin/python'), shutil.which('python3.6')]
    if not pythons[0]:
        pytest.skip('there is no Python 3.6 on this machine')
    run(pythons[0], '-c', 'import sys\n'
        'for path in sys.argv[1:]: compile(open(path, encoding="utf-8").read(), path, "exec")', *robot_files())


def test_everything_below_nodes_imports_without_ros():
    modules = [
        '.'.join(path.relative_to(ROOT).with_suffix('').parts).replace('.__init__', '')
        for path in package_files(ABOVE_ROBOT | {'nodes'}) if path.name != '__main__.py']
    assert 'espnet_ros.labels' in modules
    program = ('import importlib, sys\n'
               'sys.modules.update(dict.fromkeys({!r}))\n'
               'for name in {!r}: importlib.import_module(name)\n'
               'print("imported", len({!r}))').format(ROS, modules, modules)
    assert 'imported {}'.format(len(modules)) in run(sys.executable, '-c', program)


def test_test_files_have_names_of_their_own():
    names = [path.name for path in (ROOT / 'test').rglob('test_*.py')]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []  # pytest imports them by name
