"""Results of an unfinished evaluation on disk, from which it can be resumed."""
import contextlib
import json
import os
import pathlib

from espnet_ros.errors import ParameterError, one_line
from espnet_ros.evaluation.tasks import Task
from espnet_ros.limits import JSON_BYTES

FRAMES, PROGRESS = 'frames.jsonl', 'progress.jsonl'
_REMEDY = 'choose another folder with --out, or discard them with --restart'


class Journal:
    """The folder of an evaluation: a context manager that stores results and knows which frames remain.

    frames.jsonl holds a record (see `Evaluator.run`) in each line. progress.jsonl begins with the configuration, plain
    data that determines the results, followed by a line for each range of processed frames with their problems, and
    one for each session. A folder with another configuration is refused, unless `restart` discards its content.
    Raises ParameterError.
    """

    def __init__(self, folder, configuration, restart=False):
        self.folder = pathlib.Path(folder)
        self.sessions: list[dict] = []
        self._problems: dict[tuple[int, int], list[str]] = {}
        self._done: list[Task] = []
        self._seen: set[tuple[int, int, str]] = set()
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            if restart:
                for name in (FRAMES, PROGRESS):
                    (self.folder / name).unlink(missing_ok=True)
            self._load(json.loads(json.dumps(configuration)))
            self._frames = open(self.folder / FRAMES, 'a', encoding='utf-8')
            self._progress = open(self.folder / PROGRESS, 'a', encoding='utf-8')
            if not self._progress.tell():
                self._write(self._progress, {'configuration': configuration})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._frames.close()
        self._progress.close()

    @property
    def frames(self):
        """Number of records."""
        return len(self._seen)

    @property
    def problems(self):
        """Sentences about problems with frames, in the order of the frames."""
        return [text for _, texts in sorted(self._problems.items()) for text in texts]

    def add(self, done):
        """Store a TaskResult and return its new records, without those of frames that are stored already."""
        new = [record for record in done.records if _key(record) not in self._seen]
        with self._writing():
            for record in new:
                self._write(self._frames, record)
                self._seen.add(_key(record))
            self._write(self._progress, {'done': done.task, 'problems': done.problems, 'frames': len(self._seen)})
        self._take(done.task, list(done.problems))
        return new

    def add_session(self, session):
        """Store plain data about a session, such as engine and seconds."""
        self.sessions.append(session)
        with self._writing():
            self._write(self._progress, {'session': session})

    def remaining(self, lengths):
        """Return a Task for each range of frames that remains; lengths: number of frames of each source."""
        tasks = []
        for source, length in enumerate(lengths):
            at = 0
            for done in sorted(task for task in self._done if task.source == source) + [Task(source, length, length)]:
                if done.start > at:
                    tasks.append(Task(source, at, done.start))
                at = max(at, done.stop)
        return tasks

    def sort(self):
        """Sort the records by source and stamp; workers may have finished them in another order."""
        lines, offset = [], 0
        with self._writing():
            with open(self.folder / FRAMES, 'rb') as stream:
                for line in stream:
                    lines.append((_key(json.loads(line)), offset))
                    offset += len(line)
                if lines == sorted(lines):
                    return
                temporary = self.folder / '{}.{}'.format(FRAMES, os.getpid())
                with open(temporary, 'wb') as target:
                    for _, offset in sorted(lines):
                        stream.seek(offset)
                        target.write(stream.readline())
            os.replace(temporary, self.folder / FRAMES)
            self._frames.close()
            self._frames = open(self.folder / FRAMES, 'a', encoding='utf-8')

    def _load(self, configuration):
        try:
            entries = list(_lines(self.folder / PROGRESS))
            records = {_key(record) for record in _lines(self.folder / FRAMES)}
            if entries[:1] != [{'configuration': configuration}] and (entries or records):
                raise ParameterError("'{}' holds the results of another evaluation; {}".format(self.folder, _REMEDY))
            for entry in entries[1:]:
                if 'session' in entry:
                    self.sessions.append(entry['session'])
                elif entry['frames'] <= len(records):  # else a crash took the records
                    self._take(Task(*entry['done']), entry['problems'])
            self._seen = records
        except (KeyError, TypeError, ValueError) as error:
            raise ParameterError("'{}' holds damaged results ({!r}); {}".format(self.folder, error, _REMEDY))

    def _take(self, task, problems):
        if self._done and self._done[-1][:2] == task[:2]:  # the same range of frames, extended
            self._done.pop()
        self._done.append(task)
        self._problems[task[:2]] = problems

    def _write(self, stream, entry):
        stream.write(json.dumps(entry, separators=(',', ':')) + '\n')
        stream.flush()

    @contextlib.contextmanager
    def _writing(self):
        try:
            yield
        except OSError as error:
            raise ParameterError("cannot write '{}': {}; free it or choose another folder with --out".format(
                self.folder, error.strerror or error))


@contextlib.contextmanager
def reading(path):
    """Turn what results raise that are not as `evaluate` writes them, such as edited ones, into a ParameterError."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        problem = 'it lacks {}'.format(error) if isinstance(error, KeyError) else error
        raise ParameterError("'{}' is damaged, edited or from before version 0.2.0: {}; repeat its `espnet-ros "
                             'evaluate` with --restart'.format(path, one_line(problem)))


def read_frames(folder):
    """Yield the records in an evaluation's folder. Raises ParameterError."""
    path = pathlib.Path(folder) / FRAMES
    try:
        with open(path, 'rb') as stream:
            for number, line in enumerate(_bounded(stream), 1):
                try:
                    yield json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise ParameterError("line {} of '{}' is damaged: {}".format(number, path, error))
    except OSError as error:
        raise ParameterError("cannot read '{}': {}".format(path, error.strerror or error))


def _key(record):
    return record['bag'], record['stamp'], record['topic']


def _bounded(stream):
    """The lines of a binary file; a line that is too long comes in parts, which are no JSON."""
    return iter(lambda: stream.readline(JSON_BYTES), b'')


def _lines(path):
    """Yield the entries of a file of JSON lines; it is truncated at the first line that is damaged."""
    with contextlib.suppress(FileNotFoundError), open(path, 'r+b') as stream:
        intact = 0
        for line in _bounded(stream):
            try:
                if not line.endswith(b'\n'):
                    break
                entry = json.loads(line)
            except (ValueError, RecursionError):
                break
            intact += len(line)
            yield entry
        stream.truncate(intact)


