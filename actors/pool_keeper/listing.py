"""What exploration draws from: the dreams that pass some filters, one by one or by lineage.

In: columns, filters, the rows already ranked. Out: drawn rows with their propensities. All dreams stand in the order of
their ids, or of their lineage roots and then their ids; what passes is marked in it. New dreams stand in between until
they are worked in (`actors.pool_keeper.sorted_rows`).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from actors.pool_keeper.bits import Bits
from actors.pool_keeper.columns import Columns, Integers
from actors.pool_keeper.copies import Copies
from actors.pool_keeper.drawing import Sequence
from actors.pool_keeper.filtering import Filters
from actors.pool_keeper.identities import Keys, Rows
from actors.pool_keeper.lots import Lots
from actors.pool_keeper.sorted_rows import NO_PLACES, SortedRows


class Drawn(NamedTuple):
    """A drawn row."""

    row: int
    propensity: float


class ById:
    """All dreams, by id."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._seen = 0
        self._left = len(columns.gone)
        self.rows = SortedRows(lambda rows: columns.ids[rows], kin_words=2)

    def catch_up(self) -> None:
        """Take in what is new, and take out what is gone."""
        columns = self._columns
        if (self._seen, self._left) == (columns.count, len(columns.gone)):
            return
        gone = np.array(columns.gone[self._left :], dtype=np.int64)
        fresh = columns.only_present(np.arange(self._seen, columns.count, dtype=np.int64))
        gone = gone[gone < self._seen]
        self._seen, self._left = columns.count, len(columns.gone)
        self.rows.change(fresh, gone)

    @property
    def size_bytes(self) -> int:
        """Memory taken."""
        return self.rows.size_bytes


