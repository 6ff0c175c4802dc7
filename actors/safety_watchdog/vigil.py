"""What the watching thread does, turn by turn: look ten times a second, act, tell.

In: asks, the place where it works. Out: answers, by a callable. It owns the dead-man's switch, the sensors and the
settings of the machine; nothing else touches them. Every look refreshes the switch, then reads the sensors, then sees
whether the guard is there. Refused: to watch two trials at once; the one before is ended.
"""

import queue
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from actors.safety_watchdog.deadman import DeadMan
from actors.safety_watchdog.layout import SensorTree
from actors.safety_watchdog.sensors import Sensors
from actors.safety_watchdog.tier_b import JOURNAL_PATH, TierB
from actors.safety_watchdog.watch import WatchedTrial
from actors.safety_watchdog.watching import (
    ARM,
    ARMED,
    BREACHED,
    ENDED,
    RECOVERED,
    Armed,
    Breached,
    Ended,
    Recovered,
    Watch,
)
from bus.core import Ask
from schemas.base import Record
from schemas.settings import RegimesSettings
from schemas.tiers import DEADMAN_PATH, check_opt_in

PERIOD_S: Final = 0.1

Say = Callable[[str, Record], None]
Asks = queue.SimpleQueue[Ask | None]


@dataclass(frozen=True)
class Place:
    """Where a watchdog works."""

    home: Path
    sensor_root: Path | None
    """An injected tree, of which settings are made, too; None for the machine."""
    opted_in: Collection[str]
    """Settings of the machine that may be made."""


def place_of(home: Path, settings: RegimesSettings) -> Place:
    """Where the watchdog of `home` works; raises TierRefusedError for a setting that nobody may opt in to."""
    root = Path(settings.sensor_root) if settings.sensor_root else None
    return Place(home.absolute(), root, check_opt_in(settings.tier_b.split()))


class Vigil:
    """One watch over one home."""

    def __init__(self, place: Place, say: Say) -> None:
        """Raises OneirosError or OSError where it cannot watch."""
        self._say = say
        self._tree = SensorTree(place.sensor_root)
        self._deadman = DeadMan(place.home / DEADMAN_PATH)
        self._sensors = Sensors(self._tree)
        self._changes = TierB(self._tree, place.home / JOURNAL_PATH, place.opted_in)
        self._trial: WatchedTrial | None = None
        self._applied: dict[str, str] = {}
        self._look_at = time.monotonic()
        lines = self._changes.recover()
        if lines:
            say(RECOVERED, Recovered(lines=lines))

    def turn(self, asks: Asks) -> bool:
        """Answer an ask, or look once when it is time; False when it is over."""
        try:
            patience_s = None if self._trial is None else max(0.0, self._look_at - time.monotonic())
            ask = asks.get(timeout=patience_s)
        except queue.Empty:
            self._look()
            return True
        if ask is not None:
            self._answer(ask)
        return ask is not None

    def close(self) -> None:
        """Put everything back and let go; a trial that still runs is ended by its guard within a second."""
        self._changes.restore()
        self._sensors.close()
        self._deadman.close()

    def _answer(self, ask: Ask) -> None:
        watch = Watch.model_validate_json(ask.data)
        is_same = self._trial is not None and self._trial.watch == watch
        if not is_same and self._trial is not None:
            if ask.name == ARM:
                self._trial.kill()
            self._end(self._trial)
        if ask.name == ARM:
            self._arm(watch, is_same)
        elif is_same and self._trial is not None:
            if self._trial.is_guarded:  # given up by its runner: a guard that works has left by now
                self._trial.kill_all()
            self._end(self._trial)

    def _arm(self, watch: Watch, is_same: bool) -> None:
        """Watch from now on; a trial that is watched already is about to begin, and is read anew."""
        if self._trial is not None and is_same:
            self._trial.renew(time.monotonic())
        else:
            self._applied = self._changes.apply(watch.settings, watch.trial_id)
            self._trial = WatchedTrial(watch, self._sensors, time.monotonic())
        self._look()
        if self._trial is not None:
            readings, injected = self._trial.readings(), self._tree.is_injected
            self._say(
                ARMED,
                Armed(trial_id=watch.trial_id, applied=self._applied, readings=readings, injected=injected),
            )

    def _look(self) -> None:
        trial, now_s = self._trial, time.monotonic()
        if trial is None:
            return
        self._deadman.touch()
        self._look_at = now_s + PERIOD_S
        breach = trial.look(now_s)
        if breach is not None:
            killed = trial.kill()
            self._say(BREACHED, Breached(trial_id=trial.watch.trial_id, breach=breach, killed=killed))
            self._end(trial)
        elif not trial.is_guarded:
            trial.kill()
            self._end(trial)
        elif trial.is_overdue(now_s):
            trial.kill_all()
            self._end(trial)

    def _end(self, trial: WatchedTrial) -> None:
        self._trial = None
        unrestored = self._changes.restore()
        self._say(
            ENDED,
            Ended(
                trial_id=trial.watch.trial_id,
                readings=trial.readings(),
                unrestored=unrestored,
                killed=trial.killed,
                injected=self._tree.is_injected,
            ),
        )
