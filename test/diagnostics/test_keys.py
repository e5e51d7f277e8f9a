"""What programs read from diagnostics does not depend on the words that people read."""
import io

import pytest
from rich.console import Console

from espnet_ros.diagnostics import keys, machine, status
from espnet_ros.diagnostics.latency import Percentiles
from espnet_ros.diagnostics.status import EngineState, InputState, OutputState
from espnet_ros.monitor.board import Board
from espnet_ros.monitor.dashboard import draw
from espnet_ros.telemetry.machine import GpuState, MachineState

STATE = MachineState(cpu=(97.0, 99.0), memory_used=2 ** 30, memory_total=2 ** 32, gpus=(GpuState('Orin', load=70.0),),
                     temperatures=(('CPU', 99.0),))
IDLE_STATE = MachineState()


def all_statuses(rate=9.0, problem='no TensorRT', subscribers=1):
    """What a segmentation node and a machine say, most of it with problems."""
    return [
        status.input_status('espnet: Input', InputState(True, '/image', 1, rate, 100, 3, 20, 4, 0.1, 'no pixels')),
        status.latency_status('espnet: Latency', {keys.STAMP_TO_OUTPUT: Percentiles(0.1, 0.2, 0.3)}, 0.01),
        status.engine_status('espnet: Engine', EngineState(keys.READY, 2.0, problem, (
            (keys.MODEL, 'camvid'), (keys.BACKEND, 'torch')))),
        status.output_status('espnet: Output', OutputState(True, True, subscribers, rate, 70, 5, 2, 'boom')),
        *machine.statuses('robot', STATE, machine.Limits())]


def reworded(statuses):
    """The same statuses with other messages."""
    return [one._replace(message='Quux; {}: 7'.format(index), unlogged='') for index, one in enumerate(statuses)]


@pytest.mark.parametrize('words', [list, reworded])
def test_counters_phases_and_the_fallback_are_values(words):
    parts = keys.parts_of(words(all_statuses()), '/espnet')
    assert list(parts) == ['Input', 'Latency', 'Engine', 'Output']
    assert {name: keys.count_of(parts, name) for name in keys.COUNTERS} == {
        'received': 100, 'lost': 3, 'dropped': 20, 'refused': 4, 'published': 70, 'skipped': 5, 'failed': 2}
    assert keys.value_of(parts, keys.ENGINE, keys.PHASE) == keys.READY
    assert keys.value_of(parts, keys.ENGINE, keys.FALLBACK) == 'no TensorRT'
    assert keys.value_of(parts, keys.OUTPUT, keys.PHASE) == keys.RUNNING
    assert keys.stages_of(key for key, _ in parts[keys.LATENCY].values) == [keys.STAMP_TO_OUTPUT]


def test_a_camera_of_several_has_the_engine_of_its_node():
    statuses = [status.Status(name, 0, '', ()) for name in (
        'robot/espnet: Engine', 'robot/espnet/front: Input', 'robot/espnet/front: Output', 'robot/espnet/left: Input')]
    assert list(keys.parts_of(statuses, '/robot/espnet/front')) == ['Input', 'Output', 'Engine']
    assert list(keys.parts_of(statuses, 'robot/espnet')) == ['Engine']
    assert keys.parts_of(statuses[:1], 'robot/espnet/front') == keys.parts_of(statuses, 'espnet/front') == {}


@pytest.mark.parametrize('change, phase', [
    ({'active': False}, keys.INACTIVE), ({'enabled': False}, keys.DISABLED), ({'subscribers': 0}, keys.IDLE)])
def test_phases_of_the_output(change, phase):
    state = OutputState(True, True, 1, 9.0, 70, 5, 2)._replace(**change)
    assert dict(status.output_status('x', state).values)[keys.PHASE] == phase


@pytest.mark.parametrize('text', ['', 'unknown', '-1', '1.5', 'many'])
def test_what_is_no_count_counts_nothing(text):
    parts = {keys.INPUT: status.Status('x', 0, '', ((keys.LOST, text),))}
    assert keys.count_of(parts, keys.LOST) == 0 and keys.count_of({}, keys.SKIPPED) == 0


def test_names_of_statuses():
    name = keys.status_name('/front/espnet', keys.INPUT)
    assert name == 'front/espnet: Input' and keys.split_name(name) == ('front/espnet', 'Input')
    assert keys.split_name('odd') == ('', 'odd')


def test_the_dashboard_shows_the_same_below_its_alerts():
    def shown(statuses):
        board = Board()
        board.add(statuses, 0)
        console = Console(file=io.StringIO(), width=100, color_system=None, force_terminal=True)
        console.print(draw(board, 0, 100))
        return console.file.getvalue().partition('─ espnet')[2]
    for statuses in (all_statuses(), all_statuses(subscribers=0),
                     machine.statuses('robot', IDLE_STATE, machine.Limits())):
        assert shown(reworded(statuses)) == shown(statuses)


def test_series_of_a_machine_have_a_number_each():
    found = {keys.split_name(one.name)[1]: dict(one.values) for one in machine.statuses(
        'robot', STATE._replace(rails=(('VDD_IN', 12.5),)), machine.Limits())}
    assert {part: found[part][key] for part, key in keys.READINGS.items()} == {
        'CPU': '98.0', 'GPU': '70.0', 'Memory': '25.0', 'Power': '12.50', 'Temperature': '99.0'}
    assert {part: values[keys.MEASURED] for part, values in found.items()} == dict.fromkeys(found, 'yes')
    nothing = machine.statuses('robot', IDLE_STATE, machine.Limits())
    assert {dict(one.values)[keys.MEASURED] for one in nothing} == {'no'}
