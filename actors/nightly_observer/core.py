"""The nightly-observer decides: which night is next, and when it has what it needs (seed 004, section 3).

In: NightRequest, SnapshotReady, what the world answers of a night, a timer. Out: SnapshotRequest, the ask `night`, the
file of reports. A night is lived in a process of its own and comes back as a recorded observation, so that a replay
needs none. One night at a time; what waits is kept over a restart, and a night that was being lived is asked for again.
It refuses a request that it has had before, more than `MAX_WAITING`, and a report on a night that nobody asked for.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from bus.core import Ask, Fired, Input, Note, Observed, Outcome, Received, Scalar, Send, SetTimer, Started, WriteFile
from schemas.night import DAY_NS, NightRequest, SnapshotReady, SnapshotRequest, begin_of

NIGHT: Final = "night"
PATIENCE: Final = "snapshot"
PATIENCE_S: Final = 60.0
MOST_ATTEMPTS: Final = 5
MAX_WAITING: Final = 32
REMEMBERED: Final = 256


@dataclass
class State:
    """What the observer remembers."""

    waiting: list[dict[str, Any]] = field(default_factory=list)
    """Requests; the first is being served while `phase` is not empty."""
    phase: str = ""
    """`snapshot` or `night`."""
    attempts: int = 0
    """How often the snapshot was asked for."""
    snapshot_sha256: str = ""
    taken_at_ns: int = 0
    """When its inputs were taken."""
    reports: list[dict[str, Any]] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    """Ids of the last requests."""
    nights: int = 0
    failed: int = 0
    dreams: int = 0


class NightlyObserver:
    """The state machine of the nightly-observer."""

    def __init__(self) -> None:
        self._state = State()

    def handle(self, event: Input, now_ns: int) -> Outcome:
        """Decide on one input."""
        outcome = Outcome()
        if self._state.phase != NIGHT:
            self._state.taken_at_ns = now_ns
        match event:
            case Started():
                self._resume(outcome)
            case Received(message=NightRequest() as request):
                self._take(request, outcome)
            case Received(message=SnapshotReady() as ready):
                self._go_on(ready, outcome)
            case Fired(name=name) if name == PATIENCE:
                self._ask_again(outcome)
            case Observed(name=name, data=data) if name == NIGHT:
                self._conclude(data, outcome)
            case Received(message=message):
                outcome.refusal = f"{message.kind} is nothing that a nightly-observer receives"
        return outcome

    def snapshot(self) -> bytes:
        """The state as JSON."""
        return json.dumps(asdict(self._state)).encode()

    def restore(self, data: bytes) -> None:
        """Take over a snapshot."""
        self._state = State(**json.loads(data))

    def figures(self) -> Mapping[str, Scalar]:
        """How many nights there were in this run."""
        state = self._state
        return {
            "nights": state.nights,
            "failed": state.failed,
            "dreams": state.dreams,
            "waiting": len(state.waiting),
            "last": state.reports[-1]["date"] if state.reports else None,
        }

    def _take(self, request: NightRequest, outcome: Outcome) -> None:
        state = self._state
        if request.night_id in state.known:
            outcome.refusal = f"NightRequest {request.night_id}: it was asked for before"
        elif len(state.waiting) >= MAX_WAITING:
            outcome.refusal = f"NightRequest {request.night_id}: {MAX_WAITING} nights wait already"
        else:
            state.known = [*state.known, request.night_id][-REMEMBERED:]
            state.waiting.append(request.model_dump())
            self._begin(outcome)

    def _begin(self, outcome: Outcome) -> None:
        """Serve the first request, if none is being served."""
        state = self._state
        if state.phase or not state.waiting:
            return
        state.attempts, state.snapshot_sha256 = 0, ""
        if state.waiting[0]["source"] == "own":
            self._ask_snapshot(outcome)
        else:
            self._ask_night(outcome)

    def _resume(self, outcome: Outcome) -> None:
        if self._state.phase == NIGHT:
            self._ask_night(outcome)
        elif self._state.phase:
            self._ask_snapshot(outcome)

    def _ask_snapshot(self, outcome: Outcome) -> None:
        state = self._state
        state.phase, state.attempts = PATIENCE, state.attempts + 1
        first = state.waiting[0]
        request = SnapshotRequest(night_id=first["night_id"], date=first["date"], is_fresh=first["is_fresh"])
        outcome.sends.append(Send(request))
        outcome.timers.append(SetTimer(PATIENCE, PATIENCE_S))

    def _ask_again(self, outcome: Outcome) -> None:
        """The keeper has not answered: ask again, or look back without its pool."""
        if self._state.phase != PATIENCE:
            return
        if self._state.attempts < MOST_ATTEMPTS:
            self._ask_snapshot(outcome)
        else:
            outcome.notes.append(Note("warning", "the pool-keeper makes no snapshot; the night has no inputs"))
            self._ask_night(outcome)

    def _go_on(self, ready: SnapshotReady, outcome: Outcome) -> None:
        state = self._state
        if state.phase != PATIENCE or ready.night_id != state.waiting[0]["night_id"]:
            outcome.refusal = f"SnapshotReady {ready.night_id}: nobody waits for it"
            return
        if ready.problem is not None:
            outcome.notes.append(Note("warning", ready.problem))
        state.snapshot_sha256, state.taken_at_ns = ready.sha256, ready.taken_at_ns
        self._ask_night(outcome)

    def _ask_night(self, outcome: Outcome) -> None:
        state = self._state
        state.phase = NIGHT
        asked = {name: value for name, value in state.waiting[0].items() if name != "is_fresh"}
        is_partial = state.taken_at_ns < begin_of(asked["date"]) + DAY_NS
        told = {**asked, "snapshot_sha256": state.snapshot_sha256, "is_partial": is_partial}
        outcome.asks.append(Ask(NIGHT, json.dumps(told).encode()))

    def _conclude(self, data: bytes, outcome: Outcome) -> None:
        from schemas.night_report import MAX_REPORTS, REPORTS_PATH, NightReport  # noqa: PLC0415 - days without nights

        state = self._state
        try:
            report = NightReport.model_validate_json(data)
        except ValueError:
            outcome.refusal = "observation night: it is no report"
            return
        if state.phase != NIGHT or report.night_id != state.waiting[0]["night_id"]:
            outcome.refusal = f"observation night: nobody waits for {report.night_id}"
            return
        state.waiting.pop(0)
        state.phase = ""
        state.nights += 1
        state.failed += report.standing == "failed"
        state.dreams += 0 if report.block is None else report.block.count
        others = [each for each in state.reports if each["night_id"] != report.night_id]
        state.reports = [*others, report.model_dump(mode="json")][-MAX_REPORTS:]
        content = json.dumps({"reports": state.reports}).encode()
        outcome.effects.append(WriteFile(REPORTS_PATH, content, is_private=True))
        outcome.notes.append(Note("warning" if report.standing == "failed" else "info", report.line()))
        self._begin(outcome)
