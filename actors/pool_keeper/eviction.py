"""Which dreams leave a pool that has outgrown its budget (seed 000, section 4; never first in, first out).

In: columns, what feedback says of each dream, and the pinned ones. Out: rows, the least missed first.

A niche is a hue bin, the greys being one. The fullest niche gives first, so that none dies out while another is
crowded. Within a niche the dream of the least value goes: its usefulness times its novelty. Usefulness is 1 + the mean
utility of its feedback, drawn towards 0 by one record without effect and measured by the largest in the pool, so that
it lies in [0, 2] and a dream without feedback, of which nothing is known, is worth 1. Novelty is 1 / its place among
the dreams of the same colour cell (sixteenths of red, green and blue) in its niche, the most useful having place 1: the
best of a cell stays while others of it are there. Of equals the less coherent goes, then the older, then the higher id.

Never goes: a pinned dream, and the newest, which ends the pool sequence. So the choice is a function of the stored
dreams and their feedback, and a replay makes it again. `actors.pool_keeper.niches` makes it without sorting the pool.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

from actors.pool_keeper.colour_cells import hue_bins
from actors.pool_keeper.columns import Columns
from actors.pool_keeper.niches import Niches, Utility
from schemas.settings import EngineSettings

__all__ = ["Budget", "Utility", "hue_bins", "victims"]

MIB: Final = 1024 * 1024
ROOM: Final = 64
"""An eviction makes room for one part in so many of the budget,"""
MOST_ROOM: Final = 32
"""but for no more dreams than this, so that no commit waits long for it."""
MOST_AT_ONCE: Final = 256
"""So many dreams leave for one that comes, at most: to a smaller budget a large pool comes down step by step."""


class Budget(NamedTuple):
    """How large the pool may be; 0 for no limit."""

    max_dreams: int = 0
    max_bytes: int = 0
    """Of all tensors as they are stored."""
    bins: int = 24
    """Hue bins."""

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return self.max_dreams > 0 or self.max_bytes > 0

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


def victims(columns: Columns, utilities: Mapping[int, Utility], pinned: Collection[int], bins: int) -> Iterator[int]:
    """Rows that may go, the least missed first; `utilities` by sequence, `pinned` are sequences."""
    ids = {columns.id_of(columns.row_of(sequence)) for sequence in pinned}
    niches = Niches(columns, bins, utilities, ids)
    while (row := niches.choose()) is not None:
        niches.drop(row)
        yield row
