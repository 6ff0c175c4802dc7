"""The dream that is missed least, found again and again without sorting the pool (seed 000, section 4).

In: columns, what feedback says of each dream, the pinned ones; then each change of these. Out: the row that
`actors.pool_keeper.eviction` would take first, by its rule. It is derived from the pool and can be made anew at any
time; no choice depends on what of it is there.

Of every colour cell of every niche it keeps how many dreams are there, and a lower bound of their usefulness. The value
of the dream that a cell would give is at least that bound over that number. So the fullest niche is searched cell by
cell, the lowest bound first, until no other can be lower; of the few cells looked into, the worst dreams are kept in
order. A cell is looked into again when feedback comes on a dream of it, or when its worst are gone.
"""

from bisect import insort
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from actors.pool_keeper.colour_cells import CELLS, colour_cells, hue_bins
from actors.pool_keeper.columns import Columns, Floats, Integers
from actors.pool_keeper.identities import grown

FIRST_WORST: Final = 64
"""Of a cell, so many of the worst are put in order at first."""
MOST_CELLS: Final = 1024
"""So many cells are kept in order at a time."""
GONE: Final = -1

Measuring = Callable[[Integers], npt.NDArray[Any]]
"""What of some rows is compared."""


class Utility(NamedTuple):
    """The feedback on one dream."""

    records: int
    total: float

    @property
    def drawn(self) -> float:
        """Its mean, drawn towards 0 by one record without effect."""
        return self.total / (self.records + 1)


class Standing(NamedTuple):
    """A dream among those of its cell; the least goes first."""

    drawn: float
    coherence: float
    ts: int
    id_high: int
    """Negative, so that of equals the higher id goes."""
    id_low: int
    row: int


class Candidate(NamedTuple):
    """What a cell would give; the least goes."""

    value: float
    coherence: float
    ts: int
    id_high: int
    id_low: int
    row: int


