"""The CPU's hardware counters, read with Linux' perf."""
import os
import re
import shutil
import subprocess
import tempfile
import time
import typing

from espnet_ros.performance.profile.text import read_text

EVENTS = ('task-clock', 'context-switches', 'page-faults', 'cycles', 'instructions', 'cache-references', 'cache-misses',
          'branches', 'branch-misses')
_HARDWARE = EVENTS[3:]
_EVENT = re.compile(r'(?:[\w.-]+/)?([\w-]+)/?(?::[a-zA-Z]+)?\Z')
"""A name as perf prints it: of a kind of core, cpu_core/cycles/, or counted in user space only, cycles:u."""


class Counters(typing.NamedTuple):
    """What perf counted.

    per_frame: by event, for one frame; task-clock in milliseconds of CPU time. ratios: what follows from them.
    problem: a sentence about what could not be counted, '' when all was.
    """

    per_frame: typing.Dict[str, float] = {}
    ratios: typing.Dict[str, float] = {}
    problem: str = ''


def measure_counters(work, seconds=3.0, program='perf'):
    """Return the Counters of this process while it calls work() over and over, for `seconds`."""
    path = shutil.which(program)
    if path is None:
        return Counters(problem='no CPU counters: perf is not installed (Debian: apt install linux-perf; Ubuntu: apt '
                                'install linux-tools-generic)')
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, 'counts')
        process = subprocess.Popen(command(path, os.getpid(), seconds, report), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, universal_newlines=True,
                                   errors='replace', env=dict(os.environ, LC_ALL='C'))
        try:
            frames, began = 0, time.perf_counter()
            while process.poll() is None and time.perf_counter() < began + 10 * seconds + 10:
                work()
                frames += 1
            elapsed = time.perf_counter() - began
        finally:
            if process.poll() is None:
                process.kill()
            errors = process.communicate()[1]
        text = read_text(report)
    counts = parse(text)
    if not any(value is not None for value in counts.values()):
        return Counters(problem='no CPU counters: ' + _reason(errors or text))
    return _summary(counts, seconds, elapsed / frames)


def command(path, pid, seconds, report):
    """Return the words that make perf count in a process for so long and write what it found to a file."""
    return [path, 'stat', '-x', ',', '-e', ','.join(EVENTS), '-p', str(pid), '-o', report, '--', 'sleep',
            '{:.3f}'.format(seconds)]


def parse(text):
    """Return an ordered dict from events to counts (task-clock in milliseconds), None for what was not counted.

    text: of `perf stat -x,`. Other lines are ignored. Counts of several types of core are added.
    """
    counts: typing.Dict[str, typing.Optional[float]] = {}
    for line in text.splitlines():
        fields = line.strip().split(',')
        match = _EVENT.match(fields[2]) if len(fields) > 2 else None
        if not match:
            continue
        name = match.group(1)
        if fields[0] in ('<not supported>', '<not counted>'):
            counts.setdefault(name, None)
            continue
        try:
            counts[name] = (counts.get(name) or 0.0) + float(fields[0])
        except ValueError:
            continue
    return counts


def _summary(counts, seconds, frame_seconds):
    known = {name: count for name, count in counts.items() if count is not None}
    ratios = {}
    for name, numerator, denominator, factor in (
            ('cores in use', 'task-clock', None, 1 / (1000.0 * seconds)),
            ('instructions per cycle', 'instructions', 'cycles', 1),
            ('GHz', 'cycles', 'task-clock', 1e-6),
            ('cache misses (%)', 'cache-misses', 'cache-references', 100),
            ('mispredicted branches (%)', 'branch-misses', 'branches', 100)):
        if numerator in known and known.get(denominator, denominator is None):
            ratios[name] = factor * known[numerator] / known.get(denominator, 1)
    missing = [name for name in _HARDWARE if name not in known]
    problem = '' if not missing else 'the CPU does not count {}; a virtual machine often hides that'.format(
        ', '.join(missing))
    return Counters({name: count * frame_seconds / seconds for name, count in known.items()}, ratios, problem)


def _reason(text):
    if re.search('paranoid|[Pp]ermission|not permitted|is limited', text):
        return 'perf is not allowed to count; run as root, or sysctl kernel.perf_event_paranoid=1'
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return 'perf says {!r}'.format(lines[0]) if lines else 'perf counted nothing'
