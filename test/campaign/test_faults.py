"""A small part of the faults around running nodes and at work, of a fixed seed."""
import pytest

pytest.importorskip('rclpy', reason='it needs ROS 2')

import node_faults  # noqa: E402
import soak  # noqa: E402
import work_faults  # noqa: E402
from targets import rng_of  # noqa: E402

SOME = ('a malformed image', 'two cameras on one topic', 'a stamp twice', 'a camera that is gone',
        'wrong parameters', 'stopped and continued',
        'serialized messages with mutated bytes')


@pytest.mark.timeout(1200)
@pytest.mark.slow
def test_a_node_recovers_from_each_fault_and_diagnostics_name_it(ros_domain, ros_context, tmp_path):
    tallies, _ = node_faults.campaign(ros_domain, ros_context, tmp_path, SOME, 1, 1)
    assert {name: tally.failures for name, tally in tallies.items()} == dict.fromkeys(SOME, [])
    assert all(len(tally.seconds) == 1 for tally in tallies.values())


def test_there_are_thirty_faults_of_nodes_and_twelve_at_work():
    assert len(node_faults.FAULTS) >= 30 and len(work_faults.FAULTS) >= 12 and set(SOME) <= set(node_faults.FAULTS)


@pytest.mark.timeout(1200)
@pytest.mark.slow
@pytest.mark.parametrize('name', ['evaluation: full disk (no file may grow)', 'evaluation: progress damaged'])
def test_work_that_failed_is_resumed_to_the_same_result(tmp_path, name):
    work_faults.make_inputs(tmp_path)

    def expected(kind):
        work = kind(tmp_path / 'whole', tmp_path)
        work.finish()
        work.close()
        return work.result()
    (tmp_path / 'whole').mkdir()
    work_faults.trial(name, tmp_path / 'case', tmp_path, expected, rng_of(1, name, 0))


def test_flat_and_growing_samples_of_a_soak():
    flat = [(i, 300000 + i % 7, 19 + i % 2, 20) for i in range(100)]
    assert soak.verdict(flat)[1] and '(+0.00%) | 19 to 20 | 20 to 20' in soak.verdict(flat)[0]
    assert not soak.verdict([(i, 300000 + 100 * i, 19, 20) for i in range(100)])[1]
    assert not soak.verdict([(i, 300000, 19, 20 + i // 50) for i in range(100)])[1]
