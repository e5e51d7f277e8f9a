"""Machine status: limits, and the diagnostics of a telemetry.machine.MachineState."""
import itertools
import typing

from espnet_ros.diagnostics import keys
from espnet_ros.diagnostics.status import OK, WARN, Problem, Status, compose, level_above
from espnet_ros.errors import ParameterError
from espnet_ros.telemetry.machine import average_load, gpu_name, mib, temperatures, total_power


class Limits(typing.NamedTuple):
    """Values from which a status warns or is in error: percent, degrees Celsius, watts; 0 W and 0% of GPU: never.

    The limits of memory hold for a GPU's own memory too.
    """

    cpu_warn: float = 95.0
    gpu_warn: float = 0.0
    memory_warn: float = 85.0
    memory_error: float = 95.0
    power_warn: float = 0.0
    power_error: float = 0.0
    temperature_warn: float = 80.0
    temperature_error: float = 95.0


HYSTERESIS = 0.95
"""A part at WARN or ERROR stays there until it is below this share of the limit."""


def check_limits(limits):
    """Raise ParameterError when an error limit is below its warning limit; limits: has the fields of Limits."""
    for name in ('memory', 'power', 'temperature'):
        warn, error = getattr(limits, name + '_warn'), getattr(limits, name + '_error')
        if 0 < error < warn:
            raise ParameterError('{0}_error is {1:g}, below {0}_warn, {2:g}; raise it, or set {0}_warn first'.format(
                name, error, warn))


def statuses(host, state, limits, before=()):
    """Return the five Status values of a MachineState: GPU, CPU, Memory, Power and Temperature of `host`.

    before: what this returned the last time, for HYSTERESIS.
    """
    levels = {status.name: status.level for status in before}
    names = [(part, keys.status_name(host, part), make) for part, make in _STATUSES]
    return [make(name, state, _eased(limits, part, levels.get(name, OK))) for part, name, make in names]


def _eased(limits, part, level):
    """Return the limits that a part at `level` must fall below to leave it."""
    kinds = ('_warn', '_error')[:level]
    return limits._replace(**{
        name: HYSTERESIS * getattr(limits, name) for name in Limits._fields
        if name.startswith(_LIMITS_OF[part]) and name.endswith(kinds)}) if kinds else limits


def _gpu_status(name, state, limits):
    problems = [Problem(WARN, problem) for problem in state.problems]
    texts, values = [], []
    for index, gpu in enumerate(state.gpus):
        who = gpu_name(index, state)
        texts.append(' at '.join(filter(None, [_text('{:.0f}%', gpu.load), _text('{:.0f} MHz', gpu.clock)])) or who)
        values += [('{} {}'.format(who, key), _text('{:.1f}', value)) for key, value in (
            ('load (%)', gpu.load), ('clock (MHz)', gpu.clock), ('highest clock (MHz)', gpu.highest_clock),
            ('memory used (MiB)', mib(gpu.memory_used)), ('memory total (MiB)', mib(gpu.memory_total)),
            ('temperature (C)', gpu.temperature), ('power (W)', gpu.power), ('power limit (W)', gpu.power_limit)
        ) if value is not None]
        if gpu.memory_used is not None and gpu.memory_total:
            used = 100.0 * gpu.memory_used / gpu.memory_total
            problems.append(Problem(
                level_above(used, limits.memory_warn, limits.memory_error),
                '{}: {:.0f}% of its memory is in use; choose a smaller network input or end other programs on the GPU'
                .format(who, used)))
        if gpu.load is not None and 0 < limits.gpu_warn <= gpu.load:
            problems.append(Problem(
                WARN, '{}: {:.0f}% busy; lower max_rate or the network input'.format(who, gpu.load)))
    loads = [gpu.load for gpu in state.gpus if gpu.load is not None]
    if loads:
        values.insert(0, (keys.READINGS[keys.GPU], '{:.1f}'.format(max(loads))))
    return _status(name, problems, ', '.join(texts), [('sources', ', '.join(state.sources)), *values])


