"""Evaluations from setup to results."""
import contextlib
import heapq
import importlib.metadata
import os
import platform
import time
import typing

from espnet_ros import __version__, models
from espnet_ros.bags.reader import Bag
from espnet_ros.evaluation.journal import FRAMES, Journal, read_frames, reading
from espnet_ros.evaluation.offline import FrameReference
from espnet_ros.evaluation.pictures import FramePictures
from espnet_ros.evaluation.results import write_results
from espnet_ros.evaluation.scans import ranging_topics
from espnet_ros.evaluation.statistics import Statistics, frame_score
from espnet_ros.telemetry.host import cpu_kind, cpu_name

WORST = 6
"""Frames whose pictures a report shows."""
SCENE_SECONDS = 1.0
_PACKAGES = ('numpy', 'torch', 'opencv-python-headless', 'opencv-python', 'rosbags')


class Progress(typing.NamedTuple):
    """Progress of an evaluation: number of frames so far and in total, and the Statistics so far."""

    frames: int
    total: int
    statistics: Statistics


class WorstFrame(typing.NamedTuple):
    """A frame for the report: its record (see `Evaluator.run`), number in the evaluation (from 1), score, pictures."""

    record: dict
    number: int
    score: float
    pictures: FramePictures


class Evaluation(typing.NamedTuple):
    """A finished evaluation.

    statistics: Statistics of all records. metrics: what metrics.json holds. worst: WorstFrames, worst first. scans: the
    picture (BGR, or None) of each of metrics['scans'].
    """

    statistics: Statistics
    metrics: dict
    worst: list[WorstFrame]
    scans: list


def evaluate(setup, folder, open_workers, restart=False, on_progress=lambda progress: None,
             working=contextlib.nullcontext):
    """Evaluate a model on the frames of a Setup, write the results, and return the Evaluation.

    folder: for the results; an interrupted evaluation in it is resumed, or discarded with `restart`. open_workers:
    takes the Setup and returns workers such as workers.InProcess. on_progress: takes the Progress after each step.
    working: takes what is being done without progress, and returns a context manager for that time. Raises EspnetError;
    the results until then are kept.
    """
    lengths = [len(source) for source in setup.sources]
    configuration = configuration_of(setup)
    with Journal(folder, configuration, restart) as journal:
        workers = open_workers(setup)
        try:
            _run(setup, journal, workers, lengths, on_progress)
            journal.sort()
            statistics = new_statistics(setup)
            worst = _add_all(statistics, folder)
            pictures = workers.draw([_reference(setup, *frame[1:]) for frame in worst])
            scans = _scans(setup, workers, working)
        finally:
            workers.close()
        problems = [text for source in setup.sources for text in source.problems] + journal.problems
        statistics.conclude(journal.sessions, problems, [plain for plain, _ in scans])
        metrics = dict(statistics.metrics(), configuration=configuration, sessions=journal.sessions, problems=problems,
                       scans=statistics.scans)
    write_results(journal.folder, metrics, statistics)
    return Evaluation(statistics, metrics, [
        WorstFrame(record, number, score, drawn)
        for (score, record, number, _), drawn in zip(worst, pictures) if drawn], [picture for _, picture in scans])


def new_statistics(setup):
    """Return the Statistics of a Setup before the first frame."""
    labeled = sum(len(source.labeled) for source in setup.sources)
    return Statistics(setup.comparisons[0].label_set, setup.comparisons[0].by_class, labeled, setup.protocol)


def configuration_of(setup):
    """Return everything that determines the results of a Setup, as plain data."""
    card = models.find(setup.model).card
    upsampling = {} if setup.upsampling == 'nearest' else {'upsampling': setup.upsampling}
    return {'model': {'name': card.name, 'sha256': card.sha256}, 'input': [setup.width, setup.height],
            'backend': setup.backend, 'device': setup.device, 'precision': setup.precision, 'protocol': setup.protocol,
            'outlines': setup.outlines, 'way': setup.mode, 'by_class': setup.comparisons[0].by_class,
            'bags': [source.describe() for source in setup.sources], **upsampling}


def _run(setup, journal, workers, lengths, on_progress):
    """Evaluate the remaining frames."""
    statistics = new_statistics(setup)
    with reading(journal.folder / FRAMES):
        for record in read_frames(journal.folder):
            statistics.add(record)
    on_progress(Progress(statistics.frames, sum(lengths), statistics))
    began, frames, inference = time.perf_counter(), 0, 0.0
    try:
        with contextlib.closing(workers.run(journal.remaining(lengths))) as parts:
            for done in parts:
                for record in journal.add(done):
                    statistics.add(record)
                    frames += 1
                    inference += record.get('stages', {}).get('inference', 0.0)
                on_progress(Progress(statistics.frames, sum(lengths), statistics))
    finally:
        if frames:
            seconds = time.perf_counter() - began
            journal.add_session({
                'frames': frames, 'seconds': seconds, 'engine_share': inference / seconds / workers.count,
                'where': workers.where, 'images': dict(workers.images),
                'engines': [engine._asdict() for engine in sorted(workers.engines)], 'versions': _versions(),
                'date': time.strftime('%Y-%m-%d'), 'cpu': '{} ({}, {} cores)'.format(
                    cpu_name(), cpu_kind(), os.cpu_count())})


def _scans(setup, workers, working):
    """Return (plain data, BGR picture or None) of the scans of each bag that tells ranges."""
    sources = [] if setup.scans is None else [
        number for number, source in enumerate(setup.sources)
        if isinstance(source, Bag) and ranging_topics(source, setup.scans.topics)]
    results = []
    if sources:
        with working('scoring scans'):
            results = workers.scans(sources)
    return [({'bag': list(setup.sources[number].paths), 'reason': found}, None) if isinstance(found, str) else
            ({'bag': list(setup.sources[number].paths), **found.describe()}, found.picture)
            for number, found in zip(sources, results)]


def _add_all(statistics, folder):
    """Add all records; return (score, record, number in evaluation and in source) of the worst, worst first.

    Frames of one scene look alike: where there are enough others, one of SCENE_SECONDS is shown.
    """
    in_source: dict[int, int] = {}

    def scored():
        for number, record in enumerate(read_frames(folder), 1):
            statistics.add(record)
            index = in_source.setdefault(record['bag'], 0)
            in_source[record['bag']] += 1
            score = frame_score(record)
            if score is not None:
                yield score, record, number, index

    candidates = heapq.nsmallest(20 * WORST, scored(), key=lambda found: (found[0], found[2]))
    scenes: list = []
    for found in candidates:
        if not any(_is_same_scene(found[1], other[1]) for other in scenes):
            scenes.append(found)
    worst = scenes[:WORST]
    return sorted(worst + [found for found in candidates if found not in worst][:WORST - len(worst)],
                  key=lambda found: (found[0], found[2]))


def _is_same_scene(record, other):
    return (record['bag'], record['topic']) == (other['bag'], other['topic']) and abs(
        record['stamp'] - other['stamp']) < SCENE_SECONDS * 1e9


def _reference(setup, record, _, index):
    # Undecodable frames have no record, and frames with the same stamp may be in another order.
    earlier = max(0, index - setup.sources[record['bag']].cameras)
    return FrameReference(record['bag'], earlier, record['topic'], record['stamp'])


def _versions():
    found = {'espnet_ros': __version__, 'Python': platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    # platform.platform() would start a process to ask for the processor.
    parts = platform.system(), platform.release(), platform.machine(), *platform.libc_ver()
    return dict(found, system='-'.join(parts))
