"""Overlapping tiles that cover a slide."""
STEP = 8
"""Tiles begin at multiples of this many pixels, so that a network of that stride sees the slide's own raster."""
OVERLAP = 56
"""Pixels that tiles of 384 overlap in the whole-slide experiment of the paper (table 1d)."""


def positions(length, tile, overlap):
    """Return where tiles begin along a side, a tuple of multiples of STEP from 0 on.

    length: of the side in pixels. tile: length of a tile. overlap: what neighbors share at least; they are spread
    evenly. The last tile ends less than STEP pixels behind the side, or more where the side is shorter than a tile.
    """
    last = -(-max(0, length - tile) // STEP) * STEP
    stride = (tile - overlap) // STEP * STEP
    count = -(-last // stride)
    return tuple(i * last // count // STEP * STEP for i in range(count)) + (last,)
