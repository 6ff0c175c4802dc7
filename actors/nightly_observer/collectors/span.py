"""The stretch of time that a night reads: its day, and the nights before.

In: beginning and end of the day. Out: what lies in it, and in which of its nights. Everything is by logged times.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from actors.nightly_observer.day import HISTORY_NIGHTS, Guard, GuardName, Problem, Tally


class Span(NamedTuple):
    """A day and the nights before it."""

    from_ns: int
    """Beginning of the day."""
    to_ns: int
    """Its end, which is no part of it."""

    @property
    def length_ns(self) -> int:
        """Of a night."""
        return self.to_ns - self.from_ns

    @property
    def history_ns(self) -> int:
        """Beginning of the earliest night."""
        return self.from_ns - HISTORY_NIGHTS * self.length_ns

    def holds(self, ts_ns: int) -> bool:
        """Whether a time is of the day or of a night before."""
        return self.history_ns <= ts_ns < self.to_ns

    def is_tonight(self, ts_ns: int) -> bool:
        """Whether a time is of the day itself."""
        return self.from_ns <= ts_ns < self.to_ns


@dataclass
class GuardCounts:
    """How often each guard acted and could have acted, by night."""

    span: Span
    acted: Counter[tuple[GuardName, int]] = field(default_factory=Counter)
    could: Counter[tuple[GuardName, int]] = field(default_factory=Counter)

    def add(self, guard: GuardName, ts_ns: int, k: int, n: int = 1) -> None:
        """The guard acted k times of n; what is outside the span is passed over."""
        if n and self.span.holds(ts_ns):
            night = (ts_ns - self.span.history_ns) // self.span.length_ns
            self.acted[guard, night] += k
            self.could[guard, night] += n

    def act(self, guard: GuardName, ts_ns: int) -> None:
        """The guard acted on an opportunity that was counted at a time."""
        if self.span.holds(ts_ns):
            self.acted[guard, (ts_ns - self.span.history_ns) // self.span.length_ns] += 1

    def guards(self) -> tuple[Guard, ...]:
        """Every guard that had an opportunity in any night, by name."""
        names = sorted({name for name, _ in self.could})
        return tuple(Guard(name, tuple(self._tally(name, at) for at in range(HISTORY_NIGHTS + 1))) for name in names)

    def _tally(self, name: GuardName, night: int) -> Tally | None:
        n = self.could[name, night]
        return Tally(self.acted[name, night], n) if n else None


@dataclass
class Troubles:
    """What could not be read, counted by source and kind."""

    found: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, source: str, what: str, times: int = 1) -> None:
        """It happened again."""
        self.found[source, what] += times

    def problems(self) -> tuple[Problem, ...]:
        """Each with its count, by source."""
        return tuple(Problem(source, what, times) for (source, what), times in sorted(self.found.items()))
