"""Places of an answer that are drawn instead of ranked, so that every dream can get feedback (design, 5.5).

In: the rows already ranked, the filters, and a key (query seed, pool sequence). Out: drawn rows with their propensity,
the exact probability that the row is in the answer. With duplicates allowed each remaining dream that passes the
filters is equally likely. Without, dreams that share a lineage root or a tensor with a ranked one are out, of dreams
of one tensor all but the one with the lowest id are out, each remaining lineage is equally likely, and then each dream
within it. The draw runs over lists in the order of ids, so that it does not depend on the order in which dreams were
stored. It draws from nothing but the key.

The lists of the last filters are kept and continued, so that asking again costs only what is new and what has gone.
"""

from typing import Final, NamedTuple

import numpy as np

from actors.pool_keeper.columns import Columns, Integers
from actors.pool_keeper.filtering import Filters
from actors.pool_keeper.identities import Keys, Rows
from schemas.retrieval import RetrievalQuery

NOBODY: Final = -1


class Drawn(NamedTuple):
    """A drawn row."""

    row: int
    propensity: float


class Lots:
    """Whole numbers from the raw Philox stream of one key; the raw stream is the same in every numpy release."""

    def __init__(self, seed: int, counter: int) -> None:
        self._bits = np.random.Philox(key=np.array([seed, counter], dtype=np.uint64))

    def below(self, bound: int) -> int:
        """A number in [0, bound), uniform to within bound / 2^64."""
        return (int(self._bits.random_raw()) * bound) >> 64

    def distinct(self, rows: Rows, out: set[int], count: int) -> list[int]:
        """`count` different rows of `rows`, none of `out`, each set equally likely. There must be so many."""
        drawn: dict[int, None] = {}
        while len(drawn) < count:
            row = int(rows[self.below(len(rows))])
            if row not in out:
                drawn[row] = None
        return list(drawn)


