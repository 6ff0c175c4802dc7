"""Shapes around colours, and the curve along which neighbours lie together.

In: colours. Out: the place of each on a Z-curve; the cone of directions or the box around some of them; and for the
colour of a query the highest cosine in each cone, the least distance to each box.

Let c be the axis of a cone, a unit vector, and r its half angle: no direction in it is further from c than r. The angle
of a query q to a direction in the cone is then at least the angle to c less r. So the cosine reaches 1 only when q lies
in the cone, and is cos(angle(q, c) - r) = (q.c) cos r + sqrt(1 - (q.c)^2) sin r at most otherwise. Colours so near to
black that their squares lose digits have no reliable direction: a cone with one of them holds all directions.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from actors.pool_keeper.columns import Columns, Floats
from actors.pool_keeper.identities import Rows
from actors.pool_keeper.scoring import Scoring

SLACK: Final = 1e-9
"""More than any bound can lose by rounding."""
FAINT: Final = 1e-140
"""Length below which a colour has no reliable direction."""


def z_curve(axes: list[Floats]) -> npt.NDArray[np.uint64]:
    """Place on the Z-curve of points whose coordinates lie in [0, 1]: their bits in turn."""
    width = len(axes)
    bits = 16
    code: npt.NDArray[np.uint64] = np.zeros(len(axes[0]), dtype=np.uint64)
    for number, axis in enumerate(axes):
        value = np.minimum(axis * (1 << bits), (1 << bits) - 1).astype(np.uint64)
        code |= _SPREAD_BITS[width][value >> np.uint64(8)] << np.uint64(8 * width + number)
        code |= _SPREAD_BITS[width][value & np.uint64(255)] << np.uint64(number)
    return code


def _spread_bits(width: int) -> npt.NDArray[np.uint64]:
    """For each byte its bits `width` apart."""
    return np.array([sum((byte >> bit & 1) << bit * width for bit in range(8)) for byte in range(256)], dtype=np.uint64)


_SPREAD_BITS: Final = {width: _spread_bits(width) for width in (2, 3)}


def direction(columns: Columns, rows: slice) -> list[Floats]:
    """Two coordinates in [0, 1] that colours of one direction share."""
    red, green = columns.red[rows], columns.green[rows]
    total = red + green + columns.blue[rows]
    total[total == 0.0] = 1.0
    return [red / total, green / total]


def cones_of(columns: Columns, places: Rows) -> Floats:
    """Cones [5, n] around the directions of `places` [n, span]; black ones, whose cosine is 0, lie in every cone."""
    vectors = np.stack((columns.red[places], columns.green[places], columns.blue[places]))
    length = np.sqrt((vectors * vectors).sum(axis=0))
    is_black = length == 0.0
    vectors /= np.where(is_black, 1.0, length)
    axis = vectors.sum(axis=2)
    axis[0, is_black.all(axis=1)] = 1.0
    axis /= np.sqrt((axis * axis).sum(axis=0))
    cosines = (vectors * axis[:, :, None]).sum(axis=0)
    cosines[is_black] = 1.0
    cosine = np.clip(cosines.min(axis=1) - 1e-12, 0.0, 1.0)
    cosine[((length < FAINT) & ~is_black).any(axis=1)] = -1.0
    return np.vstack((axis, cosine, np.sqrt(1.0 - cosine * cosine)))


def boxes_of(columns: Columns, places: Rows) -> Floats:
    """Boxes [6, n] around the colours of `places` [n, span]."""
    vectors = np.stack((columns.red[places], columns.green[places], columns.blue[places]))
    return np.vstack((vectors.min(axis=2), vectors.max(axis=2)))


def highest_cosines(cones: Floats, scoring: Scoring) -> Floats:
    """The highest cosine in each cone; a black query has cosine 0 to all."""
    if not scoring.length:
        return np.zeros(cones.shape[1], dtype=np.float64)
    if scoring.length < FAINT:
        return np.ones(cones.shape[1], dtype=np.float64)
    red, green, blue, cosine, sine = cones
    length = scoring.length
    along = red * (scoring.red / length) + green * (scoring.green / length) + blue * (scoring.blue / length)
    across = np.sqrt(np.maximum(1.0 - along * along, 0.0))
    highest = np.where(along >= cosine, 1.0, along * cosine + across * sine)
    return np.maximum(highest, 0.0) + SLACK


def least_distances(boxes: Floats, scoring: Scoring) -> Floats:
    """The least distance to each box."""
    squares = np.zeros(boxes.shape[1], dtype=np.float64)
    for low, high, at in zip(boxes[:3], boxes[3:], (scoring.red, scoring.green, scoring.blue), strict=True):
        apart = np.maximum(np.maximum(low - at, at - high), 0.0)
        squares += apart * apart
    return np.sqrt(squares) * (1.0 - SLACK)
