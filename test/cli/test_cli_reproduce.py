"""`espnet-ros reproduce`: level counts, its files, its exit code."""
import csv
import json

import pytest

from espnet_ros.cli import main, reproduce
from espnet_ros.paper import counts, speed, training
from espnet_ros.paper.results import Results

SHIPPED = training.shipped


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """No process to name the machine, and no trainings but a test's own."""
    monkeypatch.setattr(reproduce, 'environment', lambda: [('cpu', 'of a test')])
    monkeypatch.setattr(reproduce, 'has_power_sensor', lambda: False)
    monkeypatch.setattr(training, 'shipped', lambda folder=None: [])


def test_counts_of_the_whole_paper(tmp_path, capsys):
    assert main(['reproduce', '--out', str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert 'reproduced' in text and 'differs' not in text and 'report.html' in text
    data = json.loads((tmp_path / 'report.json').read_text())
    assert data['wrong'] == [] and data['machine'] == {'cpu': 'of a test'}
    rows = {(row['item'], row['network'], row['quantity']): row for row in data['rows']}
    assert rows['fig-6', 'PSPNet', 'parameters']['ours'] == pytest.approx(65.707475)
    assert rows['fig-6', 'PSPNet', 'parameters']['status'] == 'reproduced'
    assert {row['status'] for row in data['rows']} == {'reproduced', 'not run'}
    with open(tmp_path / 'report.csv', newline='') as stream:
        table = list(csv.DictReader(stream))
    assert len(table) == len(data['rows']) and table[0]['paper'] == '40'
    page = (tmp_path / 'report.html').read_text()
    assert page.count('<svg') >= 6 and 'Fig. 9' in page and 'PSPNet' in page


def test_the_table_fits_80_columns_and_breaks_no_word(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('COLUMNS', '80')
    monkeypatch.setattr(training, 'shipped', SHIPPED)
    assert main(['reproduce', 'table-1d', 'table-2b', '--out', str(tmp_path)]) == 0
    lines = capsys.readouterr().out.partition(' rows were not run')[0].splitlines()
    assert max(map(len, lines)) <= 80
    lines = [' '.join(line.split()) for line in lines]
    assert lines[2:6] == ['table-1d', 'U-shaped network of ESP ≈2.75 M 2.755 +0.2% reproduced', 'modules: parameters',
                          'table-2b']


def test_a_wrong_count_ends_with_1(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(counts, 'parameters', lambda architecture: 300_000)
    assert main(['reproduce', 'table-2c', '--out', str(tmp_path)]) == 1
    text = ' '.join(capsys.readouterr().out.split())
    assert 'ESPNet-A has 300,000 parameters instead of 183,136' in text
    assert 'ESPNet-A has 0.3 M parameters, the paper says 0.183' in text


def test_an_interrupted_measurement_goes_on(tmp_path, monkeypatch):
    asked = []

    def measure(networks, name, size, engine, budget, energy):
        assert 0 < budget <= 90 and not energy
        asked.append(name)
        if name == 'PSPNet' and len(asked) < 2:
            raise KeyboardInterrupt
        return {'seconds': 0.2, 'reference seconds': 0.1, 'ratio': [0.5, 0.4, 0.6], 'turns': 3, 'cpu ratio': 0.5,
                'energy': None, 'device': 'CPU', 'precision': 'fp32'}
    monkeypatch.setattr(speed, 'measure', measure)
    command = ['reproduce', 'fig-6-ratios', '--level', 'speed', '--engines', 'torch', '--minutes', '1.5',
               '--out', str(tmp_path)]
    assert main(command) == 130
    assert main(command) == 0
    assert asked == ['PSPNet', 'PSPNet', 'ENet', 'ESPNet']  # ERFNet is there for its parameters only
    rows = json.loads((tmp_path / 'report.json').read_text())['rows']
    assert [row['status'] for row in rows if 'speed' in row['quantity']] == ['other hardware'] * 3
    assert main([*command, '--again', '--networks', 'ENet']) == 0 and asked[4:] == ['ENet']


def test_trainings_are_kept_one_by_one(tmp_path, monkeypatch, capsys):
    calls = []

    def measure(network, seed, folder, arguments):
        calls.append((network.name, seed, arguments))
        return {'class mIOU': 40.0 + seed, 'category mIOU': 50.0, 'data': 'CamVid val'}
    monkeypatch.setattr(training, 'measure', measure)
    command = ['reproduce', 'table-2b', '--level', 'train', '--data', 'camvid:a', '--val', 'camvid:b', '--seeds', '1',
               '2', '--set', 'epochs=3', '--minutes', '0', '--out', str(tmp_path)]
    assert main(command) == 0
    arguments = ['--recipe', 'camvid', '--data', 'camvid:a', '--val', 'camvid:b', '--set', 'epochs=3']
    assert calls == [(name, seed, arguments) for seed in (1, 2) for name in ('ESPNet-A', 'ESPNet-A without residual')]
    assert len(dict(Results(tmp_path).items())) == 4
    rows = json.loads((tmp_path / 'report.json').read_text())['rows']
    assert [(row['status'], row['ours']) for row in rows] == [('stand-in data', 41.5)] * 2 + [('not told apart', 0.0)]
    assert main(command) == 0 and len(calls) == 4
    table = (tmp_path / 'report.md').read_text()
    assert '| Table 2b | ESPNet-A above ESPNet-A without residual | +2 | +0.0 (+0.0 to +0.0) | 0 of 2 | not' in table
    assert 'Class mIOU of CamVid val; `recipe=camvid`, `data=camvid:a`, `val=camvid:b`, `epochs=3`;' in table
    assert main([*command, '--set', 'epochs=4']) == 1 and len(calls) == 4
    assert 'have other settings (recipe=camvid data=camvid:a val=camvid:b epochs=3); name' in capsys.readouterr().err
    kept = tmp_path / 'kept.json'
    assert main(['reproduce', 'table-2b', '--out', str(tmp_path), '--keep', str(kept)]) == 0
    assert training.read(kept).scores == {
        (name, seed): 40.0 + seed for name in ('ESPNet-A', 'ESPNet-A without residual') for seed in (1, 2)}
    assert main(['reproduce', '--out', str(tmp_path / 'other'), '--keep', str(kept)]) == 1
    assert 'there are no trainings in' in capsys.readouterr().err


def test_shipped_trainings_are_not_trained_again(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(training, 'measure', lambda network, seed, *_: calls.append((network.name, seed)) or {
        'class mIOU': 40.0, 'category mIOU': 50.0, 'data': 'CamVid val'})
    monkeypatch.setattr(training, 'shipped', lambda folder=None: [training.Trainings(
        'CamVid val', ('recipe=camvid', 'data=camvid:a'), {}, {('ESPNet-A PReLU', 1): 41.0})])
    command = ['reproduce', 'table-2b', '--minutes', '0', '--out', str(tmp_path), '--seeds', '1', '2']
    assert main([*command, '--level', 'train', '--data', 'camvid:a', '--minutes', '0']) == 0
    assert calls == [('ESPNet-A without residual', 1), ('ESPNet-A', 2), ('ESPNet-A without residual', 2)]
    assert main(['reproduce', 'table-2e', '--out', str(tmp_path / 'counts')]) == 0
    page = (tmp_path / 'counts' / 'report.html').read_text()
    assert 'stand-in data: CamVid val, 1 seed' in page


def test_mistakes_get_a_sentence(tmp_path, capsys):
    assert main(['reproduce', 'table-7', '--out', str(tmp_path)]) == 1
    assert "error: the paper has no item 'table-7'; there are table-1a" in capsys.readouterr().err
    assert main(['reproduce', 'table-2a', '--level', 'train', '--minutes', '0', '--out', str(tmp_path)]) == 0
    assert '--level train without --data trains nothing' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(['reproduce', '--minutes', 'x'])
    assert "--minutes: invalid number value: 'x'" in capsys.readouterr().err
    (tmp_path / 'results.json').write_text('x')
    assert main(['reproduce', 'table-2a', '--out', str(tmp_path)]) == 1
    assert 'remove the file to measure anew' in capsys.readouterr().err
