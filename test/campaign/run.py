"""The fault campaign: mutated inputs of every kind, each with a bound on time and memory, and a verdict.

    python test/campaign/run.py [--minutes 30] [--cases N] [--seed S] [--targets A,B] [--table docs/reliability.md]
    python test/campaign/run.py --replay Videos:17 --seed S     one case, in this process, with its traceback
"""
import argparse
import collections
import json
import os
import pathlib
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'support')]

SECONDS = 20.0
"""A case that takes longer fails; a compressed image fails after 2 s."""
TARGET_SECONDS = {'RawImages': 2.0, 'CompressedImages': 2.0, 'Cdr': 2.0}
CASES = 5000
"""Of each target, before the rest of the time is divided equally."""
MIB = 1536
"""A process of the campaign that takes more memory for one case fails."""
SENTINEL = b'a good file beside the mutated one'


def work(target, seed, start, stop, folder):
    """Run cases and print one JSON line before and one after each: what a child process does."""
    from targets import TARGETS, rng_of

    from espnet_ros.errors import EspnetError
    place = pathlib.Path(folder) / target
    place.mkdir()
    out = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # libraries written in C print there, too
    attacked = TARGETS[target](place)
    (place / 'good').write_bytes(SENTINEL)
    print(json.dumps({'ready': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10}), file=out, flush=True)
    for number in range(start, stop):
        print(json.dumps({'begin': number}), file=out, flush=True)
        data = attacked.case(rng_of(seed, target, number))
        began, cpu = time.monotonic(), time.process_time()
        verdict, text = 'success', ''
        try:
            attacked.run(data)
        except EspnetError as error:
            verdict, text = 'refused', str(error)
            if '\n' in text or len(text) > 3000 or '\x1b' in text:
                verdict = 'sentence'
        except Exception as error:
            verdict, text = 'traceback', '{}: {}'.format(type(error).__name__, error)
        if (place / 'good').read_bytes() != SENTINEL:
            verdict = 'overwritten'
        print(json.dumps({
            'end': number, 'verdict': verdict, 'text': text[:300], 'seconds': time.monotonic() - began,
            'cpu': time.process_time() - cpu, 'mib': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10}),
            file=out, flush=True)


class Result:
    """Counts of one target."""

    def __init__(self):
        self.verdicts = collections.Counter()
        self.failures = []
        self.slowest = 0.0
        self.mib = 0

    def fail(self, number, verdict, text):
        self.failures.append((number, verdict, text))
        self.verdicts[verdict] += 1


def attack(target, seed, start, stop, deadline, result):
    """Run cases start to stop - 1 in child processes, until `deadline`; return the number after the last one."""
    limit = TARGET_SECONDS.get(target, SECONDS)
    while start < stop and time.monotonic() < deadline:
        folder = tempfile.mkdtemp(prefix='espnet_ros_campaign_')
        errors = tempfile.TemporaryFile()
        child = subprocess.Popen(
            [sys.executable, __file__, '--work', target, str(seed), str(start), str(stop), folder],
            stdout=subprocess.PIPE, stderr=errors, start_new_session=True)
        begun, baseline = None, None
        # A C library that hangs holds the child's own signal handlers: the alarm ends it from outside.
        try:
            for line in child.stdout:
                entry = json.loads(line)
                if 'ready' in entry:
                    baseline = entry['ready']
                    continue
                if 'begin' in entry:
                    begun = entry['begin']
                    signal.alarm(int(3 * limit) + 1)
                    continue
                signal.alarm(0)
                start = entry['end'] + 1
                # Processor time as well: other programs may hold the machine.
                if min(entry['seconds'], entry['cpu']) > limit:
                    entry.update(verdict='slow', text='{cpu:.1f} s of processor time'.format(**entry))
                elif entry['mib'] - baseline > MIB:
                    entry.update(verdict='memory', text='{} MiB'.format(entry['mib'] - baseline))
                if entry['verdict'] in ('success', 'refused'):
                    result.verdicts[entry['verdict']] += 1
                else:
                    result.fail(entry['end'], entry['verdict'], entry['text'])
                result.slowest = max(result.slowest, min(entry['seconds'], entry['cpu']))
                result.mib = max(result.mib, entry['mib'] - baseline)
                if time.monotonic() >= deadline or entry['verdict'] == 'memory':
                    break
            else:
                if child.wait() != 0 and begun is None:
                    errors.seek(0)
                    raise SystemExit(errors.read().decode(errors='replace')[-3000:])
                if child.returncode != 0:
                    result.fail(begun, 'crash', 'the process ended with {}'.format(child.returncode))
                    start = begun + 1
        except _Hung:
            result.fail(begun, 'hang', 'over {:.0f} s'.format(3 * limit))
            start = begun + 1
        finally:
            signal.alarm(0)
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            child.stdout.close()
            shutil.rmtree(folder, ignore_errors=True)
    return start


