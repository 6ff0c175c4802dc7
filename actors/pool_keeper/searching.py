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

from actors.pool_keeper.atlas import Atlas
from actors.pool_keeper.bounding import bounds
from actors.pool_keeper.cells import Cells
from actors.pool_keeper.columns import Floats, Integers
from actors.pool_keeper.filtering import Filters
from actors.pool_keeper.scoring import Scoring
from actors.pool_keeper.selecting import Selection, best_first, contenders
from schemas.retrieval import RetrievalQuery

TOP: Final = 2
"""The level from which nodes are opened: regions."""
FIRST_REGIONS: Final = 8
FIRST_GROUPS: Final = 12
FIRST_BLOCKS: Final = 24
SPARE: Final = 1.1
"""While too few are found, the next look takes so many times the blocks that should hold the rest."""
ALL: Final = 1 << 62
GROWTH: Final = 2
"""Each further look takes up to so many times more blocks than the one before, and until there is a bar, no more of the
regions and groups either."""
SEEN: Final = -1.0
"""In place of the bound of what is opened: below every score."""


class Found(NamedTuple):
    """What a search gives."""

    selection: Selection
    scores: list[float]
    """Of the rows that it added."""


class Bar(NamedTuple):
    """What something unseen needs to matter: a higher score, or the same and to be as new."""

    score: float
    ts: int

    def reached(self, bounds: Floats, ts: Integers) -> Integers:
        """Places of the bounds that reach it."""
        places = (bounds >= self.score).nonzero()[0]
        is_older = (bounds[places] == self.score) & (ts[places] < self.ts)
        return places[~is_older] if is_older.any() else places


NO_BAR: Final = Bar(0.0, np.iinfo(np.int64).min)


class Frontier:
    """Nodes of one level that are in sight and not opened yet."""

    def __init__(self, cells: Cells, level: int, scoring: Scoring, filters: Filters) -> None:
        self._cells = cells
        self._level = level
        self._scoring = scoring
        self._filters = filters
        self._numbers: Integers = np.empty(0, dtype=np.int64)
        self._bound_of: Floats = np.empty(0, dtype=np.float64)
        self._ts: Integers = np.empty(0, dtype=np.int64)

    def add(self, numbers: Integers) -> None:
        """Bring those nodes in sight in which something can pass the filters."""
        level = self._cells.levels[self._level]
        passes = self._filters.passes(level.coherence[numbers], level.entropy[numbers])
        if passes is not None and not passes.all():
            numbers = numbers[passes]
        if not len(numbers):
            return
        found, times = self._bounds(numbers), level.ts[numbers]
        if len(self._numbers):
            numbers = np.concatenate((self._numbers, numbers))
            found = np.concatenate((self._bound_of, found))
            times = np.concatenate((self._ts, times))
        self._numbers, self._bound_of, self._ts = numbers, found, times

    def take(self, bar: Bar, most: int) -> Integers:
        """The most promising of those that reach `bar`, about `most`, which then are opened."""
        places = bar.reached(self._bound_of, self._ts)
        if len(places) > most:
            places = places[contenders(self._bound_of[places], self._ts[places], most)[:most]]
        self._bound_of[places] = SEEN
        return self._numbers[places]

    def _bounds(self, numbers: Integers) -> Floats:
        """Upper bounds in some nodes, exact where all colours are the same and nothing decays."""
        cells, scoring = self._cells, self._scoring
        level = cells.levels[self._level]
        if scoring.decay or not cells.has_flat[self._level] or scoring.measure == "coherence":
            return bounds(level.part(numbers, has_ball=scoring.measure != "coherence"), scoring)
        is_flat = level.flat[numbers]
        flat = numbers[is_flat]
        found = np.empty(len(numbers), dtype=np.float64)
        leaders = cells.rows[flat * cells.grain.spans[self._level]]
        found[is_flat] = scoring.undecayed(cells.columns, leaders, level.coherence[flat])
        found[~is_flat] = bounds(level.part(numbers[~is_flat]), scoring)
        return found


