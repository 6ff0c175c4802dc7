"""When a trial is watched, and what is said of it (seed 003; design, 5.13).

In: TrialStarted, TrialFinished, PackWritten; the caps of the run, the number of processors, and what its world
observes. Out: asks to arm and to disarm, SafetyVerdict before and after a trial, CapBreached. All caps of a trial are
judged here, those on the watchdog's own sensors and those on what the trial told of itself. A trial is armed again
when it is announced again, which reads its sensors anew. A watchdog that was started anew during a trial cannot call
it safe. It does not go on when its world cannot watch.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from actors.safety_watchdog.state import WatchdogState
from actors.safety_watchdog.verdicts import INTERRUPTED, armed_verdict, final_verdict, unknown_verdict
from actors.safety_watchdog.watching import (
    ARM,
    ARMED,
    BREACHED,
    DISARM,
    ENDED,
    FAILED,
    RECOVERED,
    Armed,
    Breached,
    Ended,
    Recovered,
    Watch,
)
from bus.core import Ask, Fired, Input, Note, Observed, Outcome, Received, Scalar, Send, Started
from schemas.errors import OneirosError
from schemas.regimes import CapBreached, PackWritten, TrialFinished, TrialStarted

if TYPE_CHECKING:
    from schemas.cap_settings import CapsConfig

CAPS: Final = "caps.yaml"
"""Observation: the caps of the run."""
CPUS: Final = "cpus"
"""Observation: how many processors the machine has."""


class WatchFailedError(OneirosError):
    """The world of the watchdog cannot watch."""


class SafetyWatchdogCore:
    """The state machine of the safety-watchdog."""

    def __init__(self) -> None:
        self._state = WatchdogState()
        self._caps: CapsConfig | None = None
        """The caps of the state, read when the first trial begins."""
        self._observers: Mapping[str, Callable[[bytes, Outcome], None]] = {
            CAPS: self._take_caps,
            CPUS: self._take_cpus,
            ARMED: self._take_armed,
            BREACHED: self._take_breach,
            ENDED: self._take_end,
            RECOVERED: self._take_recovery,
            FAILED: self._fail,
        }

    def handle(self, event: Input, now_ns: int) -> Outcome:  # noqa: ARG002 - no answer depends on the time
        """Decide on one input."""
        outcome = Outcome()
        match event:
            case Started():
                self._start_anew(outcome)
            case Received(message=TrialStarted() as started):
                self._begin(started, outcome)
            case Received(message=TrialFinished() as finished):
                self._finish(finished, outcome)
            case Received(message=PackWritten()):
                self._state.packs += 1
            case Received(message=message):
                outcome.refusal = f"{message.kind} is nothing that a safety-watchdog receives"
            case Observed(name=name, data=data) if name in self._observers:
                self._observers[name](data, outcome)
            case Observed(name=name) | Fired(name=name):
                outcome.refusal = f"{name} is nothing that a safety-watchdog waits for"
        return outcome

    def snapshot(self) -> bytes:
        """The state as JSON."""
        return self._state.to_bytes()

    def restore(self, data: bytes) -> None:
        """Take over a snapshot."""
        self._state = WatchdogState.from_bytes(data)
        self._caps = None

    def figures(self) -> Mapping[str, Scalar]:
        """Counts, and the trial that is watched."""
        state = self._state
        watched = None if state.started is None or state.ended is not None else state.started.trial_id
        return {"trials": state.trials, "breached": state.breached, "packs": state.packs, "watching": watched}

    def _start_anew(self, outcome: Outcome) -> None:
        """Process and world are new: a trial that the ones before had armed is watched no more."""
        state = self._state
        if state.started is None or state.ended is not None:
            return
        if state.armed is None:
            self._ask(ARM, state.started, outcome)
            return
        state.is_interrupted = True
        outcome.notes.append(Note("warning", f"trial {state.started.trial_id}: {INTERRUPTED}"))
        self._conclude(outcome)

    def _begin(self, started: TrialStarted, outcome: Outcome) -> None:
        state = self._state
        if state.started != started:
            if state.started is not None:
                outcome.notes.append(Note("warning", f"trial {state.started.trial_id} was left without an end"))
            state.forget_trial()
            state.started = started
            state.trials += 1
        if state.ended is None:
            self._ask(ARM, started, outcome)

    def _finish(self, finished: TrialFinished, outcome: Outcome) -> None:
        state = self._state
        if state.started is None or state.started.trial_id != finished.trial_id:
            outcome.sends.append(Send(unknown_verdict(finished)))
            return
        state.finished = finished
        if state.ended is None and not state.is_interrupted:
            self._ask(DISARM, state.started, outcome)
        self._conclude(outcome)

    def _conclude(self, outcome: Outcome) -> None:
        """Say the last word on a trial once both its runner and the world have said theirs."""
        state = self._state
        if state.started is None or state.finished is None or (state.ended is None and not state.is_interrupted):
            return
        verdict = final_verdict(state, state.finished, self._limits(state.started))
        outcome.sends.append(Send(verdict))
        state.forget_trial()

    def _take_caps(self, data: bytes, _outcome: Outcome) -> None:
        self._state.caps, self._caps = data.decode(), None

    def _take_cpus(self, data: bytes, _outcome: Outcome) -> None:
        self._state.cpus = int(data)

    def _take_armed(self, data: bytes, outcome: Outcome) -> None:
        state, armed = self._state, Armed.model_validate_json(data)
        if state.started is None or state.started.trial_id != armed.trial_id or state.ended is not None:
            return
        state.armed = armed
        outcome.sends.append(Send(armed_verdict(armed, self._limits(state.started))))

    def _take_breach(self, data: bytes, outcome: Outcome) -> None:
        state, breached = self._state, Breached.model_validate_json(data)
        if state.started is None or state.started.trial_id != breached.trial_id:
            return
        state.breaches.append(breached.breach)
        state.breached += 1
        found = breached.breach
        outcome.sends.append(Send(CapBreached(trial_id=breached.trial_id, breach=found, killed=breached.killed)))
        outcome.notes.append(
            Note(
                "warning",
                f"trial {breached.trial_id} ended: {found.cap} is {found.value:g} {found.unit}, its cap is "
                f"{found.limit:g} ({found.source}); {breached.killed} processes",
            )
        )

    def _take_end(self, data: bytes, outcome: Outcome) -> None:
        state, ended = self._state, Ended.model_validate_json(data)
        outcome.notes.extend(Note("error", f"trial {ended.trial_id}: {why}") for why in ended.unrestored.values())
        if state.started is None or state.started.trial_id != ended.trial_id:
            return
        state.ended = ended
        self._conclude(outcome)

    def _take_recovery(self, data: bytes, outcome: Outcome) -> None:
        outcome.notes.extend(Note("warning", line) for line in Recovered.model_validate_json(data).lines)

    def _fail(self, data: bytes, _outcome: Outcome) -> None:
        raise WatchFailedError("; ".join(Recovered.model_validate_json(data).lines))

    def _ask(self, name: str, started: TrialStarted, outcome: Outcome) -> None:
        limits = self._limits(started)
        watch = Watch(
            trial_id=started.trial_id,
            domain=started.domain,
            guard_pid=started.guard_pid,
            guard_started_ticks=started.guard_started_ticks,
            timeout_s=started.timeout_s,
            settings=started.settings,
            caps=limits,
            margins={metric: margin for metric, margin in self._config().margin.items() if metric in limits},
        )
        outcome.asks.append(Ask(name, watch.model_dump_json().encode()))

    def _limits(self, started: TrialStarted) -> dict[str, float]:
        return self._config().caps_of(started.domain, self._state.cpus)

    def _config(self) -> "CapsConfig":
        """The caps of the run; raises SettingsError where they are none."""
        if self._caps is None:
            from schemas.regime_files import load_caps  # noqa: PLC0415 - a run without trials does not pay for it

            self._caps = load_caps(self._state.caps.encode())
        return self._caps
