"""What is said about the package in several places agrees, and what is installed is complete."""
import ast
import importlib
import importlib.metadata
import os
import pathlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree
import zipfile

import pytest
import setuptools
import yaml

import espnet_ros

ROOT = pathlib.Path(__file__).resolve().parents[1]
EXTRAS = ('completion', 'cpu', 'eval', 'gpu', 'quantize', 'ros', 'slides', 'test', 'train')
NODES = ('camera_node', 'diagnostics_node', 'ground_node', 'segmentation_node')
COPIED = ('LICENSE', 'Makefile', 'config', 'espnet_ros', 'launch', 'models', 'package.xml', 'pyproject.toml',
          'requirements', 'resource', 'setup.cfg', 'setup.py')

ROSDEP_KEYS = {'cv2': 'python3-opencv', 'jinja2': 'python3-jinja2', 'markupsafe': 'python3-jinja2',
               'matplotlib': 'python3-matplotlib', 'numpy': 'python3-numpy', 'psutil': 'python3-psutil',
               'requests': 'python3-requests', 'rich': 'python3-rich', 'tf2_ros': 'tf2_ros_py',
               'torch': 'python3-pytorch-pip', 'tqdm': 'python3-tqdm', 'yaml': 'python3-yaml'}
"""Keys of the modules that are not ROS packages, as ros/rosdistro knows them."""
WHEELS = {'ament_index_python': 'ros-ament-index-python', 'cv2': 'opencv-python-headless', 'cv_bridge': 'cv-bridge',
          'jinja2': 'jinja2', 'markupsafe': 'markupsafe', 'matplotlib': 'matplotlib', 'numpy': 'numpy',
          'psutil': 'psutil', 'requests': 'requests', 'rich': 'rich', 'torch': 'torch',
          'tqdm': 'tqdm', 'yaml': 'pyyaml'}
"""Wheels of the modules that are not called ros-jazzy-<module>."""
NO_WHEEL = {'launch', 'launch_ros', 'tf2_msgs', 'tf2_ros', 'vision_msgs'}
OPTIONAL = {
    'apsw', 'argcomplete', 'av', 'bondpy', 'lz4', 'markupsafe', 'openslide', 'openvino', 'prometheus_client',
    'pydantic', 'pynvml', 'rosbags', 'setuptools', 'tensorboard', 'tensorrt', 'tifffile', 'torch2trt', 'websockets'}
"""Modules that are used where they are installed, or by setup.py only."""


@pytest.fixture
def manifest():
    return xml.etree.ElementTree.parse(str(ROOT / 'package.xml')).getroot()


@pytest.fixture
def arguments(monkeypatch):
    """What setup.py hands to setuptools."""
    given = {}
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(setuptools, 'setup', lambda **arguments: given.update(arguments))
    exec(compile((ROOT / 'setup.py').read_text(), 'setup.py', 'exec'), {'__name__': '__main__'})
    return given


@pytest.fixture
def copy(tmp_path):
    """A copy of what the package consists of, in a folder with a space in its name."""
    folder = tmp_path / 'a copy'
    folder.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(str(ROOT / name), str(folder / name), ignore=shutil.ignore_patterns('__pycache__'))
        elif (ROOT / name).is_file():
            shutil.copy(str(ROOT / name), str(folder / name))
    return folder


def texts(manifest, tag):
    return [element.text for element in manifest.findall(tag)]


