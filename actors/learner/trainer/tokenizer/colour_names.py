"""A colour named by hue sector, saturation and luminance, in whole numbers alone.

In: colours in steps of 1/255. Out: names, and the colour that a name stands for. A sector is the nearest of 12 hues 30
degrees apart on the circle, so there is no jump at 360; a colour with less than 5 % saturation (HSV) is grey and has a
sector of its own (design, 5.1). The same on every machine. It refuses nothing.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

SECTORS: Final = 12
GREY: Final = SECTORS
SATURATIONS: Final = 256
LUMINANCES: Final = 256
TOP: Final = 255
GREY_SHARE: Final = 20
"""Grey is where `GREY_SHARE` times the chroma is less than the largest channel: 5 %."""

Whole = npt.NDArray[np.int64]

_HALVES: Final = np.array(
    [
        (2, 0, 0), (2, 1, 0), (2, 2, 0), (1, 2, 0), (0, 2, 0), (0, 2, 1),
        (0, 2, 2), (0, 1, 2), (0, 0, 2), (1, 0, 2), (2, 0, 2), (2, 0, 1),
        (0, 0, 0),
    ],
    dtype=np.int64,
)  # fmt: skip
"""Chroma of red, green and blue in each sector, in halves."""


class ColourNames(NamedTuple):
    """Names of colours, each of any shape."""

    sector: Whole
    """0 to 11, GREY for grey"""
    saturation: Whole
    """S of HSL, 0 to 255; 0 for grey"""
    luminance: Whole
    """L of HSL, 0 to 255"""


def name_colours(colours: Whole) -> ColourNames:
    """Names of colours [..., 3] in steps 0 to 255."""
    red, green, blue = colours[..., 0], colours[..., 1], colours[..., 2]
    high, low = colours.max(axis=-1), colours.min(axis=-1)
    chroma = high - low
    is_grey = chroma * GREY_SHARE < high
    is_grey |= chroma == 0
    width = np.maximum(chroma, 1)
    turn = np.where(high == red, (green - blue) % (6 * width), np.where(high == green, blue - red + 2 * width, 0))
    turn = np.where((high != red) & (high != green), red - green + 4 * width, turn)
    sector = (4 * turn + width) // (2 * width) % SECTORS
    room = np.maximum(TOP - np.abs(high + low - TOP), 1)
    saturation = np.minimum(chroma * TOP // room, TOP)
    zero = np.zeros_like(chroma)
    return ColourNames(np.where(is_grey, GREY, sector), np.where(is_grey, zero, saturation), (high + low) // 2)


def colour_of(names: ColourNames) -> Whole:
    """The colours [..., 3] that names stand for, in steps 0 to 255."""
    room = TOP - np.abs(2 * names.luminance - TOP)
    chroma = names.saturation * room // TOP
    base = names.luminance - chroma // 2
    colours = base[..., None] + chroma[..., None] * _HALVES[names.sector] // 2
    clipped: Whole = np.clip(colours, 0, TOP)
    return clipped
