"""The commands in README and docs: README's run in order as written, the others are parsed by what they call."""
import argparse
import importlib
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from espnet_ros import cli
from espnet_ros.errors import EspnetError

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *(ROOT / 'docs').rglob('*.md')])
LINKED = ('Makefile', 'config', 'docs', 'espnet_ros', 'launch', 'models', 'requirements', 'setup.py', 'setup.cfg')
SMALL = ('alpha2=1 alpha3=1 size=[64,64] encoder_crop=[64,64] crop=[64,64] batch=2 encoder_epochs=1 epochs=1 '
         'validate_epochs=1 picture_epochs=100')


def commands(text):
    """Return the commands in a page's shell blocks, and those of espnet-ros with arguments in its lines, in order."""
    found = []
    for block, inline in re.findall(r'^ *```(?:sh|bash)\n(.*?)^ *```|`(espnet-ros [\w-]+ [^`]*)`', text, re.M | re.S):
        lines = re.sub(r'\\\n\s*', '', block).splitlines() or [inline.replace('\n', ' ')]
        found += [re.sub(r'(^|\s)#.*', '', line).strip() for line in lines]
    return [part for line in found for part in re.split(r'\s&&\s', line) if part]


def words(command):
    """Return a command's words without the variables that are set for it alone."""
    split = shlex.split(command)
    while len(split) > 1 and re.match('[A-Z_]+=', split[0]):
        split = split[1:]
    return split


def check(command):
    """Fail unless what a command names exists: options of espnet-ros, arguments of launch files, targets, files."""
    program, *rest = words(command)
    assert program in CHECKS, '{}: no rule says how to check it'.format(command)
    try:
        CHECKS[program](rest)
    except (AssertionError, EspnetError) as error:
        raise AssertionError('{}: {}'.format(command, error)) from None


def check_espnet_ros(rest):
    assert rest and rest[0] in cli.COMMANDS, 'there is no such command'
    module = importlib.import_module('espnet_ros.cli.' + rest[0])
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.error = _fail
    module.add_arguments(parser)
    if '...' not in rest:
        parser.parse_args(rest[1:])


def _fail(message):
    raise AssertionError(message)


def check_ros2(rest):
    verb, *rest = rest
    if verb == 'run':
        package, program, *rest = rest
        assert package == 'espnet_ros' and ' {} = '.format(program) in (ROOT / 'setup.py').read_text().replace("'", ' ')
        if program == 'espnet-ros' and rest:
            check_espnet_ros(rest)
    elif verb == 'launch':
        from espnet_ros.nodes.launching import plans
        package, file, *rest = rest
        assert package == 'espnet_ros' and (ROOT / 'launch' / file).is_file()
        given = dict(word.split(':=', 1) for word in rest if not word.startswith('-'))
        assert len(given) + rest.count('--show-args') == len(rest), 'arguments are NAME:=VALUE'
        name, config = file.partition('.')[0], str(ROOT / 'config')
        declared = {argument.name: argument.default for argument in getattr(plans, name + '_arguments')(config)}
        assert set(given) <= set(declared), 'the launch file does not declare all of these arguments'
        getattr(plans, name)(dict(declared, **given), config, lambda package: True)
    else:  # of ROS itself
        assert verb in ('bag', 'lifecycle', 'node', 'param', 'service', 'topic')


def check_make(rest):
    targets = re.findall(r'^(\w+):', (ROOT / 'Makefile').read_text(), re.M)
    variables = re.findall(r'^(\w+) \?=', (ROOT / 'Makefile').read_text(), re.M)
    for word in rest:
        assert word in targets or word.partition('=')[0] in variables, 'the Makefile has no {}'.format(word)


def check_pip(rest):
    known = ''.join(path.read_text() for path in (ROOT / 'requirements').glob('*.txt')).lower() + ' pre-commit'
    for word in rest[1:]:
        assert word.startswith('-') or re.search(r'(^|\s){}\b'.format(re.escape(word)), known), 'nobody needs ' + word


def check_python(rest):
    if rest[:2] == ['-m', 'colcon']:
        check_packages(rest[2:])
    elif rest[:2] == ['-m', 'pytest']:
        assert all((ROOT / word).exists() for word in rest[2:] if not word.startswith('-'))
    else:
        assert rest[:2] == ['-m', 'venv'] or (ROOT / rest[0]).is_file()


def check_packages(rest):
    assert rest[:3] == ['build', '--packages-select', 'espnet_ros']


def check_rosdep(rest):
    assert rest[:2] == ['install', '--from-paths']
    if '--skip-keys' in rest:
        assert '>{}<'.format(rest[rest.index('--skip-keys') + 1]) in (ROOT / 'package.xml').read_text()


def check_docker(rest):
    if rest[0] == 'build':
        assert (ROOT / rest[rest.index('-f') + 1]).is_file()
    else:  # what runs in the container comes after the image's name
        assert rest[0] == 'run'
        check(shlex.join(rest[rest.index('espnet_ros') + 1:]))


CHECKS = {'espnet-ros': check_espnet_ros, 'ros2': check_ros2, 'make': check_make, 'rosdep': check_rosdep,
          'colcon': check_packages, 'docker': check_docker, 'python3': check_python, '.venv/bin/python': check_python,
          'pip': check_pip, '.venv/bin/pip': check_pip, '.venv/bin/pre-commit': lambda rest: None,
          'sh': lambda rest: check_python([*rest, '']), 'touch': lambda rest: None, 'export': lambda rest: None,
          '.': lambda rest: None, 'source': lambda rest: None}
