"""Student's t, computed without a library of statistics.

In: a probability or a value, and whole degrees of freedom. Out: quantile or probability. Nothing is looked up: the
distribution function is the finite sum of Abramowitz and Stegun 26.7.3 and 26.7.4, its inverse is found by halving.
"""

import math
from typing import Final

TOLERANCE: Final = 1e-12


def student_quantile(probability: float, degrees: int) -> float:
    """The value that Student's t with `degrees` of freedom exceeds with 1 - `probability`; `probability` >= 1/2."""
    low, high = 0.0, 1.0
    while student_cdf(high, degrees) < probability:
        high *= 2.0
    while high - low > TOLERANCE * high:
        middle = (low + high) / 2.0
        low, high = (middle, high) if student_cdf(middle, degrees) < probability else (low, middle)
    return high


def student_cdf(value: float, degrees: int) -> float:
    """The distribution function at `value` >= 0."""
    angle = math.atan(value / math.sqrt(degrees))
    square = math.cos(angle) ** 2
    term, total = 1.0, 0.0
    is_odd = degrees % 2 == 1
    for number in range(1, (degrees - 1) // 2 + 1) if is_odd else range(1, degrees // 2 + 1):
        total += term
        term *= square * ((2 * number) / (2 * number + 1) if is_odd else (2 * number - 1) / (2 * number))
    if is_odd:
        return 0.5 + (angle + math.sin(angle) * math.cos(angle) * total) / math.pi
    return 0.5 + math.sin(angle) * total / 2.0
