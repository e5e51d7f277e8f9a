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

SIDE, WARMUP, TURNS = 128, 1, 10  # small, so that a run takes seconds; turns as `espnet-ros benchmark` has them
LOAD = 'import os; parent = os.getppid()\nwhile os.getppid() == parent: sum(range(10 ** 6))'  # ends with this program


@contextlib.contextmanager
def computing():
    """Let another process compute on one core."""
    with subprocess.Popen([sys.executable, '-c', LOAD]) as process:
        try:
            yield
        finally:
            process.kill()


def shown(measurement):
    """Return the factor of a Measurement with its interval, and `?` if it is marked."""
    return '{} ({} to {}){}'.format(*map(factor, measurement.speedup[:3]), ' ?' if measurement.marks else '')


def main():
    """Measure in pairs and print a Markdown table; exit with 1 when an unmarked interval misses the quiet median."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    candidate = Candidate(models.DEFAULT, SIDE, SIDE, SIDE, SIDE)
    quiet, loaded = [], []
    for number in range(1, runs + 1):
        for found, beside in ((quiet, contextlib.nullcontext), (loaded, computing)):
            with beside():
                measurement = measure(candidate, WARMUP, TURNS)
            if measurement.problem:
                sys.exit(measurement.problem)
            found.append(measurement)
            print('run {} of {}, {}: {}{}'.format(
                number, runs, 'quiet' if found is quiet else 'loaded', shown(measurement),
                ''.join('; ' + mark for mark in measurement.marks)), file=sys.stderr, flush=True)
    median = statistics.median(m.speedup.median for m in quiet)
    wrong = sum(not m.marks and not m.speedup.low <= median <= m.speedup.high for m in quiet + loaded)
    print('| run | without another load | beside a process that computes |\n|---|---|---|')
    for number, pair in enumerate(zip(quiet, loaded, strict=True), 1):
        print('| {} | {} | {} |'.format(number, *map(shown, pair)))
    print('\nMedian without another load: {}. Of {} results {} are marked with `?`; of the others {} have an interval '
          'that does not hold it.'.format(factor(median), 2 * runs, sum(bool(m.marks) for m in quiet + loaded), wrong))
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
