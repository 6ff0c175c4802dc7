"""What the rest of the machine does while a trial runs: pressure, steal, load; and when it is quiet and cool enough.

In: procfs, before and after a trial; temperatures that the watchdog read. Out: readings as plain mappings of the shape
of `schemas.regimes.Reading`, and reasons why a trial counts as noisy. CPU pressure is taken in a quiet window before
the load begins, since the load itself would be measured after that; steal is taken over the trial. Only the standard
library: the guard of every trial carries this module. It decides nothing about numbers that it has not got.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

QUIET_WINDOW_S: Final = 0.2
"""Shortest stretch before a load in which pressure is taken."""
COOL_MARGIN_C: Final = 2.0
"""How much warmer than before its first trial the machine may be when the next one begins."""
COOL_PATIENCE_S: Final = 60.0
STEAL_COLUMN: Final = 7
TIME_COLUMNS: Final = 8
"""user, nice, system, idle, iowait, irq, softirq, steal of proc(5); guest times are part of user."""

PlainReading = dict[str, float | str | None]
PlainNoise = dict[str, PlainReading]


class NoiseLimits(NamedTuple):
    """Above what a trial counts as noisy; None for no limit."""

    psi_cpu_avg: float | None
    """Share of the quiet window in which something waited for a CPU."""
    steal_share: float | None
    load1: float | None


class _CpuTimes(NamedTuple):
    steal: int
    total: int


class NoiseWatch:
    """Looks at the machine from the moment it is made until the end of a trial."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._began = time.monotonic()
        self._waited_us = self._waited()
        self._pressure = absent("share", "the quiet window has not ended")
        self._load = absent("tasks", "the quiet window has not ended")
        self._times = self._cpu_times()

    def end_quiet_window(self) -> None:
        """The load is about to begin; waits until the window is as long as it has to be."""
        left_s = self._began + QUIET_WINDOW_S - time.monotonic()
        if left_s > 0:
            time.sleep(left_s)
        self._pressure = self._pressure_now()
        self._load = self._load_now()
        self._times = self._cpu_times()

    def readings(self) -> PlainNoise:
        """All three, steal up to now."""
        return {"psi_cpu_avg": self._pressure, "steal_share": self._steal_now(), "load1": self._load}

    def _pressure_now(self) -> PlainReading:
        source, now_us = f"{self._proc}/pressure/cpu", self._waited()
        if now_us is None or self._waited_us is None:
            return absent("share", f"{source} cannot be read: the kernel has no pressure information")
        passed_us = (time.monotonic() - self._began) * 1e6
        return present(min(1.0, (now_us - self._waited_us) / passed_us), "share", source)

    def _steal_now(self) -> PlainReading:
        source, now = f"{self._proc}/stat", self._cpu_times()
        if now is None or self._times is None:
            return absent("share", f"{source} cannot be read")
        passed = now.total - self._times.total
        if passed <= 0:
            return absent("share", "the trial was shorter than a clock tick")
        return present((now.steal - self._times.steal) / passed, "share", source)

    def _load_now(self) -> PlainReading:
        source = f"{self._proc}/loadavg"
        try:
            return present(float(Path(source).read_text().split()[0]), "tasks", source)
        except (OSError, ValueError, IndexError) as error:
            return absent("tasks", f"{source} cannot be read: {error}")

    def _waited(self) -> int | None:
        """Microseconds since boot in which some task waited for a CPU."""
        try:
            line = (self._proc / "pressure/cpu").read_text().splitlines()[0]
            return int(line.rpartition("total=")[2])
        except (OSError, ValueError, IndexError):
            return None

    def _cpu_times(self) -> _CpuTimes | None:
        try:
            ticks = [int(word) for word in (self._proc / "stat").read_text().splitlines()[0].split()[1:]]
            return _CpuTimes(ticks[STEAL_COLUMN], sum(ticks[:TIME_COLUMNS]))
        except (OSError, ValueError, IndexError):
            return None


def present(value: float, unit: str, source: str) -> PlainReading:
    """A reading with a value."""
    return {"value": value, "unit": unit, "source": source, "reason": None}


def absent(unit: str, reason: str) -> PlainReading:
    """A reading without one."""
    return {"value": None, "unit": unit, "source": None, "reason": reason}


def read_quiet() -> PlainNoise:
    """The noise of one quiet window that begins now; takes `QUIET_WINDOW_S`."""
    watch = NoiseWatch()
    watch.end_quiet_window()
    return watch.readings()


def noisy(values: Mapping[str, float | None], limits: NoiseLimits) -> tuple[str, ...]:
    """Why a trial is noisy, empty when it is not; a value that could not be read is no reason."""
    return tuple(
        f"{name} {value:.3g} is above {limit:.3g}"
        for name, limit in limits._asdict().items()
        if limit is not None and (value := values.get(name)) is not None and value > limit
    )


def must_cool(first_c: float | None, now_c: float | None, waited_s: float) -> bool:
    """Whether the next trial has to wait: warmer than before the first one, for a minute at most.

    Without a sensor there is nothing to wait for.
    """
    if first_c is None or now_c is None or waited_s >= COOL_PATIENCE_S:
        return False
    return now_c > first_c + COOL_MARGIN_C
