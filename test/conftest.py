"""What all tests share: kinds of tests, the reference data, and the table of skipped tests."""
import collections
import os
import pathlib
import signal
import sys

import hypothesis
import pytest

# Here alone: each conftest.py that imports a fixture makes another one, and a worker would have several domains.
from ros_process import observer, ros_context, ros_domain, start_node  # noqa: F401

# With several pytest-xdist workers, each gets its share of the cores; read when PyTorch is loaded.
if 'PYTEST_XDIST_WORKER_COUNT' in os.environ:
    os.environ.setdefault('OMP_NUM_THREADS', str(
        max(1, (os.cpu_count() or 1) // int(os.environ['PYTEST_XDIST_WORKER_COUNT']))))

from espnet_ros.process import tune_process  # noqa: E402

tune_process()

# Shells start what runs in the background with SIGINT ignored, nohup with SIGHUP, and programs that tests start would
# inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile('any machine', deadline=None)
hypothesis.settings.load_profile('any machine')

TESTS = pathlib.Path(__file__).parent
KINDS = ('unit', 'ros', 'slow')
ROS_FIXTURES = {'observer', 'ros_context', 'ros_domain', 'start_node', 'start_rig'}
SLOW_FIXTURES = {'browser', 'cluster', 'shared'}
SLOW_PATHS = (
    'bags/test_bag_writer.py', 'cli', 'datasets/test_synthetic.py', 'deploy/test_deployed_families.py',
    'deploy/test_export.py', 'engine/tensorrt/test_tensorrt_engine.py', 'engine/test_companion.py',
    'engine/test_openvino_engine.py', 'evaluation/test_evaluate.py', 'evaluation/test_frames.py',
    'evaluation/test_live.py', 'ground/test_ground_measure.py', 'models/test_models_add.py',
    'network/test_families.py', 'network/test_peers.py',
    'performance/benchmark/test_measure.py', 'performance/profile/test_clock_guard.py',
    'performance/profile/test_counters.py', 'performance/profile/test_efficiency.py',
    'performance/profile/test_frequencies.py', 'performance/profile/test_plots.py', 'scene/test_depth.py',
    'scene/test_street.py', 'telemetry/test_tegrastats_process.py', 'training/test_logbook.py',
    'training/test_plan.py', 'training/test_training_sources.py', 'training/test_validation.py')
"""Folders and files whose tests run whole commands, compile networks, draw many streets, or start programs."""
LONGEST = (
    'cli/test_cli_predict_slides.py', 'cli/test_cli_evaluate_ros.py', 'cli/test_cli_train.py', 'clients/test_replay.py',
    'engine/test_memory.py', 'nodes/diagnostics/test_diagnostics_node.py',
    'nodes/segmentation/test_segmentation_cameras.py', 'nodes/segmentation/test_segmentation_lifecycle.py',
    'test_documented_commands.py',
    'training/test_process_group.py', 'training/test_shipped_models.py', 'training/test_trainer.py',
    'training/test_unseen_streets.py')
"""Files that take about a minute or more."""
PROCESS_EVENTS = {'os.fork', 'os.forkpty', 'os.posix_spawn', 'os.system', 'subprocess.Popen'}
RERUNS = 2
"""Of a test with other processes that fails, for what a busy machine does to them. A run's last lines list what was run
again: a defect to find."""
ALONE = pytest.StashKey[bool]()
"""Set for tests that must not start a process: the units that are not marked so by hand."""
test_alone = None
"""Node id of such a test while it runs."""


def is_slow(path):
    """Return whether a file of tests is in SLOW_PATHS."""
    return any(path == slow or slow in path.parents for slow in (TESTS / name for name in SLOW_PATHS))


def pytest_ignore_collect(collection_path, config):
    """Do not even import slow files when only units are asked for."""
    return True if config.option.markexpr == 'unit' and is_slow(collection_path) else None


def pytest_collection_modifyitems(items):
    """Give each test its kind, and run files that take long first so that no worker is left with one at the end.

    What uses a fixture that talks DDS is `ros`. What has a time limit of its own, is in SLOW_PATHS, or uses a fixture
    of SLOW_FIXTURES (other programs, the authors' networks) is `slow`. All else is `unit`.
    """
    for item in items:
        names = set(item.fixturenames)
        if names & ROS_FIXTURES:
            item.add_marker('ros')
        if names & SLOW_FIXTURES or item.get_closest_marker('timeout') or is_slow(item.path):
            item.add_marker('slow')
        if not any(item.get_closest_marker(kind) for kind in KINDS):
            item.add_marker('unit')
            item.stash[ALONE] = True
        elif not item.get_closest_marker('unit'):
            item.add_marker(pytest.mark.flaky(reruns=RERUNS))
    longest = {TESTS / path for path in LONGEST}
    long_files = {item.path for item in items if item.get_closest_marker('slow')} | {TESTS / 'test_rules.py'}
    items.sort(key=lambda item: (item.path not in longest, item.path not in long_files))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    global test_alone
    test_alone = item.nodeid if ALONE in item.stash else None
    try:
        return (yield)
    finally:
        test_alone = None


def refuse_processes(event, arguments):
    """Audit hook: fail the unit test that starts a process."""
    if event in PROCESS_EVENTS and test_alone:
        pytest.fail('{} starts a process ({} {}): mark it pytest.mark.slow, or pytest.mark.unit when that takes less '
                    'than a second'.format(test_alone, event, str(arguments[1:2])[:100]))


sys.addaudithook(refuse_processes)


def skipped_table(reports):
    """Lines that say how many tests were skipped for which reason, and in which files."""
    tests = collections.defaultdict(collections.Counter)
    for report in reports:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        tests[reason.replace('Skipped: ', '', 1)][report.nodeid.split('::')[0]] += 1
    for reason, files in sorted(tests.items()):
        yield '{:5}  {}'.format(sum(files.values()), reason)
        yield from ('       {} in {}'.format(count, file) for file, count in sorted(files.items()))


def pytest_terminal_summary(terminalreporter):
    """Print what was skipped, and why."""
    reports = terminalreporter.stats.get('skipped', ())
    if reports:
        terminalreporter.write_sep('=', 'skipped tests: {}'.format(len(reports)))
        for line in skipped_table(reports):
            terminalreporter.write_line(line)


@pytest.fixture(scope='session')
def shared():
    """Folder with the authors' weights, real images and reference results; the test is skipped without it."""
    folder = TESTS.resolve().parents[1] / 'shared'
    if not (folder / 'DATA.md').is_file():
        pytest.skip('needs the reference data folder shared/ beside the checkout')
    return folder