class Niches:
    """All dreams of one pool by niche and colour cell."""

    def __init__(self, columns: Columns, bins: int, utilities: Mapping[int, Utility], pinned: Collection[str]) -> None:
        """`utilities` by sequence, `pinned` are ids; `bins` are hue bins, the greys being a niche more."""
        self._columns = columns
        self.bins = bins
        self._retreats = columns.retreats
        self._pinned = set(pinned)
        self._seen = 0
        self._codes: npt.NDArray[np.int32] = np.empty(0, dtype=np.int32)
        """Of each row niche and cell, or `GONE`."""
        self._drawn: Floats = np.empty(0, dtype=np.float64)
        self._largest: float | None = None
        self._sizes = np.zeros((bins + 1, CELLS**3), dtype=np.int32)
        self._least: Floats = np.zeros((bins + 1, CELLS**3), dtype=np.float64)
        """At most the least drawn utility in each cell."""
        self._totals = [0] * (bins + 1)
        self._worst: dict[int, list[Standing]] = {}
        """Of some cells the worst dreams, the very worst first."""
        self.catch_up()
        for sequence, utility in utilities.items():
            self.judge(sequence, utility)

    @property
    def is_valid(self) -> bool:
        """Whether no row that this knows was taken back or moved."""
        return self._retreats == self._columns.retreats

    @property
    def unseen(self) -> int:
        """Rows that are to be caught up with."""
        return self._columns.count - self._seen

    def catch_up(self) -> None:
        """Take in the rows that are new."""
        columns, here = self._columns, slice(self._seen, self._columns.count)
        if self._seen == columns.count:
            return
        niches, cells = hue_bins(columns, self.bins, here), colour_cells(columns, here)
        codes = (niches * CELLS**3 + cells).astype(np.int32)
        codes[~columns.present[here]] = GONE
        if len(self._codes) < columns.count:
            room = max(2 * len(self._codes), columns.count)
            self._codes, self._drawn = grown(self._codes, room, self._seen), grown(self._drawn, room, self._seen)
        self._codes[here], self._drawn[here] = codes, 0.0
        stored = codes[codes != GONE]
        added = np.bincount(stored, minlength=self._sizes.size).reshape(self._sizes.shape)
        self._sizes += added.astype(np.int32)
        self._totals = self._sizes.sum(axis=1).tolist()
        np.minimum(self._least, 0.0, out=self._least, where=added > 0)
        for row in range(self._seen, columns.count) if self._worst else ():
            self._line_up(row)
        self._seen = columns.count

    def judge(self, sequence: int, utility: Utility) -> None:
        """Take in what feedback says of a stored dream by now."""
        row, drawn = self._columns.row_of(sequence), utility.drawn
        if row >= self._seen:
            self.catch_up()
        code = int(self._codes[row])
        if abs(drawn) >= self._most():
            self._largest = abs(drawn)
        elif self._drawn[row] and abs(self._drawn[row]) == self._largest:
            self._largest = None
        self._drawn[row] = drawn
        self._least.flat[code] = min(float(self._least.flat[code]), drawn)
        self._worst.pop(code, None)

    def pin(self, dream_id: str, is_pinned: bool) -> None:
        """From now on a dream is passed over, or no longer."""
        (self._pinned.add if is_pinned else self._pinned.discard)(dream_id)

    def choose(self) -> int | None:
        """The row that goes first; None when no dream may go."""
        self.catch_up()
        for niche in sorted(range(self.bins + 1), key=lambda number: (-self._totals[number], number)):
            row = self._least_valued(niche) if self._totals[niche] else None
            if row is not None:
                return row
        return None

    def drop(self, row: int) -> None:
        """The dream of `row` is gone."""
        code = int(self._codes[row])
        niche, cell = divmod(code, CELLS**3)
        self._codes[row] = GONE
        self._sizes[niche, cell] -= 1
        self._totals[niche] -= 1
        if self._drawn[row]:
            self._largest = None if abs(self._drawn[row]) == self._largest else self._largest
            self._drawn[row] = 0.0
        if code in self._worst:
            rest = [standing for standing in self._worst[code] if standing.row != row]
            self._worst[code] = rest
            if not rest:
                del self._worst[code]

    def _most(self) -> float:
        """The largest effect of feedback on any dream, up or down."""
        if self._largest is None:
            self._largest = float(np.max(np.abs(self._drawn[: self._seen]), initial=0.0))
        return self._largest

    def _least_valued(self, niche: int) -> int | None:
        """The row of a niche that goes first."""
        sizes = self._sizes[niche]
        bounds = np.full(len(sizes), np.inf)
        np.divide(useful(self._least[niche], self._most()), sizes, out=bounds, where=sizes > 0)
        best: Candidate | None = None
        while True:
            cell = int(np.argmin(bounds))
            if bounds[cell] == np.inf or (best is not None and bounds[cell] > best.value):
                return None if best is None else best.row
            bounds[cell] = np.inf
            found = self._candidate(niche, cell)
            if found is not None and (best is None or found < best):
                best = found

    def _candidate(self, niche: int, cell: int) -> Candidate | None:
        """What a cell would give; its place counts from 1 for the dream that is missed most."""
        size, newest = int(self._sizes[niche, cell]), self._columns.count - 1
        most = self._most()
        for at, standing in enumerate(self._in_order(niche, cell, size)):
            row = standing.row
            if row != newest and not (self._pinned and self._columns.id_of(row) in self._pinned):
                value = float(useful(np.float64(standing.drawn), most)) / (size - at)
                return Candidate(value, *standing[1:])
        return None

    def _in_order(self, niche: int, cell: int, size: int) -> Iterator[Standing]:
        """The dreams of a cell, the worst first."""
        code, count = niche * CELLS**3 + cell, FIRST_WORST
        done = 0
        while True:
            if len(self._worst.get(code, ())) <= done:
                self._put_in_order(code, max(count, 4 * done))
            yield from self._worst[code][done:]
            done = len(self._worst[code])
            if done >= size:
                return

    def _put_in_order(self, code: int, count: int) -> None:
        """Sort the `count` worst dreams of a cell."""
        columns, rows = self._columns, np.flatnonzero(self._codes[: self._seen] == code)
        high, low = columns.ids.T
        measures = (
            lambda some: self._drawn[some],
            lambda some: columns.coherence[some],
            lambda some: columns.ts[some],
            lambda some: ~high[some],
            lambda some: ~low[some],
        )
        rows = worst_of(rows, measures, count)
        order = rows[np.lexsort([measure(rows) for measure in reversed(measures)])].tolist()
        if len(self._worst) >= MOST_CELLS:
            self._worst.clear()
        self._worst[code] = [self._standing(row) for row in order]
        self._least.flat[code] = self._drawn[order[0]]

    def _line_up(self, row: int) -> None:
        """Put a new row among the worst of its cell, if it is one of them."""
        worst = self._worst.get(int(self._codes[row]))
        if worst is not None and (standing := self._standing(row)) < worst[-1]:
            insort(worst, standing)

    def _standing(self, row: int) -> Standing:
        columns = self._columns
        high, low = columns.ids[row].tolist()
        drawn, coherence, ts = (float(self._drawn[row]), float(columns.coherence[row]), int(columns.ts[row]))
        return Standing(drawn, coherence, ts, -high, -low, row)


def useful(drawn: Floats | np.float64, largest: float) -> Floats | np.float64:
    """Usefulness in [0, 2]; 1 where nothing is known or nothing changed."""
    return 1.0 + drawn / largest if largest > 0.0 else drawn + 1.0


def worst_of(rows: Integers, measures: Sequence[Measuring], count: int) -> Integers:
    """The `count` least of `rows` by the `measures`, the first counting most, in no order; more where all are equal."""
    kept: list[Integers] = []
    for measure in measures:
        if len(rows) <= count:
            break
        values = measure(rows)
        cut = np.partition(values, count - 1)[count - 1]
        kept.append(rows[values < cut])
        count -= len(kept[-1])
        rows = rows[values == cut]
    return np.concatenate((*kept, rows))