def imported_modules(*folders):
    """Names of the top-level modules that the Python files in these folders import."""
    names = set()
    for path in [path for folder in folders for path in (ROOT / folder).rglob('*.py')]:
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                names.update(alias.name.split('.')[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module.split('.')[0])
    return names - set(sys.stdlib_module_names) - {'espnet_ros'} - OPTIONAL


def locked():
    """Requirement of each line of the lock file."""
    requirements = pytest.importorskip('packaging.requirements')
    lines = (ROOT / 'requirements' / 'lock.txt').read_text().splitlines()
    return [requirements.Requirement(line) for line in lines if line and not line.startswith('#')]


def normal(name):
    return re.sub('[-_.]+', '-', name).lower()


def test_manifest_has_what_format_3_asks_for(manifest):
    assert manifest.tag == 'package' and manifest.get('format') == '3'
    children = [child.tag for child in manifest]
    for once in ('name', 'version', 'description', 'export'):
        assert children.count(once) == 1
    assert set(children) <= {'name', 'version', 'description', 'maintainer', 'license', 'url', 'author',
                             'exec_depend', 'test_depend', 'export'}
    assert manifest.findtext('name') == 'espnet_ros'
    assert re.fullmatch(r'\d+\.\d+\.\d+', manifest.findtext('version'))
    assert re.fullmatch(r'[^@\s]+@[^@\s]+\.[^@\s]+', manifest.find('maintainer').get('email'))
    assert manifest.findtext('maintainer').strip()
    assert manifest.findtext('export/build_type') == 'ament_python'
    for tag in ('exec_depend', 'test_depend'):
        assert len(texts(manifest, tag)) == len(set(texts(manifest, tag)))


def test_license_is_mit_everywhere(manifest, arguments):
    license = (ROOT / manifest.find('license').get('file')).read_text()
    assert manifest.findtext('license') == arguments['license'] == 'MIT'
    assert license.startswith('MIT License') and 'espnet_ros contributors' in license


def test_version_is_the_same_everywhere(manifest, arguments):
    newest = re.search(r'^(\d+\.\d+\.\d+) \(\d{4}-\d{2}-\d{2}\)\n-+$', (ROOT / 'CHANGELOG.rst').read_text(), re.M)
    assert newest.group(1) == manifest.findtext('version') == arguments['version'] == espnet_ros.__version__


def test_every_import_is_a_declared_dependency(manifest):
    keys = {ROSDEP_KEYS.get(name, name) for name in imported_modules('espnet_ros', 'launch')}
    assert keys - set(texts(manifest, 'exec_depend')) == set()


def test_every_import_has_a_pinned_wheel():
    wheels = {WHEELS.get(name, 'ros-jazzy-' + name.replace('_', '-'))
              for name in imported_modules('espnet_ros', 'launch') - NO_WHEEL}
    assert wheels - {normal(requirement.name) for requirement in locked()} == set()


def test_every_folder_with_code_is_a_package(arguments):
    folders = {'.'.join(path.relative_to(ROOT).parent.parts) for path in (ROOT / 'espnet_ros').rglob('*.py')}
    assert set(arguments['packages']) == folders


@pytest.mark.parametrize('name', [*NODES, 'espnet-ros'])
def test_every_program_exists(arguments, name):
    scripts = dict(line.split(' = ') for line in arguments['entry_points']['console_scripts'])
    assert set(scripts) == {*NODES, 'espnet-ros'}
    module, function = scripts[name].split(':')
    if name in NODES:
        pytest.importorskip('rclpy')
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.slow
def test_wheel_holds_programs_launch_files_configuration_and_models(copy, tmp_path):
    pytest.importorskip('pip')
    (copy / 'models').mkdir(exist_ok=True)
    (copy / 'models' / 'extra.yaml').write_text('name: extra\n')
    subprocess.run([sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps', '--no-build-isolation', '--no-index',
                    '-w', str(tmp_path), str(copy)], check=True, cwd=str(tmp_path))
    with zipfile.ZipFile(str(next(tmp_path.glob('*.whl')))) as wheel:
        names = {re.sub(r'^[^/]*\.data/data/', '', name) for name in wheel.namelist()}
        about = 'espnet_ros-{}.dist-info/'.format(espnet_ros.__version__)
        programs, metadata = (wheel.read(about + name).decode() for name in ('entry_points.txt', 'METADATA'))
    assert 'segmentation_node = espnet_ros.nodes.segmentation.__main__:main' in programs
    assert {'share/ament_index/resource_index/packages/espnet_ros', 'share/espnet_ros/package.xml',
            'share/espnet_ros/models/extra.yaml', 'espnet_ros/nodes/__init__.py'} <= names
    for folder in ('config', 'config/nav2', 'config/train', 'launch', 'models'):
        assert {'share/espnet_ros/{}/{}'.format(folder, path.name) for path in (ROOT / folder).iterdir()
                if path.is_file()} <= names
    assert {str(path.relative_to(ROOT)) for path in (ROOT / 'espnet_ros').rglob('*')
            if path.is_file() and path.parent.name != '__pycache__'} <= names
    assert not [name for name in names if name.startswith('test')]
    needs = re.findall(r'^Requires-Dist: (\S+?)(?:;.* extra == "(\w+)")?$', metadata, re.M)
    assert {extra for _, extra in needs} == {'', *EXTRAS}
    assert {'torch', 'numpy', 'opencv-python-headless<5', 'PyYAML'} <= {name for name, extra in needs if not extra}
    assert {('openvino', 'cpu'), ('rosbags', 'eval'), ('rosbags', 'train'), ('ros-jazzy-rclpy', 'ros'),
            ('pytest', 'test'), ('torch', 'test')} <= set(needs)


@pytest.mark.slow
def test_what_colcon_installs_has_no_requirements(copy, tmp_path):
    # On Python 3.6 the programs would end with DistributionNotFound: Debian's OpenCV and NVIDIA's are not registered.
    subprocess.run([sys.executable, 'setup.py', '-q', 'egg_info', '--egg-base', str(tmp_path)], check=True,
                   cwd=str(copy))
    lines = (tmp_path / 'espnet_ros.egg-info' / 'requires.txt').read_text().split()
    assert [line for line in lines if not line.startswith('[')] == ['pytest'] and '[test]' in lines


def test_programs_go_where_ros2_run_looks():
    settings = (ROOT / 'setup.cfg').read_text()
    assert 'script_dir=$base/lib/espnet_ros' in settings and 'install_scripts=$base/lib/espnet_ros' in settings


def test_lock_pins_one_version_for_each_python():
    pins = [(normal(requirement.name), str(requirement.marker or '')) for requirement in locked()]
    assert len(pins) == len(set(pins))
    for requirement in locked():
        assert re.fullmatch(r'==[0-9][0-9a-z.]*', str(requirement.specifier)), requirement
        assert not requirement.url and not requirement.extras


def test_every_requirement_is_in_the_lock():
    requirements = pytest.importorskip('packaging.requirements')
    names = {normal(requirement.name) for requirement in locked()}
    files = [path for path in (ROOT / 'requirements').glob('*.txt') if path.name not in ('floor.txt', 'lock.txt')]
    assert {path.stem for path in files} == {'base', 'build', 'docs', 'run', *EXTRAS}
    for path in files:
        for line in path.read_text().splitlines():
            if line and not line.startswith(('#', '-r ')):
                assert normal(requirements.Requirement(line).name) in names


def test_environment_holds_nothing_but_what_is_locked():
    if not (pathlib.Path(sys.prefix) / 'test.stamp').is_file():
        pytest.skip('this environment was not made by make')
    requirements = pytest.importorskip('packaging.requirements')
    pins = {normal(requirement.name): requirement.specifier for requirement in locked()
            if not requirement.marker or requirement.marker.evaluate()}
    wanted, seen = ['pip', 'setuptools', *(normal(name) for name in WHEELS.values()), 'pytest', 'mypy', 'ruff'], set()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        distribution = importlib.metadata.distribution(name)
        assert name in pins, '{} is not pinned'.format(name)
        assert pins[name].contains(distribution.version), '{} {} is not what is pinned'.format(
            name, distribution.version)
        needs = [requirements.Requirement(line) for line in distribution.requires or ()]
        wanted += [normal(need.name) for need in needs if not need.marker or need.marker.evaluate({'extra': ''})]


DOCUMENTS = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').glob('*.md'))]


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda path: path.name)
def test_documents_name_what_is_there(document):
    text = document.read_text(encoding='utf-8')
    paths = re.findall(r'`((?:\.ci|config|docs|espnet_ros|launch|models|requirements|test)/[\w./-]*\w/?)`', text)
    assert [path for path in paths if not (ROOT / path).exists() and 'NAME' not in path] == []
    links = [link for link in re.findall(r'\]\(([^)#:]+)(?:#[^)]*)?\)', text) if '://' not in link]
    assert [link for link in links if not (document.parent / link).exists()] == []
    anchors = {'#' + re.sub(r'[^\w -]', '', title).lower().replace(' ', '-')
               for title in re.findall(r'^#+ (.+)$', text, re.M)}
    assert set(re.findall(r'\]\((#[^)]+)\)', text)) <= anchors
    targets = re.findall(r'^(\w+):', (ROOT / 'Makefile').read_text(), re.M)
    assert set(re.findall(r'`?make (\w+)(?=[`\n ]+(?:[#A-Z|]|$)|`)', text)) <= set(targets)
    commands = {path.stem for path in (ROOT / 'espnet_ros' / 'cli').glob('*.py')}
    if document.parent == ROOT:
        assert set(re.findall(r'espnet-ros ([a-z]+)(?= |`|$)', text)) - commands <= {'command'}


