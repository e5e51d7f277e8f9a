"""What is kept of an evaluation, whatever ends it."""
import json

import pytest

from espnet_ros.errors import ParameterError
from espnet_ros.evaluation import journal
from espnet_ros.evaluation.journal import FRAMES, PROGRESS, Journal, read_frames
from espnet_ros.evaluation.tasks import Task, TaskResult

CONFIGURATION = {'model': 'm', 'input': (96, 64)}


def record(stamp, bag=0, topic='/a'):
    return {'bag': bag, 'topic': topic, 'stamp': stamp, 'latency': 0.5}


def done(start, stop, problems=(), bag=0):
    return TaskResult(Task(bag, start, stop), [record(n, bag) for n in range(start, stop)], problems)


def test_it_knows_what_is_left(tmp_path):
    with Journal(tmp_path / 'new' / 'folder', CONFIGURATION) as journal:
        assert journal.remaining([5, 0, 3]) == [Task(0, 0, 5), Task(2, 0, 3)]
        journal.add(done(1, 3))
        assert journal.remaining([5, 0, 3]) == [Task(0, 0, 1), Task(0, 3, 5), Task(2, 0, 3)]
        journal.add(done(0, 3, bag=2))
        journal.add(TaskResult(Task(0, 3, 5), [], ('two images are broken',)))
        journal.add(done(0, 1))
        assert journal.remaining([5, 0, 3]) == [] and journal.frames == 6


def test_another_session_goes_on(tmp_path):
    with Journal(tmp_path, CONFIGURATION) as journal:
        for stop in range(1, 4):  # as frame after frame is evaluated
            journal.add(TaskResult(Task(0, 0, stop), [record(stop)], ('a problem',) * (stop > 1)))
        journal.add_session({'seconds': 1.5})
    with Journal(tmp_path, CONFIGURATION) as journal:
        assert journal.remaining([5]) == [Task(0, 3, 5)]
        assert (journal.frames, journal.problems, journal.sessions) == (3, ['a problem'], [{'seconds': 1.5}])
        assert journal.add(TaskResult(Task(0, 3, 5), [record(3), record(4)], ())) == [record(4)]  # 3 is known
    assert [r['stamp'] for r in read_frames(tmp_path)] == [1, 2, 3, 4]


def test_problems_are_in_the_order_of_the_frames(tmp_path):
    with Journal(tmp_path, CONFIGURATION) as journal:
        for start, bag in ((4, 1), (0, 1), (7, 0)):
            journal.add(done(start, start + 1, ('{} of {}'.format(start, bag),), bag))
        assert journal.problems == ['7 of 0', '0 of 1', '4 of 1']


def test_sorted_it_is_the_same_whoever_was_first(tmp_path):
    texts = []
    for name, order in (('a', (0, 2, 4)), ('b', (4, 0, 2))):
        with Journal(tmp_path / name, CONFIGURATION) as journal:
            for start in order:
                journal.add(done(start, start + 2))
            journal.add(TaskResult(Task(1, 0, 2), [record(0, 1, '/b'), record(0, 1, '/a')], ()))
            journal.sort()
            journal.add(TaskResult(Task(2, 0, 1), [record(0, 2)], ()))  # it can go on
        texts.append((tmp_path / name / FRAMES).read_text())
    assert texts[0] == texts[1] and texts[0].count('\n') == 9
    assert sorted(p.name for p in (tmp_path / 'b').iterdir()) == [FRAMES, PROGRESS]


@pytest.mark.parametrize('cut', range(1, 60, 7))
def test_a_line_that_was_cut_off_is_done_again(tmp_path, cut):
    with Journal(tmp_path, CONFIGURATION) as journal:
        for stop in range(1, 4):
            journal.add(TaskResult(Task(0, 0, stop), [record(stop - 1)], ()))
    content = (tmp_path / FRAMES).read_bytes()
    (tmp_path / FRAMES).write_bytes(content[:-cut])
    with Journal(tmp_path, CONFIGURATION) as journal:
        assert journal.remaining([3]) == [Task(0, journal.frames, 3)] and journal.frames < 3
        journal.add(done(0, 3))
    assert (tmp_path / FRAMES).read_bytes() == content


def test_a_cut_progress_file_loses_no_frames(tmp_path):
    with Journal(tmp_path, CONFIGURATION) as journal:
        journal.add(done(0, 2))
        journal.add(done(2, 3))
    path = tmp_path / PROGRESS
    path.write_bytes(path.read_bytes()[:-5])
    with Journal(tmp_path, CONFIGURATION) as journal:
        assert journal.remaining([3]) == [Task(0, 2, 3)]
        assert journal.add(done(2, 3)) == []


def test_another_evaluation_is_not_touched(tmp_path):
    with Journal(tmp_path, CONFIGURATION) as journal:
        journal.add(done(0, 2))
    before = (tmp_path / FRAMES).read_bytes()
    with pytest.raises(ParameterError, match='another evaluation; choose another folder with --out, or discard them'):
        Journal(tmp_path, {'model': 'other'})
    assert (tmp_path / FRAMES).read_bytes() == before
    with Journal(tmp_path, {'model': 'other'}, restart=True) as journal:
        assert journal.frames == 0 and journal.remaining([2]) == [Task(0, 0, 2)]


@pytest.mark.parametrize('name, content', [
    (FRAMES, '{"stamp": 1}\n'), (FRAMES, '7\n'), (FRAMES, '[]\n'), (PROGRESS, '{"frames": 0}\n'), (PROGRESS, '[1]\n'),
    (PROGRESS, '{"frames": 0, "done": [1], "problems": []}\n')])
def test_damaged_files_are_one_sentence(tmp_path, name, content):
    (tmp_path / PROGRESS).write_text(json.dumps({'configuration': {'model': 'm', 'input': [96, 64]}}) + '\n')
    with open(tmp_path / name, 'a') as stream:
        stream.write(content)
    with pytest.raises(ParameterError, match='damaged results .*--restart'):
        Journal(tmp_path, CONFIGURATION)


def test_frames_of_nobody_are_not_taken(tmp_path):
    (tmp_path / FRAMES).write_text(json.dumps(record(1)) + '\n')
    with pytest.raises(ParameterError, match='another evaluation'):
        Journal(tmp_path, CONFIGURATION)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ParameterError, match="cannot write '.*file/folder'"):
        Journal(tmp_path / 'file' / 'folder', CONFIGURATION)


def test_frames_that_cannot_be_read(tmp_path, monkeypatch):
    with pytest.raises(ParameterError, match='cannot read .*frames.jsonl'):
        list(read_frames(tmp_path))
    monkeypatch.setattr(journal, 'JSON_BYTES', 100)
    for damage in (b'x', b'"\xff"', b'"' + 99 * b'a' + b'"'):
        (tmp_path / FRAMES).write_bytes(b'{}\n' + damage + b'\n')
        with pytest.raises(ParameterError, match='line 2 of .* is damaged'):
            list(read_frames(tmp_path))


def test_a_line_that_is_nested_without_end_is_damage(tmp_path):
    line = b'[' * 10000
    with Journal(tmp_path, {'a': 1}):
        pass
    with open(str(tmp_path / 'progress.jsonl'), 'ab') as stream:
        stream.write(line + b'\n')
    with Journal(tmp_path, {'a': 1}) as journal:
        assert journal.frames == 0 and journal.remaining([4]) == [(0, 0, 4)]
    assert line not in (tmp_path / 'progress.jsonl').read_bytes()
