"""Pairs of dreams whose signatures lie close together, found on a grid.

In: colours, coherence and entropy of dreams, oldest first; which are new. Out: pairs (new, older) within all three
limits, with their distances. A cell of the grid is as wide as the limits, so that what is near lies in the same cell or
the next: each new dream is compared with 81 cells, as 27 runs of the sorted pool. Bounded: after `MOST_COMPARED`
comparisons, or `MOST_FOUND` pairs, the search ends and says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final, NamedTuple

import numpy as np

from actors.nightly_observer.day import Floats, Integers

MOST_COMPARED: Final = 100_000_000
MOST_FOUND: Final = 1_000_000
COMPARED_AT_ONCE: Final = 1 << 20
FINEST: Final = 0.001
"""Narrowest cell: a limit below it is checked pair by pair all the same."""


class Limits(NamedTuple):
    """How far apart two dreams may be, inclusive."""

    distance: float
    coherence_gap: float
    entropy_gap: float


class Near(NamedTuple):
    """Pairs, by row; the second is the older."""

    new: Integers
    older: Integers
    distance: Floats
    is_saturated: bool


@dataclass(frozen=True)
class Signatures:
    """What is compared; row i is dream i."""

    colours: Floats
    coherence: Floats
    entropy: Floats


class _Grid:
    """The rows that may be found, sorted by cell."""

    def __init__(self, signatures: Signatures, rows: Integers, limits: Limits) -> None:
        self._widths = np.maximum([*[limits.distance] * 3, limits.coherence_gap], FINEST)
        sides = (1.0 / self._widths).astype(np.int64) + 4
        self._strides = np.array([sides[1] * sides[2] * sides[3], sides[2] * sides[3], sides[3], 1], dtype=np.int64)
        keys = self.keys(signatures, rows)
        order = np.argsort(keys, kind="stable")
        self.rows = rows[order]
        self._sorted = keys[order]

    def keys(self, signatures: Signatures, rows: Integers) -> Integers:
        """The cell of each row."""
        places = np.column_stack((signatures.colours[rows], signatures.coherence[rows]))
        cells = np.floor(places / self._widths).astype(np.int64) + 1
        return np.asarray(cells @ self._strides, dtype=np.int64)

    def runs(self, keys: Integers) -> Iterator[tuple[Integers, Integers]]:
        """For each of the 27 neighbouring columns of cells the begin and the end of a run of `rows`, per key."""
        for offset in product((-1, 0, 1), repeat=3):
            middle = keys + np.dot(offset, self._strides[:3])
            low = np.searchsorted(self._sorted, middle - 1, side="left")
            high = np.searchsorted(self._sorted, middle + 1, side="right")
            yield low, high


def find_near(signatures: Signatures, new: Integers, rows: Integers, limits: Limits) -> Near:
    """Every pair of one of `new` and an older one of `rows` within `limits`, by distance, then by rows."""
    grid = _Grid(signatures, rows, limits)
    keys = grid.keys(signatures, new)
    order = np.argsort(keys, kind="stable")
    keys, new = keys[order], new[order]
    parts: list[tuple[Integers, Integers, Floats]] = []
    compared = found = 0
    is_saturated = False
    for low, high in grid.runs(keys):
        for first, second in _pairs(new, grid.rows, low, high):
            compared += len(first)
            part = _within(signatures, first, second, limits)
            found += len(part[0])
            parts.append(part)
            is_saturated = compared > MOST_COMPARED or found > MOST_FOUND
            if is_saturated:
                break
        if is_saturated:
            break
    return _ordered(parts, is_saturated)


def _pairs(new: Integers, rows: Integers, low: Integers, high: Integers) -> Iterator[tuple[Integers, Integers]]:
    """The pairs of a run, some at a time."""
    counts = high - low
    begin = 0
    totals = np.cumsum(counts)
    while begin < len(new):
        done = totals[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(totals, done + COMPARED_AT_ONCE, side="right")))
        many = counts[begin:end]
        if many.any():
            which = np.repeat(np.arange(begin, end), many)
            starts = np.repeat(low[begin:end] - (totals[begin:end] - many - done), many)
            yield new[which], rows[starts + np.arange(len(which))]
        begin = end


def _within(
    signatures: Signatures, first: Integers, second: Integers, limits: Limits
) -> tuple[Integers, Integers, Floats]:
    keep = second < first
    first, second = first[keep], second[keep]
    for column, limit in ((signatures.coherence, limits.coherence_gap), (signatures.entropy, limits.entropy_gap)):
        keep = np.abs(column[first] - column[second]) <= limit
        first, second = first[keep], second[keep]
    apart = signatures.colours[first] - signatures.colours[second]
    distance = np.sqrt((apart * apart).sum(axis=1))
    keep = distance <= limits.distance
    return first[keep], second[keep], distance[keep]


def _ordered(parts: list[tuple[Integers, Integers, Floats]], is_saturated: bool) -> Near:
    if not parts:
        none = np.empty(0, dtype=np.int64)
        return Near(none, none, np.empty(0), is_saturated)
    first, second, distance = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((second, first, distance))
    return Near(first[order], second[order], distance[order], is_saturated)
