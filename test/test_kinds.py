"""The kinds of tests keep their promises."""
import pathlib
import re
import subprocess
import types

import pytest


@pytest.fixture
def conftest(pytestconfig):
    return pytestconfig.pluginmanager.get_plugin(str(pathlib.Path(__file__).with_name('conftest.py')))


def test_a_unit_test_that_starts_a_process_fails():
    with pytest.raises(pytest.fail.Exception, match='test_kinds.py.* starts a process .subprocess.Popen .*: mark it'):
        subprocess.run(['true'])


@pytest.mark.unit
def test_a_unit_test_marked_by_hand_may_start_one():
    assert subprocess.run(['true']).returncode == 0


@pytest.mark.timeout(301)
def test_with_a_time_limit_of_its_own(request):
    assert request.node.get_closest_marker('slow') and not request.node.get_closest_marker('unit')


def test_skipped_tests_are_listed_by_reason(conftest):
    reports = [types.SimpleNamespace(nodeid=nodeid, longrepr=longrepr) for nodeid, longrepr in (
        ('test/a.py::test_one', ('a.py', 1, 'Skipped: no browser')),
        ('test/a.py::test_two', ('a.py', 2, 'Skipped: no browser')),
        ('test/b.py', ('b.py', 3, 'Skipped: no browser')),
        ('test/b.py::test_other', ('b.py', 4, 'Skipped: no GPU')))]
    assert list(conftest.skipped_table(reports)) == [
        '    1  no GPU', '       1 in test/b.py',
        '    3  no browser', '       2 in test/a.py', '       1 in test/b.py']


def test_a_test_has_the_kind_of_its_fixtures(conftest):
    def kinds(*fixtures, marks=(), path='labels/test_labels.py'):
        item = Item(fixtures, marks, conftest.TESTS / path)
        conftest.pytest_collection_modifyitems([item])
        return item.marks, conftest.ALONE in item.stash

    assert kinds('tmp_path') == ({'unit'}, True)
    assert kinds('start_node', 'tmp_path') == ({'ros', 'flaky'}, False)
    assert kinds('start_node', marks=['slow']) == ({'ros', 'slow', 'flaky'}, False)
    assert kinds('browser') == kinds(marks=['slow']) == ({'slow', 'flaky'}, False)
    assert kinds(path='cli/test_cli_main.py') == ({'slow', 'flaky'}, False)
    assert kinds(marks=['unit']) == ({'unit'}, False)
    assert all((conftest.TESTS / path).exists() for path in conftest.SLOW_PATHS + conftest.LONGEST)


def test_all_tests_of_a_worker_share_one_ros_domain(conftest):
    """Programs that they start find nodes by the environment's domain, which the last of several fixtures would set."""
    importing = re.compile(r'^from ros_process import .*\bros_domain\b', re.MULTILINE)
    assert [path.relative_to(conftest.TESTS).as_posix() for path in conftest.TESTS.rglob('*.py')
            if importing.search(path.read_text())] == ['conftest.py']


class Item:
    """As much of a collected test as its kind needs."""

    def __init__(self, fixturenames, marks, path):
        self.fixturenames, self.marks, self.stash, self.path = fixturenames, set(marks), pytest.Stash(), path

    def add_marker(self, mark):
        self.marks.add(getattr(mark, 'name', mark))

    def get_closest_marker(self, name):
        return name in self.marks
