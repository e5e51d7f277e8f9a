"""Lines of tegrastats: every field of every sample, lines of our own, and generated ones."""
import datetime
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ros.telemetry.tegrastats import (
    Core,
    Iram,
    Mts,
    Rail,
    Ram,
    Swap,
    Tegrastats,
    Temperature,
    Unit,
    parse,
)


def cores(text):
    """'9@345 off 3' as Cores."""
    return tuple(Core() if word == 'off' else Core(*map(int, word.split('@'))) for word in text.split())


def temperatures(text):
    """'PLL 42.5 CV0 none' as Temperatures."""
    words = text.split()
    return tuple(Temperature(name, None if value == 'none' else float(value))
                 for name, value in zip(words[::2], words[1::2]))


def rails(text):
    """'VDD_IN 3140 3208' as Rails with now and average."""
    words = text.split()
    return tuple(Rail(name, int(now), int(average))
                 for name, now, average in zip(words[::3], words[1::3], words[2::3]))


def clocked(name, *clocks):
    return Unit(name, None, clocks)


def off(*names):
    return tuple(Unit(name, off=True) for name in names)


def gpu(load, *clocks):
    return (Unit('GR3D', load, clocks),)


def emc(load, *clocks):
    return Unit('EMC', load, clocks)


# Read by eye from shared/tegrastats/samples.tsv; what is not named is not in the line.
SAMPLES = {
    'TX1-r24': Tegrastats(
        ram=Ram(277, 3854, 700, 4), swap=Swap(0, 0, 0), cores=cores('0@1912 0@1912 0@1912 0@1912'), emc=emc(0, 1600),
        gpus=gpu(0, 76), engines=(Unit('AVP', 5, (115,)), clocked('VDE', 0)), edp_limit=1912),
    'TX1-r28.2-kernel4.4.38': Tegrastats(
        ram=Ram(3691, 3983, 3, 2), swap=Swap(2780, 8192, 284), cores=cores('0@1734 0@1734 0@1734 0@1734'),
        emc=emc(0, 1600), gpus=gpu(0, 998), engines=(clocked('APE', 25),)),
    'TX1-r28.2+': Tegrastats(
        ram=Ram(1179, 3983, 120, 4), iram=Iram(0, 252, 252), cores=cores('1@102 4@102 0@102 0@102'), emc=emc(7, 408),
        gpus=gpu(0, 76), engines=(clocked('APE', 25),), temperatures=temperatures(
            'AO 42.5 CPU 37.5 GPU 39 PLL 37 Tdiode 42.75 PMIC 100 Tboard 42 thermal 38.5'),
        rails=rails('VDD_IN 2532 2698 VDD_CPU 76 178 VDD_GPU 19 19')),
    'TX2-r28.1-JP3.1': Tegrastats(
        ram=Ram(2969, 7851, 880, 4), cores=cores('1@2028 72@2034 26@2036 1@2024 2@2026 2@2027'), emc=emc(12, 1866),
        gpus=gpu(47, 1300), engines=(clocked('APE', 150),)),
    'TX2-r28.2-root': Tegrastats(
        ram=Ram(2135, 7855, 1057, 4), cores=cores('2@2035 0@2035 0@2035 2@2035 2@2036 2@2035'), emc=emc(1, 1866),
        gpus=gpu(0, 1300), engines=(clocked('APE', 150),), mts=Mts(0, 0), temperatures=temperatures(
            'BCPU 30 MCPU 30 GPU 29 PLL 30 Tboard 28 Tdiode 28.25 PMIC 100 thermal 29.4'),
        rails=rails('VDD_IN 3104 4029 VDD_CPU 291 730 VDD_GPU 145 207 VDD_SOC 727 746 VDD_WIFI 0 180 '
                    'VDD_DDR 1248 1375')),
    'TX2-r28-nonroot': Tegrastats(
        ram=Ram(707, 7854, 1659, 4), cores=cores('12@345 12@345 12@345 12@345 12@345 12@345'),
        temperatures=temperatures('BCPU 30 MCPU 30 GPU 28.5 PLL 30 Tboard 26 Tdiode 27.5 PMIC 100 thermal 29.4'),
        rails=rails('VDD_IN 1038 1134 VDD_CPU 153 153 VDD_GPU 153 153 VDD_SOC 384 384 VDD_WIFI 38 124 '
                    'VDD_DDR 192 192')),
    'TX2-r32-nonroot': Tegrastats(
        ram=Ram(2020, 7852, 1164, 4), cores=cores('9@345 21@345 25@345 3@345 1@345 1@345'), emc=emc(0), gpus=gpu(0),
        temperatures=temperatures(
            'PLL 42.5 MCPU 42.5 PMIC 100 Tboard 40 GPU 41 BCPU 42.5 thermal 41.9 Tdiode 41.25'),
        rails=rails('VDD_SYS_GPU 153 158 VDD_SYS_SOC 536 547 VDD_4V0_WIFI 633 527 VDD_IN 3140 3208 '
                    'VDD_SYS_CPU 536 590 VDD_SYS_DDR 557 601')),
    'TX2-r32.7-root': Tegrastats(
        ram=Ram(3276, 7859, 5, 4), swap=Swap(1626, 12122, 181),
        cores=cores('44@1421 49@2031 67@2034 17@1420 25@1419 8@1420'), emc=emc(1, 1866), gpus=gpu(0, 114),
        engines=(clocked('APE', 150),), mts=Mts(1, 1), temperatures=temperatures(
            'PLL 42.5 MCPU 42.5 PMIC 50 Tboard 38 GPU 39.5 BCPU 42.5 thermal 41.3 Tdiode 39.25'),
        rails=rails('VDD_SYS_GPU 182 182 VDD_SYS_SOC 730 730 VDD_4V0_WIFI 0 0 VDD_IN 5297 5297 '
                    'VDD_SYS_CPU 1917 1917 VDD_SYS_DDR 1241 1241')),
    'TX2-4GB-r32-nowifi': Tegrastats(
        ram=Ram(1873, 3830, 144, 4), cores=cores('8@2016 26@2034 24@2035 7@2026 7@2034 6@2034'), emc=emc(0, 1600),
        gpus=gpu(0, 114), engines=(clocked('APE', 150),), mts=Mts(0, 1), temperatures=temperatures(
            'PLL 39 MCPU 39 PMIC 50 Tboard 35 GPU 37 BCPU 39 thermal 38.5 Tdiode 37'),
        rails=rails('VDD_SYS_GPU 77 77 VDD_SYS_SOC 539 539 VDD_IN 2930 3405 VDD_SYS_CPU 539 937 '
                    'VDD_SYS_DDR 727 758')),
    'NANO-r32-root': Tegrastats(
        ram=Ram(534, 3964, 98, 4), swap=Swap(5, 1982, 1), iram=Iram(0, 252, 252),
        cores=cores('16@204 9@204 0@204 0@204'), emc=emc(0, 204), gpus=gpu(0, 76), engines=(clocked('APE', 25),),
        temperatures=temperatures('PLL 34 CPU 36.5 PMIC 100 GPU 36 AO 39.5 thermal 36.25'),
        rails=rails('POM_5V_IN 1022 1022 POM_5V_GPU 0 0 POM_5V_CPU 204 204')),
    'XAVIER-NX-r32': Tegrastats(
        ram=Ram(4412, 7772, 237, 4), swap=Swap(139, 3886, 2),
        cores=cores('9@1190 6@1190 6@1190 5@1190 4@1190 8@1267'), emc=emc(10, 1600), gpus=gpu(62, 306),
        engines=(clocked('APE', 150),), mts=Mts(0, 0),
        temperatures=temperatures('AO 41.5 GPU 43 PMIC 100 AUX 41.5 CPU 43.5 thermal 42.55'),
        rails=rails('VDD_IN 4067 4067 VDD_CPU_GPU_CV 738 738 VDD_SOC 1353 1353')),
    'XAVIER-NX-r35': Tegrastats(
        ram=Ram(2690, 6854, 6, 1), swap=Swap(479, 3427, 3), cores=cores('3@1904 7@1906 1@1905 0@1907 off off'),
        emc=emc(0, 1600), gpus=gpu(0, 510), engines=(clocked('VIC', 601), clocked('APE', 150)),
        temperatures=temperatures('AUX 39 CPU 39.5 AO 37.5 GPU 37.5 PMIC 50'),
        rails=rails('VDD_IN 5079 5079 VDD_CPU_GPU_CV 696 696 VDD_SOC 1104 1104')),
    'AGX-ORIN-r35-neg256': Tegrastats(
        date=datetime.datetime(2025, 4, 11, 10, 36, 27), ram=Ram(4321, 62801, 1759, 4), swap=Swap(19, 31400, 0),
        cores=cores(12 * '0@729 '), emc=emc(0, 2133), gpus=gpu(0, 0, 0),
        engines=(clocked('VIC', 729), clocked('APE', 174)), temperatures=temperatures(
            'CV0 none CPU 44.562 Tboard 32 SOC2 40.093 Tdiode 33 SOC0 41.093 CV1 none GPU none tj 44.343 '
            'SOC1 41.25 CV2 none'),
        rails=rails('VDD_GPU_SOC 2340 2340 VDD_CPU_CV 390 390 VIN_SYS_5V0 4025 4025 NC 0 0 '
                    'VDDQ_VDD2_1V8AO 301 301 NC 0 0')),
    'ORIN-NANO-r36-root': Tegrastats(
        date=datetime.datetime(2024, 11, 15, 8, 38, 9), ram=Ram(6185, 7620, 8, 2), swap=Swap(851, 3810, 1),
        cores=cores('15@729 11@729 14@729 13@729 11@729 8@729'), emc=emc(43, 2133), gpus=gpu(63, 621),
        engines=off('NVDEC', 'NVJPG', 'NVJPG1', 'VIC', 'OFA') + (clocked('APE', 200),), temperatures=temperatures(
            'cpu 53.968 soc2 52.437 soc0 50.75 gpu 53.343 tj 53.968 soc1 51.656'),
        rails=rails('VDD_IN 12479 12479 VDD_CPU_GPU_CV 4667 4667 VDD_SOC 2817 2817')),
    'ORIN-NANO-r36-nonroot': Tegrastats(
        date=datetime.datetime(2025, 6, 18, 11, 25, 24), ram=Ram(3452, 7620, 25, 4), swap=Swap(1518, 16384, 174),
        cores=cores('1@1420 2@1420 0@1420 2@1420 2@729 1@729'), gpus=gpu(0), temperatures=temperatures(
            'cpu 50.031 soc2 49.031 soc0 50 gpu 49.031 tj 50.25 soc1 50.25'),
        rails=rails('VDD_IN 4824 4824 VDD_CPU_GPU_CV 518 518 VDD_SOC 1475 1475')),
    'AGX-ORIN-r39.2-JP7.2': Tegrastats(
        date=datetime.datetime(2026, 7, 25, 9, 8, 28), ram=Ram(20642, 62817, 1, 2),
        cores=cores('23@2201 10@2201 4@2201 14@2201 30@2201 18@2201 10@2201 10@2201 33@2201 7@2201 5@2201 27@2201'),
        emc=emc(3, 3199), gpus=gpu(12, 1300, 1300), engines=off(
            'NVENC0', 'NVDEC0', 'NVJPG0', 'NVJPG1', 'VIC', 'OFA', 'NVDLA0', 'NVDLA1', 'PVA0') + (clocked('APE', 174),),
        temperatures=(Temperature('cpu', 52.968, 52.968), Temperature('soc2', 48.406, 48.406),
                      Temperature('soc0', 49.531, 49.531), Temperature('gpu', 47.625, 47.625)),
        rails=(Rail('VDD_GPU_SOC', 5139, 5139, 5139), Rail('VDD_CPU_CV', 3268, 3268, 3268),
               Rail('VIN_SYS_5V0', 5500, 5500, 5500))),
    'THOR-r38-root': Tegrastats(
        date=datetime.datetime(2026, 4, 21, 15, 50, 52), ram=Ram(105265, 125772, 34, 4),
        cores=cores(6 * '0@972 ' + '1@972 ' + 4 * '0@972 ' + '8@972 0@972 0@972'), emc=emc(0, 2750),
        gpus=gpu(None, 314, 314, 314), engines=(
            clocked('NVENC0', 314), clocked('NVENC1', 314), clocked('NVDEC0', 314), clocked('NVDEC1', 314),
            clocked('NVJPG0', 314), *off('VIC'), clocked('OFA', 315), *off('PVA0'), clocked('APE', 300)),
        temperatures=temperatures('cpu 37.343 tj 38.875 soc012 37.468 gpu 38.875 soc345 37.406'),
        rails=rails('VDD_GPU 1962 1962 VDD_CPU_SOC_MSS 5887 5887 VIN_SYS_5V0 5635 5635 VIN 19780 19780')),
    'THOR-nonroot-nogpu-temp': Tegrastats(
        date=datetime.datetime(2026, 1, 20, 22, 46, 22), ram=Ram(17842, 125772, 79, 4),
        cores=cores('0@972 0@972 0@1566 0@1566 ' + 6 * '0@972 ' + '1@972 0@972 0@972 0@972'),
        temperatures=temperatures('cpu 30.468 tj 31.218 soc012 30.218 soc345 31.218'),
        rails=rails('VDD_GPU 0 0 VDD_CPU_SOC_MSS 5535 5535 VIN_SYS_5V0 5040 5040 VIN 16802 16802')),
}