@pytest.mark.parametrize('model, rows', [('camvid-espnet-q8', ('| default model on CamVid', '| default model on syn')),
                                         ('camvid-espnet-q3', ('| `camvid-espnet-q3` on',)),
                                         ('camvid-espnet-c-q8', ('| `camvid-espnet-c-q8` on',))])
def test_the_page_of_results_says_what_the_cards_say(model, rows):
    lines = (ROOT / 'docs' / 'results.md').read_text(encoding='utf-8').splitlines()
    said = [number for row in rows for line in lines if line.startswith(row)
            for number in re.findall(r'\b\d\d\.\d\b', line.split('|')[2])]
    results = yaml.safe_load((ROOT / 'models' / (model + '.yaml')).read_text(encoding='utf-8'))['results']
    assert said == ['{:.1f}'.format(result[score]) for result in results.values()
                    for score in ('class mIOU', 'category mIOU')]


def test_the_page_of_the_architecture_has_the_layers_in_order():
    settings = (ROOT / 'pyproject.toml').read_text(encoding='utf-8')
    layers = re.search(r'^layers = \[(.*?)^\]', settings, re.M | re.S).group(1)
    page = (ROOT / 'docs' / 'architecture.md').read_text(encoding='utf-8').partition('## Layers')[2].partition('## ')[0]
    rows = [cells.split('|')[2] for cells in page.splitlines() if cells.startswith('| ')][1:]
    levels = [set(re.findall(r'\w+', line)) for line in layers.splitlines() if line.strip()]
    told = [next(i for i, level in enumerate(levels) if name in level) for row in rows
            for name in re.findall(r'`(\w+)`', row)]
    assert told == sorted(told) and len(told) == sum(map(len, levels))


