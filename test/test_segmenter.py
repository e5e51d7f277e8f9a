"""Images of any size in, labels out, each pixel where it belongs."""
import cv2
import numpy as np
import pytest
import torch
from small_models import CARD, CONFIG, network

from espnet_ros.engine import Engine, EngineInfo, build_engine
from espnet_ros.errors import EngineError, ImageError, ParameterError
from espnet_ros.images.resize import resize_image
from espnet_ros.models.onnx_file import OnnxConfig
from espnet_ros.segmenter import Segmenter, input_size


class Echo(Engine):
    """Answers with the image's blue channel as labels and its green one as confidence; keeps what it saw."""

    def __init__(self, width=96, height=64):
        super().__init__(CARD, width, height)

    def run(self, image, confidence=False):
        self.seen, self.asked = image, confidence
        labels, probability = (np.rint(image[:, :, c]).astype(np.uint8) for c in (0, 1))
        return labels, probability if confidence else None

    def describe(self):
        """Nothing asks for it."""


def noise(height, width, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize('width, height', [
    (1, 1), (1, 500), (500, 1), (97, 63), (96, 64), (64, 96), (480, 360), (360, 480), (1920, 1080), (4001, 3001),
    (20000, 2)])
def test_labels_have_the_cameras_size_or_the_networks(width, height):
    image = np.full((height, width, 3), 7, np.uint8)
    result = Segmenter(Echo(), 'camera').segment(image, confidence=True)
    assert result.labels.shape == result.confidence.shape == (height, width)
    assert result.labels.dtype == result.confidence.dtype == np.uint8
    assert (result.labels == 7).all() and (result.confidence == 7).all()
    result = Segmenter(Echo(), 'network').segment(image)
    assert result.labels.shape == (64, 96) and result.confidence is None
    assert all(0 <= seconds < 10 for seconds in result.timings)


def test_the_engine_sees_the_image_resized_in_float():
    engine, image = Echo(), noise(63, 97)
    Segmenter(engine).segment(image)
    assert engine.seen.dtype == np.float32 and np.array_equal(engine.seen, resize_image(image, 96, 64))


def test_an_image_of_the_networks_size_goes_in_as_it_is():
    engine, image = Echo(), noise(64, 96)
    assert np.array_equal(Segmenter(engine).segment(image).labels, image[:, :, 0])
    assert engine.seen is image


def test_confidence_below_the_threshold_is_unlabeled():
    image = np.zeros((64, 96, 3), np.uint8)
    image[:, :, 0] = 3
    image[0, :5, 1] = [0, 127, 128, 254, 255]
    engine = Echo()
    segmenter = Segmenter(engine)
    result = segmenter.segment(image, threshold=0.5)
    assert engine.asked and result.confidence is None  # needed, but not asked for
    assert result.labels[0, :5].tolist() == [255, 255, 3, 3, 3] and (result.labels[1:] == 255).all()
    assert segmenter.segment(image, threshold=1.0).labels[0, :5].tolist() == [255, 255, 255, 255, 3]
    assert (segmenter.segment(image).labels == 3).all() and not engine.asked
    result = segmenter.segment(image, confidence=True, threshold=0.5)
    assert result.confidence[0, :5].tolist() == [0, 127, 128, 254, 255]


@pytest.mark.parametrize('image, words', [
    (None, 'not a NoneType; cv2.imread returns None'), ([[1, 2, 3]], 'not a list'), ('image.png', 'not a str'),
    (np.zeros((4, 4), np.uint8), r'not uint8 \[4, 4\]'), (np.zeros((4, 4, 4), np.uint8), r'\[4, 4, 4\]'),
    (np.zeros((4, 4, 1), np.uint8), r'\[4, 4, 1\]'), (np.zeros((1, 4, 4, 3), np.uint8), r'\[1, 4, 4, 3\]'),
    (np.zeros((4, 4, 3), np.float32), 'not float32'), (np.zeros((4, 4, 3), np.int8), 'not int8'),
    (np.zeros((4, 4, 3), np.uint16), 'not uint16'), (np.zeros((4, 4, 3), bool), 'not bool'),
    (np.zeros((0, 4, 3), np.uint8), r'\[0, 4, 3\]'), (np.zeros((4, 0, 3), np.uint8), r'\[4, 0, 3\]'),
    (np.array(3, np.uint8), r'uint8 \[\]')])
def test_wrong_images_are_refused(image, words):
    with pytest.raises(ImageError, match=r'an image must be uint8 \[H, W, 3\], ' + '.*' + words):
        Segmenter(Echo()).segment(image)


@pytest.mark.parametrize('turn', [
    lambda i: i[::-1], lambda i: i[:, ::-1], lambda i: i[:, :, ::-1], lambda i: np.asfortranarray(i),
    lambda i: i[::2, ::3], lambda i: np.frombuffer(i.tobytes(), np.uint8).reshape(i.shape)])
@pytest.mark.parametrize('size', [(64, 96), (80, 120)])
def test_the_memory_layout_of_the_image_does_not_matter(turn, size):
    segmenter = Segmenter(build_engine(CARD, network(), 96, 64, device='cpu'))
    image = turn(noise(*size))
    assert np.array_equal(segmenter.segment(image).labels, segmenter.segment(image.copy(order='C')).labels)


@pytest.mark.parametrize('output_size, size, shape', [
    ('camera', (80, 50), (50, 80)), ('network', (80, 50), (50, 80)), ('camera', (80, 0), (130, 80)),
    ('network', (0, 50), (50, 96)), ('camera', (0, 0), (130, 150))])
def test_outputs_of_any_size(output_size, size, shape):
    segmenter = Segmenter(Echo(), output_size, width=size[0], height=size[1])
    image = np.random.default_rng(0).integers(0, 256, (130, 150, 3), np.uint8)
    result = segmenter.segment(image, confidence=True)
    assert result.labels.shape == result.confidence.shape == shape
    assert segmenter.at_output_size(image).shape == shape + (3,)
    assert segmenter.size_for(150, 130) == shape[::-1]


@pytest.mark.parametrize('output_size', ['camera', 'network'])
@pytest.mark.parametrize('size', [(64, 96), (50, 70)])
def test_results_belong_to_the_caller(output_size, size):
    segmenter = Segmenter(build_engine(CARD, network(), 96, 64, device='cpu'), output_size)
    image = noise(*size)
    before = image.copy()
    first = segmenter.segment(image, True)
    kept = first.labels.copy(), first.confidence.copy()
    first.labels[:], first.confidence[:] = 77, 77
    second = segmenter.segment(image, True)
    assert np.array_equal(second.labels, kept[0]) and np.array_equal(second.confidence, kept[1])
    assert (first.labels == 77).all() and np.array_equal(image, before)


def test_labels_of_a_real_network_are_ids_of_its_label_set():
    segmenter = Segmenter(build_engine(CARD, network(), 96, 64, device='cpu'))
    found = set(np.unique(segmenter.segment(noise(90, 120)).labels).tolist())
    assert found <= set(CARD.outputs) and len(found) > 1


def test_the_image_at_the_size_of_its_labels():
    image = noise(50, 70)
    assert Segmenter(Echo(), 'camera').at_output_size(image) is image
    resized = Segmenter(Echo(), 'network').at_output_size(image)
    assert resized.dtype == np.uint8
    assert np.array_equal(resized, cv2.resize(image, (96, 64), interpolation=cv2.INTER_LINEAR))
    same = noise(64, 96)
    assert Segmenter(Echo(), 'network').at_output_size(same) is same


@pytest.mark.parametrize('wrong', ['Camera', '', None, 'input'])
def test_unknown_output_sizes_are_refused(wrong):
    with pytest.raises(ParameterError, match='output_size is {!r}; it must be one of camera, network'.format(wrong)):
        Segmenter(Echo(), wrong)


def test_input_size_is_the_cards_or_the_one_asked_for():
    assert input_size(CARD) == (96, 64)
    assert input_size(CARD, 128) == (128, 64)
    assert input_size(CARD, 0, 4096) == (96, 4096)


@pytest.mark.parametrize('width, height, name, near', [
    (100, 0, 'input_width is 100', '96 or 104'), (0, 60, 'input_height is 60', '64'),
    (56, 64, 'input_width is 56', '64'), (0, 4104, 'input_height is 4104', '4096'),
    (0, 4090, 'input_height is 4090', '4088 or 4096'), (-96, 0, 'input_width is -96', '64')])
def test_wrong_input_sizes_are_refused(width, height, name, near):
    with pytest.raises(ParameterError, match=name + '; it must be a multiple of 8 from 64 to 4096, such as {}, or 0'
                       .format(near)):
        input_size(CARD, width, height)


def test_an_onnx_file_may_have_any_sides():
    card = CARD._replace(architecture=OnnxConfig(3), input_width=513, input_height=513)
    assert input_size(card) == (513, 513) and input_size(card, 500, 301) == (500, 301)
    with pytest.raises(ParameterError, match='input_width is 33; it must be from 64 to 4096, or 0 for the size in the'):
        input_size(card, 33)


def test_the_steps_of_segmenting_can_run_one_by_one():
    segmenter, image = Segmenter(Echo()), noise(63, 97)
    for confidence, threshold in ((False, 0.0), (True, 0.0), (False, 0.3), (True, 0.3)):
        whole = segmenter.segment(image, confidence, threshold)
        prepared = segmenter.prepare(image)
        assert np.array_equal(prepared.pixels, segmenter.engine.seen) and prepared[1:3] == (97, 63)
        inferred = segmenter.infer(prepared, confidence or threshold > 0)
        assert inferred.labels.shape == (64, 96) and inferred.preprocess == prepared.seconds
        parts = segmenter.finish(inferred, confidence, threshold)
        assert np.array_equal(parts.labels, whole.labels) and np.array_equal(parts.confidence, whole.confidence)
        assert (parts.confidence is None) is not confidence
        assert parts.timings[:2] == (inferred.preprocess, inferred.inference)
    with pytest.raises(ImageError, match='an image must be uint8'):
        segmenter.prepare(image.astype(np.float32))


@pytest.mark.parametrize('variant, scale', [('espnet', 1), ('espnet-c', 8)])
@pytest.mark.parametrize('output_size, size', [('camera', (150, 130)), ('network', (64, 96))])
def test_logits_are_resized_before_the_best_class_is_taken(variant, scale, output_size, size):
    card = CARD._replace(architecture=CONFIG._replace(variant=variant))
    engine = build_engine(card, network(card.architecture), 96, 64, 'torch', 'cpu', 'fp32')
    image = noise(150, 130)
    logits = engine.logits(resize_image(image, 96, 64))
    assert logits.shape == (4, 64 // scale, 96 // scale) and logits.dtype == np.float32
    whole = torch.nn.functional.interpolate(torch.from_numpy(logits)[None], size=size, mode='bilinear',
                                            align_corners=False)
    result = Segmenter(engine, output_size, 'bilinear').segment(image, confidence=True)
    wanted = np.array(card.outputs, np.uint8)[whole.argmax(1)[0].numpy()]
    assert result.labels.shape == size and (result.labels == wanted).mean() > 0.999
    assert np.abs(result.confidence / 255.0 - whole.softmax(1).max(1)[0][0].numpy()).max() < 0.01
    nearest = Segmenter(engine, output_size).segment(image).labels
    if output_size == 'camera':
        assert (nearest != result.labels).mean() > 0.001
    assert Segmenter(engine, output_size, 'bilinear').segment(image).confidence is None


def test_logits_need_an_engine_that_gives_them():
    class Labels(Echo):
        def describe(self):
            return EngineInfo('openvino', 'CPU', 'fp32', 0.0)
    with pytest.raises(EngineError, match='openvino gives labels only; take --backend torch'):
        Segmenter(Labels(), upsampling='bilinear').segment(noise(64, 96))
    with pytest.raises(ParameterError, match="upsampling is 'cubic'; it must be one of nearest, bilinear"):
        Segmenter(Echo(), upsampling='cubic')