def test_every_sample_is_what_the_eye_reads(shared):
    rows = (shared / 'tegrastats' / 'samples.tsv').read_text().splitlines()
    lines = dict(row.split('\t') for row in rows if not row.startswith('#'))
    assert list(lines) == list(SAMPLES)
    for platform, line in lines.items():
        for field, found, expected in zip(Tegrastats._fields, parse(line), SAMPLES[platform]):
            assert found == expected, (platform, field)


@pytest.mark.parametrize('line, expected', [
    ('', Tegrastats()),
    (' \t\r\n', Tegrastats()),
    ('RAM 1/2MB\r\n', Tegrastats(ram=Ram(1, 2))),
    ('RAM 7801/7851MB (lfb 2x1MB) CPU [off,99%@2035,3%] GR3D_FREQ 99%@[1300,1300]', Tegrastats(
        ram=Ram(7801, 7851, 2, 1), cores=(Core(), Core(99, 2035), Core(3)), gpus=(Unit('GR3D', 99, (1300, 1300)),))),
    ('IRAM 1/252kB (lfb 64kB) SWAP 3/4MB', Tegrastats(iram=Iram(1, 252, 64), swap=Swap(3, 4))),
    ('cpu [1%,off,3%]@1912', Tegrastats(cores=(Core(1, 1912), Core(), Core(3, 1912)))),
    ('EMC_FREQ @2133 GR3D_FREQ off', Tegrastats(emc=Unit('EMC', None, (2133,)), gpus=(Unit('GR3D', off=True),))),
    ('GR3D_FREQ 5% GR3D2_FREQ 7%@600', Tegrastats(gpus=(Unit('GR3D', 5), Unit('GR3D2', 7, (600,))))),
    ('GPU 0/0 CPU 310/300 GPU@41C', Tegrastats(  # Xavier names rails like thermal zones
        rails=(Rail('GPU', 0, 0), Rail('CPU', 310, 300)), temperatures=(Temperature('GPU', 41.0),))),
    ('VDD_IN -5/-3 VIN -12mW/3mW/4mW TOTAL 9mW', Tegrastats(
        rails=(Rail('VDD_IN', -5, -3), Rail('VIN', -12, 3, 4), Rail('TOTAL', 9)))),
    ('GPU-therm@-256C tj@-3.5C/-256C', Tegrastats(
        temperatures=(Temperature('GPU-therm', None), Temperature('tj', -3.5)))),
    ('EMC 3% NEW 3%@5 MSENC 716', Tegrastats(
        emc=Unit('EMC', 3), engines=(Unit('NEW', 3, (5,)), Unit('MSENC', None, (716,))))),
])
def test_lines_of_our_own(line, expected):
    assert parse(line) == expected


