"""Utility per colour bin (seed 000, section 6, step 1; bins of `schemas.colour`).

In: the worth of each dream. Out: for each bin that was seen the mean over its dreams, whether it is high, and its
weight. Hue bin i of n holds the hues [i, i + 1) * 360 / n degrees; bin n holds the greys. A bin is high when its
mean is above 0; weights are the means of the high bins, normalised to a sum of 1, and 0 for the others.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from actors.bias_synthesizer.aggregation import DreamWorth
from schemas.colour import hue_bin


class BinWorth(NamedTuple):
    """What the window says of one colour bin."""

    bin: int
    dreams: int
    records: int
    mean_utility: float
    """Weighted mean over its dreams, however many records each has."""
    weight: float

    @property
    def is_high(self) -> bool:
        """Whether dreams of this colour helped."""
        return self.mean_utility > 0.0


def weigh_bins(dreams: Sequence[DreamWorth], chroma_bins: int) -> tuple[BinWorth, ...]:
    """The bins that were seen, by index."""
    members: dict[int, list[DreamWorth]] = {}
    for dream in dreams:
        members.setdefault(hue_bin(dream.chroma_signature, chroma_bins), []).append(dream)
    means = {index: mean_worth(members[index]) for index in sorted(members)}
    weights = normalised([max(0.0, value) for value in means.values()])
    return tuple(
        BinWorth(index, len(members[index]), sum(dream.records for dream in members[index]), means[index], weight)
        for index, weight in zip(means, weights, strict=True)
    )


def mean_worth(dreams: Sequence[DreamWorth]) -> float:
    """The weighted mean utility of `dreams`, of exactly rounded sums: their order does not matter."""
    return math.fsum(dream.weight * dream.mean_utility for dream in dreams) / math.fsum(d.weight for d in dreams)


def normalised(values: Sequence[float]) -> tuple[float, ...]:
    """Values that are not negative, scaled to a sum of 1; all zero when nothing is above 0."""
    largest = max(values, default=0.0)
    if largest <= 0.0:
        return tuple(0.0 for _ in values)
    scaled = [value / largest for value in values]
    total = math.fsum(scaled)
    return tuple(value / total for value in scaled)
