"""Where an evaluation runs: in this process, or in several on this machine."""
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
from espnet_ros.evaluation.offline import Done, Evaluator, Task
from espnet_ros.process import tune_process

CHUNK = 32
"""Frames that a worker takes at a time, at most."""
ATTEMPTS = 3
"""How often workers may die in a row without having finished anything."""


class InProcess:
    """Evaluates frame after frame, here.

    count: of those that work at a time. where: in words. engines: the EngineInfos so far. images: what became of those
    that traveled (see live.ThroughNode). Raises EspnetError.
    """

    count, where = 1, 'in one process'
    images: dict[str, int] = {}

    def __init__(self, setup):
        self._evaluator = Evaluator(setup)
        self.engines = {_lasting(self._evaluator.describe())}

    def run(self, tasks):
        """Yield a Done for each frame of the Tasks."""
        for task in tasks:
            yield from self._evaluator.run(task)

    def draw(self, wanted):
        """Return the FramePictures of each Wanted frame."""
        return [self._evaluator.draw(frame) for frame in wanted]

    def close(self):
        """Nothing is left to end."""


class Workers(abc.ABC):
    """Evaluates chunks somewhere else; subclasses say where, by `_map`. Attributes as of InProcess."""

    images: dict[str, int] = {}

    def __init__(self, count, where):
        self.count, self.where = count, where
        self.engines = set()

    def run(self, tasks):
        """Yield a Done for each chunk of the Tasks, in the order in which they are finished. Raises EspnetError."""
        for _, (done, engine) in self._map(_run, chunks(tasks)):
            self.engines.add(engine)
            yield done

    def draw(self, wanted):
        """Return the FramePictures of each Wanted frame. Raises EspnetError."""
        found = dict(self._map(Evaluator.draw, wanted))
        return [found[frame] for frame in wanted]

    @abc.abstractmethod
    def _map(self, function, arguments):
        """Yield (argument, function(Evaluator, argument)), in any order."""


class Processes(Workers):
    """Processes of this machine. A chunk whose process died is done again by another."""

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
                    raise EngineError('worker processes end before they have done anything; is there memory for {}? '
                                      'Fewer need less (--workers)'.format(self.count))
                self._start()
            finally:
                for future in futures:
                    future.cancel()

    def close(self):
        """End the processes, when they are through with their chunks."""
        self._pool.shutdown(cancel_futures=True)


class Failure(typing.NamedTuple):
    """A user's mistake that a worker has met: exceptions do not travel well."""

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
    """Return the Done of a whole Task, and the engine."""
    parts = list(evaluator.run(task))
    records = [record for part in parts for record in part.records]
    return Done(task, records, parts[-1].problems), _lasting(evaluator.describe())


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
