"""Workers of an evaluation: this process, or several processes of this machine."""
import abc
import concurrent.futures
import functools
import multiprocessing
import os
import pickle
import signal
import threading
import typing
from concurrent.futures.process import BrokenProcessPool

from espnet_ros.errors import EngineError, EspnetError
from espnet_ros.evaluation.offline import Evaluator
from espnet_ros.evaluation.tasks import Task, TaskResult
from espnet_ros.process import tune_process

CHUNK = 32
"""Maximum number of frames that a worker takes at a time."""
ATTEMPTS = 3
"""Number of times in a row that workers may die without having finished anything."""


class InProcess:
    """Evaluates frame after frame in this process.

    count: number of parallel workers. where: description. engines: the EngineInfos so far. images: outcomes of images
    sent to a node (live.ThroughNode). Raises EspnetError.
    """

    count, where = 1, 'in one process'
    images: dict[str, int] = {}

    def __init__(self, setup):
        self._evaluator = Evaluator(setup)
        self.engines = {_lasting(self._evaluator.describe())}

    def run(self, tasks):
        """Yield a TaskResult for each frame of the Tasks."""
        for task in tasks:
            yield from self._evaluator.run(task)

    def draw(self, references):
        """Return the FramePictures of each FrameReference."""
        return [self._evaluator.draw(frame) for frame in references]

    def scans(self, sources):
        """Return the scans.Scored of each source, given its number, or the sentence why there is none."""
        return [self._evaluator.scans(source) for source in sources]

    def close(self):
        """Do nothing."""


class Workers(abc.ABC):
    """Evaluates chunks in other processes, which subclasses provide by `_map`. Attributes: as of InProcess."""

    images: dict[str, int] = {}

    def __init__(self, count, where):
        self.count, self.where = count, where
        self.engines = set()

    def run(self, tasks):
        """Yield a TaskResult for each chunk of the Tasks in the order of completion. Raises EspnetError."""
        for _, (done, engine) in self._map(_run, chunks(tasks)):
            self.engines.add(engine)
            yield done

    def draw(self, references):
        """Return the FramePictures of each FrameReference. Raises EspnetError."""
        found = dict(self._map(Evaluator.draw, references))
        return [found[frame] for frame in references]

    def scans(self, sources):
        """Return the scans.Scored of each source, or the sentence why there is none. Raises EspnetError."""
        found = dict(self._map(Evaluator.scans, sources))
        return [found[source] for source in sources]

    @abc.abstractmethod
    def _map(self, function, arguments):
        """Yield (argument, function(Evaluator, argument)), in any order."""


class Processes(Workers):
    """Processes of this machine. A chunk whose process died is repeated by another."""

    def __init__(self, setup, count):
        super().__init__(count, 'in {} processes'.format(count))
        self._setup = pickle.dumps(setup)
        self._start()

    def _start(self):
        import torch
        # The server imports PyTorch once, in a process that has neither threads nor CUDA yet, and forks the workers.
        context = multiprocessing.get_context('forkserver')
        context.set_forkserver_preload(['torch', __name__])
        self._pool = concurrent.futures.ProcessPoolExecutor(
            self.count, context, _begin,
            (self._setup, max(1, torch.get_num_threads() // self.count)))

    def _map(self, function, arguments):
        left = list(arguments)
        attempts = ATTEMPTS
        while left:
            futures = {self._pool.submit(_call_here, function, argument): argument for argument in left}
            try:
                for future in concurrent.futures.as_completed(futures):
                    result = checked(future.result())
                    left.remove(futures[future])
                    attempts = ATTEMPTS
                    yield futures[future], result
            except BrokenProcessPool:
                attempts -= 1
                if not attempts:
                    raise EngineError('worker processes die before they finish anything; there may be too little '
                                      'memory for {} of them, use fewer --workers'.format(self.count))
                self._start()
            finally:
                for future in futures:
                    future.cancel()

    def close(self):
        """End the processes when they have finished their chunks."""
        self._pool.shutdown(cancel_futures=True)


class Failure(typing.NamedTuple):
    """The text of an EspnetError in a worker; not every exception can be pickled."""

    text: str


def call(setup, function, argument):
    """Return function(Evaluator, argument) or a Failure, in a worker. setup: a pickled Setup."""
    try:
        return function(_evaluator(setup), argument)
    except EspnetError as error:
        return Failure(str(error))


def checked(result):
    """Return what `call` has returned. Raises EspnetError when it is a Failure."""
    if isinstance(result, Failure):
        raise EspnetError(result.text)
    return result


def chunks(tasks):
    """Return the Tasks in parts of at most CHUNK frames."""
    return [Task(task.source, start, min(start + CHUNK, task.stop))
            for task in tasks for start in range(task.start, task.stop, CHUNK)]


@functools.lru_cache(maxsize=1)
def _evaluator(setup):
    return Evaluator(pickle.loads(setup))


def _run(evaluator, task):
    """Return the TaskResult of a complete Task, and the EngineInfo."""
    parts = list(evaluator.run(task))
    records = [record for part in parts for record in part.records]
    return TaskResult(task, records, parts[-1].problems), _lasting(evaluator.describe())


def _lasting(engine):
    return engine._replace(build_seconds=0.0, cache='')


_own_setup = b''


def _begin(setup, threads):
    """Prepare a new process."""
    import torch
    global _own_setup
    _own_setup = setup
    tune_process()
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits for this one
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)


def _call_here(function, argument):
    return call(_own_setup, function, argument)
