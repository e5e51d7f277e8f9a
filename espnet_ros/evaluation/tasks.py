"""Shares of the work of an evaluation."""
import typing


class Task(typing.NamedTuple):
    """Frames start to stop - 1 of a source, which is given by its index in Setup.sources."""

    source: int
    start: int
    stop: int


class TaskResult(typing.NamedTuple):
    """Processed frames: records of those that could be decoded (see `Evaluator.run`), and the problems of all."""

    task: Task
    records: list[dict]
    problems: tuple[str, ...]
