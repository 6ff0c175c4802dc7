"""Intervals and tests for few noisy trials: bootstrap, Student's t, sign flips, Holm, what could be detected.

In: plain numbers, or groups of them (the paired log ratios of each regime); a generator where chance is used. Out: an
interval, a p value, a minimum detectable effect; None where the numbers are too few to say. A statistic of groups is
the unweighted mean of their means, so that a regime with more trials weighs no more. The global generators are neither
read nor touched: every draw comes from a Philox stream keyed by a seed and a purpose.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, variance
from typing import Final

import numpy as np
import numpy.typing as npt

from actors.regime_runner.student import student_quantile

ALPHA: Final = 0.05
POWER: Final = 0.8
RESAMPLES: Final = 2000
EXACT_PAIRS: Final = 16
"""Up to so many pairs every pattern of signs is tried; above, `FLIPS` are drawn."""
FLIPS: Final = 20_000
FLIPS_AT_ONCE: Final = 1000
LEAST_FOR_BOOTSTRAP_T: Final = 5
"""With fewer values most resamples repeat one of them, and their spread says nothing."""
ROUNDING: Final = 1e-12
MANY_DEGREES: Final = 200
"""Beyond this Student's t is taken from the normal distribution with its first two corrections."""

Groups = Sequence[Sequence[float]]
Interval = tuple[float, float]
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """The mean of the groups' means, and how far it may be off."""

    mean: float
    standard_error: float
    degrees: int
    """Degrees of freedom (Welch and Satterthwaite), rounded down."""
    pairs: int


def generator(seed: int, purpose: str) -> np.random.Generator:
    """The stream of `purpose` under `seed`; equal ones give equal numbers."""
    key = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:16]
    return np.random.Generator(np.random.Philox(key=np.frombuffer(key, dtype="<u8")))


def bootstrap_ci(
    values: Sequence[float | None], seed: int, resamples: int = RESAMPLES, alpha: float = ALPHA
) -> Interval | None:
    """Percentile interval of the mean of the values that are there (seed 003, `bootstrap_ci`); None below two."""
    held = np.array([value for value in values if value is not None], dtype=np.float64)
    if len(held) < 2:
        return None
    drawn = generator(seed, "bootstrap").integers(len(held), size=(resamples, len(held)))
    means = np.sort(held[drawn].mean(axis=1))
    return float(means[int(resamples * alpha / 2)]), float(means[min(resamples - 1, int(resamples * (1 - alpha / 2)))])


def estimate(groups: Groups) -> Estimate | None:
    """The estimate from groups of at least two values each; None otherwise."""
    if not groups or any(len(group) < 2 for group in groups):
        return None
    parts = [variance(group) / len(group) for group in groups]
    total = sum(parts)
    weights = sum(part**2 / (len(group) - 1) for part, group in zip(parts, groups, strict=True))
    least = min(len(group) for group in groups) - 1
    degrees = max(least, math.floor(total**2 / weights)) if weights > 0.0 else least
    mean = fmean(fmean(group) for group in groups)
    return Estimate(mean, math.sqrt(total) / len(groups), degrees, sum(map(len, groups)))


def t_interval(groups: Groups, alpha: float = ALPHA) -> Interval | None:
    """Student's t interval of the mean of the groups' means."""
    found = estimate(groups)
    if found is None:
        return None
    half = quantile_of_t(1.0 - alpha / 2, found.degrees) * found.standard_error
    return found.mean - half, found.mean + half


def bootstrap_t_interval(
    groups: Groups, rng: np.random.Generator, resamples: int = RESAMPLES, alpha: float = ALPHA
) -> Interval | None:
    """Bootstrap-t interval: resampled within each group, in units of the resample's own standard error."""
    found = estimate(groups)
    if found is None or min(map(len, groups)) < LEAST_FOR_BOOTSTRAP_T:
        return None
    if found.standard_error <= ROUNDING * abs(found.mean):
        return found.mean, found.mean
    means, squares = np.zeros(resamples), np.zeros(resamples)
    for group in groups:
        held = np.asarray(group, dtype=np.float64)
        drawn = held[rng.integers(len(held), size=(resamples, len(held)))]
        means += drawn.mean(axis=1) / len(groups)
        squares += drawn.var(axis=1, ddof=1) / len(held) / len(groups) ** 2
    spread = squares > (ROUNDING * found.standard_error) ** 2
    scaled: Array = (means[spread] - found.mean) / np.sqrt(squares[spread])
    low, high = np.quantile(scaled, [alpha / 2, 1.0 - alpha / 2]).tolist()
    return found.mean - high * found.standard_error, found.mean - low * found.standard_error


def sign_flip_p(groups: Groups, rng: np.random.Generator) -> float | None:
    """Two-sided p of "each value could as well have the other sign"; None without values.

    Exact up to `EXACT_PAIRS` values in all; above, from drawn signs with the observed ones counted in.
    """
    held = [group for group in groups if len(group)]
    if not held:
        return None
    weighted = np.concatenate([np.asarray(group, dtype=np.float64) / (len(group) * len(held)) for group in held])
    bound = abs(float(weighted.sum())) * (1.0 - ROUNDING) - ROUNDING * float(np.abs(weighted).sum())
    if len(weighted) <= EXACT_PAIRS:
        patterns = (np.arange(2 ** len(weighted))[:, None] >> np.arange(len(weighted))) & 1
        return float(np.mean(np.abs((2.0 * patterns - 1.0) @ weighted) >= bound))
    extreme = 1
    for _ in range(FLIPS // FLIPS_AT_ONCE):
        signs = 2.0 * rng.integers(2, size=(FLIPS_AT_ONCE, len(weighted)), dtype=np.int8) - 1.0
        extreme += int(np.count_nonzero(np.abs(signs @ weighted) >= bound))
    return extreme / (FLIPS + 1)


def holm(ps: Sequence[float | None]) -> tuple[float | None, ...]:
    """Holm's adjusted p values of a family of tests, in their order; None stays None and counts for nothing."""
    order = sorted((p, at) for at, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    highest = 0.0
    for rank, (p, at) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p))
        adjusted[at] = highest
    return tuple(adjusted)


def minimum_detectable_effect(standard_error: float, degrees: int, alpha: float = ALPHA, power: float = POWER) -> float:
    """Smallest true mean that a two-sided t test at `alpha` finds with a chance of `power`, in the values' unit."""
    return (quantile_of_t(1.0 - alpha / 2, degrees) + quantile_of_t(power, degrees)) * standard_error


def pairs_needed(deviation: float, effect: float, alpha: float = ALPHA, power: float = POWER) -> int:
    """Pairs whose log ratios scatter by `deviation` that show a true log ratio of `effect` with a chance of `power`.

    At least 6: with fewer no pattern of signs is rarer than 0.05.
    """
    normal = NormalDist()
    units = normal.inv_cdf(1.0 - alpha / 2) + normal.inv_cdf(power)
    pairs = max(6, math.ceil((units * deviation / effect) ** 2))
    while minimum_detectable_effect(deviation / math.sqrt(pairs), pairs - 1, alpha, power) > effect:
        pairs += 1
    return pairs


def quantile_of_t(probability: float, degrees: int) -> float:
    """Student's quantile for `probability` >= 1/2, at any degrees of freedom."""
    if degrees <= MANY_DEGREES:
        return student_quantile(probability, degrees)
    z = NormalDist().inv_cdf(probability)
    return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
