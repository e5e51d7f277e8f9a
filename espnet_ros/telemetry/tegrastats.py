"""One line of NVIDIA's tegrastats to one value."""
import datetime
import re
import typing

NO_READING = -256.0
"""Value in degrees Celsius of a sensor without power."""


class Ram(typing.NamedTuple):
    """Main memory in MiB; its largest free blocks are `blocks` of `block` MiB each."""

    used: int
    total: int
    blocks: typing.Optional[int] = None
    block: typing.Optional[int] = None


class Swap(typing.NamedTuple):
    """Swap space in MiB."""

    used: int
    total: int
    cached: typing.Optional[int] = None


class Iram(typing.NamedTuple):
    """Memory inside the chip in KiB, and its largest free block."""

    used: int
    total: int
    block: typing.Optional[int] = None


class Core(typing.NamedTuple):
    """One CPU core: load in percent, clock in MHz. A core that is off has neither."""

    load: typing.Optional[int] = None
    clock: typing.Optional[int] = None


class Unit(typing.NamedTuple):
    """An engine of the chip: load in percent, clocks in MHz, both only where reported. The name lacks _FREQ."""

    name: str
    load: typing.Optional[int] = None
    clocks: typing.Tuple[int, ...] = ()
    off: bool = False


class Mts(typing.NamedTuple):
    """Foreground and background load of the Denver cores' code translation, in percent."""

    foreground: int
    background: int


class Temperature(typing.NamedTuple):
    """One sensor in degrees Celsius, None without a reading. second: the second value that newer releases add."""

    name: str
    celsius: typing.Optional[float]
    second: typing.Optional[float] = None


class Rail(typing.NamedTuple):
    """One power rail in mW. Several rails may have one name, such as NC."""

    name: str
    now: int
    average: typing.Optional[int] = None
    peak: typing.Optional[int] = None


class Tegrastats(typing.NamedTuple):
    """The content of a line; None or () for what it lacks.

    gpus: units named GR3D. edp_limit: CPU clock in MHz that the electrical design allows. unknown: the words that no
    rule matches, in order.
    """

    date: typing.Optional[datetime.datetime] = None
    ram: typing.Optional[Ram] = None
    swap: typing.Optional[Swap] = None
    iram: typing.Optional[Iram] = None
    cores: typing.Tuple[Core, ...] = ()
    emc: typing.Optional[Unit] = None
    gpus: typing.Tuple[Unit, ...] = ()
    engines: typing.Tuple[Unit, ...] = ()
    mts: typing.Optional[Mts] = None
    edp_limit: typing.Optional[int] = None
    temperatures: typing.Tuple[Temperature, ...] = ()
    rails: typing.Tuple[Rail, ...] = ()
    unknown: typing.Tuple[str, ...] = ()


def parse(line):
    """Return the Tegrastats of a line (str). Never raises: what no rule matches is in `unknown`."""
    single: typing.Dict[str, typing.Any] = {}
    several: typing.Dict[str, typing.Any] = {name: [] for name in _SEVERAL}
    position = 0
    while True:
        position = _SPACE.match(line, position).end()
        if position == len(line):
            single.update((name, tuple(values)) for name, values in several.items())
            return Tegrastats(**single)
        field, value, end = _next(line, position)
        if field in several:
            several[field].append(value)
        elif field in single:  # a repeated field may mean something else
            several['unknown'].extend(line[position:end].split())
        else:
            single[field] = value
        position = end


def _next(line, position):
    """Return (field, value, end) of what begins at a position."""
    for pattern, rule in _RULES:
        match = pattern.match(line, position)
        found = match and rule(match)
        if found:
            return (*found, match.end())
    match = _WORD.match(line, position)
    return 'unknown', match.group(), match.end()


def _date(match):
    try:
        month, day, year, hour, minute, second = map(int, match.groups())
        return 'date', datetime.datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None


def _memory(field, kind):
    def rule(match):
        return field, kind(*(None if group is None else int(group) for group in match.groups()))
    return rule


def _cores(match):
    shared = match.group(2)
    cores = []
    for text in match.group(1).split(','):
        load, _, clock = text.partition('%')
        clock = clock.lstrip('@') or shared
        cores.append(Core() if text == 'off' else Core(int(load), int(clock) if clock else None))
    return 'cores', tuple(cores)


def _unit(match):
    name, off, load, clocks, clock = match.groups()
    if clock is not None and not _CLOCKED.match(name):
        return None  # a bare number is a clock only where that is known
    name = name[:-len('_FREQ')] if name.endswith('_FREQ') else name
    unit = Unit(name, None if load is None else int(load),
                tuple(int(text) for text in (clocks or clock or '').strip('[]').split(',') if text), off is not None)
    if name == 'EMC':
        return 'emc', unit
    return ('gpus' if name.startswith('GR3D') else 'engines'), unit


def _temperature(match):
    name, celsius, second = match.groups()
    return 'temperatures', Temperature(name, _celsius(celsius), _celsius(second))


def _celsius(text):
    return None if text is None or float(text) == NO_READING else float(text)


def _rail(match):
    values = [int(text) for text in match.group(2).replace('mW', '').split('/')]
    return 'rails', Rail(match.group(1), *values)


def _pattern(text):
    return re.compile(text.format(
        n='[0-9]{1,9}', core=r'(?:[0-9]{1,3}%(?:@[0-9]{1,9})?|off)', name=r'[A-Za-z_][\w.+-]*',
        t=r'-?[0-9]{1,4}(?:\.[0-9]{1,6})?', clocks=r'(?:[0-9]{1,9}|\[[0-9]{1,9}(?:,[0-9]{1,9})*\])') + r'(?!\S)',
        re.ASCII)


_SPACE, _WORD = re.compile(r'\s*'), re.compile(r'\S+')
_SEVERAL = ('gpus', 'engines', 'temperatures', 'rails', 'unknown')
_CLOCKED = re.compile(
    r'.*_FREQ$|(APE|AVP|CVNAS|ISP|MSENC|NVCSI|NVDEC|NVDLA|NVENC|NVJPG|OFA|PVA|SE|TSEC|VDE|VI|VIC)\d*$')
_RULES = tuple((_pattern(text), rule) for text, rule in (
    (r'([0-9]{{2}})-([0-9]{{2}})-([0-9]{{4}}) ([0-9]{{2}}):([0-9]{{2}}):([0-9]{{2}})', _date),
    (r'RAM ({n})/({n})MB(?: \(lfb ({n})x({n})MB\))?', _memory('ram', Ram)),
    (r'SWAP ({n})/({n})MB(?: \(cached ({n})MB\))?', _memory('swap', Swap)),
    (r'IRAM ({n})/({n})kB(?: ?\(lfb ({n})kB\))?', _memory('iram', Iram)),
    (r'(?:CPU|cpu) \[({core}(?:,{core})*)\](?:@({n}))?', _cores),
    (r'MTS fg ({n})% bg ({n})%', lambda match: ('mts', Mts(int(match.group(1)), int(match.group(2))))),
    (r'EDP limit ({n})', lambda match: ('edp_limit', int(match.group(1)))),
    (r'({name})@({t})C(?:/({t})C)?', _temperature),
    (r'({name}) (-?{n}(?:/-?{n}){{1,2}}|-?{n}mW(?:/-?{n}mW){{0,2}})', _rail),
    (r'({name}) (?:(off)|(?=[0-9]+%|@)(?:({n})%)?(?:@({clocks}))?|({n}))', _unit),
))
