"""Parameters are described once: YAML files and docs/tune.md follow the rules."""
import pathlib
import re

import pytest

pytest.importorskip('rclpy', reason='it needs ROS 2')

from espnet_ros.nodes import describe  # noqa: E402
from espnet_ros.nodes.segmentation.settings import SEGMENTATION_RULES  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.parametrize('name', list(describe.NODES))
def test_the_configuration_file_is_what_the_rules_say(name):
    text = (ROOT / 'config' / (name + '.yaml')).read_text()
    assert text == describe.describe(name), 'run: python3 -m espnet_ros.nodes.describe {0} > config/{0}.yaml'.format(
        name)
    assert max(map(len, text.splitlines())) <= 120


def test_the_page_on_tuning_names_no_parameter_that_is_not_there():
    section = (ROOT / 'docs' / 'tune.md').read_text().partition('\n## Parameters\n')[2].partition('\n## ')[0]
    rows = [line for line in section.splitlines() if line.startswith('| `')]
    named = {name for line in rows for name in re.findall('`([a-z_]+)`', line.split('|')[1])}
    assert named and not named - set(SEGMENTATION_RULES)


@pytest.mark.parametrize('arguments', [[], ['lidar'], ['camera', 'segment']])
def test_what_it_does_not_know_is_a_sentence(monkeypatch, capsys, arguments):
    monkeypatch.setattr('sys.argv', ['describe', *arguments])
    assert describe.main() == 2
    assert capsys.readouterr().err == 'name one of: {}\n'.format(', '.join(describe.NODES))