"""How the arguments of each program are checked that a page may name; none of them is run for that."""
RUN = {'espnet-ros', 'make', '.'}
"""What runs here of README: the others need ROS 2's launch, colcon, or another machine."""


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
def test_every_command_names_what_is_there(page):
    for command in commands(page.read_text(encoding='utf-8')):
        check(command)


@pytest.mark.parametrize('wrong', [
    'espnet-ros predikt street.png', 'espnet-ros predict', 'espnet-ros evaluate val --modle x', 'make demmo',
    'make demo SUORCE=x', 'ros2 launch espnet_ros segment.launch.py imgae:=/x', 'ros2 launch espnet_ros x.launch.py',
    'ros2 launch espnet_ros segment.launch.py ground:=maybe', 'ros2 run espnet_ros x', 'pip install nothing-known',
    'docker build -f docker/none -t x .', 'docker run --rm espnet_ros ros2 launch espnet_ros x.launch.py',
    'rosdep install --from-paths src --skip-keys python3-none', 'conda install x', 'colcon build'])
def test_a_wrong_command_is_found(wrong):
    with pytest.raises((AssertionError, ValueError)):
        for command in commands('```sh\n{}\n```\n'.format(wrong)):
            check(command)


def test_commands_are_found_as_written():
    page = ('```sh\nA=1 make x  # why\nespnet-ros train --set a=[1,2] \\\n    b=2 && touch c\n```\n'
            '`espnet-ros view --port 1`.\n')
    assert commands(page) == ['A=1 make x', 'espnet-ros train --set a=[1,2] b=2', 'touch c', 'espnet-ros view --port 1']
    assert words('A=1 make x') == ['make', 'x']


def test_the_mapping_file_of_the_tutorial_is_one(tmp_path):
    from espnet_ros.datasets import read_mapping
    text = (ROOT / 'docs' / 'tutorial.md').read_text(encoding='utf-8')
    (tmp_path / 'mapping.yaml').write_text(re.search(r'```yaml\n(label_set:.*?)```', text, re.S).group(1))
    truth = read_mapping(str(tmp_path / 'mapping.yaml'))
    assert [truth.table[value] for value in (0, 1, 3, 77)] == [255, 0, 11, 255] and truth.colors == {(0, 128, 0): 8}


@pytest.fixture
def home(tmp_path, shared):
    """A folder that looks like a checkout, with what README's commands take: images, labels, a recording, weights."""
    import onnx_files

    from espnet_ros.bags.writer import write_bag
    from espnet_ros.datasets import Streets
    for name in LINKED:
        (tmp_path / name).symlink_to(ROOT / name)
    venv = tmp_path / '.venv'
    venv.mkdir()
    for path in pathlib.Path(sys.prefix).iterdir():
        if path.name != 'run.stamp':
            (venv / path.name).symlink_to(path)
    (venv / 'run.stamp').touch()  # make has nothing to install
    for folder in ('train', 'trainannot', 'val', 'valannot'):
        (tmp_path / 'FOLDER' / folder).mkdir(parents=True)
        for path in sorted((shared / 'data' / 'camvid' / folder).glob('*.png'))[:2]:
            (tmp_path / 'FOLDER' / folder / path.name).symlink_to(path)
    write_bag(tmp_path / 'recording', [Streets(3, 160, 120)])
    (tmp_path / 'net.onnx').write_bytes(onnx_files.classifier(classes=19))
    (tmp_path / 'cache').mkdir()
    shutil.copy(str(shared / 'weights' / 'espnet' / 'espnet_p_2_q_8.pth'),
                str(tmp_path / 'cache' / 'cityscapes-espnet-q8.pth'))
    return tmp_path


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_readme_runs_in_order(home):
    pytest.importorskip('rclpy', reason='it needs ROS 2')
    if not all(map(shutil.which, ('make', 'bash'))):
        pytest.skip('there is no make or no bash on this machine')
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    blocks = '\n'.join(re.findall(r'^```sh\n.*?^```', text, re.M | re.S))
    script = [command for command in commands(blocks) if words(command)[0] in RUN]
    # A training takes hours: a small network for one epoch. Of the demo some seconds show the same.
    script = [command + ' --workers 0 --set ' + SMALL if ' train ' in command else command for command in script]
    assert len(script) > 10 and script[0] == 'make demo'
    script[0] += ' SECONDS=3'
    for number, code in enumerate(re.findall(r'^```python\n(.*?)^```', text, re.M | re.S)):
        (home / 'code{}.py'.format(number)).write_text(code)
        script.append('python code{}.py'.format(number))
    (home / 'commands.sh').write_text('set -eux\n' + '\n'.join(script) + '\n')
    clean = {name: value for name, value in os.environ.items() if not name.startswith(('MAKE', 'PYTEST'))}
    done = subprocess.run(['bash', 'commands.sh'], cwd=str(home), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, timeout=1000, env=dict(
                              clean, ESPNET_ROS_MODELS=str(home / 'own'), ESPNET_ROS_CACHE=str(home / 'cache')))
    assert done.returncode == 0, done.stdout[-3000:]
    for left in ('demo/evaluation/report.html', 'predictions/street_overlay.jpg', 'before/report.html', 'mine/mine.pth',
                 'live/metrics.json', 'own/mine.yaml', 'own/net.yaml'):
        assert (home / left).is_file(), left
