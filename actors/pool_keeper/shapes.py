"""Shapes around colours, and the order in which neighbours lie together.

In: colours. Out: an order of them, by cutting along the widest axis again and again; the ball around some colours or
around their directions; and for the colour of a query the highest cosine to, or the least distance from, each ball.

With u the direction of a query and s that of a colour, both unit vectors, cos(u, s) = 1 - |u - s|^2 / 2. From u all
directions of a ball have at least the distance |u - centre| - radius, and that bounds the cosine. Centres are rounded;
a radius is measured from the centre as it is kept, and enlarged by more than its own rounding. Colours so near to black
that their squares lose digits have no reliable direction: a ball with one of them holds all directions.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from actors.pool_keeper.columns import Columns, Floats, Integers
from actors.pool_keeper.identities import Rows
from actors.pool_keeper.scoring import Scoring

SLACK: Final = 1e-9
"""More than any bound can lose by rounding."""
FAINT: Final = 1e-140
"""Length below which a colour has no reliable direction."""
AXIS_BITS: Final = 24
PLACE_BITS: Final = 32
"""Of a sorted number: its place in the axis stands above the place of the point."""
CUT: Final = 4
RADIUS_SLACK: Final = 1e-6
"""More than rounding to float32 takes from a radius."""
WHOLE: Final = 4.0
"""Radius of a ball that holds every direction, wherever its centre is."""

STEPS: Final = 65535.0
"""Coordinates of a centre are whole numbers of 1 / STEPS."""


class Balls(NamedTuple):
    """Balls around points of the unit cube."""

    centre: npt.NDArray[np.uint16]
    """[3, n], in steps."""
    radius: npt.NDArray[np.float32]
    """[n]."""


def drawing_together(axes: list[Floats], leaf: int) -> Iterator[Integers]:
    """The order of some points, finer with each round until their neighbours share runs of `leaf` places.

    Each axis lies in [0, 1]; both counts are powers of two. A round cuts each run in four along its widest axis.
    """
    scale = float(1 << AXIS_BITS)
    whole = [np.minimum(axis * scale, scale - 1.0).astype(np.int64) << PLACE_BITS for axis in axes]
    order: Integers = np.arange(len(axes[0]), dtype=np.int64)
    size = len(order)
    while size > leaf:
        runs = order.reshape(-1, size)
        values = [axis[runs] for axis in whole]
        widest = np.argmax([value.max(axis=1) - value.min(axis=1) for value in values], axis=0)
        keys = np.choose(widest[:, None], values) | runs
        keys.sort(axis=1)
        order = keys.ravel() & ((1 << PLACE_BITS) - 1)
        size = max(leaf, size // CUT)
        yield order


def direction(columns: Columns, rows: slice) -> list[Floats]:
    """Two coordinates in [0, 1] that colours of one direction share."""
    red, green = columns.red[rows], columns.green[rows]
    total = red + green + columns.blue[rows]
    total[total == 0.0] = 1.0
    return [red / total, green / total]


def colours_of(columns: Columns, places: Rows) -> Floats:
    """The colours [3, ...] of `places`."""
    return np.stack((columns.red[places], columns.green[places], columns.blue[places]))


def direction_balls(colours: Floats) -> Balls:
    """Balls around the directions of `colours` [3, n, span]; black, whose cosine is 0, lies in every ball."""
    length = np.sqrt(colours[0] * colours[0] + colours[1] * colours[1] + colours[2] * colours[2])
    if length.min(initial=1.0) >= FAINT:
        return colour_balls(colours / length)
    length[length == 0.0] = np.nan
    return colour_balls(np.where(length < FAINT, np.inf, colours) / length)


def colour_balls(points: Floats) -> Balls:
    """Balls around `points` [3, n, span]; NaN is left out, with an infinite one the ball holds everything."""
    is_regular = bool(np.isfinite(points).all())
    low, high = (points.min(axis=2), points.max(axis=2)) if is_regular else _extent(points)
    centre = _nearest(low, high)
    apart = points - (centre / STEPS)[:, :, None]
    squares = apart[0] * apart[0] + apart[1] * apart[1] + apart[2] * apart[2]
    radius = np.sqrt(squares.max(axis=1) if is_regular else np.fmax.reduce(squares, axis=1, initial=0.0))
    radius[~np.isfinite(radius)] = WHOLE
    return Balls(centre, (radius * (1.0 + RADIUS_SLACK)).astype(np.float32))


def balls_around(balls: Balls, width: int) -> Balls:
    """A ball around `width` balls each."""
    centres, radii = balls.centre.reshape(3, -1, width) / STEPS, balls.radius.reshape(-1, width)
    centre = _nearest((centres - radii).min(axis=2), (centres + radii).max(axis=2))
    apart = centres - (centre / STEPS)[:, :, None]
    reach = np.sqrt(apart[0] * apart[0] + apart[1] * apart[1] + apart[2] * apart[2]) + radii
    return Balls(centre, (reach.max(axis=1) * (1.0 + RADIUS_SLACK)).astype(np.float32))


def _nearest(low: Floats, high: Floats) -> npt.NDArray[np.uint16]:
    """The middle between two points, in steps."""
    return np.rint(np.clip((low + high) / 2.0, 0.0, 1.0) * STEPS).astype(np.uint16)


def _extent(points: Floats) -> tuple[Floats, Floats]:
    """Lowest and highest of each coordinate among those that are numbers; 0 where none is."""
    low, high = np.fmin.reduce(points, axis=2), np.fmax.reduce(points, axis=2)
    return np.where(np.isfinite(low), low, 0.0), np.where(np.isfinite(high), high, 0.0)


def distances(balls: Balls, red: float, green: float, blue: float) -> Floats:
    """The least distance from a point to each ball."""
    apart = balls.centre[0] - np.float64(red * STEPS)
    squares = apart * apart
    apart = balls.centre[1] - np.float64(green * STEPS)
    squares += apart * apart
    apart = balls.centre[2] - np.float64(blue * STEPS)
    squares += apart * apart
    least = np.sqrt(squares, out=squares)
    least *= 1.0 / STEPS
    least -= balls.radius
    return np.asarray(np.maximum(least, 0.0, out=least), dtype=np.float64)


def highest_cosines(balls: Balls, scoring: Scoring) -> Floats:
    """The highest cosine in each ball of directions; a black query has cosine 0 to all."""
    length = scoring.length
    if not length:
        return np.zeros(len(balls.radius), dtype=np.float64)
    if length < FAINT:
        return np.ones(len(balls.radius), dtype=np.float64)
    least = distances(balls, scoring.red / length, scoring.green / length, scoring.blue / length)
    least *= least
    least *= -0.5
    least += 1.0 + SLACK
    return np.maximum(least, 0.0, out=least)


def least_distances(balls: Balls, scoring: Scoring) -> Floats:
    """The least distance to each ball of colours."""
    return distances(balls, scoring.red, scoring.green, scoring.blue)
