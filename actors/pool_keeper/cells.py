"""Neighbouring dreams in blocks, so that a search can leave out blocks whose best possible score is too low.

In: columns. Out: an order of the rows in which neighbours are alike, cut into blocks of 64 rows and groups of 16
blocks, and for a query an upper bound of the score in each. There are three orders, each made when it is first asked
for: by direction of the colour (cosine, coherence), by direction and coherence (composite), by colour (Euclidean).
Each follows a Z-curve. Rows are sorted within segments of 2^10 to 2^18 rows; which segments there are follows from the
number of rows alone, the largest first, and the rest of under 2^10 rows, the tail, stays unsorted. A new row is in the
tail at once; over time it is sorted anew at most nine times. Segments follow time, which serves the decay.

Why no bound is too low: scores grow with the cosine, the coherence and the weight, fall with the distance, and none of
these is negative. So the formula of the score, put on the highest cosine (`actors.pool_keeper.shapes`), the highest
coherence, the newest time and the least distance of a block, bounds all its scores. `SLACK` covers all rounding: errors
of some 1e-15 in each step, 1e-10 at worst in a cone that is nearly a line.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from actors.pool_keeper.columns import Columns, Floats, Integers
from actors.pool_keeper.identities import Rows, grown
from actors.pool_keeper.scoring import Measure, Scoring
from actors.pool_keeper.shapes import SLACK, boxes_of, cones_of, direction, highest_cosines, least_distances, z_curve

OrderName = Literal["direction", "direction and coherence", "colour"]

_DEEPEST: Final = -747.0
"""A weight with this exponent is 0."""
_LEAST: Final = 3e-308
"""Above every weight that is not a normal number, whatever np.exp makes of it."""
ORDERS: Final[dict[Measure, OrderName]] = {
    "coherence": "direction",
    "cosine": "direction",
    "composite": "direction and coherence",
    "euclidean": "colour",
}


@dataclass(frozen=True)
class Grain:
    """Rows in a block, a group, the smallest and the largest segment; each a power of two times the one before."""

    block: int = 64
    group: int = 16 * 64
    smallest: int = 1 << 10
    largest: int = 1 << 18

    def segments(self, count: int) -> list[int]:
        """Sizes of the segments of `count` rows: as many of the largest as there are, then falling powers of two."""
        whole, rest = divmod(count, self.largest)
        sizes = [self.largest] * whole
        size = self.largest // 2
        while size >= self.smallest:
            if rest & size:
                sizes.append(size)
            size //= 2
        return sizes


@dataclass(frozen=True)
class Nodes:
    """Bounds of what lies in blocks or groups; column i of each array is one of them."""

    shape: Floats
    """Cone [5, n]: axis, cosine and sine of the half angle. Box [6, n]: lowest colour, highest colour."""
    coherence: Floats
    """The highest."""
    entropy: Floats
    """The lowest."""
    ts: Integers
    """The newest."""

    def grown(self, capacity: int, count: int) -> "Nodes":
        """Room for more."""
        return Nodes(
            np.stack([grown(bound, capacity, count) for bound in self.shape]),
            grown(self.coherence, capacity, count),
            grown(self.entropy, capacity, count),
            grown(self.ts, capacity, count),
        )

    def put(self, here: slice, other: "Nodes") -> None:
        """Overwrite a part."""
        self.shape[:, here] = other.shape
        self.coherence[here], self.entropy[here], self.ts[here] = other.coherence, other.entropy, other.ts

    def part(self, at: Integers | slice) -> "Nodes":
        """Some of them."""
        return Nodes(self.shape[:, at], self.coherence[at], self.entropy[at], self.ts[at])

    @property
    def size_bytes(self) -> int:
        """Memory taken."""
        return self.shape.nbytes + self.coherence.nbytes + self.entropy.nbytes + self.ts.nbytes


class Cells:
    """One order of the rows of `columns`; `cover` brings it up to date."""

    def __init__(self, columns: Columns, name: OrderName, grain: Grain) -> None:
        self._columns = columns
        self._grain = grain
        self._name = name
        self._retreats = columns.retreats
        self._segments: list[int] = []
        self._rows: Rows = np.empty(0, dtype=np.int32)
        self._make_room(0)
        self.covered = 0
        """Rows in segments; those from here on are the tail."""

    def cover(self) -> None:
        """Sort what has become due."""
        columns = self._columns
        if columns.retreats != self._retreats:
            self._retreats, self._segments = columns.retreats, []
        due = self._grain.segments(columns.count)
        kept = 0
        while kept < min(len(due), len(self._segments)) and due[kept] == self._segments[kept]:
            kept += 1
        self.covered = sum(due[:kept])
        for size in due[kept:]:
            self._sort(self.covered, size)
            self.covered += size
        self._segments = due

    def tail(self) -> Integers:
        """The rows that no block holds."""
        return np.arange(self.covered, self._columns.count, dtype=np.int64)

    def groups(self) -> Nodes:
        """All groups."""
        return self._groups.part(slice(0, self.covered // self._grain.group))

    def blocks_of(self, groups: Integers) -> Integers:
        """The blocks of some groups."""
        width = self._grain.group // self._grain.block
        return (groups[:, None] * width + np.arange(width)).ravel()

    def blocks(self, blocks: Integers) -> Nodes:
        """Some blocks."""
        return self._blocks.part(blocks)

    def rows_of(self, blocks: Integers) -> Integers:
        """The rows of some blocks."""
        return self._rows.reshape(-1, self._grain.block)[blocks].ravel().astype(np.int64)

    @property
    def size_bytes(self) -> int:
        """Memory that the rows take."""
        return self._rows.nbytes + self._blocks.size_bytes + self._groups.size_bytes

    def bounds(self, nodes: Nodes, scoring: Scoring) -> Floats:
        """Upper bounds of the scores in `nodes`."""
        match scoring.measure:
            case "coherence":
                return nodes.coherence
            case "cosine":
                best = highest_cosines(nodes.shape, scoring)
            case "composite":
                best = scoring.alpha * highest_cosines(nodes.shape, scoring) + (1.0 - scoring.alpha) * nodes.coherence
            case "euclidean":
                best = 1.0 / (1.0 + least_distances(nodes.shape, scoring))
        if scoring.decay:
            exponents = scoring.exponents(nodes.ts) * (1.0 - SLACK)
            best *= np.maximum(np.exp(np.maximum(exponents, _DEEPEST)), _LEAST * (exponents > _DEEPEST))
        return best * (1.0 + SLACK)

    def _sort(self, start: int, size: int) -> None:
        self._make_room(start + size)
        columns, whole = self._columns, slice(start, start + size)
        order = np.argsort(_AXES[self._name](columns, whole))
        rows = (order + start).astype(np.int32)
        self._rows[whole] = rows
        summarize = boxes_of if self._name == "colour" else cones_of
        for nodes, span in ((self._blocks, self._grain.block), (self._groups, self._grain.group)):
            places = rows.reshape(-1, span)
            summary = Nodes(
                summarize(columns, places),
                columns.coherence[places].max(axis=1),
                columns.entropy[places].min(axis=1),
                columns.ts[places].max(axis=1),
            )
            nodes.put(slice(start // span, (start + size) // span), summary)

    def _make_room(self, rows: int) -> None:
        if rows == 0:
            height = 6 if self._name == "colour" else 5
            nothing = np.empty(0, dtype=np.float64)
            self._blocks = Nodes(np.empty((height, 0)), nothing, nothing, np.empty(0, dtype=np.int64))
            self._groups = self._blocks
        elif rows > len(self._rows):
            self._rows = grown(self._rows, rows, self.covered)
            block, group = self._grain.block, self._grain.group
            self._blocks = self._blocks.grown(rows // block, self.covered // block)
            self._groups = self._groups.grown(rows // group, self.covered // group)


_AXES: Final[dict[OrderName, Callable[[Columns, slice], npt.NDArray[np.uint64]]]] = {
    "direction": lambda columns, rows: z_curve(direction(columns, rows)),
    "direction and coherence": lambda columns, rows: z_curve([*direction(columns, rows), columns.coherence[rows]]),
    "colour": lambda columns, rows: z_curve([columns.red[rows], columns.green[rows], columns.blue[rows]]),
}
