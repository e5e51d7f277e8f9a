"""What a machine can do, and how close a network comes."""
import math

import pytest
import torch

from espnet_ros.performance.profile import roofline
from espnet_ros.performance.profile.roofline import Position, Roofline, measure_roofline, position

ROOF = Roofline('fp32', 100e9, 10e9)  # the ridge is at 10 FLOP/byte


@pytest.mark.parametrize('flop, moved, seconds, found', [
    (2e9, 1e9, 0.2, Position(2.0, 10e9, 20e9, 0.5, 'memory')),
    (40e9, 1e9, 0.5, Position(40.0, 80e9, 100e9, 0.8, 'computation')),
    (1e9, 1e9, 0.05, Position(1.0, 20e9, 10e9, 2.0, 'memory'))])  # out of a cache
def test_position(flop, moved, seconds, found):
    measured = position(flop, moved, seconds, ROOF)
    assert measured[:4] == pytest.approx(found[:4]) and measured.bound == found.bound


def test_no_time_is_zero():
    assert position(0, 8, 1.0, ROOF) == Position(0.0, 0.0, 0.0, 0.0, 'memory')


def test_the_fastest_counts(monkeypatch):
    clock = iter([0.0, 1.0, 4.0, 4.0, 6.0, 6.0, 11.0])  # begin; then before and after each try
    monkeypatch.setattr(roofline.time, 'perf_counter', lambda: next(clock))
    assert roofline._fastest(lambda: None, torch.device('cpu'), 10.0) == 2.0


@pytest.mark.parametrize('precision', ['fp32', 'bf16'])
def test_a_real_machine(precision):
    found = measure_roofline(torch.device('cpu'), precision, 0.02)
    assert found.precision == precision
    assert all(math.isfinite(value) and value > 1e6 for value in (found.flops, found.bandwidth))
