"""What is said of each row: status, our number, and why it was not run."""
import collections
import json

import pytest

from espnet_ros.errors import ParameterError
from espnet_ros.paper import outcomes, speed, training
from espnet_ros.paper.expected import read_expected
from espnet_ros.paper.results import Results

EXPECTED = read_expected()


def found(item, results=None, level='counts', engine='openvino'):
    return {(o.row.subject, o.row.column): o for o in outcomes.outcomes(
        EXPECTED.choose([item]), EXPECTED.networks, results or {}, level, engine)}


def measured(seconds, reference=0.1, energy=None):
    return {'seconds': seconds, 'reference seconds': reference, 'median': seconds + 0.1,
            'reference median': reference + 0.1,
            'ratio': [reference / seconds, 0.9 * reference / seconds, 1.25 * reference / seconds], 'turns': 7,
            'cpu ratio': reference / seconds,
            'energy': energy, 'device': 'CPU', 'precision': 'fp32'}


def test_counts_are_reproduced_and_the_rest_says_why_not():
    rows = found('table-2c')
    count = rows['ESPNet-A', 'parameters']
    assert (count.status, count.ours, round(count.difference, 4)) == ('reproduced', 0.183136, 0.0007)
    accuracy = rows['ESPNet-A', 'class mIOU']
    assert (accuracy.status, accuracy.ours) == ('not run', None)
    assert 'needs Cityscapes' in accuracy.note and 'espnet-ros reproduce table-2c --level train' in accuracy.note
    assert found('table-1c')['LRR', 'parameters'].note == 'this package has no such network'
    assert 'benchmark server' in found('table-4a')['ENet', 'road'].note
    totals = collections.Counter(o.status for o in outcomes.outcomes(
        EXPECTED.choose([]), EXPECTED.networks, {}, 'counts', 'openvino'))
    assert totals['differs'] == 0 and totals['reproduced'] >= 45


def test_a_count_that_is_off_differs():
    item = EXPECTED.items['table-2a']._replace(rows=(
        EXPECTED.items['table-2c'].rows[0]._replace(value=0.3),))
    assert outcomes.outcomes([item], EXPECTED.networks, {}, 'counts', 'torch')[0].status == 'differs'


def test_speed_is_of_other_hardware_and_ratios_are_of_turns_with_espnet():
    results = {speed.key(name, (1024, 512), 'openvino'): value for name, value in (
        ('ESPNet', measured(0.1, 0.1, energy=2.0)), ('ENet', measured(0.3, 0.2)), ('PSPNet', measured(4.0, 0.1)))}
    rows = found('fig-6', results, 'speed')
    assert (rows['ESPNet', 'frames'].status, rows['ESPNet', 'frames'].ours) == ('other hardware', 10.0)
    assert rows['ESPNet', 'power'].ours == 20.0
    assert rows['ENet', 'power'].note == 'this machine has no power sensor that can be read'
    assert rows['ERFNet', 'frames'].note == 'not measured yet: espnet-ros reproduce fig-6 --level speed'
    ratios = found('fig-6-ratios', results, 'speed')
    # ENet ran while the machine was half as fast: 0.3 s beside ESPNet's 0.2 s.
    assert ratios['ESPNet', 'speed of ENet, desktop'].ours == pytest.approx(1.5)
    assert ratios['ESPNet', 'speed of ENet, desktop'].note == (
        'openvino, fp32, CPU, 1.2 to 1.67 in 7 turns; 1.5 by CPU time')
    assert ratios['ESPNet', 'speed of PSPNet, desktop'].ours == pytest.approx(40)
    assert ratios['ESPNet', 'parameters of PSPNet'].status == 'reproduced'


def test_what_an_engine_cannot_run_says_why():
    results = {speed.key('ENet', (1024, 512), 'openvino'): {'problem': 'no such operator'}}
    assert found('fig-6', results, 'speed')['ENet', 'frames'].note == 'no such operator'
    assert found('fig-7')['ENet', 'frames at 828 MHz'].note.startswith('needs an NVIDIA Jetson TX2')


def test_trainings_are_of_stand_in_data():
    results = {training.key('ESPNet-A ReLU', seed): {'class mIOU': value, 'data': 'CamVid val'}
               for seed, value in ((1, 40.0), (2, 42.0))}
    row = found('table-2a', results)['ESPNet-A ReLU', 'class mIOU']
    assert (row.status, row.ours, row.note) == ('stand-in data', 41.0, 'CamVid val, 2 seeds, 40.00 to 42.00')
    assert found('table-2a', results)['ESPNet-A PReLU', 'class mIOU'].status == 'not run'


