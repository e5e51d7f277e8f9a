"""Comparing an engine with PyTorch: what may differ, and what is refused."""
import numpy as np
import pytest

from espnet_ros.engine.verification import AGREEMENT, CONFIDENCE_DIFFERENCE, SURE, compare, example_images
from espnet_ros.errors import EngineError

IMAGES = example_images(80, 64)
LABELS = np.zeros((100, 100), np.uint8)
CONFIDENCE = np.full((100, 100), 200, np.uint8)


def altered(pixels, shift=0):
    labels = LABELS.copy()
    labels.ravel()[:pixels] = 1
    return labels, (CONFIDENCE.astype(int) + shift).astype(np.uint8)


REFERENCE = LABELS, CONFIDENCE


def test_example_images():
    first, second = IMAGES
    assert first.shape == second.shape == (64, 80, 3) and first.dtype == np.uint8
    assert (first != second).any(2).mean() > 0.5  # a constant cannot be right for both
    assert all(np.array_equal(a, b) for a, b in zip(IMAGES, example_images(80, 64)))


@pytest.mark.parametrize('precision, allowed', [('fp32', 100), ('fp16', 100), ('bf16', 100), ('int8', 500)])
def test_labels(precision, allowed):
    compare(altered(0), REFERENCE, precision)
    compare(altered(allowed), REFERENCE, precision)
    with pytest.raises(EngineError, match=r'it labels {:.1f}% of the pixels of a street otherwise than the reference, '
                                          'more than the {}% that {} may'.format(10.0, allowed // 100, precision)):
        compare(altered(1000), REFERENCE, precision)
    with pytest.raises(EngineError):
        compare(altered(allowed + 10), REFERENCE, precision)


def test_only_labels_of_which_pytorch_is_sure_count():
    probability = CONFIDENCE.copy()
    probability[:40] = SURE - 1
    unsure, _ = altered(4000)
    compare((unsure, probability), (LABELS, probability), 'fp16')
    probability[:40] = SURE
    with pytest.raises(EngineError, match='it labels 40.0% of the pixels'):
        compare((unsure, probability), (LABELS, probability), 'fp16')
    probability[:60] = SURE - 1  # of most pixels nobody is sure: then all count
    with pytest.raises(EngineError, match='it labels 40.0% of the pixels'):
        compare((unsure, probability), (LABELS, probability), 'fp16')


def test_confidence():
    for shift in (CONFIDENCE_DIFFERENCE, -CONFIDENCE_DIFFERENCE):
        compare(altered(0, shift), REFERENCE, 'fp16')
    for shift in (CONFIDENCE_DIFFERENCE + 1, -100):
        with pytest.raises(EngineError, match="differs from the reference's by {} of 255".format(abs(shift))):
            compare(altered(0, shift), REFERENCE, 'fp16')


def test_every_precision_has_a_limit():
    assert set(AGREEMENT) == {'fp32', 'fp16', 'bf16', 'int8'} and min(AGREEMENT.values()) == AGREEMENT['int8'] == 0.95
