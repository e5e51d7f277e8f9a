"""Prints how far the benchmark can be trusted beside another load: its factor of speed, alternately without and with.

Usage: python3 docs/benchmark_trust.py [RUNS], 10 of each kind by default, on a machine that does nothing else.
"""
import contextlib
import statistics
import subprocess
import sys

from espnet_ros import models
from espnet_ros.performance.benchmark.measure import Candidate, measure
from espnet_ros.performance.benchmark.results import factor

SIDE, WARMUP, TURNS = 224, 1, 8
LOAD = 'while True: sum(range(10 ** 6))'


@contextlib.contextmanager
def computing():
    """Let another process compute on one core."""
    with subprocess.Popen([sys.executable, '-c', LOAD]) as process:
        try:
            yield
        finally:
            process.kill()


def main():
    """Measure in pairs and print a Markdown table; exit with 1 when an unmarked interval misses the quiet median."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    candidate = Candidate(models.DEFAULT, SIDE, SIDE, SIDE, SIDE)
    found = []
    for number in range(2 * runs):
        load, beside = ('a process that computes', computing) if number % 2 else ('none', contextlib.nullcontext)
        with beside():
            measurement = measure(candidate, WARMUP, TURNS)
        if measurement.problem:
            sys.exit(measurement.problem)
        found.append((load, measurement))
        print('{} of {}'.format(number + 1, 2 * runs), file=sys.stderr, flush=True)
    quiet = statistics.median(m.speedup.median for load, m in found if load == 'none')
    print('Median of the factors without another load: {}\n'.format(factor(quiet)))
    print('| Other load | Factor | Interval | Marked | Holds the median |\n|---|---|---|---|---|')
    wrong = 0
    for load, m in found:
        holds = m.speedup.low <= quiet <= m.speedup.high
        wrong += not holds and not m.marks
        print('| {} | {} | {} to {} | {} | {} |'.format(
            load, *map(factor, m.speedup[:3]), 'yes' if m.marks else 'no', 'yes' if holds else 'no'))
    print('\n{} of {} neither hold it nor are marked.'.format(wrong, len(found)))
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
