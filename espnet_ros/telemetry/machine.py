"""How the machine feels, as one value and as diagnostics."""
import collections
import itertools
import typing

from espnet_ros.telemetry.status import OK, WARN, Problem, Status, compose, level_above


class GpuState(typing.NamedTuple):
    """One GPU; None for what no source tells.

    load: percent. clock, highest_clock: MHz. memory_used, memory_total: bytes, None where it shares the CPU's.
    temperature: Celsius. power, power_limit: watts.
    """

    name: str
    load: typing.Optional[float] = None
    clock: typing.Optional[float] = None
    highest_clock: typing.Optional[float] = None
    memory_used: typing.Optional[int] = None
    memory_total: typing.Optional[int] = None
    temperature: typing.Optional[float] = None
    power: typing.Optional[float] = None
    power_limit: typing.Optional[float] = None


class MachineState(typing.NamedTuple):
    """One reading of a machine; None or () for what no source tells.

    sources: who told. cpu, cpu_clocks: percent and MHz per core, None for a core that is off. Memory in bytes.
    temperatures: pairs of sensor and Celsius. rails: pairs of rail and watts. heat_throttles, power_throttles: what
    slows the machine down for its temperature or its power. problems: sentences about sources that fail.
    """

    sources: typing.Tuple[str, ...] = ()
    cpu: typing.Tuple[typing.Optional[float], ...] = ()
    cpu_clocks: typing.Tuple[typing.Optional[float], ...] = ()
    memory_used: typing.Optional[int] = None
    memory_total: typing.Optional[int] = None
    swap_used: typing.Optional[int] = None
    swap_total: typing.Optional[int] = None
    gpus: typing.Tuple[GpuState, ...] = ()
    temperatures: typing.Tuple[typing.Tuple[str, float], ...] = ()
    rails: typing.Tuple[typing.Tuple[str, float], ...] = ()
    heat_throttles: typing.Tuple[str, ...] = ()
    power_throttles: typing.Tuple[str, ...] = ()
    problems: typing.Tuple[str, ...] = ()


class Limits(typing.NamedTuple):
    """From which value on a status warns or is in error: percent, degrees Celsius, watts; 0 W and 0% of GPU never do.

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


_ADDED = ('sources', 'heat_throttles', 'power_throttles', 'problems')
_INPUTS = ('VDD_IN', 'POM_5V_IN', 'VIN')
"""Rails that feed all others."""


def combine(states):
    """Return one MachineState of several sources': of each thing, what the first that knows it says."""
    values: typing.Dict[str, typing.Any] = {}
    for field in MachineState._fields:
        told = [getattr(state, field) for state in states]
        if field in _ADDED:
            values[field] = tuple(itertools.chain.from_iterable(told))
        elif field == 'gpus':  # a Jetson's one GPU has several sources
            values[field] = tuple(
                GpuState(*(_first(column) for column in zip(*(gpu for gpu in same if gpu is not None))))
                for same in itertools.zip_longest(*told))
        else:
            values[field] = next((value for value in told if value not in (None, ())), getattr(MachineState(), field))
    return MachineState(**values)


def total_power(state):
    """Return what the machine draws in watts: its input rail, else the sum of what is known; None when nothing is."""
    inputs = [watts for name, watts in state.rails if name in _INPUTS]
    known = inputs[:1] or [watts for _, watts in state.rails] or [
        gpu.power for gpu in state.gpus if gpu.power is not None]
    return sum(known) if known else None


def average_load(state):
    """Return the mean load of the cores that are on, in percent; None when nothing tells."""
    loads = [load for load in state.cpu if load is not None]
    return sum(loads) / len(loads) if loads else None


def temperatures(state):
    """Return an ordered dict from sensor to Celsius, the GPUs' own among them."""
    own = [(_gpu_name(index, state) + ' GPU', gpu.temperature)
           for index, gpu in enumerate(state.gpus) if gpu.temperature is not None]
    return collections.OrderedDict([*state.temperatures, *own])