class Search:
    """Looks for the best by one scoring."""

    def __init__(self, atlas: Atlas, query: RetrievalQuery, scoring: Scoring) -> None:
        self._columns = atlas.columns
        self._cells = atlas.cells_for(scoring)
        self._filters = Filters.of(query)
        self._scoring = scoring
        self._rows: Integers = np.empty(0, dtype=np.int64)
        self._scores: Floats = np.empty(0, dtype=np.float64)
        self.touched = 0
        """Rows scored so far."""
        levels = self._cells.levels
        self._blocks, self._groups, self._regions = (
            Frontier(self._cells, level, scoring, self._filters) for level in range(TOP + 1)
        )
        self._regions.add(np.arange(len(levels[TOP].ts), dtype=np.int64))
        self._loose = np.arange(len(levels[TOP].ts) * self._cells.grain.width, len(levels[1].ts), dtype=np.int64)
        """Groups that lie in no region."""
        self._tail = self._cells.tail()

    def extend(self, selection: Selection, wanted: int) -> Found:
        """`selection` with the best that are left, up to `wanted` in all."""
        wanted = min(wanted, selection.most)
        if len(selection.taken) >= wanted:
            return Found(selection, [])
        bar, (regions, groups, room) = NO_BAR, self._first_look(wanted)
        found, seen = Found(selection, []), 0
        while True:
            self._open(bar, regions, groups)
            blocks = self._blocks.take(bar, room)
            if not len(blocks) and not len(self._tail) and regions == ALL:
                return found if found.selection is not selection else self._taken(selection, wanted)
            self._see(np.concatenate((self._tail, self._cells.rows_of(blocks))))
            self._tail = self._tail[:0]
            found = self._taken(selection, wanted)
            seen, bar, room = seen + len(blocks), self._bar(found, wanted), room * GROWTH
            if bar is not NO_BAR or not len(blocks):
                regions, groups = ALL, ALL
                continue
            regions, groups = regions * GROWTH, groups * GROWTH
            if found.scores:
                holding = SPARE * seen * (wanted - len(found.selection.taken)) / len(found.scores)
                room = min(room, max(FIRST_BLOCKS, int(holding)))

    def _first_look(self, wanted: int) -> tuple[int, int, int]:
        """How many regions and groups to open, and how many blocks to look at, before there is a bar."""
        if self._scoring.measure != "coherence":
            return FIRST_REGIONS + wanted // 256, FIRST_GROUPS + wanted // 16, FIRST_BLOCKS + wanted // 4
        is_long = wanted > FIRST_GROUPS
        return ALL if is_long else FIRST_REGIONS, ALL if is_long else FIRST_GROUPS, FIRST_BLOCKS + wanted // 2

    def _open(self, bar: Bar, regions: int, groups: int) -> None:
        """Replace up to so many regions and groups by what is in them."""
        self._groups.add(np.concatenate((self._loose, self._cells.parts_of(self._regions.take(bar, regions)))))
        self._loose = self._loose[:0]
        self._blocks.add(self._cells.parts_of(self._groups.take(bar, groups)))

    def _taken(self, selection: Selection, wanted: int) -> Found:
        """What is best among all seen."""
        result = selection.joined([])
        found = Found(result, [])
        rows, scores = self._rows, self._scores
        if selection.taken:
            is_open = selection.open_among(rows)
            rows, scores = rows[is_open], scores[is_open]
        while len(rows):
            order = self._best(rows, scores, result.looked_at(wanted - len(result.taken)))
            found.scores.extend(scores[order[result.take(rows[order], wanted)]].tolist())
            if len(result.taken) >= wanted:
                break
            is_open = result.open_among(rows)
            rows, scores = rows[is_open], scores[is_open]
        return found

    def _bar(self, found: Found, wanted: int) -> Bar:
        """What something unseen needs to matter."""
        taken = found.selection.taken
        return Bar(found.scores[-1], int(self._columns.ts[taken[-1]])) if len(taken) >= wanted else NO_BAR

    def _best(self, rows: Integers, scores: Floats, count: int) -> Integers:
        """Places of the `count` best, best first."""
        some = contenders(scores, self._columns.ts[rows], count)
        return some[best_first(self._columns, rows[some], scores[some])[:count]]

    def _see(self, rows: Integers) -> None:
        """Score those of `rows` that pass the filters."""
        self.touched += len(rows)
        rows = self._filters.of_rows(self._columns, rows)
        if len(rows):
            self._rows = np.concatenate((self._rows, rows))
            self._scores = np.concatenate((self._scores, self._scoring.scores(self._columns, rows)))
