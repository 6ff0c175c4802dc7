"""One trial as a conversation: a guard is prepared, the watchdog armed, the guard let go, the watchdog asked.

In: answers of the world (`prepared`, `trial`), the watchdog's SafetyVerdict and CapBreached, a timer that runs out.
Out: asks (`prepare`, `go`, `drop`), TrialStarted and TrialFinished; at the end a `Concluded`. No guard is let go that
the watchdog has not armed, or whose settings of the machine did not take: it is dropped. Whoever does not answer in
time ends the trial. Answers about another trial are passed over: they come from before a restart.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from actors.regime_runner.blank_result import blank_result
from actors.regime_runner.noise import must_cool
from actors.regime_runner.state import Attempt, Slot, State
from bus.core import Ask, Outcome, Send, SetTimer
from schemas.regimes import (
    Breach,
    CapBreached,
    Genome,
    Measured,
    Reading,
    SafetyVerdict,
    TrialFinished,
    TrialOrder,
    TrialResult,
    TrialStarted,
    TrialStatus,
)

PREPARE_S: Final = 20.0
"""Longest time for a guard to stand ready."""
ARM_S: Final = 10.0
"""Longest time for a watchdog to answer."""
GRACE_S: Final = 30.0
"""Beyond its own limit, for a guard to end its trial and clear up."""
COOL_S: Final = 1.0
"""Between two looks at the temperature."""
HELD: Final = ("applied", "clamped")

PATIENCE: Final = "patience"
COOL: Final = "cool"


@dataclass(frozen=True)
class Concluded:
    """A trial that is over."""

    slot: Slot
    order: TrialOrder
    result: TrialResult
    verdict: SafetyVerdict | None
    is_unarmed: bool = False
    """No watchdog answered."""
    unheld: tuple[str, ...] = ()
    """Settings of the machine that did not take."""


@dataclass
class Conversation:
    """The trial in `state.attempt`."""

    state: State
    read: Callable[[TrialResult], Measured]
    """What the output of a trial says."""
    first_temp_c: Callable[[float | None], float | None]
    """The temperature that trials have to cool down to; the first one asked about is it."""

    def begin(self, order: TrialOrder, slot: Slot, settings: Genome, outcome: Outcome) -> None:
        """Have a guard prepared for `order`."""
        self.state.attempt = Attempt(order.trial_id, slot, order, settings)
        outcome.asks.append(Ask("prepare", order.model_dump_json().encode()))
        outcome.timers.append(SetTimer(PATIENCE, PREPARE_S))

    def prepared(self, data: bytes, outcome: Outcome) -> None:
        """A guard stands ready."""
        told, attempt = json.loads(data), self.state.attempt
        if attempt is None or attempt.phase != "preparing" or told["trial_id"] != attempt.trial_id:
            return
        attempt.guard_pid, attempt.guard_started_ticks = told["pid"], told["started_ticks"]
        self._arm(attempt, outcome)

    def cooled(self, outcome: Outcome) -> None:
        """Look at the temperature again."""
        attempt = self.state.attempt
        if attempt is not None and attempt.phase == "cooling":
            attempt.cooled_s += COOL_S
            self._arm(attempt, outcome)

    def breached(self, breach: CapBreached) -> None:
        """The watchdog has killed the trial."""
        attempt = self.state.attempt
        if attempt is not None and breach.trial_id == attempt.trial_id:
            attempt.breach = breach.breach

    def judged(self, verdict: SafetyVerdict, outcome: Outcome) -> Concluded | None:
        """The watchdog has armed the trial, or has said what it saw of it."""
        attempt = self.state.attempt
        if attempt is None or verdict.trial_id != attempt.trial_id:
            return None
        match (verdict.phase, attempt.phase):
            case ("armed", "arming"):
                return self._armed(attempt, verdict, outcome)
            case ("final", "settling"):
                return self._conclude(attempt, verdict)
        return None

    def drop(self, outcome: Outcome) -> None:
        """Have the guard end its trial; how it ended is told like any other end."""
        if self.state.attempt is not None and self.state.attempt.phase != "settling":
            outcome.asks.append(Ask("drop", self.state.attempt.trial_id.encode()))

    def ended(self, data: bytes, outcome: Outcome) -> Concluded | None:
        """The guard has left, and told its result."""
        result, attempt = TrialResult.model_validate_json(data), self.state.attempt
        if attempt is None or result.trial_id != attempt.trial_id or attempt.phase == "settling":
            return None
        attempt.result = result
        if attempt.phase == "preparing":
            return self._conclude(attempt, None)
        self._settle(attempt, outcome)
        return None

    def ran_out(self, outcome: Outcome) -> Concluded | None:
        """Somebody has not answered in time."""
        attempt = self.state.attempt
        if attempt is None:
            return None
        match attempt.phase:
            case "preparing":
                return self._drop(attempt, "failed", f"no guard stood ready within {PREPARE_S:.0f} s", outcome)
            case "arming":
                why = f"no watchdog answered within {ARM_S:.0f} s; no trial runs without one"
                return self._drop(attempt, "watchdog-gone", why, outcome)
            case "running":
                return self._drop(attempt, "failed", "the guard of the trial did not end it", outcome)
            case "settling":
                return self._conclude(attempt, None)
            case "cooling":
                return None

    def resume(self, outcome: Outcome) -> Slot | None:
        """Go on in a fresh process; the slot of a trial that went with the one before."""
        attempt = self.state.attempt
        if attempt is None:
            return None
        if attempt.phase == "settling":
            outcome.timers.append(SetTimer(PATIENCE, ARM_S))
            return None
        if attempt.phase != "preparing":
            outcome.sends.append(Send(TrialFinished(trial_id=attempt.trial_id, status="killed", readings={})))
        self.state.attempt = None
        return attempt.slot

    def _arm(self, attempt: Attempt, outcome: Outcome) -> None:
        order, attempt.phase = attempt.order, "arming"
        outcome.timers.append(SetTimer(PATIENCE, ARM_S))
        outcome.sends.append(
            Send(
                TrialStarted(
                    trial_id=attempt.trial_id,
                    domain=order.domain,
                    regime=order.regime,
                    guard_pid=attempt.guard_pid,
                    guard_started_ticks=attempt.guard_started_ticks,
                    timeout_s=order.timeout_s,
                    settings=attempt.settings,
                )
            )
        )

    def _armed(self, attempt: Attempt, verdict: SafetyVerdict, outcome: Outcome) -> Concluded | None:
        unheld = [f"{name}: {verdict.applied.get(name, 'not told')}" for name in attempt.settings]
        unheld = [line for line in unheld if not line.partition(": ")[2].startswith(HELD)]
        if unheld:
            attempt.unheld = unheld
            return self._drop(attempt, "refused", f"settings did not take: {'; '.join(unheld)}", outcome)
        reading = verdict.readings.get("temp_peak_c")
        now_c = None if reading is None else reading.value
        if must_cool(self.first_temp_c(now_c), now_c, attempt.cooled_s):
            attempt.phase = "cooling"
            outcome.timers.append(SetTimer(COOL, COOL_S))
            return None
        attempt.phase = "running"
        outcome.asks.append(Ask("go", attempt.trial_id.encode()))
        outcome.timers.append(SetTimer(PATIENCE, attempt.order.timeout_s + GRACE_S))
        return None

    def _drop(self, attempt: Attempt, status: TrialStatus, why: str, outcome: Outcome) -> Concluded | None:
        """End a trial that cannot go on; its guard leaves without a word that counts."""
        was_unarmed = attempt.phase == "arming" and status == "watchdog-gone"
        outcome.asks.append(Ask("drop", attempt.trial_id.encode()))
        attempt.result = blank_result(attempt.order, status, why)
        if attempt.phase == "preparing" or was_unarmed:
            if was_unarmed:
                outcome.sends.append(Send(TrialFinished(trial_id=attempt.trial_id, status=status, readings={})))
            return self._conclude(attempt, None, is_unarmed=was_unarmed)
        self._settle(attempt, outcome)
        return None

    def _settle(self, attempt: Attempt, outcome: Outcome) -> None:
        """Tell the watchdog that the trial is over, and wait for what it saw."""
        result = attempt.result
        if result is None:
            raise ValueError(f"trial {attempt.trial_id} settles without a result")
        attempt.phase = "settling"
        outcome.timers.append(SetTimer(PATIENCE, ARM_S))
        told = readings_of(result, self.read(result))
        outcome.sends.append(Send(TrialFinished(trial_id=attempt.trial_id, status=result.status, readings=told)))

    def _conclude(self, attempt: Attempt, verdict: SafetyVerdict | None, *, is_unarmed: bool = False) -> Concluded:
        if attempt.result is None:
            raise ValueError(f"trial {attempt.trial_id} is over without a result")
        self.state.attempt = None
        if verdict is None and attempt.breach is not None:
            verdict = _verdict_of(attempt.trial_id, attempt.breach)
        return Concluded(attempt.slot, attempt.order, attempt.result, verdict, is_unarmed, tuple(attempt.unheld))


def readings_of(result: TrialResult, measured: Measured) -> dict[str, Reading]:
    """What a trial itself tells of capped quantities; one that failed breaches no cap but by an OOM kill."""
    told = {"oom": result.oom}
    if result.status != "done" or measured.readings["perf"].value is None:
        return told
    told["errors"] = measured.readings["errors"]
    for name, value in measured.quality.items():
        told[name] = Reading(value=value, unit=name, source="workload", reason=None)
    return told


def _verdict_of(trial_id: str, breach: Breach) -> SafetyVerdict:
    """What is known of a trial whose watchdog told of a breach and then no more."""
    return SafetyVerdict(
        trial_id=trial_id,
        phase="final",
        applied={},
        unchecked=(),
        safe=False,
        readings={},
        breaches=(breach,),
        injected=False,
    )
