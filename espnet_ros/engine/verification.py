"""Comparing an engine with PyTorch before it is used."""
import os

import cv2
import numpy as np
import torch

from espnet_ros.errors import EngineError
from espnet_ros.images.resize import resize_for_viewing

AGREEMENT = {'fp32': 0.99, 'fp16': 0.99, 'bf16': 0.99, 'int8': 0.95}
"""Least share with PyTorch's label, for each precision, of the pixels whose confidence is at least SURE."""

SURE = 153
"""Confidence, of 255, above which labels are compared: below it, bf16 alone changes up to 3% of all labels."""

CONFIDENCE_DIFFERENCE = 12
"""Largest mean difference from PyTorch's confidence, of 255."""

PICTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'pictures')
"""Two packaged street scenes, so different that no constant output fits both."""


def example_images(width, height):
    """Return the packaged pictures, BGR uint8 [height, width, 3]."""
    paths = [os.path.join(PICTURES, name) for name in sorted(os.listdir(PICTURES))]
    return [resize_for_viewing(cv2.imread(path), width, height) for path in paths]


def pytorch(deployed):
    """Return the reference: a function from an image, BGR uint8 [H, W, 3], to its labels and confidence, uint8 [H, W].

    deployed: a deploy.Deployed in fp32, wherever it is.
    """
    def run(image):
        pixels = torch.from_numpy(image).to(deployed.outputs.device).permute(2, 0, 1).unsqueeze(0)
        with torch.no_grad():
            return [result[0].cpu().numpy() for result in deployed(pixels, True)]
    return run


def compare(found, wanted, precision):
    """Raise EngineError when the output of an engine differs from that of its reference (see engine.reference).

    found, wanted: labels and confidence, uint8 [H, W]; confidence None in `found` is not compared. precision: of
    AGREEMENT, that of `found`.
    """
    labels, confidence = found
    wanted_labels, wanted_confidence = wanted
    sure = wanted_confidence >= SURE
    if sure.mean() < 0.5:  # too few to be representative
        sure = np.ones_like(sure)
    share = float(np.mean((labels == wanted_labels)[sure]))
    if not share >= AGREEMENT[precision]:
        raise EngineError('it labels {:.1f}% of the pixels of a street otherwise than the reference, more than the '
                          '{:.0f}% that {} may'.format(100 - 100 * share, 100 - 100 * AGREEMENT[precision], precision))
    if confidence is None:
        return
    difference = float(np.mean(np.abs(confidence.astype(float) - wanted_confidence)))
    if not difference <= CONFIDENCE_DIFFERENCE:
        raise EngineError("its confidence differs from the reference's by {:.0f} of 255 in the mean, more than {}"
                          .format(difference, CONFIDENCE_DIFFERENCE))
