"""What is said of each row: status, our number, and why it was not run."""
import collections
import json

import pytest

from espnet_ros.errors import ParameterError
from espnet_ros.paper import outcomes, speed, tables, training
from espnet_ros.paper.expected import read_expected
from espnet_ros.paper.results import Results

EXPECTED = read_expected()


def found(item, results=None, level='counts', engine='openvino', trainings=None):
    return {(o.row.subject, o.row.column): o for o in outcomes.outcomes(
        EXPECTED.choose([item]), EXPECTED, results or {}, level, engine, trainings)}


def measured(seconds, reference=0.1, energy=None):
    return {'seconds': seconds, 'reference seconds': reference, 'median': seconds + 0.1,
            'reference median': reference + 0.1,
            'ratio': [reference / seconds, 0.9 * reference / seconds, 1.25 * reference / seconds], 'turns': 7,
            'cpu ratio': reference / seconds, 'busy': '',
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
        EXPECTED.choose([]), EXPECTED, {}, 'counts', 'openvino'))
    assert totals['differs'] == 0 and totals['reproduced'] >= 45


def test_a_count_that_is_off_differs():
    item = EXPECTED.items['table-2a']._replace(rows=(
        EXPECTED.items['table-2c'].rows[0]._replace(value=0.3),))
    assert outcomes.outcomes([item], EXPECTED, {}, 'counts', 'torch')[0].status == 'differs'


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
    trainings = trained({'ESPNet-A ReLU': {1: 40.0, 2: 42.0}})
    row = found('table-2a', trainings=trainings)['ESPNet-A ReLU', 'class mIOU']
    assert (row.status, row.ours, row.note) == ('stand-in data', 41.0, 'CamVid val, 2 seeds, 40.00 to 42.00')
    assert found('table-2a', trainings=trainings)['ESPNet-A PReLU', 'class mIOU'].status == 'not run'


def trained(scores):
    return training.Trainings('CamVid val', ('recipe=camvid', 'epochs=3'), {'torch': '2'}, {
        (name, seed): score for name, seeds in scores.items() for seed, score in seeds.items()})


def test_rows_of_one_architecture_share_a_training():
    trainings = trained({'ESPNet-A PReLU': {1: 40.0}, 'ESPNet-C2': {1: 45.0}})
    for item, name, score in (('table-2b', 'ESPNet-A', 40.0), ('table-2e', 'ESPNet-A K=5', 40.0),
                              ('table-2f', 'ESPNet-C q=3', 45.0), ('fig-5', 'ESP', 45.0)):
        assert found(item, trainings=trainings)[name, 'class mIOU'].ours == score
    assert found('table-2d', trainings=trainings)['ESPNet-C3 not dilated', 'class mIOU'].ours is None


@pytest.mark.parametrize('scores, status, note', [
    ({1: 3.0, 2: 3.2, 3: 2.8}, 'same order', '3 of 3 seeds in the paper\'s order, 95% interval +2.50 to +3.50'),
    ({1: -3.0, 2: -3.2, 3: -2.8}, 'opposite order', '0 of 3 seeds in the paper\'s order, 95% interval -3.50 to -2.50'),
    ({1: 3.0, 2: -1.0}, 'not told apart', '1 of 2 seeds in the paper\'s order, 95% interval -24.42 to +26.42'),
    ({1: 3.0}, 'not told apart', '1 of 1 seed in the paper\'s order, one seed tells nothing of chance')])
def test_what_the_seeds_say_of_an_order(scores, status, note):
    trainings = trained({'ESPNet-A ReLU': dict.fromkeys((1, 2, 3, 4), 40.0),
                         'ESPNet-A PReLU': {seed: 40.0 + score for seed, score in scores.items()}})
    outcome = found('table-2a', trainings=trainings)['ESPNet-A PReLU above ESPNet-A ReLU', 'difference of class mIOU']
    assert (outcome.status, outcome.note) == (status, 'CamVid val, ' + note)
    assert outcome.ours == pytest.approx(sum(scores.values()) / len(scores)) and outcome.difference is None
    assert (outcome.row.printed, outcome.row.quantity.unit) == ('2', 'points')