def test_results_survive(tmp_path):
    Results(tmp_path).put('a', {'seconds': 1.0})
    again = Results(tmp_path)
    again.put('b', {'problem': 'x'})
    assert dict(Results(tmp_path).items()) == {'a': {'seconds': 1.0}, 'b': {'problem': 'x'}}
    assert 'a' in again and again.get('c') is None


@pytest.mark.parametrize('content', [b'', b'[1]', b'{"a": 1}', b'\xff', b'[' * 100000])
def test_damaged_results_get_a_sentence(tmp_path, content):
    (tmp_path / 'results.json').write_bytes(content)
    with pytest.raises(ParameterError, match='cannot read the results .* remove the file to measure anew'):
        Results(tmp_path)


def test_what_speed_measures():
    rows = [row for item in EXPECTED.choose(['fig-6-ratios', 'fig-10']) for row in item.rows]
    assert speed.wanted(rows, EXPECTED.networks) == [
        ('ENet', (224, 224)), ('ENet', (640, 360)), ('ENet', (1024, 512)),
        ('ERFNet', (224, 224)), ('ERFNet', (640, 360)), ('ERFNet', (1024, 512)),
        ('ESPNet', (224, 224)), ('ESPNet', (640, 360)), ('ESPNet', (1024, 512)), ('PSPNet', (1024, 512))]


def test_a_network_is_measured_with_a_card_of_its_own(monkeypatch):
    seen = []

    def in_turns(first, second, budget):
        for candidate in (first, second):
            with open(candidate.model) as stream:
                seen.append((stream.read(), candidate._replace(model='')))
        return speed_turns()
    monkeypatch.setattr(speed, 'in_turns', in_turns)
    result = speed.measure(EXPECTED.networks, 'MobileNet', (224, 224), 'openvino')
    assert result == measured(0.2, 0.1, 3.0)
    assert 'block: mobilenet' in seen[0][0] and 'block: esp' in seen[1][0] and seen[0][1] == seen[1][1]
    assert (seen[0][1].width, seen[0][1].height, seen[0][1].precision) == (224, 224, 'fp32')
    monkeypatch.setattr(speed, 'in_turns', lambda *_, **__: speed_turns(backend='torch', fallback='not installed'))
    assert speed.measure(EXPECTED.networks, 'ENet', (224, 224), 'openvino') == {'problem': 'not installed'}


def speed_turns(backend='openvino', fallback=''):
    from espnet_ros.performance.benchmark.turns import Turns
    from espnet_ros.performance.statistics import Ratio, Summary
    about = {'backend': backend, 'fallback': fallback, 'device': 'CPU', 'precision': 'fp32'}
    ratio = Ratio(0.5, 0.9 * 0.5, 1.25 * 0.5, 0.95, (0.5,) * 7)
    return Turns(about, about, Summary(0.2 + 0.1, 0.4), Summary(0.1 + 0.1, 0.2), 0.2, 0.1, ratio, ratio, 3.0)


def test_a_training_is_the_command_with_the_rows_settings(tmp_path):
    commands = []

    def run(command, **_):
        commands.append(command)
        return Done(1, 'looking\nespnet-ros: error: no such folder\n\n')
    Done = collections.namedtuple('Done', 'returncode stdout')
    network = EXPECTED.networks['ESPNet-A K=2']
    with pytest.raises(ParameterError, match='training ESPNet-A K=2 failed: espnet-ros: error: no such folder'):
        training.measure(network, 3, tmp_path, ['--data', 'x'], run)
    assert commands[0][4:7] == ['train', '--data', 'x'] or commands[0][3:6] == ['train', '--data', 'x']
    assert commands[0][commands[0].index('--set') + 1:] == [
        'family=espnet', 'seed=3', 'variant=espnet-a', 'alpha3=3', 'width_divider=2', 'stride_divider=5']


def test_a_trained_card_is_read(tmp_path):
    from espnet_ros import models
    from espnet_ros.models.card import write_card
    card = models.untrained('espnet')._replace(name='trained', results={
        'CamVid val': {'class mIOU': 50.5, 'category mIOU': 60.0}})
    write_card(card, tmp_path / 'trained.yaml')
    done = collections.namedtuple('Done', 'returncode stdout')(0, '')
    assert training.measure(EXPECTED.networks['ESP'], 1, tmp_path, [], lambda *_, **__: done) == {
        'class mIOU': 50.5, 'category mIOU': 60.0, 'data': 'CamVid val'}
    assert json.dumps(card.results)
