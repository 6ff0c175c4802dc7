"""Colours as hue, saturation and value, and the hue bins that profiles speak of.

In: red, green, blue in [0, 1]. Out: hue in degrees [0, 360), saturation and value in [0, 1], and back. A grey, that
is a saturation under `GREY_SATURATION`, has no hue: None (design, 5.1).
"""

from typing import Final

GREY_SATURATION: Final = 0.05

Rgb = tuple[float, float, float]


def hsv_of(colour: Rgb) -> tuple[float | None, float, float]:
    """Hue in degrees or None for a grey, saturation, value of `colour`."""
    red, green, blue = colour
    value, low = max(colour), min(colour)
    span = value - low
    saturation = span / value if value > 0.0 else 0.0
    if saturation < GREY_SATURATION:
        return None, saturation, value
    if value == red:
        sixth = ((green - blue) / span) % 6.0
    elif value == green:
        sixth = (blue - red) / span + 2.0
    else:
        sixth = (red - green) / span + 4.0
    return (60.0 * sixth) % 360.0, saturation, value


def rgb_of(hue: float, saturation: float, value: float) -> Rgb:
    """The colour with `hue` in degrees, `saturation` and `value` in [0, 1]."""

    def channel(offset: float) -> float:
        sixth = (offset + hue / 60.0) % 6.0
        return value - value * saturation * max(0.0, min(sixth, 4.0 - sixth, 1.0))

    return channel(5.0), channel(3.0), channel(1.0)


def centre_of_bin(index: int, bins: int, saturation: float, value: float) -> Rgb:
    """The colour in the middle of hue bin `index` of `bins`; index `bins` is the bin of greys."""
    if index >= bins:
        return value, value, value
    return rgb_of((index + 0.5) * 360.0 / bins, saturation, value)
