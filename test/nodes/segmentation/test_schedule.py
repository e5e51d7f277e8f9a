"""Whose image comes next."""
import math

import pytest

from espnet_ros.nodes.segmentation.schedule import Turn, choose

ANY = -math.inf


@pytest.mark.parametrize('turns, chosen', [
    ([], (None, None)),
    ([Turn(None, ANY)], (None, None)),
    ([Turn(9.0, ANY)], (0, 0.0)),
    ([Turn(9.0, ANY), Turn(8.0, ANY), Turn(None, ANY)], (1, 0.0)),  # the longest wait
    ([Turn(9.0, ANY), Turn(9.0, ANY)], (0, 0.0)),
    ([Turn(9.0, ANY, 3), Turn(8.0, ANY)], (0, 0.0)),  # 3 times 1 s before 2 s
    ([Turn(9.0, ANY, 3), Turn(6.0, ANY)], (1, 0.0)),
    ([Turn(1.0, 10.5), Turn(9.0, ANY)], (1, 0.0)),  # its rate holds it back
    ([Turn(1.0, 10.5), Turn(2.0, 10.25), Turn(None, ANY)], (None, 0.25)),
    ([Turn(1.0, 9.5), Turn(9.0, ANY)], (1, 0.0)),  # it waits since its rate allows it
    ([Turn(1.0, 10.0)], (0, 0.0))])
def test_choose(turns, chosen):
    assert choose(turns, 10.0) == chosen


def served(periods, seconds, frame=0.05, priorities=None, rates=None):
    """Simulate cameras with these periods of images and return how often each was served."""
    since, last, counts = [None] * len(periods), [-math.inf] * len(periods), [0] * len(periods)
    now = 0.0
    arrivals = [0.0] * len(periods)
    while now < seconds:
        for i, period in enumerate(periods):
            while arrivals[i] <= now:
                since[i] = arrivals[i] if since[i] is None else since[i]
                arrivals[i] += period
        turns = [Turn(since[i], last[i] + 1 / rates[i] if rates else ANY, priorities[i] if priorities else 1)
                 for i in range(len(periods))]
        index, _ = choose(turns, now)
        if index is None:
            now += 0.001
            continue
        counts[index] += 1
        since[index], last[index] = None, now
        now += frame
    return counts


def test_a_flood_takes_no_more_than_its_share():
    flood, *others = served([0.003, 0.03, 0.03, 0.03], 60.0)  # time for 20 images a second
    assert all(290 <= count <= 310 for count in [flood, *others])


def test_slow_cameras_lose_no_image_to_a_flood():
    flood, *slow = served([0.003, 0.5, 1.0], 60.0)
    assert slow == [120, 60] and flood > 1000


def test_priority_starves_nobody():
    first, *others = served([0.03] * 4, 60.0, priorities=[10, 1, 1, 1])
    assert first > 500 and all(count > 50 for count in others)


def test_rates():
    assert served([0.01] * 2, 60.0, rates=[2.0, 5.0]) == pytest.approx([120, 300], rel=0.05)
