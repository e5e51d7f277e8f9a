"""Contents of a bag as plain values."""
import typing

from espnet_ros.bags.survey import Gap
from espnet_ros.labels import LabelSet


class TopicSummary(typing.NamedTuple):
    """A topic: number of messages, rate in Hz, and the longest gaps (survey.Gap), longest first.

    coding: encoding or format of its first image, '' where it has none.
    """

    name: str
    type: str
    messages: int
    rate: float
    gaps: tuple[Gap, ...]
    coding: str = ''


class StreamSummary(typing.NamedTuple):
    """Number of frames, of those with ground truth and of those with instances; truth_topic is '' if there is none."""

    image_topic: str
    truth_topic: str
    frames: int
    labeled: int
    instances: int


class Summary(typing.NamedTuple):
    """Contents of a bag. start, end: time of the first and last recorded message in ns, 0 if it is empty."""

    paths: tuple[str, ...]
    size: int
    start: int
    end: int
    topics: tuple[TopicSummary, ...]
    streams: tuple[StreamSummary, ...]
    label_set: LabelSet | None
    problems: tuple[str, ...]