def test_what_the_paper_does_not_order_is_no_pair():
    scores = {name: {1: 40.0} for name in ('ESPNet-A', 'ESPNet-B', 'ESPNet-C q=3', 'ESPNet-C† input-aware fusion')}
    pairs = [(order.better.subject, order.worse.subject) for order in training.orders(
        EXPECTED.items['table-2f'], EXPECTED.networks, trained(scores))]
    assert len(pairs) == 5 and ('ESPNet-C† input-aware fusion', 'ESPNet-C q=3') not in pairs  # both 42
    assert training.orders(EXPECTED.items['table-2f'], EXPECTED.networks, None) == []


def test_trainings_of_the_same_settings_are_added_up(tmp_path):
    path = tmp_path / 'shipped' / 'a.json'
    path.parent.mkdir()
    training.save(path, trained({'ESPNet-C† input-aware fusion': {1: 40.25}}))
    training.save(path, trained({'ESPNet-C† input-aware fusion': {2: 41.0}, 'ESPNet-B': {1: 39.0}}))
    assert training.read(path) == trained({
        'ESPNet-C† input-aware fusion': {1: 40.25, 2: 41.0}, 'ESPNet-B': {1: 39.0}})
    mine = {training.key('ESPNet-B', 2): {'class mIOU': 38.0, 'data': 'CamVid val',
                                          'settings': ['recipe=camvid', 'epochs=3']}}
    both = training.known(mine, folder=path.parent)
    assert both.of(EXPECTED.networks['ESPNet-B'], EXPECTED.networks) == {1: 39.0, 2: 38.0} and len(both.scores) == 4
    other = {key: dict(value, settings=['epochs=9']) for key, value in mine.items()}
    assert training.known(other, folder=path.parent).scores == {('ESPNet-B', 2): 38.0}
    with pytest.raises(ParameterError, match=r'have other settings \(recipe=camvid epochs=3\); name another file'):
        training.save(path, training.own(other))
    with pytest.raises(ParameterError, match='trainings with several settings .* keep each in a folder of its own'):
        training.own({**mine, training.key('ESPNet-B', 3): next(iter(other.values()))})
    for content in ('[]', '{"data": 1}',
                    '{"data": "a", "settings": [], "versions": {}, "class mIOU": {"a": {"x": 1}}}'):
        path.write_text(content)
        with pytest.raises(ParameterError, match='damaged|cannot read the results'):
            training.shipped(path.parent)


def test_shipped_trainings_are_of_networks_of_the_paper():
    for each in training.shipped():
        assert each.settings and each.versions and {name for name, _ in each.scores} <= set(EXPECTED.networks)
        assert all(0 < score < 100 and seed > 0 for (_, seed), score in each.scores.items())


def test_settings_and_folders_name_no_path_of_this_machine():
    assert training.settings('camvid', ['camvid:/data/camvid:train', 'street:400:640x480@0.5'], ['camvid:/d:val'],
                             ['size=[240,184]', 'epochs=3']) == (
        'recipe=camvid', 'data=camvid:train', 'data=street:400:640x480@0.5', 'val=camvid:val', 'epochs=3',
        'size=[240,184]')
    assert training.folder_name('ESPNet-C† input-aware fusion', 2) == 'train-ESPNet-C-dagger-input-aware-fusion-seed-2'
    names = {training.folder_name(name, 1) for name in EXPECTED.networks}
    assert len(names) == len(EXPECTED.networks) and all(name.isascii() for name in names)


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
    large, small = [('torch', 'openvino'), ('openvino',)]
    assert speed.wanted(rows, EXPECTED.networks, large) == [
        (name, size, engine) for name in ('PSPNet', 'ERFNet', 'ENet', 'ESPNet')
        for size, engines in (((224, 224), small), ((640, 360), small), ((1024, 512), large)) for engine in
        sorted(engines) if name != 'PSPNet' or size == (1024, 512)]
    assert speed.wanted(EXPECTED.items['fig-7'].rows, EXPECTED.networks, large) == []  # no other machine can stand in


