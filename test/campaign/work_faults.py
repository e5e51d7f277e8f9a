"""The part of the fault campaign in which trainings and evaluations fail at their work, and are resumed.

    python test/campaign/work_faults.py [--trials 1] [--minutes M] [--seed S] [--faults A,B] [--table FILE]

After each fault the same command is given again, and its result must be that of a run without a fault: the weights of a
training bit for bit, the frames of an evaluation without their times. A fault may end the run only with a sentence.
"""
import collections
import contextlib
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'support')]

PATIENCE = 600.0
"""Seconds for one run."""
TRAIN = ['train', '--data', 'drive:8:64x64', '--name', 'mine', '--license', 'MIT', '--description', 'for tests',
         '--threads', '1', '--out', 'out', '--set', 'alpha2=1', 'alpha3=1', 'size=[64, 64]', 'encoder_crop=[64, 64]',
         'crop=[64, 64]', 'batch=4', 'encoder_batch=4', 'encoder_epochs=1', 'epochs=6', 'outputs=0',
         'validate_epochs=1', 'picture_epochs=10', 'ema=0.9', 'checkpoint_steps=1']
FRAMES = 60
FAULTS = collections.OrderedDict()
"""Name to (function, work)."""


class Work:
    """One run of a command in a folder of its own, with its output. workers: how many; ray: address of a cluster."""

    def __init__(self, folder, inputs, workers=0, address=''):
        self.folder, self.out = folder, folder / 'out'
        self.command = [sys.executable, '-m', 'espnet_ros.cli', *self.arguments(inputs, workers, address)]
        self.process = None
        self._texts = []

    def start(self, **limits):
        """Start the command. limits: of resource, as in AS=bytes."""
        def apply():
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # what runs in the background has it ignored
            for name, value in limits.items():
                resource.setrlimit(getattr(resource, 'RLIMIT_' + name), (value, value))
        environment = dict(os.environ, PYTHONUNBUFFERED='1', OMP_NUM_THREADS='1', RAY_USAGE_STATS_ENABLED='0',
                           ESPNET_ROS_CACHE=str(self.folder / 'cache'), ESPNET_ROS_MODELS=str(self.folder / 'own'))
        self._texts.append(open(self.folder / 'text{}'.format(len(self._texts)), 'w+', encoding='utf-8'))
        self.process = subprocess.Popen(
            self.command, cwd=self.folder, env=environment, stdout=self._texts[-1], stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=apply)

    @property
    def text(self):
        """What the command has printed."""
        return pathlib.Path(self._texts[-1].name).read_text(encoding='utf-8', errors='replace')

    def start_until(self, part):
        """Start it and wait until a part (0..1) of its work is done, or it has ended."""
        self.start()
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and self.done() < part:
            assert time.monotonic() < deadline, 'nothing is done: ' + self.text[-500:]
            time.sleep(0.01)

    def end(self):
        """Wait for the end; return the exit code. A traceback fails."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise AssertionError('it hangs: ' + self.text[-500:])
        assert 'Traceback' not in self.text, self.text[-2000:]
        return code

    def finish(self):
        """Give the command again; it must succeed."""
        self.start()
        assert self.end() == 0, self.text[-2000:]

    def children(self):
        """Process ids of its Python processes that work for it."""
        import psutil
        return [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)
                if 'resource_tracker' not in ' '.join(child.cmdline())]

    def close(self):
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for text in self._texts:
            text.close()


class Training(Work):
    """A training of 7 epochs with a checkpoint after each step."""

    def arguments(self, inputs, workers, address):
        return [TRAIN[0], '--workers', str(workers), *TRAIN[1:]]

    def done(self):
        return sum('epoch ' in line for line in self.text.splitlines()) / 7.0

    def result(self):
        from espnet_ros.models.checkpoint import read_weights
        return {name: value.numpy().tobytes() for name, value in read_weights(str(self.out / 'mine.pth')).items()}

    progress = 'checkpoint.pt'


class Evaluation(Work):
    """An evaluation of a bag."""

    def arguments(self, inputs, workers, address):
        shutil.copytree(inputs / 'bag', self.folder / 'bag')
        return ['evaluate', 'bag', '--model', str(inputs / 'model' / 'camvid.yaml'), '--backend', 'torch',
                '--precision', 'fp32', '--out', 'out',
                *(['--ray', address] if address else ['--workers', str(max(1, workers))])]

    def done(self):
        with contextlib.suppress(OSError):
            return (self.out / 'frames.jsonl').read_text().count('\n') / FRAMES
        return 0.0

    def result(self):
        from evaluation_rig import without_times
        found = [json.dumps(without_times(json.loads(line)), sort_keys=True)
                 for line in (self.out / 'frames.jsonl').read_text().splitlines()]
        scores = json.loads((self.out / 'metrics.json').read_text())
        return sorted(found), {key: scores[key] for key in scores if key.startswith('averageScore')}

    progress = 'frames.jsonl'


def fault(name, work, **options):
    """Decorator of a function of (work, rng), which runs the command and lets it fail; it is resumed afterwards."""
    def add(function):
        FAULTS[name] = function, work, options
        return function
    return add


def for_both(name, workers=0):
    """As `fault`, for trainings and evaluations."""
    def add(function):
        for kind, word in ((Training, 'training'), (Evaluation, 'evaluation')):
            fault('{}: {}'.format(word, name), kind, workers=workers)(function)
        return function
    return add


def signaled(name, number):
    @for_both(name)
    def run(work, rng):
        work.start_until(rng.uniform(0.1, 0.8))
        work.process.send_signal(number)
        code = work.end()
        assert code in (0, -number, 128 + number, 130), 'exit code {}'.format(code)


signaled('kill -9', signal.SIGKILL)
signaled('SIGTERM', signal.SIGTERM)
signaled('SIGINT', signal.SIGINT)


@for_both('kill -9 of a worker', workers=2)
def worker_killed(work, rng):
    work.start_until(rng.uniform(0.1, 0.6))
    children = work.children() if work.process.poll() is None else []
    if children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(rng.choice(children), signal.SIGKILL)
    assert work.end() in (0, 1)


@for_both('full disk (no file may grow)')
def disk_full(work, rng):
    work.start_until(rng.uniform(0.1, 0.6))
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(work.process.pid, resource.RLIMIT_FSIZE, (0, 0))
    assert work.end() in (0, 1)


@for_both('out of memory (ulimit -v)')
def memory_full(work, rng):
    work.start_until(rng.uniform(0.1, 0.6))
    with contextlib.suppress(ProcessLookupError, FileNotFoundError, ValueError):
        pages = int(pathlib.Path('/proc/{}/statm'.format(work.process.pid)).read_text().split()[0])
        resource.prlimit(work.process.pid, resource.RLIMIT_AS, (pages * resource.getpagesize(),) * 2)
    code = work.end()
    assert code in (0, 1) or code < 0, 'exit code {}'.format(code)


@for_both('read-only output folder')
def read_only(work, rng):
    work.start_until(rng.uniform(0.2, 0.6))
    work.process.kill()
    work.process.wait()
    plain = work.command
    # In a namespace of its own, where even root cannot write.
    work.command = ['unshare', '-rm', 'sh', '-c', 'mount --bind out out && mount -o remount,ro,bind out && exec "$@"',
                    'sh', *plain]
    try:
        work.start()
        code = work.end()
    finally:
        work.command = plain
    assert code == 1 and 'out' in work.text, 'exit code {}: {}'.format(code, work.text[-500:])


@for_both('progress damaged')
def damaged(work, rng):
    work.start_until(rng.uniform(0.3, 0.8))
    work.process.kill()
    work.process.wait()
    path = work.out / work.progress
    if isinstance(work, Training) and (work.out / 'mine.pth').exists():
        return  # it was through before it could be killed, and has cleared its checkpoint away
    data = path.read_bytes()
    path.write_bytes(data[:rng.randrange(1, len(data))])
    if isinstance(work, Training):
        work.start()
        assert work.end() == 1 and '--restart starts over' in work.text, work.text[-500:]
        work.command.append('--restart')


@for_both('a clock that was wrong: files of the year 2099')
def future(work, rng):
    work.start_until(rng.uniform(0.2, 0.7))
    work.process.kill()
    work.process.wait()
    for path in work.folder.rglob('*'):
        os.utime(path, (4070908800, 4070908800))


@fault('evaluation: the bag vanishes at run time', Evaluation, workers=2)
def vanished(work, rng):
    work.start_until(rng.uniform(0.1, 0.5))
    (work.folder / 'bag').rename(work.folder / 'elsewhere')
    code = work.end()
    (work.folder / 'elsewhere').rename(work.folder / 'bag')
    assert code in (0, 1), 'exit code {}'.format(code)


@contextlib.contextmanager
def ray_cluster():
    """A cluster of two nodes on this machine; yields it and its second node."""
    # Read at its import: no reports to its makers, nothing but the loopback interface.
    os.environ.update(RAY_USAGE_STATS_ENABLED='0', RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER='0')
    from ray.cluster_utils import Cluster
    about = {'num_cpus': 1, 'node_ip_address': '127.0.0.1', 'object_store_memory': 100 << 20}
    cluster = Cluster(initialize_head=True, head_node_args=dict(about, include_dashboard=False))
    try:
        second = cluster.add_node(**about)
        cluster.wait_for_nodes()
        yield cluster, second
    finally:
        cluster.shutdown()


@fault('Ray: a node is lost', Evaluation, ray=True)
def node_lost(work, rng, cluster, second):
    work.start_until(rng.uniform(0.1, 0.5))
    cluster.remove_node(second, allow_graceful=False)
    assert work.end() in (0, 1)


@fault('Ray: kill -9 of a worker', Evaluation, ray=True)
def ray_worker_killed(work, rng, cluster, second):
    import psutil
    work.start_until(rng.uniform(0.1, 0.5))
    workers = []
    for about in second.all_processes['raylet']:
        for child in psutil.Process(about.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if child.cmdline()[:1] and child.cmdline()[0].startswith('ray::'):
                    workers.append(child.pid)
    assert workers, 'no worker'
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    assert work.end() in (0, 1)


def trial(name, folder, inputs, expected, rng):
    """Let a command fail, resume it, and compare. Raises AssertionError; return what the failed run said at its end."""
    function, kind, options = FAULTS[name]
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        extra, address = (), ''
        if options.get('ray'):
            extra = stack.enter_context(ray_cluster())
            address = extra[0].address
        work = kind(folder, inputs, options.get('workers', 0), address)
        stack.callback(work.close)
        function(work, rng, *extra)
        said = (work.text.strip().splitlines() or [''])[-1]
        if address and len(extra[0].list_all_nodes()) < 2:
            extra[0].add_node(num_cpus=1, node_ip_address='127.0.0.1', object_store_memory=100 << 20)
        work.finish()
        assert work.result() == expected(kind), 'another result than without a fault'
    return said


def make_inputs(folder):
    """Write a bag and a model."""
    from bag_maker import make
    from evaluation_rig import small_model
    make(folder / 'bag', FRAMES)
    small_model(folder / 'model')


def main():
    from run import fault_options, processor, write_table
    options = fault_options(__doc__, 1)
    from targets import rng_of
    names = options.faults.split(',') if options.faults else list(FAULTS)
    rows, failures, whole = [], [], {}
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        make_inputs(folder)

        def expected(kind):
            if kind not in whole:
                place = folder / kind.__name__
                place.mkdir()
                work = kind(place, folder)
                work.finish()
                work.close()
                whole[kind] = work.result()
            return whole[kind]

        for name in names:
            good = tried = 0
            for number in range(options.trials):
                if time.monotonic() > began + 60.0 * options.minutes:
                    break
                tried += 1
                try:
                    said = trial(name, folder / 'case{}.{}'.format(names.index(name), number), folder, expected,
                                 rng_of(options.seed, name, number))
                    good += 1
                    print('{} {}: the same result; it had said: {}'.format(name, number, ascii(said)[:150]), flush=True)
                except (Exception, AssertionError) as error:
                    failures.append('`--faults {!r} --seed {}`: {}'.format(name, options.seed, ascii(error)[:400]))
                    print('{} {}: FAILED: {}'.format(name, number, error), flush=True)
            if tried:
                rows.append('| {} | {} | {} |'.format(name, tried, good))
    lines = ['Seed {}, {:.0f} minutes, {}.'.format(options.seed, (time.monotonic() - began) / 60.0, processor()), '',
             '| fault | trials | resumed to the same result |', '|---|---|---|', *rows]
    for text in failures[:5]:
        lines += ['', text]
    print('\n'.join(lines))
    if options.table:
        write_table(options.table, lines, 'work faults')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