# What make does, without a network: a stand-in for Python makes the environment and notes what pip is asked to do.
STAND_IN = """#!/bin/sh
case "$*" in
    '-m venv --clear .venv') mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    '-m pip '*' install '*) echo "$*" >> pip.log; test "$(cat fails 2>/dev/null)" != "${*#*lock.txt }" ;;
esac
"""


@pytest.fixture
def make(copy):
    """Run make in a copy of the project; returns its exit status and what it printed."""
    if shutil.which('make') is None:
        pytest.skip('there is no make on this machine')
    python = copy / 'stand-in'
    python.write_text(STAND_IN)
    python.chmod(0o755)

    def run(*words):
        clean = {name: value for name, value in os.environ.items() if not name.startswith('MAKE')}
        result = subprocess.run(['make', *words], cwd=str(copy), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                universal_newlines=True, env=clean)
        return result.returncode, result.stdout
    return run


@pytest.mark.slow
def test_make_alone_explains_itself(make):
    status, text = make()
    assert status == 0
    for target in ('demo', 'check', 'test', 'lint', 'floor', 'env', 'clean', 'SOURCE=', 'SECONDS=', 'PYTHON='):
        assert target in text


@pytest.mark.slow
def test_make_env_installs_once_and_again_after_a_change(make, copy):
    log = copy / 'pip.log'
    assert make('env', 'PYTHON=./stand-in')[0] == 0
    first = log.read_text().splitlines()
    assert [re.search(r'(-r requirements/\w+\.txt|-e \.|cityscapesscripts)$', line).group(1) for line in first] == [
        '-r requirements/build.txt', '-r requirements/run.txt', '-e .', '-r requirements/test.txt',
        'cityscapesscripts']
    assert all('-c requirements/lock.txt' in line or '--no-deps' in line for line in first)
    assert make('env', 'PYTHON=./stand-in')[0] == 0
    assert log.read_text().splitlines() == first
    later = (copy / '.venv' / 'test.stamp').stat().st_mtime + 10
    os.utime(str(copy / 'requirements' / 'test.txt'), (later, later))
    assert make('env', 'PYTHON=./stand-in')[0] == 0
    assert log.read_text().splitlines() == [*first, *first[-2:]]


