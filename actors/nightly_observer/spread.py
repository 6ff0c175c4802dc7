"""Numbers that a few wild values do not move: median, scaled deviation, and the low end of a rate.

In: finite numbers. Out: finite numbers. Refused: nothing to take a median of raises ValueError.
"""

import math
import statistics
from collections.abc import Sequence
from typing import Final

MAD_SCALE: Final = 1.4826
"""The median absolute deviation of normal values times this is their standard deviation."""
Z_95: Final = 1.959963984540054
"""Half width of the 95 % interval of a standard normal value."""


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the middle two."""
    return float(statistics.median(values))


def scaled_mad(values: Sequence[float]) -> float:
    """1.4826 x the median absolute deviation from the median."""
    middle = median(values)
    return MAD_SCALE * median([abs(value - middle) for value in values])


def unusual_above(values: Sequence[float], mads: float) -> float:
    """The value above which another is unlike `values`: their median and so many scaled deviations."""
    return median(values) + mads * scaled_mad(values)


def wilson_low(k: int, n: int) -> float:
    """The lower end of the 95 % Wilson interval of a rate of k in n; 0 for n = 0."""
    if n == 0 or k == 0:
        return 0.0
    rate, z2 = k / n, Z_95 * Z_95
    spread = Z_95 * math.sqrt(rate * (1.0 - rate) / n + z2 / (4.0 * n * n))
    return max(0.0, (rate + z2 / (2.0 * n) - spread) / (1.0 + z2 / n))


def binomial_tail(k: int, n: int, rate: float) -> float:
    """The probability of k or more in n, each with probability `rate`, which is below 1."""
    if k <= 0 or rate <= 0.0 or k > n:
        return float(k <= 0)
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    term = total = math.exp(ways + k * math.log(rate) + (n - k) * math.log1p(-rate))
    for each in range(k, n):
        term *= (n - each) / (each + 1) * rate / (1.0 - rate)
        total += term
    return min(1.0, total)


def wilson_high(k: int, n: int) -> float:
    """The upper end of the 95 % Wilson interval of a rate of k in n; 1 for n = 0."""
    return 1.0 - wilson_low(n - k, n)
