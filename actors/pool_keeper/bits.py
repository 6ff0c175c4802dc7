"""Marks on places, of which the n-th, and how many stand before a place, are found without going through them.

In: one truth value for each place. Out: ranks and places. One bit a place, and a count for each 64.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from actors.pool_keeper.columns import Integers

WORD_BITS: Final = 64


class Bits:
    """Marks that do not change."""

    def __init__(self, marks: npt.NDArray[np.bool_]) -> None:
        packed = np.packbits(marks, bitorder="little")
        self._words = np.zeros(len(marks) // WORD_BITS + 1, dtype="<u8")
        self._words.view(np.uint8)[: len(packed)] = packed
        self._before = np.zeros(len(self._words) + 1, dtype=np.int32)
        np.cumsum(np.bitwise_count(self._words), out=self._before[1:])
        self.total = int(self._before[-1])
        """How many places are marked."""

    def rank(self, places: Integers) -> Integers:
        """How many marks stand before each of `places`."""
        words = places >> 6
        below = (np.uint64(1) << (places & 63).astype(np.uint64)) - np.uint64(1)
        ranks: Integers = self._before[words] + np.bitwise_count(self._words[words] & below).astype(np.int64)
        return ranks

    def places(self, numbers: Integers) -> Integers:
        """The places of marks, named by their `numbers` from 0; there must be so many."""
        words = np.searchsorted(self._before, numbers, side="right") - 1
        marks = np.unpackbits(self._words[words].view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
        is_there = np.cumsum(marks, axis=1, dtype=np.int64) > (numbers - self._before[words])[:, None]
        found: Integers = words * WORD_BITS + is_there.argmax(axis=1)
        return found

    def marked(self, places: Integers) -> npt.NDArray[np.bool_]:
        """Which of `places` have a mark."""
        bits = self._words[places >> 6] >> (places & 63).astype(np.uint64)
        return np.asarray(bits & np.uint64(1), dtype=np.bool_)

    def all(self, count: int) -> npt.NDArray[np.bool_]:
        """Of the first `count` places, which have a mark."""
        return np.unpackbits(self._words.view(np.uint8), count=count, bitorder="little").view(np.bool_)

    @property
    def size_bytes(self) -> int:
        """Memory taken."""
        return self._words.nbytes + self._before.nbytes
