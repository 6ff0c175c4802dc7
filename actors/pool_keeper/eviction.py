"""Which dreams leave a pool that has outgrown its budget (seed 000, section 4; never first in, first out).

In: columns, what feedback says of each dream, the pinned ones, and how many must go. Out: rows, the least missed first.

A niche is a hue bin, the greys being one. The fullest niche gives first, so that none dies out while another is
crowded. Within a niche the dream of the least value goes: its usefulness times its novelty. Usefulness is 1 + the mean
utility of its feedback, drawn towards 0 by one record without effect and measured by the largest in the pool, so that
it lies in [0, 2] and a dream without feedback, of which nothing is known, is worth 1. Novelty is 1 / its place among
the dreams of the same colour cell (sixteenths of red, green and blue), the most useful having place 1: the best of a
cell stays while others of it are there. Of equals the less coherent goes, then the older, then the higher id.

Never goes: a pinned dream, and the newest, which ends the pool sequence. So the choice is a function of the stored
dreams and their feedback, and a replay makes it again.
"""

from collections.abc import Collection, Iterator, Mapping
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from actors.pool_keeper.columns import Columns, Floats, Integers
from schemas.colour import EDGE_WIDTH, GREY_SATURATION
from schemas.settings import EngineSettings

MIB: Final = 1024 * 1024
CELLS: Final = 16
"""Colour cells along each axis."""
ROOM: Final = 64
"""An eviction makes room for one part in so many of the budget, so that it is rare."""


class Budget(NamedTuple):
    """How large the pool may be; 0 for no limit."""

    max_dreams: int = 0
    max_bytes: int = 0
    """Of all tensors as they are stored."""
    bins: int = 24
    """Hue bins."""

    @classmethod
    def of(cls, settings: EngineSettings) -> "Budget":
        """The one in the settings of a run."""
        return cls(settings.pool.max_dreams, settings.pool.max_mib * MIB, settings.bias.chroma_bins)

    def is_kept(self, dreams: int, size_bytes: int) -> bool:
        """Whether a pool of this size is within it."""
        return not (0 < self.max_dreams < dreams or 0 < self.max_bytes < size_bytes)

    def lowered(self, dreams: int, size_bytes: int) -> "Budget":
        """What an eviction goes down to in a pool of this size: room under each limit that is exceeded."""
        is_many, is_large = 0 < self.max_dreams < dreams, 0 < self.max_bytes < size_bytes
        return Budget(
            self.max_dreams - self.max_dreams // ROOM if is_many else 0,
            self.max_bytes - self.max_bytes // ROOM if is_large else 0,
            self.bins,
        )


class Utility(NamedTuple):
    """The feedback on one dream."""

    records: int
    total: float


def victims(columns: Columns, utilities: Mapping[int, Utility], pinned: Collection[int], bins: int) -> Iterator[int]:
    """Rows that may go, the least missed first; `utilities` by sequence, `pinned` are sequences."""
    may_go = np.ones(columns.count, dtype=bool)
    may_go[-1:] = False
    may_go[[columns.row_of(sequence) for sequence in pinned]] = False
    niches = hue_bins(columns, bins)
    order = _least_valued_first(columns, usefulness(columns, utilities), niches)
    queues = [order[(niches[order] == niche) & may_go[order]][::-1].tolist() for niche in range(bins + 1)]
    sizes = np.bincount(niches, minlength=bins + 1).tolist()
    heap = [(-sizes[niche], niche) for niche in range(bins + 1) if queues[niche]]
    heapify(heap)
    while heap:
        size, niche = heappop(heap)
        yield queues[niche].pop()
        if queues[niche]:
            heappush(heap, (size + 1, niche))


def usefulness(columns: Columns, utilities: Mapping[int, Utility]) -> Floats:
    """Of each row, in [0, 2]; 1 where nothing is known or nothing changed."""
    drawn = np.zeros(columns.count, dtype=np.float64)
    rows = np.searchsorted(columns.sequence, np.array(list(utilities), dtype=np.int64))
    drawn[rows] = [utility.total / (utility.records + 1) for utility in utilities.values()]
    largest = float(np.max(np.abs(drawn), initial=0.0))
    return 1.0 + drawn / largest if largest > 0.0 else drawn + 1.0


def hue_bins(columns: Columns, bins: int) -> Integers:
    """`schemas.colour.hue_bin` of each row, by the same operations."""
    red, green, blue = columns.red, columns.green, columns.blue
    value = np.maximum(np.maximum(red, green), blue)
    spread = value - np.minimum(np.minimum(red, green), blue)
    is_grey = spread <= 0.0
    safe = np.where(is_grey, 1.0, spread)
    sector = np.where(
        value == red,
        (green - blue) / safe,
        np.where(value == green, 2.0 + (blue - red) / safe, 4.0 + (red - green) / safe),
    )
    hue = 60.0 * sector
    hue = np.where(hue < 0.0, hue + 360.0, hue)
    hue = np.where(is_grey | (hue >= 360.0), 0.0, hue)
    saturation = np.where(is_grey, 0.0, spread / np.where(value > 0.0, value, 1.0))
    found = (hue * bins / 360.0 + EDGE_WIDTH).astype(np.int64) % bins
    return np.where(saturation < GREY_SATURATION, bins, found).astype(np.int64)


def _least_valued_first(columns: Columns, useful: Floats, niches: Integers) -> Integers:
    ids = columns.ids
    ties = (~ids[:, 1], ~ids[:, 0], columns.ts, columns.coherence)
    places = _places_in_cells(_colour_cells(columns) * (int(niches.max(initial=0)) + 1) + niches, useful, ties)
    return np.lexsort((*ties, useful / places)).astype(np.int64, copy=False)


def _colour_cells(columns: Columns) -> Integers:
    axes = (columns.red, columns.green, columns.blue)
    red, green, blue = (np.minimum((axis * CELLS).astype(np.int64), CELLS - 1) for axis in axes)
    return np.asarray((red * CELLS + green) * CELLS + blue, dtype=np.int64)


def _places_in_cells(cells: Integers, useful: Floats, ties: tuple[npt.NDArray[np.generic], ...]) -> Integers:
    """Of each row, its place in its cell, from 1 for the one that is missed most."""
    order = np.lexsort((*ties, useful, cells))[::-1]
    sorted_cells = cells[order]
    starts = np.flatnonzero(np.concatenate(([True], sorted_cells[1:] != sorted_cells[:-1])))
    lengths = np.diff(np.append(starts, len(order)))
    places = np.empty(len(cells), dtype=np.int64)
    places[order] = np.arange(len(order)) - np.repeat(starts, lengths) + 1
    return places
