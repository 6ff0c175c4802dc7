"""Rows in the order of keys, to which rows come and from which rows go.

In: rows, and the keys that they have. Out: the rows in order, as a long sorted array that seldom changes, few rows that
came since and few places of it whose rows have gone. When these are no longer few, they are worked in. So a new row
costs a search, and no copy of the whole.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from actors.pool_keeper.columns import Integers
from actors.pool_keeper.identities import Keys, Rows

STRIDE: Final = 64
"""Of so many sorted rows one has its first word kept, to search among."""
LEAST_LOOSE: Final = 1024
LOOSE_SHARE: Final = 512
"""Rows that come or go are worked in when there are more than LEAST_LOOSE, or one for so many sorted ones."""
ONE_BY_ONE: Final = 16
"""Up to so many keys are searched one by one, more in step."""
NO_PLACES: Final[Integers] = np.empty(0, dtype=np.int64)


class SortedRows:
    """Rows in order; `key_of` gives their keys [n, words], which differ and are compared word by word.

    Rows whose first `kin_words` words are the same are kin.
    """

    def __init__(self, key_of: Callable[[Integers | Rows], Keys], kin_words: int) -> None:
        self._key_of = key_of
        self._kin_words = kin_words
        self.changes = 0
        """How often anything changed."""
        self.settlements = 0
        """How often `base` was replaced."""
        self._settle(np.empty(0, dtype=np.int32))

    def change(self, came: Integers, gone: Integers) -> None:
        """Take in `came` and take out `gone`, which must be here."""
        if len(came) or len(gone):
            self.changes += 1
            if len(came) + len(gone) > self._room:
                kept = self.merged()
                self._settle(self._sorted(np.concatenate((kept[~np.isin(kept, gone)], came.astype(np.int32)))))
            else:
                self._take_out(gone)
                self._take_in(came)
                if len(self.came) + len(self.gone) > self._room:
                    self._settle(self.merged())

    def merged(self) -> Rows:
        """All rows in order."""
        kept = np.delete(self.base, self.gone)
        at = self.came_at - np.searchsorted(self.gone, self.came_at)
        return np.insert(kept, at, self.came)

    def places_of(self, keys: Keys) -> Integers:
        """Where in `base` rows stand, or would, that have these keys."""
        if len(keys) > ONE_BY_ONE:
            return _lower_bounds(lambda places: self._key_of(self.base[places]), len(self.base), keys)
        return np.array([self._place_of(key) for key in keys], dtype=np.int64)

    def came_below(self, keys: Keys) -> Integers:
        """How many of the rows that came have lower keys than each of these."""
        if len(keys) > ONE_BY_ONE:
            return _lower_bounds(lambda places: self.came_keys[places], len(self.came), keys)
        return np.array([_below(self.came_keys, key) for key in keys], dtype=np.int64)

    def kin(self, keys: Keys) -> tuple[Keys, Keys]:
        """The key with which the kin of each of `keys` begin, and the one with which those behind them do."""
        begins = keys[:, : self._kin_words]
        ends = begins.copy()
        ends[:, -1] += np.uint64(1)
        for word in range(self._kin_words - 1, 0, -1):
            ends[(ends[:, word:] == 0).all(axis=1), word - 1] += np.uint64(1)
        return begins, ends

    @property
    def size_bytes(self) -> int:
        """Memory taken."""
        return self.base.nbytes + self._firsts.nbytes + self.came.nbytes + self.came_at.nbytes + self.came_keys.nbytes

    @property
    def _room(self) -> int:
        return LEAST_LOOSE + len(self.base) // LOOSE_SHARE

    def _settle(self, base: Rows) -> None:
        self.settlements += 1
        self.base = base
        """Rows in order."""
        self._firsts = self._key_of(base[::STRIDE])[:, 0].copy()
        self.gone = NO_PLACES
        """Places in `base`, ascending, whose rows have gone."""
        self.came: Rows = np.empty(0, dtype=np.int32)
        """Rows that came, in order."""
        self.came_at = NO_PLACES
        """For each the place in `base` before which it stands."""
        self.came_keys = self._key_of(self.came)
        self.came_kin = (NO_PLACES, NO_PLACES)
        """For each where in `base` its kin begin and end."""

    def _take_out(self, gone: Integers) -> None:
        is_loose = np.isin(gone, self.came)
        if is_loose.any():
            stays = np.flatnonzero(~np.isin(self.came, gone))
            self._arrange(stays, (self.came, self.came_at, self.came_keys, *self.came_kin))
        if not is_loose.all():
            self.gone = np.union1d(self.gone, self.places_of(self._key_of(gone[~is_loose])))

    def _take_in(self, came: Integers) -> None:
        if not len(came):
            return
        keys = self._key_of(came)
        new: tuple[npt.NDArray[Any], ...] = (
            came.astype(np.int32),
            self.places_of(keys),
            keys,
            *map(self.places_of, self.kin(keys)),
        )
        held: tuple[npt.NDArray[Any], ...] = (self.came, self.came_at, self.came_keys, *self.came_kin)
        count = len(self.came)
        if len(came) == 1:
            order = np.insert(np.arange(count), _below(self.came_keys, keys[0]), count)
        else:
            order = np.lexsort(np.concatenate((self.came_keys, keys)).T[::-1])
        self._arrange(order, tuple(np.concatenate([old, fresh]) for old, fresh in zip(held, new, strict=True)))

    def _arrange(self, order: Integers, arrays: tuple[npt.NDArray[Any], ...]) -> None:
        self.came, self.came_at, self.came_keys, begins, ends = (array[order] for array in arrays)
        self.came_kin = (begins, ends)

    def _sorted(self, rows: Rows) -> Rows:
        """`rows` in order: by the first word, then those that share it by all."""
        keys = self._key_of(rows)
        order = np.argsort(keys[:, 0], kind="stable")
        firsts = keys[order, 0]
        is_tied = np.zeros(len(rows), dtype=np.bool_)
        np.equal(firsts[1:], firsts[:-1], out=is_tied[1:])
        is_tied[:-1] |= is_tied[1:]
        tied = order[is_tied]
        order[is_tied] = tied[np.lexsort(keys[tied].T[::-1])]
        return rows[order]

    def _place_of(self, wanted: npt.NDArray[np.uint64]) -> int:
        """A search among the kept words, then within a stride."""
        first = wanted[0]
        low = max(0, int(np.searchsorted(self._firsts, first)) - 1) * STRIDE
        high = min(len(self.base), int(np.searchsorted(self._firsts, first, side="right")) * STRIDE)
        while high - low > 2 * STRIDE:
            middle = (low + high) // 2
            if _below(self._key_of(self.base[middle : middle + 1]), wanted):
                low = middle + 1
            else:
                high = middle
        return low + _below(self._key_of(self.base[low:high]), wanted)


def _lower_bounds(key_at: Callable[[Integers], Keys], count: int, wanted: Keys) -> Integers:
    """How many of `count` ascending keys are lower than each that is wanted: a binary search for all in step."""
    low: Integers = np.zeros(len(wanted), dtype=np.int64)
    high: Integers = np.full(len(wanted), count, dtype=np.int64)
    while (is_open := low < high).any():
        middle = (low + high) // 2
        is_before = _are_below(key_at(np.minimum(middle, count - 1)), wanted)
        low, high = np.where(is_open & is_before, middle + 1, low), np.where(is_open & ~is_before, middle, high)
    return low


def _below(keys: Keys, wanted: npt.NDArray[np.uint64]) -> int:
    """How many of `keys`, which ascend, are lower than `wanted`, which may have fewer words."""
    low, high = 0, len(keys)
    for word, value in enumerate(wanted):
        column = keys[low:high, word]
        last = low + int(np.searchsorted(column, value, side="right"))
        low, high = low + int(np.searchsorted(column, value)), last
        if low == high:
            break
    return low


def _are_below(keys: Keys, wanted: Keys) -> npt.NDArray[np.bool_]:
    is_below = np.zeros(len(keys), dtype=np.bool_)
    is_equal = np.ones(len(keys), dtype=np.bool_)
    for word in range(wanted.shape[1]):
        is_below |= is_equal & (keys[:, word] < wanted[:, word])
        is_equal &= keys[:, word] == wanted[:, word]
    return is_below