class Kindred:
    """The dreams that are shown of their tensor, by lineage root and then by id."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._state = (0, len(columns.gone))
        self._settlements = -1
        self.copies = Copies(columns)
        self.rows = SortedRows(lambda rows: np.hstack((columns.root_keys[rows], columns.ids[rows])), kin_words=2)

    def catch_up(self) -> None:
        """Take in what is new, and take out what is gone."""
        state = (self._columns.count, len(self._columns.gone))
        if self._state == state:
            return
        self._state = state
        self.rows.change(*self.copies.catch_up())
        if self._settlements != self.rows.settlements:
            self._settlements = self.rows.settlements
            is_lead = np.diff(self._columns.root[self.rows.base], prepend=-1) != 0
            self.leads = Bits(is_lead)
            """Where a lineage begins."""

    @property
    def size_bytes(self) -> int:
        """Memory taken."""
        return self.rows.size_bytes + (self.leads.size_bytes if self._settlements >= 0 else 0)


class _Marked:
    """Rows in order, and marks on those that pass."""

    def __init__(self, columns: Columns, rows: SortedRows, filters: Filters) -> None:
        self._columns = columns
        self._rows = rows
        self._filters = filters
        self._settlements = self._changes = -1

    def _catch_up(self) -> None:
        rows = self._rows
        if self._settlements != rows.settlements:
            self._settlements = rows.settlements
            self._mark(self._are_in(rows.base))
        if self._changes != rows.changes:
            self._changes = rows.changes
            self._in_between = np.flatnonzero(self._are_in(rows.came))
            """Which of the rows that came pass."""
            self._gone = rows.gone[self._marks.marked(rows.gone)]
            came, at = rows.came[self._in_between], rows.came_at[self._in_between]
            self._passing = Sequence(rows.base, self._marks, self._gone, came, at)

    def _mark(self, are_in: npt.NDArray[np.bool_]) -> None:
        """Mark the sorted rows that pass."""
        self._marks = Bits(are_in)

    def _are_in(self, rows: Rows) -> npt.NDArray[np.bool_]:
        columns = self._columns
        if len(rows) < columns.count // 8:
            passes = self._filters.passes(columns.coherence[rows], columns.entropy[rows])
        else:
            passes = self._filters.passes(columns.coherence, columns.entropy)
            passes = None if passes is None else passes[rows]
        return np.ones(len(rows), dtype=np.bool_) if passes is None else passes

    @property
    def size_bytes(self) -> int:
        """Memory taken."""
        return self._marks.size_bytes


class Passing(_Marked):
    """The dreams that pass."""

    def draw(self, lots: Lots, ranked: list[int], count: int) -> list[Drawn]:
        """Each remaining dream is equally likely."""
        self._catch_up()
        rest = len(self._passing) - len(ranked)
        count = min(count, rest)
        return [Drawn(row, count / rest) for row in lots.distinct(self._passing, set(ranked), count)]


class Lineages(_Marked):
    """The lineages of the dreams that pass and are shown of their tensor."""

    def __init__(self, columns: Columns, kindred: Kindred, filters: Filters) -> None:
        super().__init__(columns, kindred.rows, filters)
        self._kindred = kindred
        self._listed = -1

    def __len__(self) -> int:
        return len(self._lineages)

    def __getitem__(self, numbers: Integers) -> Rows:
        return self._columns.root[self._lineages[numbers]]

    def draw(self, lots: Lots, ranked: list[int], count: int) -> list[Drawn]:
        """Each lineage without kin among `ranked` is equally likely, and each of its dreams."""
        self._catch_up()
        self._list()
        columns = self._columns
        shown = self._kindred.copies.shown_beside(ranked)
        copied = self._filters.of_rows(columns, shown)
        out = self._out(ranked, copied) if len(shown) else set(columns.root[ranked].tolist())
        rest = len(self) - len(out)
        count = min(count, rest)
        if not count:
            return []
        roots = np.array(lots.distinct(self, out, count), dtype=np.int64)
        begins, ends = self._spans(roots)
        sizes = ends - begins
        lost = [self._numbers(copied[columns.root[copied] == root]) for root in roots.tolist()] if len(copied) else []
        for place, skipped in enumerate(lost):
            sizes[place] -= len(skipped)
        numbers = begins + lots.all_below(sizes)
        for place, skipped in enumerate(lost):
            for number in skipped:
                numbers[place] += number <= numbers[place]
        drawn = zip(self._passing[numbers].tolist(), sizes.tolist(), strict=True)
        return [Drawn(row, count / rest / size) for row, size in drawn]

    def _mark(self, are_in: npt.NDArray[np.bool_]) -> None:
        """Mark the rows that pass, and the first of each lineage among them."""
        super()._mark(are_in)
        self._leads = self._kindred.leads
        if self._marks.total < len(are_in):
            places = np.flatnonzero(are_in)
            lineages = np.cumsum(self._leads.all(len(are_in)), dtype=np.int32)[places]
            is_lead = np.zeros(len(are_in), dtype=np.bool_)
            is_lead[places[np.flatnonzero(np.diff(lineages, prepend=0))]] = True
            self._leads = Bits(is_lead)

    def _list(self) -> None:
        """Bring the lineages up to date: some have only rows in between, some have lost their last."""
        rows, marks = self._rows, self._marks
        if self._listed == rows.changes:
            return
        self._listed = rows.changes
        came = rows.came[self._in_between]
        is_first = np.diff(self._columns.root[came], prepend=-1) != 0
        begins, ends = (places[self._in_between][is_first] for places in rows.came_kin)
        is_new = marks.rank(begins) == marks.rank(ends)
        lost = NO_PLACES
        if len(self._gone):
            keys = self._columns.root_keys[rows.base[self._gone]]
            firsts, stops = map(rows.places_of, rows.kin(keys))
            is_lost = np.searchsorted(self._gone, stops) - np.searchsorted(self._gone, firsts) == marks.rank(
                stops
            ) - marks.rank(firsts)
            is_lost &= ~np.isin(self._columns.root[rows.base[self._gone]], self._columns.root[came])
            lost = np.unique(marks.places(marks.rank(firsts[is_lost])))
        self._lineages = Sequence(rows.base, self._leads, lost, came[is_first][is_new], begins[is_new])

    def _out(self, ranked: list[int], copied: Integers) -> set[int]:
        """Listed lineages of which nothing is left beside `ranked`."""
        roots = self._columns.root
        lost, counts = np.unique(roots[copied], return_counts=True)
        begins, ends = self._spans(lost)
        out = set(lost[counts == ends - begins].tolist())
        kin = np.unique(roots[ranked])
        begins, ends = self._spans(kin)
        return out | set(kin[ends > begins].tolist())

    def _spans(self, roots: Integers | Rows) -> tuple[Integers, Integers]:
        """Between which numbers of the passing rows those of each lineage stand."""
        begins, ends = self._rows.kin(self._columns.root_keys[roots])
        last = (ends == 0).all(axis=1)
        first_numbers, end_numbers = self._before(begins), self._before(ends)
        end_numbers[last] = len(self._passing)
        return first_numbers, end_numbers

    def _numbers(self, rows: Integers) -> list[int]:
        """The numbers of some passing rows, ascending."""
        columns = self._columns
        return sorted(self._before(np.hstack((columns.root_keys[rows], columns.ids[rows]))).tolist())

    def _before(self, keys: Keys) -> Integers:
        """How many passing rows have lower keys than each of these."""
        rows = self._rows
        return self._passing.before(rows.places_of(keys), np.searchsorted(self._in_between, rows.came_below(keys)))

    @property
    def size_bytes(self) -> int:
        """Memory taken."""
        return super().size_bytes + (0 if self._leads is self._kindred.leads else self._leads.size_bytes)
