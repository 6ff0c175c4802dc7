"""Whole numbers from the raw Philox stream of one key; the raw stream is the same in every numpy release.

In: a key (query seed, pool sequence). Out: numbers, one after the other, whether asked for singly or together.
"""

from typing import Protocol

import numpy as np

from actors.pool_keeper.columns import Integers
from actors.pool_keeper.identities import Rows


class Numbered(Protocol):
    """Rows that have numbers, from 0."""

    def __len__(self) -> int: ...

    def __getitem__(self, numbers: Integers) -> Rows: ...


class Lots:
    """The numbers of one key."""

    def __init__(self, seed: int, counter: int) -> None:
        self._bits = np.random.Philox(key=np.array([seed, counter], dtype=np.uint64))

    def below(self, bound: int) -> int:
        """A number in [0, bound), uniform to within bound / 2^64."""
        return (int(self._bits.random_raw()) * bound) >> 64

    def all_below(self, bounds: Integers) -> Integers:
        """What `below` gives for each of `bounds` in turn, each under 2^31."""
        raw = self._bits.random_raw(len(bounds))
        limits = bounds.astype(np.uint64)
        low = ((raw & np.uint64(0xFFFFFFFF)) * limits) >> np.uint64(32)
        return (((raw >> np.uint64(32)) * limits + low) >> np.uint64(32)).astype(np.int64)

    def distinct(self, rows: Numbered, out: set[int], count: int) -> list[int]:
        """`count` different rows of `rows`, none of `out`, each set equally likely. There must be so many."""
        drawn: dict[int, None] = {}
        while missing := count - len(drawn):
            numbers = self.all_below(np.full(missing, len(rows), dtype=np.int64))
            drawn.update(dict.fromkeys(row for row in rows[numbers].tolist() if row not in out))
        return list(drawn)