def _cpu_status(name, state, limits):
    average = average_load(state)
    if average is None:
        return _status(name)
    level = WARN if average >= limits.cpu_warn else OK
    problems = [Problem(level, '{:.0f}% busy; end other programs or lower max_rate'.format(average))]
    values = [(keys.READINGS[keys.CPU], '{:.1f}'.format(average))]
    for index, (load, clock) in enumerate(itertools.zip_longest(state.cpu, state.cpu_clocks)):
        values.append(('core {} (%)'.format(index), _text('{:.0f}', load) or 'off'))
        if clock is not None:
            values.append(('core {} (MHz)'.format(index), '{:.0f}'.format(clock)))
    return _status(name, problems, '{:.0f}%'.format(average), values)


def _memory_status(name, state, limits):
    if state.memory_used is None or not state.memory_total:
        return _status(name)
    used = 100.0 * state.memory_used / state.memory_total
    text = '{:.0f}% of {:.1f} GiB'.format(used, state.memory_total / 2 ** 30)
    problem = Problem(level_above(used, limits.memory_warn, limits.memory_error),
                      text + ' is in use; end other programs, add swap or choose a smaller model')
    return _status(name, [problem], text, [(keys.READINGS[keys.MEMORY], '{:.1f}'.format(used))] + [
        (key, _text('{:.0f}', mib(value))) for key, value in (
            ('used (MiB)', state.memory_used), ('total (MiB)', state.memory_total),
            ('swap used (MiB)', state.swap_used), ('swap total (MiB)', state.swap_total)) if value is not None])


def _power_status(name, state, limits):
    total = total_power(state)
    problems = [Problem(WARN, text + '; choose a higher power mode (nvpmodel, nvidia-smi -pl) or a stronger supply')
                for text in state.power_throttles]
    if total is not None:
        problems.append(Problem(
            level_above(total, limits.power_warn or float('inf'), limits.power_error or float('inf')),
            '{:.1f} W are drawn; lower max_rate or choose a lower power mode'.format(total)))
    values = [(keys.READINGS[keys.POWER], _text('{:.2f}', total))] if total is not None else []
    return _status(name, problems, _text('{:.1f} W', total), values + [
        ('{} (W)'.format(rail), '{:.3f}'.format(watts)) for rail, watts in state.rails])


def _temperature_status(name, state, limits):
    sensors = temperatures(state)
    remedy = '; cool the machine, check its fan or lower max_rate'
    problems = [Problem(WARN, text + remedy) for text in state.heat_throttles]
    text, values = '', []
    if sensors:
        hottest = max(sensors, key=sensors.__getitem__)
        text = '{:.0f} C at {}'.format(sensors[hottest], hottest)
        values = [(keys.READINGS[keys.TEMPERATURE], '{:.1f}'.format(sensors[hottest]))]
        problems.append(Problem(
            level_above(sensors[hottest], limits.temperature_warn, limits.temperature_error), text + remedy))
    return _status(name, problems, text, values + [
        ('{} (C)'.format(sensor), '{:.1f}'.format(celsius)) for sensor, celsius in sensors.items()])


_STATUSES: typing.Tuple[typing.Tuple[str, typing.Callable[..., Status]], ...] = (
    (keys.CPU, _cpu_status), (keys.MEMORY, _memory_status), (keys.GPU, _gpu_status), (keys.POWER, _power_status),
    (keys.TEMPERATURE, _temperature_status))


_LIMITS_OF = {keys.CPU: ('cpu_',), keys.GPU: ('gpu_', 'memory_'), keys.MEMORY: ('memory_',), keys.POWER: ('power_',),
              keys.TEMPERATURE: ('temperature_',)}
"""Beginnings of the names of the limits that a part has."""


def _status(name, problems=(), measured='', values=()):
    """Return the Status of a part; measured: its measurement in a few words, empty without one."""
    return compose(name, problems, measured or 'not measured', [*values, (keys.MEASURED, 'yes' if measured else 'no')])


def _text(template, value):
    return '' if value is None else template.format(value)
