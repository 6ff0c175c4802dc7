"""The timers of one actor process.

In: names with delays. Out: the names that are due, in order. Times are readings of the monotonic clock, seconds.
"""

import time
from collections.abc import Iterable, Iterator

from bus.core import SetTimer


class Timers:
    """What is to fire, and when."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def set(self, timers: Iterable[SetTimer]) -> None:
        """Let `timers` run from now; one that is pending is moved."""
        for timer in timers:
            self._at[timer.name] = time.monotonic() + timer.delay_s

    def clear(self) -> None:
        """Let nothing fire any more."""
        self._at.clear()

    @property
    def next_at(self) -> float:
        """When the next one is due; infinite when none is set."""
        return min(self._at.values(), default=float("inf"))

    def take_due(self) -> Iterator[str]:
        """Every timer that is due now, the longest overdue first; what is set meanwhile waits for the next call."""
        if not self._at:
            return
        now = time.monotonic()
        due = sorted((at, name) for name, at in self._at.items() if at <= now)
        for _, name in due:
            del self._at[name]
            yield name
