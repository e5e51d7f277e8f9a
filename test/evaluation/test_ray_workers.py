"""A Ray cluster of two machines in small: the results of one process, also when a worker is killed at its work."""
import os
import signal
import sys

import pytest
from evaluation_rig import setup_for, without_times

from espnet_ros.errors import EngineError, EspnetError
from espnet_ros.evaluation import ray_workers, workers
from espnet_ros.evaluation.offline import FrameReference
from espnet_ros.evaluation.ray_workers import RayCluster
from espnet_ros.evaluation.tasks import Task


@pytest.fixture(scope='module')
def cluster():
    """Address of a cluster of two nodes on this machine, with one CPU each."""
    # Read at its import: no reports to its makers, nothing but the loopback interface.
    os.environ.update(RAY_USAGE_STATS_ENABLED='0', RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER='0')
    pytest.importorskip('ray')
    from ray.cluster_utils import Cluster
    nodes = {'num_cpus': 1, 'node_ip_address': '127.0.0.1', 'include_dashboard': False,
             'object_store_memory': 100 << 20}
    cluster = Cluster(initialize_head=True, head_node_args=nodes)
    cluster.add_node(**{key: value for key, value in nodes.items() if key != 'include_dashboard'})
    cluster.wait_for_nodes()
    yield cluster.address
    cluster.shutdown()


@pytest.fixture
def ray_cluster(cluster, tmp_path):
    opened = []

    def connect(setup):
        opened.append(RayCluster(setup, cluster))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


def test_the_results_are_those_of_one_process_though_a_worker_is_killed(tmp_path, ray_cluster, monkeypatch):
    setup_for(tmp_path, count=12)
    monkeypatch.chdir(tmp_path)  # not that of the cluster
    setup = setup_for(tmp_path, ['bag'])._replace(model='model/camvid.yaml')
    alone = workers.InProcess(setup)
    expected = [without_times(record) for done in alone.run([Task(0, 0, 12)]) for record in done.records]
    monkeypatch.setattr(workers, 'CHUNK', 2)
    mark, run = str(tmp_path / 'killed'), workers._run

    def die_once(evaluator, task):
        """The work of a chunk, whose first worker is killed when the work is nearly done."""
        result = run(evaluator, task)
        if task.start == 4 and not os.path.exists(mark):
            with open(mark, 'w') as stream:
                stream.write(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    monkeypatch.setattr(workers, '_run', die_once)
    pool = ray_cluster(setup)
    assert pool.count == 2 and pool.where == 'on 2 CPUs of a Ray cluster'
    parts = list(pool.run([Task(0, 0, 12)]))
    assert int((tmp_path / 'killed').read_text()) != os.getpid()
    assert sorted(done.task for done in parts) == [Task(0, n, n + 2) for n in range(0, 12, 2)]  # none twice
    records = [without_times(record) for done in sorted(parts) for record in done.records]
    assert records == expected
    wanted = [FrameReference(0, 5, '/camera/image_raw', expected[5]['stamp'])]
    assert pool.draw(wanted) == alone.draw(wanted)
    assert {engine.backend for engine in pool.engines} == {'torch'}


def test_a_users_mistake_is_told(tmp_path, ray_cluster):
    pool = ray_cluster(setup_for(tmp_path)._replace(model='/nowhere/model.yaml'))
    with pytest.raises(EspnetError, match="^'/nowhere/model.yaml' is no file"):
        list(pool.run([Task(0, 0, 5)]))


def test_there_is_no_cluster(tmp_path, cluster):
    with pytest.raises(EngineError, match="there is no Ray cluster at 'nonsense'"):
        RayCluster(setup_for(tmp_path), 'nonsense')


def test_without_ray_one_sentence_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(EngineError, match='--ray needs the package ray; install it with: pip install ray'):
        ray_workers.RayCluster(setup_for(tmp_path))
