"""The watchdog's part of the world: a thread that reads sensors, holds the dead-man's switch, puts the machine back.

In: the asks `arm` and `disarm`. Out: `armed`, `breached`, `ended`, `recovered`, `failed`. The thread alone touches
sensors, settings and processes; while a trial is armed it looks ten times a second and says so by the dead-man file, so
that a thread which hangs ends the trial. A breach is acted on before it is told. When the world is closed, or the
process dies, what was changed is put back: by this process or by the next one.
"""

import queue
import threading
from typing import Final

from actors.safety_watchdog.vigil import Place, Vigil
from actors.safety_watchdog.watching import FAILED, Recovered
from bus.answering import Answering
from bus.core import Ask, Observed
from schemas.base import Record

CLOSE_PATIENCE_S: Final = 10.0


class WatchdogWorld:
    """A running watch; see `bus.core.World`."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._asks: queue.SimpleQueue[Ask | None] = queue.SimpleQueue()
        self._answers = Answering()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def ask(self, ask: Ask) -> None:
        """Begin it; the thread answers."""
        self._asks.put(ask)

    def answers(self) -> list[Observed]:
        """What has come since the last call, oldest first."""
        return self._answers.answers()

    def fileno(self) -> int:
        """Readable while answers wait."""
        return self._answers.fileno()

    def close(self) -> None:
        """End the watch: what was changed is put back, and a trial that runs is ended by its guard."""
        self._asks.put(None)
        self._thread.join(CLOSE_PATIENCE_S)
        self._answers.close()

    def _run(self) -> None:
        try:
            vigil = Vigil(self._place, self._say)
        except Exception as error:  # whatever it is, the core has to hear of it: no trial may run without a watch
            self._say(FAILED, Recovered(lines=(f"the watchdog cannot watch: {error}",)))
            return
        try:
            while vigil.turn(self._asks):
                pass
        except Exception as error:
            self._say(FAILED, Recovered(lines=(f"the watch failed: {type(error).__name__}: {error}",)))
        finally:
            vigil.close()

    def _say(self, name: str, record: Record) -> None:
        self._answers.tell(Observed(name, record.model_dump_json().encode()))
