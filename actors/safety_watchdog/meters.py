"""What samples come to over a trial: a peak, a mean, a difference of counters, energy over time, a rate.

In: numbers with the moments at which they were read, or nothing where a read failed. Out: the value so far, or why
there is none. Counters are differences from the trial's beginning, and energy counters may wrap. Refused: a value that
rests on samples with a gap of more than `LONGEST_GAP_S`, since nobody knows what was in it.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from schemas.regimes import Reading

LONGEST_GAP_S: Final = 2.0
WINDOW_S: Final = 1.0
"""Stretch over which a power or a rate is averaged before its peak is taken."""

Read = Callable[[], float | None]
"""Reads a sensor now; None when that fails."""


class Gauge(Protocol):
    """How samples become one value."""

    def add(self, now_s: float, value: float) -> None:
        """Take in a sample."""

    def value(self) -> float | None:
        """What they come to; None as long as they are too few."""


class Peak:
    """The largest sample."""

    def __init__(self) -> None:
        self._largest: float | None = None

    def add(self, now_s: float, value: float) -> None:  # noqa: ARG002 - a peak knows no time
        """Take in a sample."""
        self._largest = value if self._largest is None else max(self._largest, value)

    def value(self) -> float | None:
        """The largest so far."""
        return self._largest


class Mean:
    """The mean over time: each sample stands for the time since the one before."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._passed_s = 0.0
        self._before_s: float | None = None
        self._first: float | None = None

    def add(self, now_s: float, value: float) -> None:
        """Take in a sample."""
        if self._before_s is None:
            self._first = value
        else:
            self._sum += value * (now_s - self._before_s)
            self._passed_s += now_s - self._before_s
        self._before_s = now_s

    def value(self) -> float | None:
        """The mean so far."""
        return self._sum / self._passed_s if self._passed_s > 0 else self._first


class Growth:
    """How much a counter has grown since the first sample; one that begins anew grows from 0."""

    def __init__(self) -> None:
        self._before: float | None = None
        self._grown = 0.0

    def add(self, now_s: float, value: float) -> None:  # noqa: ARG002 - a difference knows no time
        """Take in a sample."""
        if self._before is not None:
            self._grown += value - self._before if value >= self._before else value
        self._before = value

    def value(self) -> float | None:
        """The difference so far."""
        return self._grown if self._before is not None else None


class Rate:
    """How fast a counter grows: over the whole trial, or as the peak of windows of `WINDOW_S`."""

    def __init__(self, scale: float, wraps_at: float | None, is_peak: bool) -> None:
        self._scale = scale
        self._wraps_at = wraps_at
        self._is_peak = is_peak
        self._before: float | None = None
        self._total = 0.0
        self._window: deque[tuple[float, float]] = deque()
        self._first: tuple[float, float] | None = None
        self._largest: float | None = None

    def add(self, now_s: float, value: float) -> None:
        """Take in a sample of the counter."""
        if self._before is not None:
            grown = value - self._before
            if grown < 0:
                grown = grown + self._wraps_at if self._wraps_at is not None else value
            self._total += grown
        self._before = value
        self._first = self._first or (now_s, self._total)
        self._window.append((now_s, self._total))
        while len(self._window) > 2 and now_s - self._window[1][0] >= WINDOW_S:
            self._window.popleft()
        if now_s - self._window[0][0] >= WINDOW_S:
            rate = self._rate_since(self._window[0])
            self._largest = rate if self._largest is None else max(self._largest, rate or 0.0)

    def value(self) -> float | None:
        """Per second, times the scale; a trial shorter than a window is its own window."""
        if self._is_peak and self._largest is not None:
            return self._largest
        return self._rate_since(self._first) if self._first is not None else None

    def _rate_since(self, then: tuple[float, float]) -> float | None:
        passed_s = self._window[-1][0] - then[0]
        return (self._total - then[1]) * self._scale / passed_s if passed_s > 0 else None


class Meter:
    """One sensor read over one trial."""

    def __init__(self, unit: str, source: str, read: Read, gauge: Gauge) -> None:
        self._unit = unit
        self._source = source
        self._read = read
        self._gauge = gauge
        self._last_s: float | None = None
        self._gap_s = 0.0

    def sample(self, now_s: float) -> None:
        """Read once."""
        value = self._read()
        if self._last_s is not None:
            self._gap_s = max(self._gap_s, now_s - self._last_s)
        if value is not None:
            self._gauge.add(now_s, value)
            self._last_s = now_s

    def reading(self) -> Reading:
        """What it comes to."""
        value = self._gauge.value()
        if value is None:
            return self._absent(f"{self._source} gave no number that can be used")
        if self._gap_s > LONGEST_GAP_S:
            return self._absent(f"{self._source} gave no number for {self._gap_s:.1f} s of the trial")
        return Reading(value=value, unit=self._unit, source=self._source, reason=None)

    def _absent(self, reason: str) -> Reading:
        return Reading(value=None, unit=self._unit, source=None, reason=reason)
