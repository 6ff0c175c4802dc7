"""Taking dreams in rank order, passing over those that repeat one already taken (design, 5.6).

In: rows, best first. Out: which of them are taken. Without duplicates a dream is passed over when an earlier one has
its lineage root or its tensor; what was passed over rules nothing out.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from actors.pool_keeper.columns import Columns, Floats, Integers
from actors.pool_keeper.identities import Rows

FEW: Final = 64
"""Up to so many rows are taken one by one, more in one go where each is the first of its tensor."""
MANY: Final = 2048
"""From so many rows on, marking those of the whole pool is faster than searching."""
PLACE_BITS: Final = 32
SURPLUS: Final = 4
"""Dreams to look at for each missing place, when some of them may be duplicates and few are wanted."""


class Selection:
    """The dreams taken so far."""

    def __init__(self, columns: Columns, allow_duplicates: bool, taken: Iterable[int] = ()) -> None:
        self._columns = columns
        self._allows = allow_duplicates
        self.taken = list(taken)
        """Rows, in the order in which they were taken."""

    @property
    def most(self) -> int:
        """More than so many cannot be taken from the whole pool."""
        return self._columns.count if self._allows else self._columns.lineages

    def looked_at(self, missing: int) -> int:
        """How many dreams to look at when so many are missing."""
        return missing if self._allows else missing + min((SURPLUS - 1) * missing, FEW + missing // 2)

    def joined(self, rows: list[int]) -> "Selection":
        """A selection that has taken `rows` too, and goes on from there on its own."""
        return Selection(self._columns, self._allows, self.taken + rows)

    def take(self, order: Integers, wanted: int) -> Integers:
        """Take out of `order` until `wanted` are taken in all. Returns the places in `order`."""
        room = wanted - len(self.taken)
        places = np.flatnonzero(self.open_among(order)) if self.taken else np.arange(len(order), dtype=np.int64)
        if not self._allows:
            places = self._distinct(order, places, room)
        places = places[: max(room, 0)]
        self.taken += order[places].tolist()
        return places

    def open_among(self, rows: Integers) -> npt.NDArray[np.bool_]:
        """Which of `rows` could still be taken."""
        if not self.taken:
            return np.ones(len(rows), dtype=np.bool_)
        columns = self._columns
        if self._allows:
            return ~self._are_among(rows, np.array(self.taken, dtype=np.int64))
        is_kin = self._are_among(columns.root[rows], columns.root[self.taken])
        return ~(is_kin | self._are_among(columns.tensor[rows], columns.tensor[self.taken]))

    def _are_among(self, rows: Integers | Rows, some: Integers | Rows) -> npt.NDArray[np.bool_]:
        """Which of `rows` are among `some`."""
        if len(rows) < MANY:
            return np.isin(rows, some)
        marks = np.zeros(self._columns.count, dtype=np.bool_)
        marks[some] = True
        return marks[rows]

    def _distinct(self, order: Integers, places: Integers, room: int) -> Integers:
        """Those of `places` that repeat no earlier one of them that is taken; at least `room` if there are so many."""
        rows = order[places]
        roots, tensors = self._columns.root[rows], self._columns.tensor[rows]
        if len(rows) > FEW and (tensors == rows).all():
            marks = np.sort(roots.astype(np.int64) << PLACE_BITS | np.arange(len(rows)))
            firsts = marks[np.diff(marks >> PLACE_BITS, prepend=-1) != 0] & ((1 << PLACE_BITS) - 1)
            return np.asarray(places[np.sort(firsts)], dtype=np.int64)
        found: list[int] = []
        used_roots: set[int] = set()
        used_tensors: set[int] = set()
        for place, root, tensor in zip(places.tolist(), roots.tolist(), tensors.tolist(), strict=True):
            if len(found) >= room:
                break
            if root not in used_roots and tensor not in used_tensors:
                used_roots.add(root)
                used_tensors.add(tensor)
                found.append(place)
        return np.array(found, dtype=np.int64)


def best_first(columns: Columns, rows: Integers, scores: Floats) -> Integers:
    """Places of `rows` in rank order; equals are told apart only where there are some."""
    order = np.argsort(-scores)
    tied = _tied(scores[order])
    if len(tied):
        some = order[tied]
        ts = columns.ts[rows]
        order[tied] = some = some[np.lexsort((-ts[some], -scores[some]))]
        tied = tied[_tied(scores[some], ts[some])]
        some = order[tied]
        order[tied] = some[columns.order(rows[some], scores[some])]
    return order


def _tied(*ranked: npt.NDArray[Any]) -> Integers:
    """Places that equal a neighbour in all of these."""
    is_tied = np.zeros(len(ranked[0]), dtype=np.bool_)
    if len(is_tied):
        is_tied[1:] = np.logical_and.reduce([each[1:] == each[:-1] for each in ranked])
        is_tied[:-1] |= is_tied[1:]
    return np.flatnonzero(is_tied)


def contenders(scores: Floats, ts: Integers, count: int) -> Integers:
    """Unordered places that hold the `count` best by (score, ts), and as few others as its ties allow."""
    if count >= len(scores):
        return np.arange(len(scores), dtype=np.int64)
    cut = np.partition(scores, len(scores) - count)[len(scores) - count]
    above, ties = (scores > cut).nonzero()[0], (scores == cut).nonzero()[0]
    room = count - len(above)
    if len(ties) > room:
        stamps = ts[ties]
        ties = ties[stamps >= np.partition(stamps, len(ties) - room)[len(ties) - room]]
    return np.concatenate((above, ties))
