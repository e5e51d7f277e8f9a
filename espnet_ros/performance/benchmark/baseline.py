"""The pipeline that ESPNet was published with, to measure others against."""
import time

import cv2
import numpy as np
import torch
from torch.nn import functional

from espnet_ros.labels import UNLABELED
from espnet_ros.segmenter import Segmentation, Timings


class Baseline:
    """Segments in the authors' order of steps: eager PyTorch in fp32, plain network, NCHW, nothing fused.

    Normalize the camera's image channel by channel in NumPy, resize, scale to 0..1, run, take the best class.
    """

    def __init__(self, card, network, width, height, device='cpu'):
        """card, network: as from models.find and models.load. width, height: of the network's input."""
        self._card = card
        self._device = torch.device(device)
        self._network = network.eval().to(self._device)
        self._size = width, height

    def segment(self, image):
        """Return the Segmentation of BGR uint8 [H, W, 3], labels at the network's size."""
        began = time.perf_counter()
        normalized = image.astype(np.float32)
        for channel in range(3):
            normalized[:, :, channel] -= self._card.mean[channel]
        for channel in range(3):
            normalized[:, :, channel] /= self._card.std[channel]
        normalized = cv2.resize(normalized, self._size)
        normalized /= self._card.divisor
        tensor = torch.from_numpy(np.ascontiguousarray(normalized.transpose(2, 0, 1))).unsqueeze(0)
        prepared = time.perf_counter()
        with torch.no_grad():
            logits = self._network(tensor.to(self._device))
            if logits.shape[2:] != tensor.shape[2:]:
                logits = functional.interpolate(logits, size=tensor.shape[2:], mode='bilinear', align_corners=False)
            if self._device.type == 'cuda':
                torch.cuda.synchronize(self._device)
            inferred = time.perf_counter()
            index = logits[0].max(0)[1].byte().cpu().numpy()
        labels = np.append(np.asarray(self._card.outputs, np.uint8), np.uint8(UNLABELED))[index]
        done = time.perf_counter()
        return Segmentation(labels, None, Timings(prepared - began, inferred - prepared, done - inferred))
