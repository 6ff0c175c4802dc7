"""Trials in their slots: which trial of an arm and pair counts, whether they are enough, and what a trial showed.

In: the order, result, verdict and parsed output of a trial; the evidence of a regime. Out: `TrialFacts`; the counted
trials by pair; series with null in place; whether seven of ten succeeded (seed 003, `min_successful_trials` 7 of 10,
`max_trial_failures` 3, in proportion for other numbers). A trial that failed has no value but an OOM kill, which is a
fact about the failure; a reading that nobody took is null with the reason. Nothing is filled with a zero.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.cap_settings import GlobalLimits
from schemas.evidence import METRICS, WARM_UP, Arm, RegimeEvidence, TrialFacts
from schemas.regimes import Breach, Measured, Metric, Reading, SafetyVerdict, TrialResult

ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Place:
    """Where a trial belongs."""

    arm: Arm
    pair: int
    retry_of: str | None = None
    is_noisy: bool = False


@dataclass(frozen=True)
class Validity:
    """Whether the trials of one arm are enough."""

    is_valid: bool
    successes: int
    failures: int
    """Pairs whose last trial failed."""
    reason: str | None


def facts_of(result: TrialResult, verdict: SafetyVerdict | None, measured: Measured | None, place: Place) -> TrialFacts:
    """What one trial showed; `verdict` is the watchdog's final one, None where it never came."""
    return TrialFacts(
        trial_id=result.trial_id,
        arm=place.arm,
        pair=place.pair,
        status=result.status,
        retry_of=place.retry_of,
        is_noisy=place.is_noisy,
        readings={name: _reading(name, result, verdict, measured) for name in METRICS},
        safe=verdict.safe if verdict else None,
        breaches=tuple(map(_breach_text, verdict.breaches)) if verdict else (),
        unchecked=tuple(f"{cap.cap}: {cap.reason}" for cap in verdict.unchecked) if verdict else (),
        injected=verdict is not None and verdict.injected,
        argv=result.argv,
        background=result.background,
        env=result.env,
        applied={**result.applied, **(verdict.applied if verdict else {})},
        noise=result.noise,
        exit_code=result.exit_code,
        wall_s=result.wall_s,
        cpu_s=result.cpu_s,
        max_rss_kib=result.max_rss_kib,
        written_bytes=result.written_bytes,
        stderr_tail=result.stderr_tail,
        quality=measured.quality if measured else {},
        samples_count=len(measured.samples) if measured else 0,
        samples=measured.samples if measured else (),
    )


def counted(evidence: RegimeEvidence, arm: Arm) -> tuple[TrialFacts | None, ...]:
    """The trial that counts for each planned pair: the last; None for a pair that was never tried."""
    slots: list[TrialFacts | None] = [None] * evidence.trials_planned
    for trial in evidence.trials:
        if trial.arm == arm and 0 <= trial.pair < len(slots):
            slots[trial.pair] = trial
    return tuple(slots)


def series(evidence: RegimeEvidence, arm: Arm, metric: Metric) -> tuple[float | None, ...]:
    """The metric of each planned pair, null in place."""
    return tuple(None if trial is None else value_of(trial, metric) for trial in counted(evidence, arm))


def value_of(trial: TrialFacts, metric: Metric) -> float | None:
    """What counts of a trial: all of one that is done; of a failed one only an OOM kill."""
    reading = trial.readings.get(metric)
    if reading is None or reading.value is None:
        return None
    is_counted = trial.status == "done" or (metric == "oom" and reading.value > 0.0)
    return reading.value if is_counted else None


def validity(evidence: RegimeEvidence, limits: GlobalLimits, arm: Arm = "candidate") -> Validity:
    """Whether enough trials of `arm` succeeded, in proportion to `of_trials`; one without perf has not succeeded."""
    planned = evidence.trials_planned
    slots = counted(evidence, arm)
    successes = sum(value is not None for value in series(evidence, arm, "perf"))
    failures = sum(trial is not None for trial in slots) - successes
    if evidence.status == "unavailable":
        return Validity(False, 0, 0, evidence.reason or "unavailable")
    least = max(1, math.ceil(limits.min_successful_trials * planned / limits.of_trials - ROUNDING))
    most = math.floor(limits.max_trial_failures * planned / limits.of_trials + ROUNDING)
    if successes < least:
        cut = "" if (run := successes + failures) == planned else f"; {run} were run before its regime was given up"
        reason = f"{successes} of {planned} trials of the {arm} succeeded, at least {least} must{cut}"
        return Validity(False, successes, failures, reason)
    if failures > most:
        reason = f"{failures} of {planned} trials of the {arm} failed, at most {most} may"
        return Validity(False, successes, failures, reason)
    return Validity(True, successes, failures, None)


def joined(evidences: Sequence[RegimeEvidence], repeats: Sequence[RegimeEvidence]) -> tuple[RegimeEvidence, ...]:
    """`evidences` with the pairs of `repeats`, which measured the same genome again, as further pairs."""
    return tuple(
        _joined(evidence, [more for more in repeats if more.regime == evidence.regime]) for evidence in evidences
    )


def _joined(evidence: RegimeEvidence, repeats: Sequence[RegimeEvidence]) -> RegimeEvidence:
    trials, planned = list(evidence.trials), evidence.trials_planned
    for more in repeats:
        trials += [
            trial.model_copy(update={"pair": trial.pair + planned}) for trial in more.trials if trial.pair != WARM_UP
        ]
        planned += more.trials_planned
    return evidence.model_copy(update={"trials": tuple(trials), "trials_planned": planned})


def _reading(name: Metric, result: TrialResult, verdict: SafetyVerdict | None, measured: Measured | None) -> Reading:
    if name == "oom":
        return result.oom
    taken = verdict.readings.get(name) if name in ("watts", "temp_peak_c") and verdict else None
    if name in ("perf", "p95_ms", "errors") and measured:
        taken = measured.readings.get(name)
    if taken is not None:
        return taken
    if result.status != "done":
        why = f"the trial is {result.status}" + ("" if result.exit_code is None else f", exit code {result.exit_code}")
    else:
        why = "the watchdog gave no verdict" if name in ("watts", "temp_peak_c") and not verdict else "not measured"
    return Reading(value=None, unit="", source=None, reason=why)


def _breach_text(breach: Breach) -> str:
    return f"{breach.cap}: {breach.value:g} {breach.unit} is over {breach.limit:g}"
