"""How close a network comes to what the machine can do: its position under the roofline."""
import time
import typing

import torch
from torch.nn import functional

DTYPES = {'fp32': torch.float32, 'fp16': torch.float16, 'bf16': torch.bfloat16}
_COPY = 128 * 2 ** 20
"""Bytes that are copied to measure the bandwidth: several times what caches hold."""


class Roofline(typing.NamedTuple):
    """The most that PyTorch gets out of this machine: FLOP/s in a precision, and bytes/s read and written."""

    precision: str
    flops: float
    bandwidth: float


class Position(typing.NamedTuple):
    """Where work lies under a roofline.

    intensity: FLOP per byte. flops: FLOP/s that are reached. attainable: the roof above it, FLOP/s. share: of it that
    is reached; more than 1 when caches were faster than memory. bound: what the roof is there, 'memory' or
    'computation'.
    """

    intensity: float
    flops: float
    attainable: float
    share: float
    bound: str


def measure_roofline(device, precision, seconds=1.0):
    """Return the Roofline of a torch.device in one of DTYPES; each of its numbers takes `seconds` or a little more.

    The FLOP/s are the faster of a large matrix product's and a large convolution's, the bandwidth is a long copy's.
    """
    side, height = (4096, 512) if device.type == 'cuda' else (1024, 128)
    square = torch.randn(side, side, device=device).to(DTYPES[precision])
    image = torch.randn(1, 64, height, 128, device=device).to(DTYPES[precision]).to(memory_format=torch.channels_last)
    kernel = torch.randn(64, 64, 3, 3, device=device).to(DTYPES[precision]).to(memory_format=torch.channels_last)
    source = torch.ones(_COPY, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    with torch.inference_mode():
        products = 2 * side ** 3 / _fastest(lambda: square @ square, device, seconds / 2)
        convolutions = 2 * 9 * 64 * 64 * height * 128 / _fastest(
            lambda: functional.conv2d(image, kernel, padding=1), device, seconds / 2)
        copies = 2 * _COPY / _fastest(lambda: target.copy_(source), device, seconds)
    return Roofline(precision, max(products, convolutions), copies)


def position(flop, byte_count, seconds, roofline):
    """Return the Position of work of so many FLOP and bytes that took `seconds`."""
    intensity = flop / byte_count
    attainable = min(roofline.flops, intensity * roofline.bandwidth)
    bound = 'computation' if intensity * roofline.bandwidth > roofline.flops else 'memory'
    return Position(intensity, flop / seconds, attainable, flop / seconds / attainable if flop else 0.0, bound)


def _fastest(work, device, seconds):
    """Return the seconds that work() takes when nothing disturbs it."""
    best, end = float('inf'), time.perf_counter() + seconds
    work()
    while True:
        _finish(device)
        began = time.perf_counter()
        work()
        _finish(device)
        now = time.perf_counter()
        best = min(best, now - began)
        if now > end:
            return best


def _finish(device):
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