@pytest.mark.slow
def test_interrupted_installation_is_taken_up_again(make, copy):
    (copy / 'fails').write_text('-r requirements/run.txt')
    assert make('env', 'PYTHON=./stand-in')[0] != 0
    assert not (copy / '.venv' / 'run.stamp').exists()
    (copy / 'fails').unlink()
    assert make('env', 'PYTHON=./stand-in')[0] == 0
    assert (copy / '.venv' / 'test.stamp').exists()


@pytest.mark.slow
def test_unfit_python_is_one_sentence(make, copy):
    status, text = make('env', 'PYTHON=no-such-python')
    assert status != 0 and 'There is no no-such-python; install Python 3.10 to 3.14.' in text
    old = copy / 'old'
    old.write_text('#!/bin/sh\ntest "$1" = -c || exit 1\n'
                   'exec "{}" -c "import sys; sys.version_info = (3, 8, 10)\n$2"\n'.format(sys.executable))
    old.chmod(0o755)
    status, text = make('env', 'PYTHON=./old')
    assert status != 0 and './old is Python 3.8 on Linux' in text and 'as in PYTHON=python3.12' in text
    assert not (copy / '.venv').exists() and 'Traceback' not in text


@pytest.mark.slow
def test_demo_gets_source_and_seconds(make):
    text = make('-n', 'demo', 'SOURCE=my video.mp4', 'SECONDS=7', 'PYTHON=./stand-in')[1]
    assert '.venv/bin/espnet-ros demo --seconds 7 --source "$SOURCE"' in text
    assert make('-n', 'demo', 'PYTHON=./stand-in')[1].rstrip().endswith('.venv/bin/espnet-ros demo')


@pytest.mark.slow
def test_without_python_3_6_the_floor_is_a_sentence(copy, tmp_path):
    words = {'PATH': '/usr/bin:/bin', 'HOME': str(tmp_path), 'PYTHON36': sys.executable}
    if shutil.which('python3.6', path=words['PATH']):
        pytest.skip('this machine has a Python 3.6 that cannot be hidden')
    done = subprocess.run(['sh', 'requirements/floor.sh'], cwd=str(copy), env=words, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    assert done.returncode == 0 and not (copy / '.floor').exists()
    assert done.stdout == 'No floor: found no Python 3.6; install one (pyenv install 3.6.15) or name it in PYTHON36.\n'
