"""Means of few seeds with their 95 % intervals: Student's t, bootstrap, effect size.

In: one value a seed, or pairs of values of the same seed. Out: `Spread`, of the values or of the paired differences.
Everything is deterministic: the bootstrap draws from a fixed key. An interval of a single value is None.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Final

import numpy as np

from actors.regime_runner.student import student_quantile

LEVEL: Final = 0.95
RESAMPLES: Final = 10_000
KEY: Final = 20_260_101
Interval = tuple[float, float]


@dataclass(frozen=True)
class Spread:
    """A mean, and how sure it is."""

    mean: float
    t_interval: Interval | None
    bootstrap_interval: Interval | None
    """Percentiles of the means of `RESAMPLES` resamples."""
    effect_size: float | None
    """Mean over standard deviation (Cohen's d of paired differences); None where the values do not differ."""
    values: tuple[float, ...]
    """In the order of the seeds."""

    def tree(self) -> dict[str, object]:
        """As JSON holds it."""
        return {
            "mean": self.mean,
            "t_interval_95": self.t_interval,
            "bootstrap_interval_95": self.bootstrap_interval,
            "effect_size": self.effect_size,
            "per_seed": self.values,
        }


def spread_of(values: Sequence[float]) -> Spread:
    """The spread of at least one value."""
    mean, count = fmean(values), len(values)
    if count < 2:
        return Spread(mean, None, None, None, tuple(values))
    deviation = stdev(values)
    half = student_quantile((1.0 + LEVEL) / 2.0, count - 1) * deviation / math.sqrt(count)
    effect = mean / deviation if deviation > 0.0 else None
    return Spread(mean, (mean - half, mean + half), _bootstrap(values), effect, tuple(values))


def paired(values: Sequence[float], against: Sequence[float]) -> Spread:
    """The spread of the differences, seed by seed."""
    return spread_of([value - other for value, other in zip(values, against, strict=True)])


def _bootstrap(values: Sequence[float]) -> Interval:
    rng = np.random.Generator(np.random.Philox(key=KEY))
    held = np.asarray(values, dtype=np.float64)
    means = held[rng.integers(len(held), size=(RESAMPLES, len(held)))].mean(axis=1)
    low, high = np.quantile(means, [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0]).tolist()
    return low, high