class Explorer:
    """Draws from one pool."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._passing = Passing(columns, Filters(None, None))
        self._lineages = Lineages(columns, Filters(None, None))

    def explore(self, query: RetrievalQuery, ranked: list[int], count: int) -> list[Drawn]:
        """Up to `count` rows beside `ranked`, fewer when there are no more."""
        if not count or not self._columns.count:
            return []
        lots = Lots(query.seed, self._columns.last_sequence)
        filters = Filters.of(query)
        if query.allow_duplicates:
            if not self._passing.serves(filters):
                self._passing = Passing(self._columns, filters)
            return self._passing.draw(lots, ranked, count)
        if not self._lineages.serves(filters):
            self._lineages = Lineages(self._columns, filters)
        return self._lineages.draw(lots, ranked, count)

    @property
    def size_bytes(self) -> int:
        """Memory that the lists take."""
        return self._passing.size_bytes + self._lineages.size_bytes


class _List:
    """Rows that pass some filters, or what follows from them, in the order of their keys; it grows with the pool."""

    def __init__(self, columns: Columns, filters: Filters) -> None:
        self._columns = columns
        self._filters = filters
        self._retreats = columns.retreats
        self._seen = 0
        self._left = len(columns.gone)
        """How many of those that are gone are out of the list, or were never in it."""
        self._listed: Rows = np.empty(0, dtype=np.int32)

    def serves(self, filters: Filters) -> bool:
        """Whether this is the list of `filters`, with nothing in it that was taken back."""
        return self._filters == filters and self._retreats == self._columns.retreats

    @property
    def size_bytes(self) -> int:
        """Memory taken."""
        return self._listed.nbytes

    def _merge(self, rows: Integers | Rows, keys: Keys) -> None:
        """Put `rows` where their `keys` belong."""
        if not len(rows):
            return
        rows = rows[np.lexsort(keys[rows].T[::-1])]
        self._listed = np.insert(self._listed, _places(keys, self._listed, rows), rows)

    def _take_out(self, rows: Integers | Rows, keys: Keys) -> None:
        """Take those of `rows` that are listed out."""
        if len(rows) and len(self._listed):
            places = np.minimum(_places(keys, self._listed, rows), len(self._listed) - 1)
            self._listed = np.delete(self._listed, places[self._listed[places] == rows])

    def _fresh(self) -> Integers:
        """Rows that were not seen before and whose dreams are in the pool."""
        start, self._seen = self._seen, self._columns.count
        return self._columns.only_present(np.arange(start, self._seen, dtype=np.int64))

    def _gone(self) -> Integers:
        """Rows that were seen, and whose dreams are gone since."""
        start, self._left = self._left, len(self._columns.gone)
        gone = np.array(self._columns.gone[start:], dtype=np.int64)
        return gone[gone < self._seen]


class Passing(_List):
    """The rows that pass."""

    def draw(self, lots: Lots, ranked: list[int], count: int) -> list[Drawn]:
        """Each remaining row is equally likely."""
        self._take_out(self._gone(), self._columns.ids)
        self._merge(self._filters.of_rows(self._columns, self._fresh()), self._columns.ids)
        rest = len(self._listed) - len(ranked)
        count = min(count, rest)
        return [Drawn(row, count / rest) for row in lots.distinct(self._listed, set(ranked), count)]


class Lineages(_List):
    """The lineages of the rows that pass and are no copies, each as the first row that it had."""

    def __init__(self, columns: Columns, filters: Filters) -> None:
        super().__init__(columns, filters)
        self._sizes: Rows = np.zeros(0, dtype=np.int32)
        """By first row of the lineage: its rows that pass and are no copies."""
        self._kin: dict[int, list[int]] = {}
        """By first row of a tensor that has or had copies, or whose first row is gone: its rows."""

    @property
    def size_bytes(self) -> int:
        """Memory taken, without spare capacity."""
        return super().size_bytes + self._seen * self._sizes.itemsize

    def draw(self, lots: Lots, ranked: list[int], count: int) -> list[Drawn]:
        """Each lineage without kin among `ranked` is equally likely, and each of its dreams."""
        self._catch_up()
        columns = self._columns
        out = self._out(ranked)
        rest = len(self._listed) - len(out)
        count = min(count, rest)
        roots = lots.distinct(self._listed, out, count)
        members = self._members(roots, columns.tensor[ranked])
        drawn: list[Drawn] = []
        for root in roots:
            rows = members[columns.root[members] == root]
            drawn.append(Drawn(int(rows[lots.below(len(rows))]), count / rest / len(rows)))
        return drawn

    def _out(self, ranked: list[int]) -> set[int]:
        """Listed lineages of which nothing is left beside `ranked`."""
        columns = self._columns
        out = set(columns.root[ranked].tolist())
        tensors = set(columns.tensor[ranked].tolist())
        shown = np.array([self._shown(tensor) for tensor in sorted(tensors)], dtype=np.int64)
        lost, sizes = np.unique(columns.root[self._filters.of_rows(columns, shown)], return_counts=True)
        out.update(lost[self._sizes[lost] == sizes].tolist())
        return {root for root in out if self._sizes[root]}

    def _catch_up(self) -> None:
        columns = self._columns
        dropped, returning = self._lose(self._gone())
        fresh = self._fresh()
        if columns.count > len(self._sizes):
            room = np.zeros(max(len(self._sizes), columns.count - len(self._sizes)), dtype=np.int32)
            self._sizes = np.concatenate((self._sizes, room))
        is_first = columns.tensor[fresh] == fresh
        outdone, lowest = self._meet(fresh[~is_first])
        came = columns.root[self._filters.of_rows(columns, np.concatenate((returning, fresh[is_first], lowest)))]
        went = columns.root[self._filters.passing(columns, np.concatenate((dropped, outdone)))]
        roots = np.unique(np.concatenate((came, went)))
        was_listed = self._sizes[roots] > 0
        np.add.at(self._sizes, came, 1)
        np.subtract.at(self._sizes, went, 1)
        is_listed = self._sizes[roots] > 0
        self._take_out(roots[was_listed & ~is_listed], columns.root_keys)
        self._merge(roots[is_listed & ~was_listed], columns.root_keys)

    def _lose(self, gone: Integers) -> tuple[Integers, Integers]:
        """Of rows that are gone, those that were shown, and the rows that are shown instead."""
        before: dict[int, int] = {}
        for row, tensor in zip(gone.tolist(), self._columns.tensor[gone].tolist(), strict=True):
            before.setdefault(tensor, self._shown(tensor))
            self._kin[tensor] = [other for other in self._kin.get(tensor, [tensor]) if other != row]
        return self._changed(before)

    def _meet(self, copies: Integers) -> tuple[Integers, Integers]:
        """Rows that no longer have the lowest id of their tensor, and those that have it now."""
        columns = self._columns
        before: dict[int, int] = {}
        for row, tensor in zip(copies.tolist(), columns.tensor[copies].tolist(), strict=True):
            if tensor not in self._kin:
                self._kin[tensor] = [tensor] if columns.present[tensor] else []
            before.setdefault(tensor, self._shown(tensor))
            self._kin[tensor].append(row)
        return self._changed(before)

    def _changed(self, before: dict[int, int]) -> tuple[Integers, Integers]:
        """Where the row that is shown of a tensor is another than `before`: that one, and the one of now."""
        pairs = [(row, self._shown(tensor)) for tensor, row in before.items()]
        went = [row for row, now in pairs if row not in (now, NOBODY)]
        came = [now for row, now in pairs if now not in (row, NOBODY)]
        return np.array(went, dtype=np.int64), np.array(came, dtype=np.int64)

    def _shown(self, tensor: int) -> int:
        """The row with the lowest id of a tensor, given as its first row; `NOBODY` when all are gone."""
        kin = self._kin.get(tensor)
        if kin is None:
            return tensor
        ids = self._columns.ids
        return min(kin, key=lambda row: ids[row].tolist(), default=NOBODY)

    def _members(self, roots: list[int], without: Rows) -> Integers:
        """Rows of `roots` that pass and are no copies, of no tensor in `without`, in the order of their ids."""
        columns = self._columns
        rows = np.flatnonzero(np.isin(columns.root, np.array(roots, dtype=np.int32)))
        tensors = columns.tensor[rows]
        is_shown = tensors == rows
        if self._kin:
            contested = [tensor for tensor in set(tensors.tolist()) if tensor in self._kin]
            is_shown &= ~np.isin(tensors, contested)
            is_shown |= np.isin(rows, [self._shown(tensor) for tensor in contested])
        is_shown &= ~np.isin(columns.tensor[rows], without)
        rows = self._filters.of_rows(columns, rows[is_shown])
        order = np.lexsort(columns.ids[rows].T[::-1])
        return np.asarray(rows[order], dtype=np.int64)


def _places(keys: Keys, listed: Rows, rows: Integers | Rows) -> Integers:
    """Where `rows` go into `listed`, both in the order of their `keys`: a binary search for all at once."""
    low: Integers = np.zeros(len(rows), dtype=np.int64)
    high: Integers = np.full(len(rows), len(listed), dtype=np.int64)
    wanted = keys[rows]
    while (is_open := low < high).any():
        middle = (low + high) // 2
        found = keys[listed[np.minimum(middle, len(listed) - 1)]]
        is_before = (found[:, 0] < wanted[:, 0]) | ((found[:, 0] == wanted[:, 0]) & (found[:, 1] < wanted[:, 1]))
        low, high = np.where(is_open & is_before, middle + 1, low), np.where(is_open & ~is_before, middle, high)
    return low
