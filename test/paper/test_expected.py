"""The paper's numbers: complete, well-formed, and what this package counts fits them."""
import argparse
import importlib
import pathlib
import re

import pytest

from espnet_ros.cli import COMMANDS
from espnet_ros.datasets import is_spec, open_dataset
from espnet_ros.errors import ParameterError, SourceError
from espnet_ros.files import read_yaml
from espnet_ros.models import entry
from espnet_ros.paper import counts, outcomes, training
from espnet_ros.paper.expected import FILE, LEVELS, read_expected
from espnet_ros.training.settings import read_recipe

PAPER = pathlib.Path('paper', 'espnet_eccv2018.txt')


@pytest.fixture(scope='module')
def expected():
    return read_expected()


def rows_of(expected):
    return {row.key: row for item in expected.items.values() for row in item.rows}


def test_every_table_and_figure_with_numbers_is_there(expected):
    assert {'table-1a', 'table-1c', 'table-1d', 'table-2a', 'table-2b', 'table-2c', 'table-2d', 'table-2e', 'table-2f',
            'table-2g', 'table-3', 'table-4a', 'table-4b', 'fig-3', 'fig-5', 'fig-6', 'fig-7', 'fig-9', 'fig-10',
            'fig-11', 'fig-12', 'fig-13', 'fig-14'} <= set(expected.items)
    assert len(rows_of(expected)) == sum(len(item.rows) for item in expected.items.values()) > 250


@pytest.mark.parametrize('key, value, relation, unit', [
    ('table-1c/ESPNet, 21 classes/class mIOU', 63.01, '=', '%'), ('table-4a/ESPNet/train', 40.70, '=', '%'),
    ('table-1a/ERFNet/sky', 3, '=', '%'), ('table-2e/ESPNet-A K=7/parameters', 0.152, '=', 'M'),
    ('fig-5/ResNet/frames', 31.3, '~', 'FPS'), ('fig-6-ratios/ESPNet/speed of ENet, desktop', 1.27, '=', 'x'),
    ('fig-10/ENet/224x224', 1, '<', 'x'), ('fig-12/ESPNet/CPU load', 25, '<', '%')])
def test_rows(expected, key, value, relation, unit):
    row = rows_of(expected)[key]
    assert (row.value, row.relation, row.quantity.unit) == (value, relation, unit)


def test_rows_name_what_there_is(expected):
    for row in rows_of(expected).values():
        assert row.quantity.level in LEVELS and row.source
        assert not row.other or row.other in expected.networks or row.other == counts.STANDARD
        if row.quantity.level != 'counts' and row.quantity.name != 'speed ratio':
            assert row.needs, row.key


def test_every_network_has_the_parameters_of_its_publication(expected):
    assert counts.wrong_counts(expected.networks.values()) == []
    network = expected.networks['ENet']
    assert counts.wrong_counts([network._replace(parameters=1)]) == ['ENet has 364,712 parameters instead of 1']


def test_every_count_of_the_paper_is_within_one_percent(expected):
    rows = [row for row in rows_of(expected).values() if row.quantity.name == 'parameters' and row.network]
    assert len(rows) >= 30
    for row in rows:
        ours = counts.counted(row, expected.networks)
        assert row.fits(ours), row.key
        if row.relation == '=':
            assert abs(ours / row.value - 1) < 0.01, row.key


def test_networks_of_one_shape_are_counted_apart(expected):
    assert expected.networks['SegNet'].architecture == expected.networks['SQNet'].architecture  # as tuples
    assert [counts.parameters(expected.networks[name].architecture) for name in ('SegNet', 'SQNet')] == [
        29_453_971, 16_262_771]


def test_the_module_of_section_3_1(expected):
    rows = {row.column: row for row in expected.items['fig-3'].rows}
    assert counts.counted(rows['fewer parameters'], {}) == 3.6  # Md + Kn²d² = 40,960 instead of 147,456
    assert counts.counted(rows['receptive field'], {}) == 17


def test_tolerances(expected):
    rows = rows_of(expected)
    exact, plotted, bound = (rows[key] for key in (
        'table-2f/ESPNet-A/parameters', 'fig-6/SQNet/parameters', 'fig-12/ESPNet/CPU load'))
    assert exact.fits(0.1848) and not exact.fits(0.185) and not exact.fits(0.181)
    assert plotted.fits(16.4) and not plotted.fits(16.6)
    assert bound.fits(24) and not bound.fits(25)
    assert [row.printed for row in (exact, plotted, bound)] == ['0.183', '≈16', '<25']


def test_what_trains(expected):
    names = {row.network.name for row in rows_of(expected).values() if training.trains(row)}
    assert {'ESPNet-A ReLU', 'ESPNet-A K=8', 'ESPNet-C† input-aware fusion', 'MobileNet', 'ESP'} <= names
    assert 'ENet' not in names and len(names) == 28


def test_unknown_items_are_named(expected):
    assert [item.name for item in expected.choose(['fig-6', 'table-2a'])] == ['table-2a', 'fig-6']
    assert len(expected.choose([])) == len(expected.items)
    with pytest.raises(ParameterError, match="the paper has no item 'table-9'; there are table-1a, "):
        expected.choose(['table-2a', 'table-9'])


def test_the_words_of_the_paper(shared, expected):
    text = (shared / PAPER).read_text(encoding='utf-8')
    line = next(line for line in text.splitlines() if line.startswith('ESPNet (Ours)\t60.34'))
    rows = [row for row in expected.items['table-4a'].rows if row.subject == 'ESPNet']
    assert [row.value for row in rows] == [float(word) for word in line.split('\t')[1:]]


def commands():
    """What the file and the report tell people to type."""
    texts = list(read_yaml(str(FILE), 'the numbers of the paper', ParameterError)['needs'].values())
    texts += [outcome.note for outcome in outcomes.outcomes(
        read_expected().choose([]), read_expected(), {}, 'full', 'torch')]
    return sorted({match.strip() for text in texts for match in re.findall(r'espnet-ros ([^;]*)', text)})


@pytest.mark.parametrize('command', commands())
def test_the_commands_that_are_named_are_true(command):
    name, *arguments = command.split()
    assert name in COMMANDS
    module = importlib.import_module('espnet_ros.cli.' + name)
    parser = argparse.ArgumentParser(exit_on_error=False)
    module.add_arguments(parser)
    options = vars(parser.parse_args(arguments))
    if name == 'train':
        assert read_recipe(options['recipe'])
    if options.get('model', 'NETWORK') != 'NETWORK' and not options['model'].startswith('training/'):
        assert entry(options['model'])
    for text in filter(is_spec, arguments):
        with pytest.raises(SourceError, match="cannot read 'FOLDER|there is no folder '|FOLDER.* is missing|no slides"):
            open_dataset(text)  # a known kind, in the form that it has


def test_the_full_level_names_the_servers_files():
    text = '\n'.join(commands())
    assert '--submit cityscapes' in text and '--submit voc' in text and 'voc:FOLDER:trainaug' in text
