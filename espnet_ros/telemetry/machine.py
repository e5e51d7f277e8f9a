"""Machine state: load, clocks, memory, power and temperature."""
import collections
import itertools
import typing


class GpuState(typing.NamedTuple):
    """One GPU; None for what no source measures.

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
    """One reading of a machine; None or () for what no source measures.

    sources: their names. cpu, cpu_clocks: percent and MHz per core, None for a core that is off. Memory in bytes.
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


_ADDED = ('sources', 'heat_throttles', 'power_throttles', 'problems')
_INPUTS = ('VDD_IN', 'POM_5V_IN', 'VIN')
"""Rails that feed all others."""


def combine(states):
    """Return one MachineState of several sources': for each field, the value of the first source that has one."""
    values: typing.Dict[str, typing.Any] = {}
    for field in MachineState._fields:
        found = [getattr(state, field) for state in states]
        if field in _ADDED:
            values[field] = tuple(itertools.chain.from_iterable(found))
        elif field == 'gpus':  # a Jetson's one GPU has several sources
            values[field] = tuple(
                GpuState(*(_first(column) for column in zip(*(gpu for gpu in same if gpu is not None))))
                for same in itertools.zip_longest(*found))
        else:
            values[field] = next((value for value in found if value not in (None, ())), getattr(MachineState(), field))
    return MachineState(**values)


def total_power(state):
    """Return the power of the machine in watts: of its input rail, else the sum of what is measured; None without."""
    inputs = [watts for name, watts in state.rails if name in _INPUTS]
    known = inputs[:1] or [watts for _, watts in state.rails] + [
        gpu.power for gpu in state.gpus if gpu.power is not None]
    return sum(known) if known else None


def average_load(state):
    """Return the mean load of the cores that are on, in percent; None if unknown."""
    loads = [load for load in state.cpu if load is not None]
    return sum(loads) / len(loads) if loads else None


def temperatures(state):
    """Return an ordered dict from sensor to Celsius, the GPUs' own among them."""
    own = [(gpu_name(index, state) + ' GPU', gpu.temperature)
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
        found[prefix + 'memory_used'] = mib(gpu.memory_used)
    found['memory/used'], found['memory/swap_used'] = mib(state.memory_used), mib(state.swap_used)
    found['power/total'] = total_power(state)
    found.update(('power/' + name, watts) for name, watts in state.rails)
    found.update(('temperature/' + name, celsius) for name, celsius in state.temperatures)
    return collections.OrderedDict((name, float(value)) for name, value in found.items() if value is not None)


def _first(values):
    return next((value for value in values if value is not None), None)


def gpu_name(index, state):
    """Return the name of GPU `index`, numbered where there are several."""
    return state.gpus[index].name if len(state.gpus) == 1 else '{} {}'.format(state.gpus[index].name, index)


def mib(value):
    """Return bytes as MiB; None stays None."""
    return None if value is None else value / 2 ** 20
