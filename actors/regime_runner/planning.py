"""Which trials are run, in which order, and what they cost.

In: the number of pairs, generators, rendered rows, what is asked for. Out: slots in random order, a warm-up of each arm
first; slots after a failure or a noisy trial; the plan of an evaluation in trials, seconds and bytes. A candidate and
the untouched default run in pairs, within each of which chance decides who is first, so that what drifts meanwhile
befalls both. Refused: a plan over its budget.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from actors.regime_runner.state import Slot, Work
from schemas.cap_settings import GlobalLimits
from schemas.errors import OneirosError
from schemas.evidence import WARM_UP, Arm, TrialFacts
from schemas.regimes import Regime

OVERHEAD_S: Final = 0.3
"""Of a trial beside its workload: guard, quiet moment, watchdog, clearing up."""
ROUNDING: Final = 1e-9
"""So that 0.7 x 10 is 7."""
ARMS: Final[tuple[Arm, Arm]] = ("candidate", "baseline")


class OverBudgetError(OneirosError):
    """An evaluation would take longer, or write more, than is allowed."""


@dataclass(frozen=True)
class Rules:
    """What follows from a failed trial."""

    limits: GlobalLimits
    retries: int


@dataclass(frozen=True)
class RowCost:
    """What one trial of a regime costs."""

    seconds: float
    bytes: int


@dataclass(frozen=True)
class Shape:
    """How much is asked for."""

    trials: int
    """Pairs in each regime."""
    generations: int
    population: int
    confirmed: int
    has_random_arm: bool
    is_single: bool = False
    """One given genome, no search."""
    delay_s: float = 0.0
    """Between two trials."""

    @property
    def candidates(self) -> int:
        """Most candidates that are measured, those that are confirmed counted again."""
        if self.is_single:
            return 1 + min(1, self.confirmed)
        beside = self.population * (self.generations - 1) if self.has_random_arm else 0
        return self.population * self.generations + beside + self.confirmed

    @property
    def trials_of_regime(self) -> int:
        """Trials of one candidate in one regime, warm-ups included."""
        return 2 * (self.trials + 1)


@dataclass(frozen=True)
class RegimePlan:
    """One regime of the whole evaluation."""

    regime: Regime
    trials: int
    seconds: float
    bytes: int


@dataclass(frozen=True)
class Plan:
    """What an evaluation takes at most, retries and repeats left out."""

    regimes: tuple[RegimePlan, ...]
    candidates: int

    @property
    def trials(self) -> int:
        """Of all regimes."""
        return sum(regime.trials for regime in self.regimes)

    @property
    def seconds(self) -> float:
        """Of all regimes."""
        return sum(regime.seconds for regime in self.regimes)

    @property
    def bytes(self) -> int:
        """Most that is written."""
        return sum(regime.bytes for regime in self.regimes)


def plan_cost(rows: Mapping[Regime, RowCost | None], shape: Shape) -> Plan:
    """The plan of an evaluation; a regime whose row is None is unavailable and costs nothing."""
    plans = []
    for regime, row in rows.items():
        trials = 0 if row is None else shape.trials_of_regime * shape.candidates
        each_s = 0.0 if row is None else row.seconds + OVERHEAD_S + shape.delay_s
        plans.append(RegimePlan(regime, trials, trials * each_s, trials * (0 if row is None else row.bytes)))
    return Plan(tuple(plans), shape.candidates)


def check_budget(plan: Plan, budget_s: float, budget_bytes: int) -> None:
    """Raise OverBudgetError when `plan` takes more than either."""
    if plan.seconds > budget_s:
        raise OverBudgetError(
            f"the plan takes {plan.seconds:.0f} s for {plan.trials} trials, the budget is {budget_s:.0f} s; "
            "take --quick, fewer trials or generations, or raise regimes.budget_s"
        )
    if plan.bytes > budget_bytes:
        raise OverBudgetError(
            f"the plan writes up to {plan.bytes / 2**20:.0f} MiB, the budget is {budget_bytes / 2**20:.0f} MiB; "
            "take --quick, fewer trials or generations, or raise regimes.budget_mib"
        )


def arrange(rng: np.random.Generator, pairs: int) -> list[Slot]:
    """A warm-up of each arm, then `pairs` pairs, in each of which chance decides who is first."""
    slots = [Slot(arm, WARM_UP) for arm in ARMS]
    for pair, is_turned in enumerate(rng.integers(0, 2, size=pairs).tolist()):
        slots += [Slot(arm, pair) for arm in (reversed(ARMS) if is_turned else ARMS)]
    return slots


def failures_allowed(limits: GlobalLimits, planned: int) -> int:
    """Pairs of an arm that may fail before the regime is invalid: three of ten, in proportion."""
    least = max(1, math.ceil(limits.min_successful_trials * planned / limits.of_trials - ROUNDING))
    return min(planned - least, math.floor(limits.max_trial_failures * planned / limits.of_trials + ROUNDING))


def has_failed(facts: TrialFacts) -> bool:
    """Whether a trial gave no figure to count."""
    return facts.status != "done" or facts.readings["perf"].value is None


def take(work: Work, slot: Slot, facts: TrialFacts, rules: Rules) -> None:
    """Put a finished trial with the others, and its slot back into the queue where it is to be run again."""
    work.trials.append(facts)
    if slot.pair == WARM_UP:
        return
    if has_failed(facts):
        allowed = failures_allowed(rules.limits, work.planned)
        if slot.attempt < rules.retries:
            again = Slot(slot.arm, slot.pair, retry_of=facts.trial_id, attempt=slot.attempt + 1)
            work.queue.insert(0, again)
        elif _failures(work, slot.arm) > allowed:
            end(work, f"more than {allowed} of {work.planned} trials of the {slot.arm} failed")
    elif facts.is_noisy and work.noise_repeats > 0:
        work.noise_repeats -= 1
        work.queue.insert(0, Slot(slot.arm, slot.pair, attempt=slot.attempt))


def end(work: Work, reason: str) -> None:
    """Run no more trials of `work`."""
    work.queue.clear()
    work.ended = work.ended or reason


def _failures(work: Work, arm: Arm) -> int:
    """Pairs of `arm` whose last trial failed."""
    last = {facts.pair: facts for facts in work.trials if facts.arm == arm and facts.pair != WARM_UP}
    return sum(has_failed(facts) for facts in last.values())
