"""Worker processes give what one process gives, also when one of them dies."""
import multiprocessing
import os
import signal

import pytest
from evaluation_rig import setup_for, without_times

from espnet_ros.errors import EngineError, EspnetError
from espnet_ros.evaluation import workers
from espnet_ros.evaluation.offline import FrameReference
from espnet_ros.evaluation.tasks import Task


@pytest.fixture(scope='module')
def setup(tmp_path_factory):
    return setup_for(tmp_path_factory.mktemp('workers'), count=12)


@pytest.fixture(scope='module')
def expected(setup):
    return [without_times(record) for done in workers.InProcess(setup).run([Task(0, 0, 12)]) for record in done.records]


def records_of(parts):
    return sorted((without_times(record) for done in parts for record in done.records), key=lambda r: r['stamp'])


def test_tasks_are_cut_into_chunks(monkeypatch):
    monkeypatch.setattr(workers, 'CHUNK', 4)
    assert workers.chunks([Task(0, 3, 9), Task(2, 0, 4), Task(3, 5, 5)]) == [
        Task(0, 3, 7), Task(0, 7, 9), Task(2, 0, 4)]


@pytest.mark.slow
def test_processes_give_the_same_bit_for_bit_though_one_is_killed(setup, expected, monkeypatch):
    monkeypatch.setattr(workers, 'CHUNK', 1)
    pool = workers.Processes(setup, 2)
    parts = []
    try:
        for done in pool.run([Task(0, 0, 12)]):
            if not parts:
                os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
            parts.append(done)
        drawn = pool.draw([FrameReference(0, 3, '/camera/image_raw', expected[3]['stamp'])])
    finally:
        pool.close()
    assert sorted(done.task for done in parts) == [Task(0, n, n + 1) for n in range(12)]  # none twice
    assert records_of(parts) == expected
    alone = workers.InProcess(setup)
    assert drawn == alone.draw([FrameReference(0, 3, '/camera/image_raw', expected[3]['stamp'])])
    assert pool.engines and {e.backend for e in pool.engines} == {'torch'}


def test_processes_that_never_live_are_an_error(setup, monkeypatch):
    monkeypatch.setattr(workers.concurrent.futures, 'ProcessPoolExecutor', lambda *_: Broken())
    pool = workers.Processes(setup, 2)
    with pytest.raises(EngineError, match='worker processes die before they finish anything.*memory for 2'):
        list(pool.run([Task(0, 0, 12)]))


class Broken:
    """A pool whose processes are dead."""

    def submit(self, *_):
        future = workers.concurrent.futures.Future()
        future.set_exception(workers.BrokenProcessPool('dead'))
        return future


@pytest.mark.slow
def test_a_users_mistake_is_told(setup):
    pool = workers.Processes(setup._replace(backend='torch', model='/nowhere/model.yaml'), 1)
    try:
        with pytest.raises(EspnetError, match="'/nowhere/model.yaml' is no file"):
            list(pool.run([Task(0, 0, 1)]))
    finally:
        pool.close()
