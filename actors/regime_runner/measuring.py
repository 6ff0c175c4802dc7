"""The trials of one candidate: which is next, and what a finished one means for those that are still to come.

In: the desk of an evaluation, concluded trials. Out: trials to begin; whether the candidate is done, or the evaluation
has to stop. No trial of a candidate is begun after a breach of a cap by it, none of anybody once the default itself
breaches one, none beyond the budget, and none while no watchdog answers.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from actors.regime_runner.attempting import Concluded, Conversation
from actors.regime_runner.desk import Desk
from actors.regime_runner.evidence import Place, facts_of
from actors.regime_runner.noise import NoiseLimits, noisy
from actors.regime_runner.planning import Rules, end, take
from actors.regime_runner.state import Slot, Work
from bus.core import Note, Outcome
from schemas.evidence import WARM_UP, Arm
from schemas.regimes import Measured, Regime, SafetyVerdict, TrialResult

UNARMED_LIMIT: Final = 3
"""Trials in a row that no watchdog arms before an evaluation ends."""

Progress = Literal["begun", "done"] | str
"""A trial was begun, the candidate is done, or why the evaluation has to stop."""


@dataclass
class Measuring:
    """Measures the present candidate."""

    desk: Desk
    conversation: Conversation = field(init=False)

    def __post_init__(self) -> None:
        self.conversation = Conversation(self.desk.state, self._read, self._first_temp)

    def next_trial(self, now_ns: int, outcome: Outcome) -> Progress:
        """Begin the next trial of the candidate, if there is one."""
        desk = self.desk
        reason = self._why_stop(now_ns)
        if reason is not None:
            return reason
        work = next((work for work in desk.candidate.works if work.queue), None)
        if work is None:
            return "done"
        slot = work.queue.pop(0)
        desk.state.trials += 1
        genome = desk.candidate.genome if slot.arm == "candidate" else desk.bench.default
        order = desk.bench.trial(work.regime, genome, self._name(work, slot))
        self.conversation.begin(order, slot, desk.bench.settings_of(work.regime, genome), outcome)
        return "begun"

    def resume(self, outcome: Outcome) -> bool:
        """Go on in a fresh process; whether the next trial is to be begun."""
        attempt = self.desk.state.attempt
        if attempt is None:
            return True
        slot = self.conversation.resume(outcome)
        if slot is not None:
            self.desk.work_of(attempt.order.regime).queue.insert(0, slot)
        return slot is not None

    def note(self, concluded: Concluded, outcome: Outcome) -> None:
        """Put a trial with the others."""
        evaluation, work = self.desk.evaluation, self.desk.work_of(concluded.order.regime)
        evaluation.trials_done += 1
        evaluation.written_bytes += concluded.result.written_bytes
        if concluded.is_unarmed:
            evaluation.unarmed += 1
            work.queue.insert(0, concluded.slot)
            return
        evaluation.unarmed = 0
        missing = self.desk.bench.missing_in(concluded.result)
        if missing is not None:
            work.unavailable = missing
            end(work, missing)
            return
        self._take(concluded, work)
        if concluded.unheld:
            self._stop_candidate(f"settings did not take: {'; '.join(concluded.unheld)}", outcome)
        if concluded.verdict is not None and concluded.verdict.breaches:
            self._breached(concluded.slot, concluded.verdict, outcome)

    def _take(self, concluded: Concluded, work: Work) -> None:
        desk, slot, result = self.desk, concluded.slot, concluded.result
        settings = desk.house.settings
        values = {name: reading.value for name, reading in result.noise}
        is_noisy = bool(noisy(values, NoiseLimits(settings.max_pressure, settings.max_steal, None)))
        place = Place(slot.arm, slot.pair, slot.retry_of, is_noisy)
        facts = facts_of(result, concluded.verdict, self._parsed(work.regime, slot.arm, result), place)
        take(work, slot, facts, Rules(desk.bench.caps.limits, desk.bench.retries))
        desk.evaluation.noisy += is_noisy
        desk.evaluation.retried += slot.retry_of is not None

    def _name(self, work: Work, slot: Slot) -> str:
        """`e1-gen0_07-stress-c03-00042`."""
        evaluation, candidate = self.desk.evaluation, self.desk.candidate
        where = "w" if slot.pair == WARM_UP else f"{slot.pair:02d}"
        return (
            f"e{evaluation.number}-{candidate.cand_id}-{work.regime}-{slot.arm[0]}{where}-{self.desk.state.trials:05d}"
        )

    def _why_stop(self, now_ns: int) -> str | None:
        evaluation, settings = self.desk.evaluation, self.desk.house.settings
        if evaluation.unarmed >= UNARMED_LIMIT:
            return "no watchdog answers; no trial runs without one: see `supervisor status`"
        if (now_ns - evaluation.started_ns) * 1e-9 > settings.budget_s:
            return f"the budget of {settings.budget_s:.0f} s is used up (regimes.budget_s)"
        if evaluation.written_bytes > settings.budget_mib * 2**20:
            return f"trials have written more than the budget of {settings.budget_mib} MiB (regimes.budget_mib)"
        return None

    def _breached(self, slot: Slot, verdict: SafetyVerdict, outcome: Outcome) -> None:
        breach = verdict.breaches[0]
        text = f"{breach.cap} {breach.value:g} {breach.unit} over {breach.limit:g}"
        self._stop_candidate(f"{slot.arm} breached a cap: {text}", outcome)
        if slot.arm == "baseline":
            self.desk.evaluation.standing_still = (
                f"the untouched default breaches a cap ({text}): nothing can be compared with it"
            )

    def _stop_candidate(self, reason: str, outcome: Outcome) -> None:
        for work in self.desk.candidate.works:
            end(work, reason)
        outcome.notes.append(Note("warning", f"{self.desk.candidate.cand_id}: {reason}"))

    def _parsed(self, regime: Regime, arm: Arm, result: TrialResult) -> Measured:
        desk = self.desk
        return desk.bench.read(regime, desk.candidate.genome if arm == "candidate" else desk.bench.default, result)

    def _read(self, result: TrialResult) -> Measured:
        attempt = self.desk.state.attempt
        if attempt is None:
            raise ValueError(f"no trial is being run, and {result.trial_id} is to be read")
        return self._parsed(attempt.order.regime, attempt.slot.arm, result)

    def _first_temp(self, now_c: float | None) -> float | None:
        evaluation = self.desk.evaluation
        if evaluation.first_temp_c is None:
            evaluation.first_temp_c = now_c
        return evaluation.first_temp_c
