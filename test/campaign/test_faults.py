"""A small part of the faults around running nodes and at work, of a fixed seed."""
import json

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
    trials = list(node_faults.campaign(ros_domain, ros_context, tmp_path, SOME, 1, 1))
    assert {trial.fault: trial.problem for trial in trials} == dict.fromkeys(SOME, '') and len(trials) == len(SOME)


def test_trials_add_up_in_a_file_of_results(tmp_path):
    trials = [node_faults.Trial(16, 'a malformed image', 0, 0.1, 0.5, True, '', 1.0),
              node_faults.Trial(16, 'a malformed image', 1, 0.1, 2.5, True, '', 1.0),
              node_faults.Trial(16, 'a stamp twice', 0, None, None, None, 'AssertionError: not named', 1.0)]
    other = trials[0]._replace(seed=3)
    (tmp_path / 'results').write_text(''.join(json.dumps(trial._asdict()) + '\n' for trial in [*trials, other]))
    assert node_faults.read_results(tmp_path / 'results', 16) == trials
    assert node_faults.read_results(tmp_path / 'none', 16) == []
    lines = list(node_faults.table(trials))
    assert '| a malformed image | 2 | 2 | 1 | yes | 1.50, 2.50 |' in lines
    assert '| a stamp twice | 1 | 0 | 0 | - | nan, nan |' in lines
    done = {trial[:3] for trial in trials}
    left = node_faults.campaign(0, None, tmp_path, ['a malformed image'], 2, 16, done=done)
    assert list(left) == []


def test_there_are_thirty_faults_of_nodes_and_twelve_at_work():
    assert len(node_faults.FAULTS) >= 30 and len(work_faults.FAULTS) >= 12 and set(SOME) <= set(node_faults.FAULTS)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A folder with inputs, and what an evaluation of them gives without a fault."""
    folder = tmp_path_factory.mktemp('work')
    work_faults.make_inputs(folder)
    (folder / 'whole').mkdir()
    work = work_faults.Evaluation(folder / 'whole', folder)
    work.finish()
    work.close()
    return folder, work.result()


@pytest.mark.timeout(1200)
@pytest.mark.slow
@pytest.mark.parametrize('name', ['evaluation: full disk (no file may grow)', 'evaluation: progress damaged'])
def test_work_that_failed_is_resumed_to_the_same_result(whole, tmp_path, name):
    inputs, result = whole
    assert work_faults.FAULTS[name][1] is work_faults.Evaluation
    work_faults.trial(name, tmp_path / 'case', inputs, lambda kind: result, rng_of(1, name, 0))


def test_flat_and_growing_samples_of_a_soak():
    flat = [(i, 300000 + i % 7, 19 + i % 2, 20) for i in range(100)]
    assert soak.verdict(flat)[1] and '(+0.00%) | 19 to 20 | 20 to 20' in soak.verdict(flat)[0]
    assert not soak.verdict([(i, 300000 + 100 * i, 19, 20) for i in range(100)])[1]
    assert not soak.verdict([(i, 300000, 19, 20 + i // 50) for i in range(100)])[1]
