"""Which dreams share a tensor, and which of them is shown: the one with the lowest id.

In: columns. Out: the tensors that several dreams have or had; and which rows are shown now, and which no longer, since
the last call. It grows with the columns, follows evictions, and holds only what has or had copies.
"""

from typing import Final

import numpy as np

from actors.pool_keeper.columns import Columns, Integers
from actors.pool_keeper.identities import Rows

NOBODY: Final = -1


class Copies:
    """The shared tensors of one pool."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._retreats = self._seen = self._left = 0
        self._kin: dict[int, list[int]] = {}
        """By first row of a tensor that has or had copies, or whose first row is gone: its rows."""
        self.shared: Rows = np.empty(0, dtype=np.int32)
        """The first rows of those tensors, ascending."""
        self._begin()

    def catch_up(self) -> tuple[Integers, Integers]:
        """Take in what is new and what is gone: rows that are shown now, and those that no longer are."""
        columns = self._columns
        if self._retreats != columns.retreats:
            self._begin()
        gone = [row for row in columns.gone[self._left :] if row < self._seen]
        seen, self._seen, self._left = self._seen, columns.count, len(columns.gone)
        fresh = columns.only_present(np.arange(seen, columns.count, dtype=np.int64))
        is_first = columns.tensor[fresh] == fresh
        before = self._lose(gone)
        self._meet(fresh[~is_first], seen, before)
        firsts = fresh[is_first]
        if not before:
            return firsts, np.array([], dtype=np.int64)
        self.shared = np.array(sorted(self._kin), dtype=np.int32)
        changes = [(row, self._shown(tensor)) for tensor, row in before.items()]
        came = [now for row, now in changes if now not in (row, NOBODY)]
        went = [row for row, now in changes if row not in (now, NOBODY)]
        firsts = firsts[~np.isin(firsts, list(before))]
        return np.concatenate((firsts, np.array(came, dtype=np.int64))), np.array(went, dtype=np.int64)

    def shown_beside(self, rows: list[int]) -> Integers:
        """The rows that are shown of the shared tensors of `rows`."""
        if not self._kin:
            return np.array([], dtype=np.int64)
        tensors = sorted(set(self._columns.tensor[rows].tolist()))
        shown = [self._shown(tensor) for tensor in tensors if tensor in self._kin]
        return np.array([row for row in shown if row != NOBODY], dtype=np.int64)

    def _begin(self) -> None:
        """Nothing is known yet."""
        self._retreats, self._seen, self._left = self._columns.retreats, 0, len(self._columns.gone)
        self._kin, self.shared = {}, self.shared[:0]

    def _lose(self, gone: list[int]) -> dict[int, int]:
        """By tensor of a row that is gone: the row that was shown."""
        before: dict[int, int] = {}
        for row, tensor in zip(gone, self._columns.tensor[gone].tolist(), strict=True):
            before.setdefault(tensor, self._shown(tensor))
            self._kin[tensor] = [other for other in self._kin.get(tensor, [tensor]) if other != row]
        return before

    def _meet(self, copies: Integers, seen: int, before: dict[int, int]) -> None:
        """Take in rows that are not the first of their tensor; rows from `seen` on were not shown yet."""
        columns = self._columns
        for row, tensor in zip(copies.tolist(), columns.tensor[copies].tolist(), strict=True):
            if tensor not in self._kin:
                self._kin[tensor] = [tensor] if columns.present[tensor] else []
            before.setdefault(tensor, NOBODY if tensor >= seen else self._shown(tensor))
            self._kin[tensor].append(row)

    def _shown(self, tensor: int) -> int:
        """The row with the lowest id of a tensor, given as its first row; `NOBODY` when all are gone."""
        kin = self._kin.get(tensor)
        if kin is None:
            return tensor
        ids = self._columns.ids
        return min(kin, key=lambda row: ids[row].tolist(), default=NOBODY)