@pytest.mark.parametrize('line, unknown', [
    ('hello wide world', ('hello', 'wide', 'world')),
    ('FAN 25 APE 25', ('FAN', '25')),  # a number without a unit, of a thing nobody told of
    ('RAM 12', ('RAM', '12')),
    ('RAM 1/2GB', ('RAM', '1/2GB')),
    ('CPU [1%@2,lots]', ('CPU', '[1%@2,lots]')),
    ('CPU [1%@2, 3%@4]', ('CPU', '[1%@2,', '3%@4]')),
    ('13-45-2024 10:00:00', ('13-45-2024', '10:00:00')),
    ('GPU@hotC GPU@41F GPU@41C!', ('GPU@hotC', 'GPU@41F', 'GPU@41C!')),
    ('VDD_IN 1/2/3/4', ('VDD_IN', '1/2/3/4')),
    ('VDD_IN 1mW/2', ('VDD_IN', '1mW/2')),
    ('GR3D_FREQ 1%@[1,]', ('GR3D_FREQ', '1%@[1,]')),
    ('VIC\xa05 \u0665%', ('VIC', '5', '\u0665%')),
    ('RAM ' + 5000 * '9' + '/1MB', ('RAM', 5000 * '9' + '/1MB')),
    ('\x00\x1b[31m', ('\x00\x1b[31m',)),
])
def test_what_is_not_known_is_kept_and_not_guessed(line, unknown):
    assert parse(line).unknown == unknown


