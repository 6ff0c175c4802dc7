"""A sum of floats without rounding, from which values can be taken out again.

In: finite floats. Out: their sum, rounded once, whatever their order. What was added and taken out leaves no trace.
"""

import math


class ExactSum:
    """Shewchuk's partials: equal to `math.fsum` of what was added and not taken out by adding its negative."""

    def __init__(self) -> None:
        self._partials: list[float] = []

    def add(self, value: float) -> None:
        """Add `value`, finite."""
        kept: list[float] = []
        for partial in self._partials:
            large, small = (value, partial) if abs(value) >= abs(partial) else (partial, value)
            value = large + small
            rest = small - (value - large)
            if rest:
                kept.append(rest)
        self._partials = [*kept, value]

    @property
    def total(self) -> float:
        """The sum, rounded once."""
        return math.fsum(self._partials)
