"""Images lost on their way, counted by the numbers that their publisher gives them."""
import types

import pytest

from espnet_ros.nodes.common.endpoints import similar_topics
from espnet_ros.nodes.segmentation.image_input import ImageInput


@pytest.fixture
def counter(monkeypatch):
    monkeypatch.setattr(ImageInput, '_on_image', lambda self, message: None)
    found = ImageInput.__new__(ImageInput)
    found._sequence, found._gap, found._lost = None, 0, 0
    return found


@pytest.mark.parametrize('numbers, lost', [
    ([5, 6, 7], 0),  # whoever comes late has lost nothing
    ([1, 2, 5, 6, 9], 4),
    ([1, 4, 1, 2, 5], 2),  # started again: what lies between is unknown
    ([10, 900, 11, 901, 12, 902, 13], 0),  # two cameras
    ([10, 900, 901, 902], 889)])
def test_lost_images(counter, numbers, lost):
    for number in numbers:
        counter._on_numbered_image(None, {'publication_sequence_number': number})
    assert counter._lost == lost


def test_images_sent_while_it_subscribes_again_are_not_lost(counter, monkeypatch):
    monkeypatch.setattr(ImageInput, '_suited', lambda self: 'reliable')
    monkeypatch.setattr(ImageInput, '_subscribe', lambda self: 'new')
    counter._node = types.SimpleNamespace(destroy_subscription=lambda subscription: None)
    counter._subscriptions, counter._reliability = ['old'], 'best effort'
    for number in (5, 6):
        counter._on_numbered_image(None, {'publication_sequence_number': number})
    counter.adapt()
    assert counter._subscriptions == ['new']
    for number in (9, 11):
        counter._on_numbered_image(None, {'publication_sequence_number': number})
    assert counter._lost == 1


def test_a_middleware_without_numbers(counter):
    counter._on_numbered_image(None, {})
    assert counter._lost == 0 and counter._sequence is None


def test_topics_with_similar_names():
    kind = 'sensor_msgs/msg/Image'
    topics = {'/cam/image_raw': kind, '/cam/image_row': kind, '/cam/image_rew': 'std_msgs/msg/String',
              '/espnet/image_raw': kind, '/other': kind, '/cam/image_rwa': kind}
    node = types.SimpleNamespace(
        get_fully_qualified_name=lambda: '/espnet', count_publishers=lambda name: int(name != '/cam/image_row'),
        get_topic_names_and_types=lambda: [(name, [kind]) for name, kind in topics.items()])
    assert similar_topics(node, '/cam/image_rwa', kind) == ['/cam/image_raw']
