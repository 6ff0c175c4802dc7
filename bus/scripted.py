"""A world that is written down: for an actor on the bus in memory, and in a simulation.

In: what a core asks. Out: what the world answers, and after how much virtual time. A script must be a function of the
asks that it has heard: then the whole run is one of its seed.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from bus.core import Ask, Observed


class Later(NamedTuple):
    """An answer of the world, some time after it was asked."""

    delay_s: float
    answer: Observed


Script = Callable[[Ask], Iterable[Later]]
