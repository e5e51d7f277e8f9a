"""Matching of image topics with topics of ground truth in a bag."""
import os.path
import typing

import numpy as np

from espnet_ros.errors import ParameterError
from espnet_ros.images.decoding import ENCODINGS

TRUTH_NAME = 'ground_truth'
"""A topic with this part in its name holds ground truth; others only if the user selects them."""
INSTANCES = '/instances'
"""Suffix of the topic with the instance ids of the ground truth."""


class Stream(typing.NamedTuple):
    """Images with their ground truth, in stamp order.

    image_topic, truth_topic, instance_topic: names; '' where there is no ground truth or no instances of it. stamps:
    int64 [frames], ns. image_times, truth_times, instance_times: int64 [frames], ns, when the bag recorded them; -1
    where a frame has none.
    """

    image_topic: str
    truth_topic: str
    instance_topic: str
    stamps: np.ndarray
    image_times: np.ndarray
    truth_times: np.ndarray
    instance_times: np.ndarray

    @property
    def labeled(self):
        """Number of frames with ground truth."""
        return int((self.truth_times >= 0).sum())


def find_streams(topics, image_topic=None, truth_topic=None):
    """Return the Streams in a bag and sentences about unused images and ground truth.

    topics: dict of survey.Topic. image_topic, truth_topic: the user's choice; None to find topics named ground truth,
    and images with the same stamps, preferably in the same namespace. Without ground truth, one camera is chosen.
    Raises ParameterError if a chosen topic has no images.
    """
    for name in (image_topic, truth_topic):
        if name is not None and (name not in topics or not topics[name].is_image):
            raise ParameterError("the bag has no images on topic '{}'; those with images are {}".format(
                name, ', '.join(sorted(t.name for t in topics.values() if t.is_image)) or 'none'))
    instances = {name[:-len(INSTANCES)]: t for name, t in topics.items()
                 if t.is_image and name.endswith(INSTANCES) and name[:-len(INSTANCES)] in topics}
    images = [t for t in topics.values() if t.is_image and t not in instances.values()]
    truths = [t for t in images if t.name == truth_topic or (
        truth_topic is None and _is_named_truth(t) and t.name != image_topic)]
    cameras = [t for t in images if t.name == image_topic or (
        t not in truths and not _is_named_truth(t) and _is_picture(t))]
    if image_topic and truth_topic:
        cameras = [topics[image_topic]]
    pairs, notes = _pair(truths, cameras, image_topic)
    if image_topic:
        pairs = [pair for pair in pairs if pair[0].name == image_topic] or [(topics[image_topic], None)]
    elif cameras and not pairs:
        pairs = [(min(cameras, key=lambda t: ('image' not in t.name, t.is_compressed, -len(t.stamps), t.name)), None)]
    if not cameras:
        notes.append('the bag holds no images')
    elif not any(truth for _, truth in pairs):
        notes.append('no frame has ground truth; its topic must be called {} or be selected by name'.format(TRUTH_NAME))
    unused = sorted(t.name for t in cameras if t not in [camera for camera, _ in pairs])
    if unused and not image_topic:
        notes.append('unused image topics, which have no ground truth or show the same as another topic: {}; select '
                     'others by name'.format(', '.join(unused)))
    return [_stream(camera, truth, truth and instances.get(truth.name), notes) for camera, truth in pairs], notes


def _pair(truths, cameras, image_topic):
    """Return [(camera, truth)], each used once, and sentences about ground truth without camera.

    Most stamps in common come first, then the closest names (cameras may be synchronized), then the user's choice.
    """
    ranked = sorted(
        ((int(np.isin(camera.sorted_stamps()[0], truth.sorted_stamps()[0]).sum()),
          len(os.path.commonprefix([camera.name, truth.name])), camera.name == image_topic, not camera.is_compressed,
          not truth.is_compressed, camera.name, truth.name) for camera in cameras for truth in truths), reverse=True)
    by_name = {t.name: t for t in [*truths, *cameras]}
    pairs: dict[str, str] = {}
    for common, *_, camera, truth in ranked:
        if common and camera not in pairs and truth not in pairs.values():
            pairs[camera] = truth
    notes = []
    for truth in (t for t in truths if t.name not in pairs.values()):
        common, closest = next(((common, by_name[camera]) for common, *_, camera, name in ranked if name == truth.name),
                               (0, truth))
        if not common and closest is not truth and truth.stamps and closest.stamps:
            notes.append('no ground truth on {} has the stamp of an image on {}; the closest two are {:.6f} s apart, '
                         'but stamps must be equal'.format(truth.name, closest.name, _distance(truth, closest) / 1e9))
        else:
            notes.append('the ground truth on {} is not used: there are no images left to match it with'.format(
                truth.name))
    return [(by_name[camera], by_name[truth]) for camera, truth in sorted(pairs.items())], notes


def _is_named_truth(topic):
    return TRUTH_NAME in topic.name.split('/')


def _distance(one, other):
    """Smallest difference of stamps in ns."""
    a, b = one.sorted_stamps()[0], other.sorted_stamps()[0]
    after = np.searchsorted(a, b).clip(0, len(a) - 1)
    return int(min(np.abs(a[after] - b).min(), np.abs(a[(after - 1).clip(0)] - b).min()))


def _stream(camera, truth, instances, notes):
    stamps, times = camera.sorted_stamps()
    truth_times = _times(truth, stamps, 'labeled stamps on {} have no image on ' + camera.name, notes)
    instance_times = _times(instances, stamps[truth_times >= 0],
                            'stamps on {} have no ground truth on ' + (truth.name if truth else ''), notes)
    all_instance_times = np.full(len(stamps), -1, np.int64)
    all_instance_times[truth_times >= 0] = instance_times
    for topic in filter(None, (camera, truth, instances)):
        values = np.array(topic.stamps, np.int64)
        jumps, repeated = int((np.diff(values) < 0).sum()), len(values) - len(np.unique(values))
        if jumps:
            notes.append('{} stamps on {} are out of order; the frames were sorted'.format(
                jumps, topic.name))
        if repeated:
            notes.append('{} messages on {} repeat a stamp; the first of each stamp is used'.format(
                repeated, topic.name))
        if topic.unstamped:
            notes.append('{} messages on {} have no stamp; their time of recording is used'.format(
                topic.unstamped, topic.name))
    return Stream(camera.name, truth.name if truth else '', instances.name if instances else '', stamps, times,
                  truth_times, all_instance_times)


def _times(topic, stamps, alone, notes):
    """Return the time of recording of a topic's message of each stamp, -1 where there is none; note unmatched ones."""
    times = np.full(len(stamps), -1, np.int64)
    if topic is not None:
        own, recorded = topic.sorted_stamps()
        _, here, there = np.intersect1d(stamps, own, assume_unique=True, return_indices=True)
        times[here] = recorded[there]
        if len(own) > len(there):
            notes.append('{} {}'.format(len(own) - len(there), alone.format(topic.name)))
    return times


def _is_picture(topic):
    """Whether a topic shows pictures rather than depth or numbers, by the encoding of its first image."""
    coding = topic.coding.split(';')[0].strip()
    return 'compressedDepth' not in topic.coding and (coding in ENCODINGS or coding[-3:-1] not in ('UC', 'SC', 'FC'))
