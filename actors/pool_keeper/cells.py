"""Neighbouring dreams in blocks, so that a search can leave out blocks whose best possible score is too low.

In: columns. Out: an order of the rows in which neighbours are alike, cut into blocks of 16 rows, groups of 16 blocks,
regions of 16 groups and areas of 16 regions, with bounds of what lies in each (`actors.pool_keeper.bounding`). There
are three orders, each made when it is first asked for: by direction of the colour (cosine), by direction, coherence and
time (composite, coherence), by colour (Euclidean).

Rows are sorted within segments of 2^8 to 2^18 rows; which segments there are follows from the number of rows, the
largest first, and the rest of under 2^8 rows, the tail, stays unsorted. A new row is in the tail at once; over time it
is sorted anew at most eleven times. Segments follow time, which serves the decay. A large segment is sorted step by
step, one step a query, while those that it replaces go on serving: no query waits for all of it. So which segments
there are depends on when queries came, and no answer depends on which there are.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from actors.pool_keeper.bounding import Nodes
from actors.pool_keeper.columns import Columns, Floats, Integers
from actors.pool_keeper.identities import Rows, grown
from actors.pool_keeper.scoring import Measure
from actors.pool_keeper.shapes import colours_of, direction, drawing_together

OrderName = Literal["direction", "direction, coherence and time", "colour"]

ORDERS: Final[dict[Measure, OrderName]] = {
    "coherence": "direction, coherence and time",
    "cosine": "direction",
    "composite": "direction, coherence and time",
    "euclidean": "colour",
}
LEVELS: Final = 4
"""Blocks, groups, regions, areas."""
TIME_SHARE: Final = 0.25
"""What the time that a segment spans weighs beside the widest possible range of directions and coherences."""


@dataclass(frozen=True)
class Grain:
    """Rows in a block, a group, the smallest and the largest segment; each a power of two times the one before."""

    block: int = 16
    group: int = 16 * 16
    smallest: int = 1 << 8
    largest: int = 1 << 18
    at_once: int = 1 << 14
    """Segments up to here are sorted in one go."""

    @property
    def width(self) -> int:
        """Blocks in a group, groups in a region, regions in an area."""
        return self.group // self.block

    @property
    def spans(self) -> tuple[int, ...]:
        """Rows in a block, a group, a region, an area."""
        return tuple(self.block * self.width**level for level in range(LEVELS))

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


class Cells:
    """One order of the rows of `columns`; `cover` brings it up to date."""

    def __init__(self, columns: Columns, name: OrderName, grain: Grain) -> None:
        self.columns = columns
        self.name = name
        self.grain = grain
        self._retreats = columns.retreats
        self._segments: list[int] = []
        self._sorting: Iterator[None] = iter(())
        self._is_sorting = False
        self._lots = 0
        self.changes = 0
        """How often the arrays were replaced or overwritten."""
        self._begin()

    def _begin(self) -> None:
        """Nothing is sorted yet."""
        self._retreats = self.columns.retreats
        self._segments, self._is_sorting, self._lots = [], False, 0
        self.rows: Rows = np.empty(0, dtype=np.int32)
        """Sorted rows; those of block b stand from b * grain.block on."""
        self.levels = [Nodes.none()] * LEVELS
        """Blocks, groups, regions and areas; of the last two those that lie in segments from end to end."""
        self.has_flat = [False] * LEVELS
        """Of each level whether some node may be flat."""
        self.covered = 0
        """Rows in segments; those from here on are the tail."""
        self.changes += 1

    def cover(self) -> None:
        """Sort what has become due, or a part of it."""
        columns = self.columns
        if columns.retreats != self._retreats:
            self._begin()
        lots = columns.count // self.grain.smallest
        if not self._is_sorting and lots == self._lots:
            return
        self._lots = lots
        if self._is_sorting:
            self._is_sorting = next(self._sorting, False) is None
        if self._is_sorting:
            self._cover_rest(columns.count)
        else:
            self._settle(self.grain.segments(columns.count))

    def tail(self) -> Integers:
        """The rows that no block holds."""
        return np.arange(self.covered, self.columns.count, dtype=np.int64)

    def rows_of(self, blocks: Integers) -> Integers:
        """The rows of some blocks."""
        return self.rows.reshape(-1, self.grain.block)[blocks].ravel().astype(np.int64)

    def parts_of(self, nodes: Integers) -> Integers:
        """The nodes of the level below that are in some nodes."""
        return (nodes[:, None] * self.grain.width + np.arange(self.grain.width)).ravel()

    @property
    def size_bytes(self) -> int:
        """Memory that the rows take."""
        return self.rows.nbytes + sum(nodes.size_bytes for nodes in self.levels)

    def _settle(self, due: list[int]) -> None:
        """Come to the segments that are due, or begin to."""
        kept = start = 0
        while kept < min(len(due), len(self._segments)) and due[kept] == self._segments[kept]:
            start += due[kept]
            kept += 1
        if kept == len(due):
            return
        size = due[kept]
        if size > self.grain.at_once and 2 * (self.columns.count - self.covered) < size:
            self._cut(start + size)
            self._cover_rest(start + size)
            self._cover_rest(self.columns.count)
            self._sorting, self._is_sorting = self._replace(start, size), True
        else:
            self._segments = due
            self._sort_now(start, due[kept:])

    def _cover_rest(self, end: int) -> None:
        """Sort the rows up to `end` that no segment holds, in segments of their own."""
        sizes = self.grain.segments(max(0, end - self.covered))
        self._segments += sizes
        self._sort_now(self.covered, sizes)

    def _cut(self, end: int) -> None:
        """Let no segment reach over `end`."""
        start = 0
        for place, size in enumerate(self._segments):
            if start < end < start + size:
                parts = [*self.grain.segments(end - start), *self.grain.segments(start + size - end)]
                self._segments[place : place + 1] = parts
                self._sort_now(start, parts)
                return
            start += size

    def _replace(self, start: int, size: int) -> Iterator[None]:
        """Sort a segment in steps, and let it take the place of those that are there."""
        yield from self._sort(start, size)
        first = last = at = 0
        for segment in self._segments:
            first += at < start
            last += at < start + size
            at += segment
        self._segments[first:last] = [size]

    def _sort_now(self, start: int, sizes: list[int]) -> None:
        """Sort segments that follow each other."""
        for size in sizes:
            for _ in self._sort(start, size):
                pass
            start += size

    def _sort(self, start: int, size: int) -> Iterator[None]:
        """Sort a segment in steps; the last writes it."""
        end = start + size
        rows: Rows = np.empty(0, dtype=np.int32)
        for places in drawing_together(_AXES[self.name](self.columns, slice(start, end)), self.grain.block):
            rows = (places + start).astype(np.int32)
            yield
        blocks: list[Nodes] = []
        for part in rows.reshape(-1, min(size, self.grain.at_once)):
            blocks.append(Nodes.around(self.columns, part.reshape(-1, self.grain.block), self.name != "colour"))
            yield
        self._put(start, rows, Nodes.joined(blocks))

    def _put(self, start: int, rows: Rows, blocks: Nodes) -> None:
        """Write a sorted segment."""
        end = start + len(rows)
        self.covered = max(self.covered, end)
        if self.covered > len(self.rows):
            self.rows = grown(self.rows, self.covered, len(self.rows))
        self.rows[start:end] = rows
        for level, span in enumerate(self.grain.spans):
            nodes = self.levels[level] = self.levels[level].grown(self.covered // span)
            first, last = start // span, min(-(-end // span), self.covered // span)
            if level == 0:
                nodes.put(slice(first, last), blocks)
            elif first < last:
                width = self.grain.width
                leaders = self.rows[first * span : last * span : span // width]
                parts = self.levels[level - 1].part(slice(first * width, last * width))
                nodes.put(slice(first, last), parts.gathered(colours_of(self.columns, leaders), width))
            self.has_flat[level] = self.has_flat[level] or bool(nodes.flat[first:last].any())
        self.changes += 1


def _times(columns: Columns, rows: slice) -> Floats:
    """Times of `rows`, in [0, TIME_SHARE]."""
    ts = columns.ts[rows]
    oldest = int(ts.min())
    scale = np.float64(TIME_SHARE / max(1, int(ts.max()) - oldest))
    return np.asarray((ts - oldest) * scale, dtype=np.float64)


_AXES: Final[dict[OrderName, Callable[[Columns, slice], list[Floats]]]] = {
    "direction": direction,
    "direction, coherence and time": lambda columns, rows: [
        *direction(columns, rows),
        columns.coherence[rows],
        _times(columns, rows),
    ],
    "colour": lambda columns, rows: [columns.red[rows], columns.green[rows], columns.blue[rows]],
}