def readings(state):
    """Return an ordered dict from name to number of all that is known, for plots.

    Percent, MHz, MiB, watts and Celsius; names are like gpu/load, cpu/core0/clock, power/VDD_IN.
    """
    found: typing.Dict[str, typing.Optional[float]] = collections.OrderedDict()
    found['cpu/load'] = average_load(state)
    for index, (load, clock) in enumerate(itertools.zip_longest(state.cpu, state.cpu_clocks)):
        found['cpu/core{}/load'.format(index)], found['cpu/core{}/clock'.format(index)] = load, clock
    for index, gpu in enumerate(state.gpus):
        prefix = 'gpu/' if len(state.gpus) == 1 else 'gpu{}/'.format(index)
        for what in ('load', 'clock', 'temperature', 'power'):
            found[prefix + what] = getattr(gpu, what)
        found[prefix + 'memory_used'] = _mib(gpu.memory_used)
    found['memory/used'], found['memory/swap_used'] = _mib(state.memory_used), _mib(state.swap_used)
    found['power/total'] = total_power(state)
    found.update(('power/' + name, watts) for name, watts in state.rails)
    found.update(('temperature/' + name, celsius) for name, celsius in state.temperatures)
    return collections.OrderedDict((name, float(value)) for name, value in found.items() if value is not None)


def statuses(host, state, limits):
    """Return the five Status values of a MachineState: GPU, CPU, Memory, Power and Temperature of `host`."""
    return [make('{}: {}'.format(host, name), state, limits) for name, make in _STATUSES]


def _gpu_status(name, state, limits):
    problems = [Problem(WARN, problem) for problem in state.problems]
    texts, values = [], []
    for index, gpu in enumerate(state.gpus):
        who = _gpu_name(index, state)
        texts.append(' at '.join(filter(None, [_text('{:.0f}%', gpu.load), _text('{:.0f} MHz', gpu.clock)])) or who)
        values += [('{} {}'.format(who, key), _text('{:.1f}', value)) for key, value in (
            ('load (%)', gpu.load), ('clock (MHz)', gpu.clock), ('highest clock (MHz)', gpu.highest_clock),
            ('memory used (MiB)', _mib(gpu.memory_used)), ('memory total (MiB)', _mib(gpu.memory_total)),
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
    return compose(name, problems, ', '.join(texts) or 'none measured', [
        ('sources', ', '.join(state.sources)), *values])


def _cpu_status(name, state, limits):
    average = average_load(state)
    if average is None:
        return compose(name, [], 'not measured', [])
    level = WARN if average >= limits.cpu_warn else OK
    problems = [Problem(level, '{:.0f}% busy; end other programs or lower max_rate'.format(average))]
    values = []
    for index, (load, clock) in enumerate(itertools.zip_longest(state.cpu, state.cpu_clocks)):
        values.append(('core {} (%)'.format(index), _text('{:.0f}', load) or 'off'))
        if clock is not None:
            values.append(('core {} (MHz)'.format(index), '{:.0f}'.format(clock)))
    return compose(name, problems, '{:.0f}%'.format(average), values)


def _memory_status(name, state, limits):
    if state.memory_used is None or not state.memory_total:
        return compose(name, [], 'not measured', [])
    used = 100.0 * state.memory_used / state.memory_total
    text = '{:.0f}% of {:.1f} GiB'.format(used, state.memory_total / 2 ** 30)
    return compose(name, [Problem(
        level_above(used, limits.memory_warn, limits.memory_error),
        text + ' is in use; end other programs, add swap or choose a smaller model')], text, [
            (key, _text('{:.0f}', _mib(value))) for key, value in (
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
    values = [('total (W)', _text('{:.2f}', total))] if total is not None else []
    return compose(name, problems, _text('{:.1f} W', total) or 'not measured', values + [
        ('{} (W)'.format(rail), '{:.3f}'.format(watts)) for rail, watts in state.rails])


def _temperature_status(name, state, limits):
    sensors = temperatures(state)
    remedy = '; cool the machine, check its fan or lower max_rate'
    problems = [Problem(WARN, text + remedy) for text in state.heat_throttles]
    text = 'not measured'
    if sensors:
        hottest = max(sensors, key=sensors.__getitem__)
        text = '{:.0f} C at {}'.format(sensors[hottest], hottest)
        problems.append(Problem(
            level_above(sensors[hottest], limits.temperature_warn, limits.temperature_error), text + remedy))
    return compose(name, problems, text, [
        ('{} (C)'.format(sensor), '{:.1f}'.format(celsius)) for sensor, celsius in sensors.items()])


_STATUSES: typing.Tuple[typing.Tuple[str, typing.Callable[..., Status]], ...] = (
    ('CPU', _cpu_status), ('Memory', _memory_status), ('GPU', _gpu_status), ('Power', _power_status),
    ('Temperature', _temperature_status))


def _first(values):
    return next((value for value in values if value is not None), None)


def _gpu_name(index, state):
    return state.gpus[index].name if len(state.gpus) == 1 else '{} {}'.format(state.gpus[index].name, index)


def _mib(value):
    return None if value is None else value / 2 ** 20


def _text(template, value):
    return '' if value is None else template.format(value)