class _Hung(Exception):
    pass


def _alarm(*_):
    raise _Hung


def end_by_signals():
    """Let SIGTERM and SIGHUP end this program as an exception does, so that its processes and folders go with it."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def processor():
    """Return the kind of processor."""
    for line in pathlib.Path('/proc/cpuinfo').read_text().splitlines():
        if line.startswith('model name'):
            return line.partition(':')[2].strip()
    return platform.machine()


def table(results, seed):
    """Return the lines of the table."""
    yield '| target | cases | succeeded | refused in a sentence | failed | slowest (s) | memory (MiB) |'
    yield '|---|---|---|---|---|---|---|'
    for name, result in results.items():
        counts = result.verdicts
        yield '| {} | {} | {} | {} | {} | {:.2f} | {} |'.format(
            name, sum(counts.values()), counts['success'], counts['refused'], len(result.failures), result.slowest,
            result.mib)
    for name, result in results.items():
        for number, verdict, text in result.failures[:5]:
            yield ''
            yield '`--replay {}:{} --seed {}`: {}: {}'.format(name, number, seed, verdict, ascii(text)[:200])


def fault_options(description, trials, results=False):
    """Return the options of a program that brings faults about, and let signals end it.

    trials: of each by default. results: whether it adds them to a file.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--trials', type=int, default=trials, help='of each fault')
    parser.add_argument('--minutes', type=float, default=float('inf'), help='no new trial after these')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--faults', help='names, with commas between them')
    parser.add_argument('--table', help='document with the marks of this part')
    if results:
        parser.add_argument('--results', help='file of JSON lines to which trials are added')
    end_by_signals()
    return parser.parse_args()


def write_table(path, lines, name='campaign'):
    """Put the lines between the marks <!-- name --> and <!-- end of name --> of a document."""
    path = pathlib.Path(path)
    first, last = '<!-- {} -->'.format(name), '<!-- end of {} -->'.format(name)
    before, _, rest = path.read_text(encoding='utf-8').partition(first)
    after = rest.partition(last)[2]
    path.write_text('\n'.join([before + first, *lines, last + after]), encoding='utf-8')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=30.0)
    parser.add_argument('--cases', type=int, default=1 << 40, help='of each target, at most')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--targets', help='names, with commas between them')
    parser.add_argument('--table', help='document with the marks between which the table is written')
    parser.add_argument('--replay', metavar='TARGET:NUMBER')
    options = parser.parse_args()
    if options.replay:
        from targets import TARGETS, rng_of
        target, _, number = options.replay.partition(':')
        with tempfile.TemporaryDirectory() as folder:
            attacked = TARGETS[target](folder)
            attacked.run(attacked.case(rng_of(options.seed, target, int(number))))
        return 0
    from targets import TARGETS
    names = options.targets.split(',') if options.targets else list(TARGETS)
    results, reached = {name: Result() for name in names}, dict.fromkeys(names, 0)
    signal.signal(signal.SIGALRM, _alarm)
    end_by_signals()
    began = time.monotonic()
    for bar in sorted({min(CASES, options.cases), options.cases}):
        for done, name in enumerate(names):
            left = began + 60.0 * options.minutes - time.monotonic()
            reached[name] = attack(name, options.seed, reached[name], bar,
                                   time.monotonic() + left / (len(names) - done), results[name])
            print('{}: {}, seed {}'.format(name, dict(results[name].verdicts), options.seed), flush=True)
    minutes = (time.monotonic() - began) / 60.0
    lines = ['Seed {}, {:.0f} minutes, {} cases, Python {}, {}.'.format(
        options.seed, minutes, sum(sum(r.verdicts.values()) for r in results.values()), platform.python_version(),
        processor()), '', *table(results, options.seed)]
    print('\n'.join(lines))
    if options.table:
        write_table(options.table, lines)
    return 1 if any(result.failures for result in results.values()) else 0


if __name__ == '__main__':
    if sys.argv[1:2] == ['--work']:
        work(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), sys.argv[6])
    else:
        sys.exit(main())