def test_what_is_said_twice_counts_once():
    found = parse('RAM 1/2MB EMC 5% RAM 3/4MB (lfb 1x1MB) EMC 6%')
    assert (found.ram, found.emc.load) == (Ram(1, 2), 5)
    assert found.unknown == ('RAM', '3/4MB', '(lfb', '1x1MB)', 'EMC', '6%')


@given(st.text())
def test_any_text_parses(text):
    assert isinstance(parse(text), Tegrastats)


# Generated values, and the line that tegrastats would print for each.

def made(kind, *fields):
    """Strategy of a NamedTuple's values; fields that are left out keep their defaults."""
    return st.tuples(*fields).map(lambda values: kind(*values))


numbers = st.integers(0, 999999999)
loads = st.integers(0, 999)
mhz = st.integers(0, 9999)
maybe = st.none() | numbers
reserved = {'EMC', 'RAM', 'SWAP', 'IRAM', 'CPU', 'cpu', 'MTS', 'EDP', 'off'}
names = st.tuples(st.sampled_from(string.ascii_letters), st.text(
    string.ascii_letters + string.digits + '_-', max_size=12)).map(''.join).filter(
        lambda name: name not in reserved and not name.startswith('GR3D') and not name.endswith('_FREQ'))
celsius = st.integers(-99999, 150000).map(lambda value: value / 1000)
milliwatts = st.integers(-99999, 999999)


