"""Pooling whose usual operators inference engines lack: max-unpooling and adaptive average pooling."""
import numpy as np
import torch
from torch import nn
from torch.nn import functional


class MaxPool2x2(nn.Module):
    """2x2 max-pooling that remembers where the maxima were, for `unpool`.

    forward takes float [N, C, H, W] and returns the pooled [N, C, H // 2, W // 2] and their places, which only `unpool`
    reads.
    """

    def forward(self, x):
        if _portable(x):
            return _pool(x)
        return functional.max_pool2d(x, 2, 2, return_indices=True)


def unpool(x, places, like):
    """Put each value where the maximum was, zero elsewhere: float [N, C, H, W] at the size of the tensor `like`."""
    if _portable(x):
        return _unpool(x, places, like)
    return functional.max_unpool2d(x, places, (2, 2), (2, 2), output_size=like.shape[2:])


def _portable(x):
    """Whether to use plain arithmetic: engines have no max-unpooling, nor has PyTorch outside float32 on a CPU."""
    return torch.onnx.is_in_onnx_export() or (x.device.type == 'cpu' and x.dtype != torch.float32)


def _pool(x):
    h, w = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
    corners = [x[:, :, row:h:2, column:w:2] for row in (0, 1) for column in (0, 1)]
    best = torch.max(torch.max(corners[0], corners[1]), torch.max(corners[2], corners[3]))
    places, taken = [], None
    for corner in corners:  # of equal values the first wins, as in PyTorch's own
        place = (corner == best).to(x.dtype)
        places.append(place if taken is None else place * (1 - taken))
        taken = place if taken is None else torch.max(taken, place)
    return best, places


def _unpool(x, places, like):
    corners = [x * place for place in places]
    n, c, h, w = x.shape
    rows = [torch.stack(corners[i:i + 2], 4).reshape(n, c, h, 2 * w) for i in (0, 2)]
    result = torch.stack(rows, 3).reshape(n, c, 2 * h, 2 * w)
    # A last odd row or column was not pooled.
    return functional.pad(result, (0, like.shape[3] - 2 * w, 0, like.shape[2] - 2 * h))


def adaptive_average(x, bins):
    """Return the means of regions of the same size but for rounding, float [N, C, rows, columns].

    bins: rows and columns, or one number for both.
    """
    if not torch.onnx.is_in_onnx_export():
        return functional.adaptive_avg_pool2d(x, bins)
    rows, columns = (_averaging(int(side), count, x) for side, count in zip(
        x.shape[2:], (bins, bins) if isinstance(bins, int) else bins))
    return torch.matmul(torch.matmul(rows, x), columns.t())


def _averaging(side, bins, like):
    matrix = np.zeros((bins, side), np.float32)  # not PyTorch's, whose every assignment would be exported
    for i in range(bins):
        first, end = i * side // bins, -(-(i + 1) * side // bins)
        matrix[i, first:end] = 1.0 / (end - first)
    return torch.from_numpy(matrix).to(like)
