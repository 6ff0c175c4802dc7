"""The best dreams by one score, exactly, from as few rows as the bounds of `actors.pool_keeper.cells` allow.

In: a scoring, the filters of a query, and what is already taken. Out: rows, best first; equals newer first, then by
lower id. Without duplicates a dream is passed over when an earlier one has its lineage root or its tensor.

A search looks at the tail and at the most promising blocks, takes the best of what it has seen, and goes on while some
block it has not seen could hold a dream as good as the last one taken. When there is none, all that ranks before that
dream has been seen; taking in rank order looks at nothing else, so that what was taken is the answer. Nothing is ever
dropped for good: seeing more can make the last one worse, where a new dream passes over two.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from actors.pool_keeper.atlas import Atlas
from actors.pool_keeper.cells import Nodes
from actors.pool_keeper.columns import Columns, Floats, Integers
from actors.pool_keeper.filtering import Filters
from actors.pool_keeper.scoring import Scoring
from schemas.retrieval import RetrievalQuery

FIRST_GROUPS: Final = 12
FIRST_BLOCKS: Final = 24
GROWTH: Final = 2
"""Each further look takes up to so many times more blocks than the one before."""
SURPLUS: Final = 4
"""Dreams sorted for each missing place when some of them may be duplicates."""
SEEN: Final = -1.0
"""A bound below every score: nothing more is to be found there."""


class Selection:
    """Takes dreams in rank order, passing over those that repeat one already taken."""

    def __init__(self, columns: Columns, allow_duplicates: bool) -> None:
        self._columns = columns
        self._allows = allow_duplicates
        self._rows: set[int] = set()
        self._roots: set[int] = set()
        self._tensors: set[int] = set()
        self.taken: list[int] = []
        """Rows, in the order in which they were taken."""

    @property
    def most(self) -> int:
        """More than so many cannot be taken from the whole pool."""
        return self._columns.count if self._allows else self._columns.lineages

    @property
    def surplus(self) -> int:
        """How many dreams to look at for each that is wanted."""
        return 1 if self._allows else SURPLUS

    def copy(self) -> "Selection":
        """A selection that goes on from here on its own."""
        other = Selection(self._columns, self._allows)
        other._rows, other._roots, other._tensors = set(self._rows), set(self._roots), set(self._tensors)
        other.taken = list(self.taken)
        return other

    def take(self, order: Integers, wanted: int) -> None:
        """Take out of `order` until `wanted` are taken in all."""
        roots, tensors = self._columns.root[order].tolist(), self._columns.tensor[order].tolist()
        for row, root, tensor in zip(order.tolist(), roots, tensors, strict=True):
            if len(self.taken) >= wanted:
                return
            if row in self._rows or (not self._allows and (root in self._roots or tensor in self._tensors)):
                continue
            self._rows.add(row)
            self._roots.add(root)
            self._tensors.add(tensor)
            self.taken.append(row)

    def open_among(self, rows: Integers) -> npt.NDArray[np.bool_]:
        """Which of `rows` could still be taken."""
        if not self.taken:
            return np.ones(len(rows), dtype=np.bool_)
        if self._allows:
            return ~np.isin(rows, self.taken)
        columns = self._columns
        is_kin = np.isin(columns.root[rows], list(self._roots))
        return ~(is_kin | np.isin(columns.tensor[rows], list(self._tensors)))


class Bar(NamedTuple):
    """What something unseen needs to matter: a higher score, or the same and to be as new."""

    score: float
    ts: int

    def reached(self, bounds: Floats, ts: Integers) -> Integers:
        """Places of the bounds that reach it."""
        return np.flatnonzero((bounds > self.score) | ((bounds == self.score) & (ts >= self.ts)))


NO_BAR: Final = Bar(0.0, np.iinfo(np.int64).min)


class Search:
    """Looks for the best by one scoring."""

    def __init__(self, atlas: Atlas, query: RetrievalQuery, scoring: Scoring) -> None:
        self._columns = atlas.columns
        self._cells = atlas.cells_for(scoring.measure)
        self._filters = Filters.of(query)
        self._scoring = scoring
        self._rows: Integers = np.empty(0, dtype=np.int64)
        self._scores: Floats = np.empty(0, dtype=np.float64)
        self._blocks: Integers = np.empty(0, dtype=np.int64)
        self._block_bounds: Floats = np.empty(0, dtype=np.float64)
        self._block_ts: Integers = np.empty(0, dtype=np.int64)
        self.touched = 0
        """Rows scored so far."""
        groups = self._cells.groups()
        self._group_bounds, self._group_ts = self._bounds(groups), groups.ts
        self._see(self._cells.tail())

    def extend(self, selection: Selection, wanted: int) -> Selection:
        """`selection` with the best that are left, up to `wanted` in all."""
        wanted = min(wanted, selection.most)
        if len(selection.taken) >= wanted:
            return selection
        if not len(self._blocks):
            self._open(contenders(self._group_bounds, self._group_ts, FIRST_GROUPS))
        room = FIRST_BLOCKS
        while True:
            result, bar = self._taken(selection, wanted)
            self._open(bar.reached(self._group_bounds, self._group_ts))
            promising = bar.reached(self._block_bounds, self._block_ts)
            if not len(promising):
                return result
            best = contenders(self._block_bounds[promising], self._block_ts[promising], room)[:room]
            self._see(self._cells.rows_of(self._blocks[promising[best]]))
            self._block_bounds[promising[best]] = SEEN
            room *= GROWTH

    def _taken(self, selection: Selection, wanted: int) -> tuple[Selection, Bar]:
        """What is best among all seen, and what something unseen needs to matter."""
        result = selection.copy()
        rows, scores = self._rows, self._scores
        if selection.taken:
            is_open = selection.open_among(rows)
            rows, scores = rows[is_open], scores[is_open]
        while len(rows):
            order = self._best(rows, scores, (wanted - len(result.taken)) * result.surplus)
            result.take(rows[order], wanted)
            if len(result.taken) >= wanted:
                last = result.taken[-1]
                return result, Bar(float(scores[rows == last][0]), int(self._columns.ts[last]))
            is_open = result.open_among(rows)
            rows, scores = rows[is_open], scores[is_open]
        return result, NO_BAR

    def _best(self, rows: Integers, scores: Floats, count: int) -> Integers:
        """Places of the `count` best, best first."""
        some = contenders(scores, self._columns.ts[rows], count)
        return some[self._columns.order(rows[some], scores[some])[:count]]

    def _open(self, groups: Integers) -> None:
        """Replace groups by their blocks."""
        if not len(groups):
            return
        self._group_bounds[groups] = SEEN
        numbers = self._cells.blocks_of(groups)
        blocks = self._cells.blocks(numbers)
        self._blocks = np.concatenate((self._blocks, numbers))
        self._block_bounds = np.concatenate((self._block_bounds, self._bounds(blocks)))
        self._block_ts = np.concatenate((self._block_ts, blocks.ts))

    def _see(self, rows: Integers) -> None:
        """Score those of `rows` that pass the filters."""
        self.touched += len(rows)
        rows = self._filters.of_rows(self._columns, rows)
        if len(rows):
            self._rows = np.concatenate((self._rows, rows))
            self._scores = np.concatenate((self._scores, self._scoring.scores(self._columns, rows)))

    def _bounds(self, nodes: Nodes) -> Floats:
        """Upper bounds of the scores in `nodes`, below every score where nothing can pass the filters."""
        bounds = self._cells.bounds(nodes, self._scoring)
        passes = self._filters.passes(nodes.coherence, nodes.entropy)
        return bounds.copy() if passes is None else np.where(passes, bounds, SEEN)


def contenders(scores: Floats, ts: Integers, count: int) -> Integers:
    """Unordered places that hold the `count` best by (score, ts), and as few others as its ties allow."""
    if count >= len(scores):
        return np.arange(len(scores), dtype=np.int64)
    cut = np.partition(scores, len(scores) - count)[len(scores) - count]
    above, ties = np.flatnonzero(scores > cut), np.flatnonzero(scores == cut)
    room = count - len(above)
    if len(ties) > room:
        stamps = ts[ties]
        ties = ties[stamps >= np.partition(stamps, len(ties) - room)[len(ties) - room]]
    return np.concatenate((above, ties)).astype(np.int64, copy=False)