def units(name):
    return (made(Unit, name, loads, st.lists(mhz, max_size=3).map(tuple))
            | made(Unit, name, st.none(), st.lists(mhz, min_size=1, max_size=3).map(tuple))
            | made(Unit, name, st.none(), st.just(()), st.just(True)))


def tuples(items, most):
    return st.lists(items, max_size=most).map(tuple)


values = made(
    Tegrastats,
    st.none() | st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2099, 1, 1)).map(
        lambda date: date.replace(microsecond=0)),
    st.none() | made(Ram, numbers, numbers) | made(Ram, numbers, numbers, numbers, numbers),
    st.none() | made(Swap, numbers, numbers, maybe),
    st.none() | made(Iram, numbers, numbers, maybe),
    tuples(made(Core) | made(Core, loads, st.none() | mhz), 14),
    st.none() | units(st.just('EMC')),
    tuples(units(st.sampled_from(['GR3D', 'GR3D2'])), 2),
    tuples(units(names), 5),
    st.none() | made(Mts, loads, loads),
    st.none() | mhz,
    tuples(made(Temperature, names, celsius, st.none() | celsius) | made(Temperature, names, st.none()), 6),
    tuples(made(Rail, names, milliwatts, milliwatts, st.none() | milliwatts), 6))


def unit_to_text(unit, suffix, bracket):
    if unit.off:
        return '{}{} off'.format(unit.name, suffix)
    clocks = ','.join(map(str, unit.clocks))
    return '{}{} {}{}'.format(
        unit.name, suffix, '' if unit.load is None else '{}%'.format(unit.load),
        clocks and ('@[{}]' if bracket or len(unit.clocks) > 1 else '@{}').format(clocks))


