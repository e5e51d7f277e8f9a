"""Places of tiles: everything is covered, neighbors overlap, the raster of a network is kept."""
import hypothesis
from hypothesis import strategies

from espnet_ros.slides.grid import STEP, positions


def test_tiles_of_the_papers_experiment():
    assert positions(384, 384, 56) == (0,)
    assert positions(712, 384, 56) == (0, 328)  # 384 - 56
    assert positions(1000, 384, 56) == (0, 304, 616)
    assert positions(100, 384, 56) == (0,)


@hypothesis.given(strategies.integers(1, 5000), strategies.integers(8, 64), strategies.data())
def test_every_pixel_is_covered(length, eighths, data):
    tile = STEP * eighths
    overlap = data.draw(strategies.integers(0, tile // 2))
    found = positions(length, tile, overlap)
    assert found[0] == 0 and all(place % STEP == 0 for place in found)
    assert all(0 < after - before <= tile - overlap for before, after in zip(found, found[1:]))
    assert found[-1] + tile >= length and (found[-1] + tile < length + STEP or len(found) == 1)
