"""Colours: the one definition of hue, saturation, value and hue bin (design, 5.1).

In: red, green and blue in [0, 1]. Out: HSV with the hue in degrees, colours back from HSV, and the bin of a colour.
Plain float arithmetic alone, so that the bits are the same on every machine. A grey has no hue: it is never put
among the hues.
"""

from typing import Final

Rgb = tuple[float, float, float]
Hsv = tuple[float, float, float]
"""Hue in degrees [0, 360), saturation and value in [0, 1]."""

GREY_SATURATION: Final = 0.05
"""A colour of a lower saturation is a grey."""
EDGE_WIDTH: Final = 1e-9
"""Share of a bin by which a hue may fall short of an edge and still be on it."""


def to_hsv(rgb: Rgb) -> Hsv:
    """Hue in degrees [0, 360), saturation and value of `rgb`; the hue of a colour without saturation is 0."""
    red, green, blue = rgb
    value = max(rgb)
    spread = value - min(rgb)
    if spread <= 0.0:
        return 0.0, 0.0, value
    if value == red:
        sector = (green - blue) / spread
    elif value == green:
        sector = 2.0 + (blue - red) / spread
    else:
        sector = 4.0 + (red - green) / spread
    hue = 60.0 * sector
    if hue < 0.0:
        hue += 360.0
    return (0.0 if hue >= 360.0 else hue), spread / value, value


def to_rgb(hsv: Hsv) -> Rgb:
    """The colour of `hsv`; the hue is taken modulo 360 degrees, each component comes back in [0, 1]."""
    hue, saturation, value = hsv
    sector = (hue % 360.0) / 60.0
    index = int(sector) % 6
    part = sector - int(sector)
    low = value * (1.0 - saturation)
    falling = value * (1.0 - saturation * part)
    rising = value * (1.0 - saturation * (1.0 - part))
    wheel: tuple[Rgb, ...] = (
        (value, rising, low),
        (falling, value, low),
        (low, value, rising),
        (low, falling, value),
        (rising, low, value),
        (value, low, falling),
    )
    red, green, blue = wheel[index]
    return _unit(red), _unit(green), _unit(blue)


def is_grey(rgb: Rgb) -> bool:
    """Whether `rgb` has too little saturation to have a hue."""
    return to_hsv(rgb)[1] < GREY_SATURATION


def hue_bin(rgb: Rgb, bins: int) -> int:
    """The bin of `rgb`: hue bin i holds [i, i + 1) * 360 / bins degrees, 360 is 0; index `bins` holds the greys.

    A hue within a billionth of a bin below an edge is on the edge: rounding on the way to RGB moves nothing across.
    """
    hue, saturation, _ = to_hsv(rgb)
    if saturation < GREY_SATURATION:
        return bins
    return int(hue * bins / 360.0 + EDGE_WIDTH) % bins


def bin_hue(index: int, bins: int) -> float:
    """The middle of hue bin `index` of `bins`, in degrees."""
    return (index + 0.5) * 360.0 / bins


def _unit(component: float) -> float:
    return min(1.0, max(0.0, component))
