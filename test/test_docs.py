"""The documentation site: built strictly, whole, and true to the code."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
pytest.importorskip('material', reason='the site needs mkdocs-material')

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    """Folder of the site; building it fails on a link that leads nowhere."""
    folder = tmp_path_factory.mktemp('site')
    done = subprocess.run(
        [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--quiet', '--site-dir', str(folder)], cwd=str(ROOT),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ, NO_MKDOCS_2_WARNING='1'))
    assert done.returncode == 0, done.stdout
    return folder


def text_of(site, page):
    return re.sub('<[^>]+>', '', (site / page / 'index.html').read_text(encoding='utf-8'))


def test_commands_and_parameters_come_from_the_code(site):
    from espnet_ros.cli import COMMANDS
    from espnet_ros.nodes.segmentation.settings import SegmentationParameters
    commands, parameters = text_of(site, 'reference/commands'), text_of(site, 'reference/parameters')
    assert all('usage: espnet-ros ' + name in commands for name in COMMANDS)
    assert all(name + ':' in parameters for name in SegmentationParameters._fields)
    assert 'load_segmenter' in text_of(site, 'reference/python')


def test_pages_need_nothing_from_elsewhere(site):
    for page in site.rglob('*.html'):
        text = page.read_text(encoding='utf-8')
        assert not re.findall(r'<(?:script|img|link)[^>]+(?:src|href)="https?://(?!localhost)', text), page
        assert 'class="mermaid"' not in text  # the theme would load its program from a server


def test_the_python_reference_names_what_is_found_without_importing_it():
    griffe = pytest.importorskip('griffe')
    page = (ROOT / 'docs' / 'reference' / 'python.md').read_text(encoding='utf-8')
    found = re.findall(r'^::: (\S+)\n +options:\n +members: \[(.*)\]', page, re.M)
    assert len(found) > 4
    for module, names in found:
        assert set(names.split(', ')) <= set(griffe.load(module, search_paths=[str(ROOT)]).members), module


def test_the_topics_of_the_reference_are_those_of_the_nodes():
    page = (ROOT / 'docs' / 'reference' / 'topics.md').read_text(encoding='utf-8')
    source = (ROOT / 'espnet_ros' / 'nodes' / 'segmentation' / 'outputs.py').read_text(encoding='utf-8')
    topics = set(re.findall(r"self\._(?:image|publisher)\((?:\w+, )?'([a-z_/]+)'", source)) - {'mask/'}
    assert len(topics) > 5
    assert [topic for topic in sorted(topics) if '`~/{}`'.format(topic) not in page] == []
