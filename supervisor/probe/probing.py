"""A whole probe: two worlds, a prisoner in each, one boxed and one free, and a verdict.

In: a rung of the ladder, and the newest Landlock ABI to use. Out: a report. Refused: a box that this machine cannot
close. Nothing is left behind, whatever ends the probe.
"""

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from bus.box.ladder import offer_of
from bus.box.landlock import landlock_abi
from schemas.base import Record
from schemas.isolation import Rung
from supervisor.errors import SupervisorError
from supervisor.probe.needs import needs_of
from supervisor.probe.prisoner import FACTS, Told
from supervisor.probe.station import Station
from supervisor.probe.verdict import Judged, Seen, judge
from supervisor.probe.world import World
from supervisor.processes import Process, start_process

PRISONER: Final = "supervisor.probe.prisoner"
PATIENCE_S: Final = 30.0
TURN_S: Final = 0.01
WITHOUT: Final[Rung] = "none"
MAX_OUTPUT_CHARS: Final = 500


class ProbeFailedError(SupervisorError):
    """The battery could not be run."""


class ProbeReport(Record):
    """What a box holds, on this machine."""

    ok: bool
    """Whether nothing got through that should not, and all works that has to."""
    rung: Rung
    landlock_abi: int
    """The Landlock ABI that was used, 0 for none."""
    duration_s: float
    attempts: tuple[Judged, ...]


def probe(rung: Rung, max_abi: int | None = None) -> ProbeReport:
    """Try every way out of the box of `rung`; raises ProbeFailedError, or OSError, when it cannot be tried.

    The prisoner takes the place of the dreamer, in the dreamer's own host; without a box it stands alone.
    """
    began = time.monotonic()
    offer = offer_of(rung)
    if not offer.is_available:
        raise ProbeFailedError(f"the box {rung} cannot be tried here: {offer.why}; `supervisor doctor` shows which can")
    with ExitStack() as leaving:
        cells = [leaving.enter_context(World()), leaving.enter_context(World())]
        free = _Alone(cells[1], leaving)
        boxed = _Hosted(cells[0], rung, max_abi, leaving) if rung != WITHOUT else _Alone(cells[0], leaving)
        judged = judge(rung, boxed.outcome(), free.outcome(), needs_of(rung))
    abi = landlock_abi() if max_abi is None else min(max_abi, landlock_abi())
    return ProbeReport(
        ok=all(one.is_expected for one in judged),
        rung=rung,
        landlock_abi=abi if rung == "landlock+seccomp" else 0,
        duration_s=round(time.monotonic() - began, 3),
        attempts=judged,
    )


class _Alone:
    """A prisoner that stands alone in its world, without a box."""

    def __init__(self, cell: World, leaving: ExitStack) -> None:
        self._cell = cell
        command = [sys.executable, "-P", "-m", PRISONER, "--facts", str(_write_facts(cell))]
        self._process = start_process(command, cell.home.root, cell.log)
        leaving.callback(_end, self._process)

    def outcome(self) -> Seen:
        """What it said and left, once it has ended; raises ProbeFailedError when it said nothing."""
        deadline = time.monotonic() + PATIENCE_S
        while not self._process.has_ended() and time.monotonic() < deadline:
            time.sleep(TURN_S)
        return _seen(self._cell, [])


class _Hosted:
    """A prisoner in the place of the dreamer."""

    def __init__(self, cell: World, rung: Rung, max_abi: int | None, leaving: ExitStack) -> None:
        self._cell = cell
        _write_facts(cell)
        self._station = Station(cell, rung, max_abi, leaving)
        cell.begin()
        try:
            self._process = self._station.start()
        except OSError as error:
            said = cell.log.read_text(errors="replace").strip() if cell.log.exists() else ""
            raise ProbeFailedError(f"nothing could be tried: {error}: {said[-MAX_OUTPUT_CHARS:]}") from error
        leaving.callback(_end, self._process)

    def outcome(self) -> Seen:
        """What it said and left, once it has ended; raises ProbeFailedError when it said nothing."""
        heard = self._station.accompany(self._process, PATIENCE_S)
        return _seen(self._cell, heard)


def _write_facts(cell: World) -> Path:
    facts = cell.own_folder / FACTS
    facts.write_text(cell.facts.model_dump_json())
    return facts


def _seen(cell: World, heard: list[Told]) -> Seen:
    output = cell.log.read_text(errors="replace")
    said = _told(output)
    if not said:
        raise ProbeFailedError(f"nothing could be tried: {output.strip()[-MAX_OUTPUT_CHARS:] or 'no word was said'}")
    return Seen({told.name: told for told in (*heard, *said)}, cell.traces(), cell.holds)


def _told(output: str) -> list[Told]:
    """The lines of `output` that tell of an attempt; what else was printed is passed over."""
    found = []
    for line in output.splitlines():
        try:
            found.append(Told.model_validate_json(line))
        except ValidationError:
            continue
    return found


def _end(prisoner: Process) -> None:
    prisoner.kill_group()
    prisoner.reap()
