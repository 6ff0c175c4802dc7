"""Upper bounds of the scores of dreams that lie together.

In: for each of some blocks a ball around its colours, its highest coherence, lowest entropy and newest time; a
scoring. Out: for each block a number that no score in it exceeds.

Why no bound is too low: scores grow with the cosine, the coherence and the weight, fall with the distance, and none of
these is negative. So the formula of the score, put on the highest cosine (`actors.pool_keeper.shapes`), the highest
coherence, the newest time and the least distance of a block, bounds all its scores. `SLACK` covers all rounding: errors
of some 1e-15 in each step.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from actors.pool_keeper.columns import Columns, Floats, Integers
from actors.pool_keeper.identities import Rows, grown
from actors.pool_keeper.scoring import Scoring
from actors.pool_keeper.shapes import (
    SLACK,
    Balls,
    balls_around,
    colour_balls,
    colours_of,
    direction_balls,
    highest_cosines,
    least_distances,
)

DEEPEST: Final = -747.0
"""A weight with this exponent is 0."""
LEAST: Final = 3e-308
"""Above every weight that is not a normal number, whatever np.exp makes of it."""


@dataclass(frozen=True)
class Nodes:
    """Bounds of what lies in blocks, groups or regions; column i of each array is one of them."""

    ball: Balls
    """Around the directions, or the colours, that are there."""
    coherence: Floats
    """The highest."""
    entropy: npt.NDArray[np.float32]
    """At most the lowest."""
    ts: Integers
    """The newest."""
    flat: npt.NDArray[np.bool_]
    """Whether all colours are the same, so that without decay a bound is exact."""

    @classmethod
    def none(cls) -> "Nodes":
        """No nodes."""
        single = np.empty(0, dtype=np.float32)
        ball = Balls(np.empty((3, 0), dtype=np.uint16), single)
        times, flags = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.bool_)
        return cls(ball, np.empty(0, dtype=np.float64), single, times, flags)

    @classmethod
    def around(cls, columns: Columns, places: Rows, has_directions: bool) -> "Nodes":
        """Those of `places` [n, span]."""
        colours = colours_of(columns, places)
        lowest = columns.entropy[places].min(axis=1)
        return cls(
            direction_balls(colours) if has_directions else colour_balls(colours),
            columns.coherence[places].max(axis=1),
            np.nextafter(lowest.astype(np.float32), np.float32(-1.0)),
            columns.ts[places].max(axis=1),
            (colours == colours[:, :, :1]).all(axis=(0, 2)),
        )

    @classmethod
    def joined(cls, parts: list["Nodes"]) -> "Nodes":
        """All of `parts`, in turn."""
        centre, radius, *rest = (
            np.concatenate(each, axis=-1) for each in zip(*(part.arrays for part in parts), strict=True)
        )
        return cls(Balls(centre, radius), *rest)

    def gathered(self, leaders: Floats, width: int) -> "Nodes":
        """Nodes around `width` of these each; `leaders` [3, n] are the colours of their first rows."""
        colours = leaders.reshape(3, -1, width)
        return Nodes(
            balls_around(self.ball, width),
            self.coherence.reshape(-1, width).max(axis=1),
            self.entropy.reshape(-1, width).min(axis=1),
            self.ts.reshape(-1, width).max(axis=1),
            self.flat.reshape(-1, width).all(axis=1) & (colours == colours[:, :, :1]).all(axis=(0, 2)),
        )

    def grown(self, count: int) -> "Nodes":
        """The same with room for `count`; itself when there is so much."""
        held = len(self.ts)
        if count <= held:
            return self
        centre = np.stack([grown(coordinate, count, held) for coordinate in self.ball.centre])
        radius, *rest = (grown(array, count, held) for array in self.arrays[1:])
        return Nodes(Balls(centre, radius), *rest)

    def put(self, here: slice, other: "Nodes") -> None:
        """Overwrite a part."""
        for array, new in zip(self.arrays, other.arrays, strict=True):
            array[..., here] = new

    def part(self, at: Integers | slice, *, has_ball: bool = True) -> "Nodes":
        """Some of them, without their balls when nobody asks for these."""
        ball = Balls(self.ball.centre[:, at], self.ball.radius[at]) if has_ball else self.ball
        return Nodes(ball, self.coherence[at], self.entropy[at], self.ts[at], self.flat[at])

    @property
    def size_bytes(self) -> int:
        """Memory taken."""
        return sum(array.nbytes for array in self.arrays)

    @property
    def arrays(self) -> tuple[npt.NDArray[Any], ...]:
        """All of it."""
        return *self.ball, self.coherence, self.entropy, self.ts, self.flat


def bounds(nodes: Nodes, scoring: Scoring) -> Floats:
    """Upper bounds of the scores in `nodes`, in an array of their own."""
    match scoring.measure:
        case "coherence":
            return nodes.coherence.copy()
        case "cosine":
            best = highest_cosines(nodes.ball, scoring)
        case "composite":
            best = highest_cosines(nodes.ball, scoring)
            best *= scoring.alpha
            best += (1.0 - scoring.alpha) * nodes.coherence
        case "euclidean":
            best = 1.0 / (1.0 + least_distances(nodes.ball, scoring))
    if scoring.decay:
        exponents = scoring.exponents(nodes.ts)
        exponents *= 1.0 - SLACK
        if exponents.min(initial=0.0) > -700.0:
            best *= np.exp(exponents)
        else:
            best *= np.maximum(np.exp(np.maximum(exponents, DEEPEST)), LEAST * (exponents > DEEPEST))
    best *= 1.0 + SLACK
    return best
