"""One trial under watch: its sensors, its caps, its guard.

In: a `Watch` and the moment of each look. Out: readings, and a breach as soon as there is one. Sensors are read from
the beginning for the caps' sake; what is reported begins with the load, which is there while the guard has children, so
that neither the time before nor the time after it thins a mean. The kill is made here, and by nobody's leave.
"""

import time
from typing import Final

from actors.safety_watchdog import caps
from actors.safety_watchdog.killing import kill_guard, kill_trial
from actors.safety_watchdog.sensors import SENSED, Sensors
from actors.safety_watchdog.watching import Watch
from bus.descendants import Process, has_children, is_alive
from schemas.regimes import Breach, Reading

OVERDUE_S: Final = 15.0
"""A guard that is still there so long after the time limit of its trial has stopped working."""
LEAVING_S: Final = 0.5
"""For a guard to clear up once its trial is over."""


class WatchedTrial:
    """The trial that is watched now."""

    def __init__(self, watch: Watch, sensors: Sensors, now_s: float) -> None:
        self.watch = watch
        self.guard = Process(watch.guard_pid, watch.guard_started_ticks)
        self.killed = 0
        self._feeds, self._absent = sensors.feeds(watch.domain, watch.caps)
        self._is_loaded = False
        self._is_over = False
        self._begin(now_s)

    def renew(self, now_s: float) -> None:
        """The trial is about to begin after all: what was read before does not count."""
        if not self._is_loaded:
            self._begin(now_s)

    def look(self, now_s: float) -> Breach | None:
        """Read every sensor once; the breach that ends the trial, if there is one."""
        if self._is_over:
            return None
        runs = has_children(self.guard.pid)
        if runs and not self._is_loaded:
            self._begin(now_s)
        self._is_over = self._is_loaded and not runs
        self._is_loaded |= runs
        for meter in self._meters.values():
            meter.sample(now_s)
        found = caps.breaches(self._read(), self.watch.caps, self.watch.margins)
        return found[0] if found else None

    def readings(self) -> dict[str, Reading]:
        """What was read so far, and why not where nothing was."""
        return self._absent | self._read()

    @property
    def is_guarded(self) -> bool:
        """Whether the guard is still there."""
        return is_alive(self.guard)

    def is_overdue(self, now_s: float) -> bool:
        """Whether the guard should have ended long ago."""
        return now_s - self._began_s > self.watch.timeout_s + OVERDUE_S

    def kill(self) -> int:
        """End everything of the trial but its guard, which clears up; the number of processes that there were."""
        killed = kill_trial(self.watch.trial_id, self.guard)
        self.killed += killed
        return killed

    def kill_all(self) -> None:
        """End the guard as well, if it does not leave by itself."""
        self.kill()
        end = time.monotonic() + LEAVING_S
        while self.is_guarded and time.monotonic() < end:
            time.sleep(0.01)
        kill_guard(self.guard)

    def _begin(self, now_s: float) -> None:
        self._began_s = now_s
        self._meters = {metric: feed.meter(SENSED[metric]) for metric, feed in self._feeds.items()}

    def _read(self) -> dict[str, Reading]:
        return {metric: meter.reading() for metric, meter in self._meters.items()}
