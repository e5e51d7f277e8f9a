"""The published pipeline gives the published labels."""
import cv2
import numpy as np
import pytest

from espnet_ros import models
from espnet_ros.performance.benchmark.baseline import Baseline


@pytest.mark.parametrize('weights, golden', [
    ('espnet/espnet_p_2_q_3.pth', 'espnet_q3'), ('espnet_c/espnet_p_2_q_3.pth', 'espnet_c_q3')])
def test_it_labels_as_the_authors_code_does(shared, weights, golden):
    model = models.find(shared / 'weights' / weights)
    image = cv2.imread(str(shared / 'data/cityscapes_samples/frankfurt_000000_000294_leftImg8bit.png'))
    expected = cv2.imread(str(shared / 'golden' / (golden + '_frankfurt_000000_000294_labels.png')), -1)
    labels = Baseline(model.card, models.load(model), 1024, 512).segment(image).labels
    assert labels.dtype == np.uint8
    assert (labels == np.where(expected == 19, 255, expected)).mean() >= 0.999