def test_tables_in_markdown(tmp_path):
    results = {speed.key(name, (1024, 512), 'torch'): value for name, value in (
        ('ESPNet', measured(0.1)), ('ENet', dict(measured(0.2), busy='others')), ('MobileNet', measured(0.05)),
        ('ESP', measured(0.08)), ('PSPNet', {'problem': 'no memory'}))}
    lines = tables.speed_table(EXPECTED, results, ('torch', 'openvino'), [('cpu kind', 'a CPU'), ('cores', '2 of 2')])
    assert '| ENet | 0.36 | 200 | 2 (1.6 to 2.22; 2) |  |  | ≈1.27 |' in lines
    assert '| PSPNet | 65.71 | does not run |  |  |  | ≈22.2 |' in lines
    assert '| MobileNet | 0.23 | 50 | 0.625 (0.45 to 0.868; 0.625) |  |  | ≈1.03 |' in lines
    assert 'a CPU, 2 of 2 cores' in lines[-2] and lines[-1].endswith('to be trusted: ENet.')
    del results[speed.key('ESPNet', (1024, 512), 'torch')], results[speed.key('ESP', (1024, 512), 'torch')]
    assert tables.speed_table(EXPECTED, results, ('torch',), []) == []  # without what others are compared with
    lines = tables.orders_table(EXPECTED, trained({'ResNet': {1: 50.0, 2: 52.0}, 'MobileNet': {1: 45.0, 2: 46.0}}))
    assert lines[2] == '| Fig. 5 | ResNet above MobileNet | ≈+12 | +5.5 (-0.9 to +11.9) | 2 of 2 | not told apart |'
    path = tmp_path / 'page.md'
    path.write_text('a\n<!-- orders -->\nold\n<!-- end of orders -->\nb\n')
    tables.insert(path, 'orders', ['new'])
    assert path.read_text() == 'a\n<!-- orders -->\nnew\n<!-- end of orders -->\nb\n'
    with pytest.raises(ParameterError, match="has no lines '<!-- speed -->' and '<!-- end of speed -->'"):
        tables.insert(path, 'speed', [])


def test_a_network_is_measured_with_a_card_of_its_own(monkeypatch):
    seen = []

    def in_turns(first, second, budget, energy):
        assert (budget, energy) == (30.0, True)
        for candidate in (first, second):
            with open(candidate.model) as stream:
                seen.append((stream.read(), candidate._replace(model='')))
        return speed_turns()
    monkeypatch.setattr(speed, 'in_turns', in_turns)
    result = speed.measure(EXPECTED.networks, 'MobileNet', (224, 224), 'openvino')
    assert result == measured(0.2, 0.1, 3.0)
    assert 'block: mobilenet' in seen[0][0] and 'block: esp' in seen[1][0] and seen[0][1] == seen[1][1]
    assert (seen[0][1].width, seen[0][1].height, seen[0][1].precision) == (224, 224, 'fp32')
    monkeypatch.setattr(speed, 'in_turns', lambda *_: speed_turns(backend='torch', fallback='not installed'))
    assert speed.measure(EXPECTED.networks, 'ENet', (224, 224), 'openvino') == {'problem': 'not installed'}


def speed_turns(backend='openvino', fallback=''):
    from espnet_ros.performance.benchmark.turns import Turns
    from espnet_ros.performance.statistics import Ratio, Summary
    about = {'backend': backend, 'fallback': fallback, 'device': 'CPU', 'precision': 'fp32'}
    ratio = Ratio(0.5, 0.9 * 0.5, 1.25 * 0.5, 0.95, (0.5,) * 7)
    return Turns(about, about, Summary(0.2 + 0.1, 0.4), Summary(0.1 + 0.1, 0.2), 0.2, 0.1, ratio, ratio, energy=3.0)


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
