"""Where colours lie: the hue bin and the colour cell of each row.

In: columns, and which rows. Out: numbers, the same as `schemas.colour` gives for one colour alone.
"""

from typing import Final

import numpy as np

from actors.pool_keeper.columns import Columns, Floats, Integers
from schemas.colour import EDGE_WIDTH, GREY_SATURATION

CELLS: Final = 16
"""Colour cells along each axis."""
EVERYTHING: Final = slice(None)


def hue_bins(columns: Columns, bins: int, rows: slice = EVERYTHING) -> Integers:
    """`schemas.colour.hue_bin` of each of `rows`, by the same operations; `bins` for the greys."""
    red, green, blue = columns.red[rows], columns.green[rows], columns.blue[rows]
    value = np.maximum(np.maximum(red, green), blue)
    spread = value - np.minimum(np.minimum(red, green), blue)
    is_grey = spread <= 0.0
    safe = np.where(is_grey, 1.0, spread)
    sector = np.where(
        value == red,
        (green - blue) / safe,
        np.where(value == green, 2.0 + (blue - red) / safe, 4.0 + (red - green) / safe),
    )
    hue = 60.0 * sector
    hue = np.where(hue < 0.0, hue + 360.0, hue)
    hue = np.where(is_grey | (hue >= 360.0), 0.0, hue)
    saturation = np.where(is_grey, 0.0, spread / np.where(value > 0.0, value, 1.0))
    found = (hue * bins / 360.0 + EDGE_WIDTH).astype(np.int64) % bins
    return np.where(saturation < GREY_SATURATION, bins, found).astype(np.int64)


def colour_cells(columns: Columns, rows: slice = EVERYTHING) -> Integers:
    """The sixteenths of red, green and blue in which each of `rows` lies, as one number."""
    axes: tuple[Floats, ...] = (columns.red[rows], columns.green[rows], columns.blue[rows])
    red, green, blue = (np.minimum((axis * CELLS).astype(np.int64), CELLS - 1) for axis in axes)
    return np.asarray((red * CELLS + green) * CELLS + blue, dtype=np.int64)
