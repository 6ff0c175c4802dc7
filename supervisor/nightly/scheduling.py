"""The nights of a running loop: asked for at the time that `nightly.at` names, once for each day.

In: the settings of the run, the time. Out: a request to the observer of the run, as the user would say it. A day whose
night was lived, or was asked for in this run, is left alone; so a loop that was down at that time asks as soon as it is
up, as long as it is night. Nothing is waited for: when another writer is at work, the next look asks.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from schemas.errors import OneirosError
from schemas.night import DAY_NS, night_at
from schemas.night_places import NIGHTLY_FILE, night_folder
from schemas.roles import Role

if TYPE_CHECKING:
    from schemas.manifest import RunManifest
    from supervisor.events import EventSink
    from supervisor.runs import RunFolder

OBSERVER: Final[Role] = "nightly-observer"


class NightSchedule:
    """Asks for the nights of one run."""

    def __init__(
        self, run: "RunFolder", manifest: "RunManifest", say: "EventSink", clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._run = run
        self._manifest = manifest
        self._say = say
        self._clock_ns = clock_ns
        self._asked = ""
        observers = [seat.instance for seat in manifest.seats if seat.role == OBSERVER]
        self._observer = observers[0] if observers and manifest.settings.nightly.at else None

    def turn(self, _now_s: float) -> None:
        """Ask for the night of the last day, if it is time and nobody did."""
        if self._observer is None:
            return
        from supervisor.nightly.asking import is_night

        settings, now_ns = self._manifest.settings.nightly, self._clock_ns()
        rest = f"{settings.at}-{settings.window.partition('-')[2]}"
        date = night_at(now_ns - DAY_NS)
        if date == self._asked or not (is_night(settings.window, now_ns) and is_night(rest, now_ns)):
            return
        if (self._run.home.root / night_folder(date) / NIGHTLY_FILE).exists():
            self._asked = date
            return
        try:
            self._ask(self._observer, date, now_ns)
        except BlockingIOError:
            return
        except (OneirosError, OSError, ValueError) as error:
            self._say("warning", "night not asked for", date=date, why=str(error))
        self._asked = date

    def _ask(self, observer: str, date: str, now_ns: int) -> None:
        from supervisor.nightly.asking import Asked, frozen_settings, make_request
        from supervisor.pool.orders import publish, stage, writing_orders

        runtime = frozen_settings(self._run)
        request = make_request(Asked(date), runtime, self._manifest.settings.nightly.window, now_ns)
        with writing_orders(self._run, waits=False):
            staged = stage(self._run, self._manifest, [request], lambda _count: None, observer)
            publish(self._run, staged.segment)
        self._say("info", "night asked for", date=date)