def value_to_words(value, suffix, bracket, watts, lower):
    """The fields of a line; the flags choose among the ways in which releases print them."""
    if value.ram:
        yield 'RAM {}/{}MB'.format(*value.ram) + (
            '' if value.ram.blocks is None else ' (lfb {}x{}MB)'.format(*value.ram[2:]))
    if value.swap:
        yield 'SWAP {}/{}MB'.format(*value.swap) + (
            '' if value.swap.cached is None else ' (cached {}MB)'.format(value.swap.cached))
    if value.iram:
        yield 'IRAM {}/{}kB'.format(*value.iram) + (
            '' if value.iram.block is None else '(lfb {}kB)'.format(value.iram.block))
    if value.cores:
        yield '{} [{}]'.format('cpu' if lower else 'CPU', ','.join(
            'off' if core == Core() else '{}%'.format(core.load) + (
                '' if core.clock is None else '@{}'.format(core.clock)) for core in value.cores))
    for unit in (*((value.emc,) if value.emc else ()), *value.gpus, *value.engines):
        yield unit_to_text(unit, suffix, bracket)
    if value.mts:
        yield 'MTS fg {}% bg {}%'.format(*value.mts)
    if value.edp_limit is not None:
        yield 'EDP limit {}'.format(value.edp_limit)
    for temperature in value.temperatures:
        yield '{}@{:g}C'.format(temperature.name, -256 if temperature.celsius is None else temperature.celsius) + (
            '' if temperature.second is None else '/{:g}C'.format(temperature.second))
    for rail in value.rails:
        yield rail.name + ' ' + '/'.join('{}{}'.format(number, 'mW' if watts else '')
                                         for number in rail[1:] if number is not None)


@given(values, st.sampled_from(['', '_FREQ']), st.booleans(), st.booleans(), st.booleans(), st.randoms())
def test_a_generated_line_reads_back(value, suffix, bracket, watts, lower, random):
    words = list(value_to_words(value, suffix, bracket, watts, lower))
    many = (value.gpus, value.engines, value.temperatures, value.rails)
    if all(len(field) < 2 for field in many):
        random.shuffle(words)  # releases order them differently
    date = [value.date.strftime('%m-%d-%Y %H:%M:%S')] if value.date else []
    assert parse(' '.join(date + words)) == value


@given(values, st.text(string.punctuation.replace('@', ''), min_size=1, max_size=9))
def test_a_strange_word_disturbs_nothing(value, strange):
    words = list(value_to_words(value, '_FREQ', True, True, False))
    line = ' {} '.format(strange).join(words)
    assert parse(line) == value._replace(date=None, unknown=(max(0, len(words) - 1)) * (strange,))
