"""Dreams of the day that were there before: the same bytes, nearly the same, or the same seed of the same parents.

In: a `Day` and the thresholds. Out: `Duplicates`: pairs of a dream of the day and an older one, and the clusters that
they make. Two dreams are near when their signatures, coherences and entropies are, and their tensors agree; a pair
without both tensors is unconfirmed and no pair. A dream with the same bytes as an older one is compared through that
one alone. At most `MOST_CONFIRMED` tensors are compared, the closest pairs first; the others are unconfirmed.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from actors.nightly_observer.clustering import clusters
from actors.nightly_observer.day import Day, Flags, Floats, Integers
from actors.nightly_observer.neighbours import Limits, Near, Signatures, find_near
from schemas.night_settings import DuplicateSettings

MOST_CONFIRMED: Final = 5_000
LARGEST_DISTANCE: Final = math.sqrt(3.0)
"""Between two colours."""


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Pairs and clusters of duplicates."""

    exact_pairs: int
    lineage_pairs: int
    unconfirmed_pairs: int
    similarity: Floats
    """Of the near pairs, 1 - distance / sqrt(3), highest first."""
    first: Integers
    """For each dream the oldest of its cluster; itself when it is in none."""
    is_saturated: bool
    """Whether pairs were left unlooked at."""

    @property
    def near_pairs(self) -> int:
        """Pairs that are near, with tensors that agree."""
        return len(self.similarity)

    @property
    def leaders(self) -> Integers:
        """The oldest dream of each cluster, the largest cluster first."""
        found, sizes = self._sizes()
        return found[np.lexsort((found, -sizes))]

    @property
    def sizes(self) -> Integers:
        """Dreams in each cluster, in the order of `leaders`."""
        return -np.sort(-self._sizes()[1])

    def members(self, leader: int) -> Integers:
        """The dreams of a cluster, oldest first."""
        return np.flatnonzero(self.first == leader)

    @property
    def is_clustered(self) -> Flags:
        """Whether each dream is in a cluster."""
        return np.isin(self.first, self._sizes()[0])

    def _sizes(self) -> tuple[Integers, Integers]:
        found, sizes = np.unique(self.first, return_counts=True)
        return found[sizes > 1], sizes[sizes > 1].astype(np.int64)


def find_duplicates(day: Day, settings: DuplicateSettings) -> Duplicates:
    """The duplicates among the dreams of the day, and of these with older ones."""
    pool = day.pool
    exact_pairs, exact = _equal(pool.tensor, pool.in_window)
    lineage_pairs, lineage = _equal(pool.lineage, pool.in_window)
    near, cosines = _near(day, settings)
    agree = cosines >= settings.min_cosine
    pairs = np.concatenate((exact, lineage, np.column_stack((near.new[agree], near.older[agree]))))
    return Duplicates(
        exact_pairs=exact_pairs,
        lineage_pairs=lineage_pairs,
        unconfirmed_pairs=int(np.isnan(cosines).sum()),
        similarity=1.0 - near.distance[agree] / LARGEST_DISTANCE,
        first=clusters(len(pool), pairs),
        is_saturated=near.is_saturated,
    )


def _equal(values: Integers, is_new: Flags) -> tuple[int, Integers]:
    """How many pairs (new, older) have equal values, those below 0 aside; and links that join what these pairs join."""
    rows = np.flatnonzero(values >= 0)
    order = rows[np.lexsort((rows, values[rows]))]
    kinds = values[order]
    begins = np.flatnonzero(np.diff(kinds, prepend=-1))
    group = np.cumsum(np.diff(kinds, prepend=-1) != 0) - 1
    place = np.arange(len(order)) - begins[group] if len(order) else order
    counted = is_new[order] & (place > 0)
    linked = np.isin(group, group[counted]) & (place > 0)
    leaders = order[begins[group[linked]]] if len(order) else order
    return int(place[counted].sum()), np.column_stack((order[linked], leaders))


def _near(day: Day, settings: DuplicateSettings) -> tuple[Near, Floats]:
    """Pairs near by signature with the cosine of their tensors, NaN where that could not be told."""
    pool = day.pool
    originals = np.sort(np.unique(pool.tensor, return_index=True)[1]).astype(np.int64)
    limits = Limits(settings.max_distance, settings.max_coherence_gap, settings.max_entropy_gap)
    signatures = Signatures(pool.colours, pool.coherence, pool.entropy)
    near = find_near(signatures, originals[pool.in_window[originals]], originals, limits)
    cosines = np.full(len(near.new), np.nan)
    for at in range(min(len(cosines), MOST_CONFIRMED)):
        found = day.tensors.cosine(int(near.new[at]), int(near.older[at]))
        cosines[at] = np.nan if found is None else found
    return near, cosines
