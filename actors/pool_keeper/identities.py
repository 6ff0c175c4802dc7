"""Numbers for 128-bit keys, so that equality of lineages or of tensors is equality of small integers.

In: keys, as pairs of whole numbers, one for each row. Out: for each row the first row that has its key. A hash table
with linear probing over rows: 4 bytes a slot, half to three quarters full, keys kept once a row. Which slot a key has
depends on the order of arrival; the number that it gets does not. It refuses nothing: keys are whatever they are.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
"""Shape [n, 2]: the high and the low half."""
Rows = npt.NDArray[np.int32]
Kind = TypeVar("Kind", bound=np.generic)

FIRST_SLOTS: Final = 2048
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio: in the highest bits of the product, neighbouring keys land far apart."""


class Identities:
    """Growing numbers of keys; row i belongs to the i-th key that came."""

    def __init__(self) -> None:
        self.count = 0
        self.distinct = 0
        """How many keys there are."""
        self._keys: Keys = np.empty((0, 2), dtype=np.uint64)
        self._numbers: Rows = np.empty(0, dtype=np.int32)
        self._slots: Rows = np.zeros(FIRST_SLOTS, dtype=np.int32)

    @property
    def numbers(self) -> Rows:
        """For each row the first row with the same key."""
        return self._numbers[: self.count]

    @property
    def keys(self) -> Keys:
        """The keys, as they came."""
        return self._keys[: self.count]

    @property
    def size_bytes(self) -> int:
        """Memory that the rows take."""
        return self._slots.nbytes + self.count * (self._keys.itemsize * 2 + self._numbers.itemsize)

    def reserve(self, count: int) -> None:
        """Make room for `count` rows."""
        if count > len(self._numbers):
            self._keys = grown(self._keys, count, self.count)
            self._numbers = grown(self._numbers, count, self.count)

    def expect(self, count: int) -> None:
        """Make slots for up to `count` keys at once."""
        self._make_slots(count - self.count)

    def extend(self, keys: Keys) -> None:
        """Add rows, one for each key; room for them must have been made."""
        rows = np.arange(self.count, self.count + len(keys), dtype=np.int32)
        self._keys[rows] = keys
        self._numbers[rows] = rows
        self._make_slots(len(keys))
        self._place(rows)
        self.count += len(keys)

    def append(self, key: tuple[int, int]) -> None:
        """What `extend` does, many times faster for a single row."""
        self._keys[self.count, 0], self._keys[self.count, 1] = key
        self._numbers[self.count] = self.count
        self._make_slots(1)
        self._place_one(self.count, key)
        self.count += 1

    def truncate(self, count: int) -> None:
        """Forget every row from `count` on."""
        self.count = count
        self._spread_out(count)

    def without(self, dropped: npt.NDArray[np.bool_]) -> "Identities":
        """The same without the rows marked in `dropped`; those behind move up."""
        other = Identities()
        kept = self.keys[~dropped]
        other.reserve(len(kept))
        other.extend(kept)
        return other

    def freeze(self) -> tuple[Keys, Rows, Rows]:
        """Keys, numbers and slots as they are now; what is written later is not seen in them."""
        return self.keys, self.numbers, self._slots.copy()

    @classmethod
    def thawed(cls, parts: Sequence[npt.NDArray[Any]], distinct: int) -> "Identities":
        """What was frozen; the arrays belong to it from now on."""
        identities = cls()
        identities._keys, identities._numbers, identities._slots = parts
        identities.count, identities.distinct = len(identities._keys), distinct
        return identities

    def _spread_out(self, distinct: int) -> None:
        """Make slots for `distinct` keys and place the present ones anew."""
        slots = FIRST_SLOTS
        while 4 * distinct > 3 * slots:
            slots += slots // 2 if slots & (slots - 1) == 0 else slots // 3
        self._slots = np.zeros(slots, dtype=np.int32)
        self.distinct = 0
        self._place(np.flatnonzero(self.numbers == np.arange(self.count)).astype(np.int32))

    def _make_slots(self, more: int) -> None:
        """Make slots for so many more keys."""
        if 4 * (self.distinct + more) > 3 * len(self._slots):
            self._spread_out(self.distinct + more)

    def _place_one(self, row: int, key: tuple[int, int]) -> None:
        """What `_place` does, for a single row."""
        slots = len(self._slots)
        at = ((key[0] ^ key[1]) * int(_SPREAD) % 2**64 >> 32) * slots >> 32
        while found := int(self._slots[at]):
            if self._keys[found - 1].tolist() == list(key):
                self._numbers[row] = found - 1
                return
            at = (at + 1) % slots
        self._slots[at] = row + 1
        self.distinct += 1

    def _place(self, rows: Rows) -> None:
        """Find or take a slot for each of `rows`, ascending; rows of one key probe the same slots in step."""
        slots = len(self._slots)
        high, low = self._keys[rows].T
        at = (((high ^ low) * _SPREAD >> np.uint64(32)) * np.uint64(slots) >> np.uint64(32)).astype(np.int64)
        while len(rows):
            is_free = self._slots[at] == 0
            self._slots[at[is_free][::-1]] = rows[is_free][::-1] + 1  # of equals the last is kept: the first row
            found = self._slots[at] - 1
            is_late = found != rows
            self.distinct += len(rows) - int(np.count_nonzero(is_late))
            rows, at, found = rows[is_late], at[is_late], found[is_late]
            differs = (self._keys[found] != self._keys[rows]).any(axis=1)
            self._numbers[rows] = np.where(differs, rows, found)
            rows, at = rows[differs], (at[differs] + 1) % slots


def grown(old: npt.NDArray[Kind], capacity: int, count: int) -> npt.NDArray[Kind]:
    """A larger array that begins with the first `count` rows of `old`; pages that nothing touches take no memory."""
    new = np.empty((capacity, *old.shape[1:]), dtype=old.dtype)
    new[:count] = old[:count]
    return new
