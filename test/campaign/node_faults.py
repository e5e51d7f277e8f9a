"""The part of the fault campaign in which something fails around running nodes: each fault several times, in rounds.

    python test/campaign/node_faults.py [--trials 10] [--minutes M] [--seed S] [--faults A,B] [--results FILE]
                                        [--table FILE]

After each fault a good image must be answered, stamp and all; the seconds from the fault's end until then are measured.
--results: trials are added to this file, and those that are in it already are not made again but are in the table.
"""
import collections
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'support')]

from node_benches import BENCHES, LIMIT, PATIENCE  # noqa: E402
from node_fault_kinds import FAULTS  # noqa: E402

Trial = collections.namedtuple('Trial', 'seed fault number usual seconds named problem load')
"""usual: seconds of an answer before the fault. seconds: from its end to a good answer. named: whether it had to be.

problem: why it failed, else ''; then the three before are None where they are not known. load: of the machine.
"""


def attempt(bench, found, rng):
    """Try a fault once; return (seconds from its end to a good answer, whether it had to be named)."""
    bench.prepare(found.parameters)
    running = found.run(bench, rng)
    sign = next(running)
    deadline = time.monotonic() + PATIENCE
    try:
        while sign is not None and not bench.is_named(sign):
            assert time.monotonic() < deadline, 'not named: {}'.format(sign)
            time.sleep(0.02)
    finally:
        next(running, None)
    end = time.monotonic()
    bench.answered()
    return time.monotonic() - end, sign is not None


def campaign(domain, context, folder, names, trials, seed, deadline=float('inf'), done=()):
    """Run the rounds and yield a Trial after each. done: (seed, fault, number) of those to leave out."""
    from targets import rng_of
    benches = {}
    # Those of equal parameters are neighbors, because a change of parameters takes a second.
    order = sorted(names, key=lambda name: (FAULTS[name].bench, sorted(FAULTS[name].parameters)))
    try:
        for number in range(trials):
            for name in order:
                if (seed, name, number) in done:
                    continue
                if time.monotonic() > deadline:
                    return
                found = FAULTS[name]
                usual = seconds = named = None
                problem = ''
                try:
                    if found.bench not in benches:
                        benches[found.bench] = BENCHES[found.bench](domain, context, folder)
                    began = time.monotonic()
                    benches[found.bench].answered()
                    usual = time.monotonic() - began
                    seconds, named = attempt(benches[found.bench], found, rng_of(seed, name, number))
                except (Exception, AssertionError) as error:
                    problem = '{}: {}'.format(type(error).__name__, error)
                    if found.bench in benches:
                        benches.pop(found.bench).close()
                yield Trial(seed, name, number, usual, seconds, named, problem, os.getloadavg()[0])
    finally:
        for bench in benches.values():
            bench.close()


def table(trials):
    """Yield the lines of the table."""
    yield ('| fault | trials | recovered | within {:g} s | named | seconds to the next good answer: median, longest |'
           ).format(LIMIT)
    yield '|---|---|---|---|---|---|'
    for name in FAULTS:
        own = [trial for trial in trials if trial.fault == name]
        good = [trial for trial in own if not trial.problem]
        if own:
            seconds = [trial.seconds for trial in good] or [float('nan')]
            yield '| {} | {} | {} | {} | {} | {:.2f}, {:.2f} |'.format(
                name, len(own), len(good), sum(second <= LIMIT for second in seconds),
                '-' if not good else 'yes' if good[0].named else 'nothing to name',
                statistics.median(seconds), max(seconds))
    yield ''
    usual = [trial.usual for trial in trials if trial.usual is not None] or [float('nan')]
    good = [trial for trial in trials if not trial.problem]
    yield ('{} faults, {} trials, {} recovered, {} of them after more than {:g} s. Without a fault an answer took '
           '{:.2f} s (median) to {:.2f} s.').format(
        len({trial.fault for trial in trials}), len(trials), len(good),
        sum(trial.seconds > LIMIT for trial in good), LIMIT, statistics.median(usual), max(usual))
    for trial in trials:
        if trial.problem:
            yield ''
            yield '`--faults {!r} --seed {}`, trial {}: {}'.format(
                trial.fault, trial.seed, trial.number, ascii(trial.problem)[:300])


def read_results(path, seed):
    """Return the Trials of a file of results."""
    if not path or not os.path.exists(path):
        return []
    trials = [Trial(**json.loads(line)) for line in pathlib.Path(path).read_text(encoding='utf-8').splitlines()]
    return [trial for trial in trials if trial.seed == seed]


def main():
    from run import fault_options, processor, write_table
    options = fault_options(__doc__, 10, results=True)
    import rclpy
    from ros_process import environment

    from espnet_ros.clients.domain import private_domain
    names = options.faults.split(',') if options.faults else list(FAULTS)
    deadline = time.monotonic() + 60.0 * options.minutes
    trials = read_results(options.results, options.seed)
    done = {trial[:3] for trial in trials}
    with private_domain() as domain, tempfile.TemporaryDirectory() as folder, \
            open(options.results or os.devnull, 'a', encoding='utf-8') as results:
        os.environ.update(environment(domain))
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=domain)
        try:
            for trial in campaign(
                    domain, context, pathlib.Path(folder), names, options.trials, options.seed, deadline, done):
                trials.append(trial)
                print(json.dumps(trial._asdict()), file=results, flush=True)
                print('{} {}: {}'.format(trial.fault, trial.number, 'FAILED: ' + trial.problem[-1500:] if trial.problem
                                         else '{:.2f} s'.format(trial.seconds)), flush=True)
        finally:
            context.try_shutdown()
    lines = ['Seed {}, {}, a load of {:.1f} (median).'.format(
        options.seed, processor(), statistics.median(trial.load for trial in trials) if trials else float('nan')), '',
        *table(trials)]
    print('\n'.join(lines))
    if options.table:
        write_table(options.table, lines, 'node faults')
    return 1 if any(trial.problem for trial in trials) else 0


if __name__ == '__main__':
    sys.exit(main())
