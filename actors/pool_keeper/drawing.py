"""Sequences to draw from: marked places of a sorted array, few of which have gone, with few rows in between.

In: the marks, the gone places, the rows in between. Out: elements by number, and how many stand before a place.
"""

import numpy as np

from actors.pool_keeper.bits import Bits
from actors.pool_keeper.columns import Integers
from actors.pool_keeper.identities import Rows


class Sequence:
    """Rows, in order."""

    def __init__(self, base: Rows, marks: Bits, gone: Integers, came: Rows, came_at: Integers) -> None:
        """`gone` are marked places; before place `came_at[i]` stands row `came[i]`. All ascend."""
        self._base = base
        self._marks = marks
        self._gone = gone
        self._came = came
        self._gone_numbers = marks.rank(gone) - np.arange(len(gone))
        """Of each gone mark, how many that are left stand before it."""
        self._came_numbers = marks.rank(came_at) - np.searchsorted(gone, came_at) + np.arange(len(came))
        """Of each row in between, its number."""

    def __len__(self) -> int:
        return self._marks.total - len(self._gone) + len(self._came)

    def __getitem__(self, numbers: Integers) -> Rows:
        """The rows with these numbers, from 0; there must be so many."""
        came_before = np.searchsorted(self._came_numbers, numbers)
        left = numbers - came_before
        is_between = np.zeros(len(numbers), dtype=np.bool_)
        if len(self._came):
            nearest = np.minimum(came_before, len(self._came) - 1)
            is_between = self._came_numbers[nearest] == numbers
        found = np.empty(len(numbers), dtype=np.int32)
        found[is_between] = self._came[came_before[is_between]]
        left = left[~is_between]
        places = self._marks.places(left + np.searchsorted(self._gone_numbers, left, side="right"))
        found[~is_between] = self._base[places]
        return found

    def before(self, places: Integers, came: Integers) -> Integers:
        """How many rows stand before each of `places` when `came` of those in between do."""
        return self._marks.rank(places) - np.searchsorted(self._gone, places) + came
