"""How each regime of a candidate was measured, for the `artifacts` of its pack.

In: the evidence of a regime, limits and tolerance. Out: `RegimeArtifacts`: units, sources, what is unavailable and why,
the order of the arms, what became of every setting, failures, retries, noise, every trial. Raw samples are left out.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from actors.regime_runner.evidence import counted, validity, value_of
from actors.regime_runner.verdicts import is_within_tolerance
from schemas.candidate_pack import RegimeArtifacts
from schemas.cap_settings import GlobalLimits, Tolerance
from schemas.evidence import METRICS, WARM_UP, RegimeEvidence, TrialFacts
from schemas.regimes import Metric, Reading

APPLIED: Final = "applied"


def artifacts_of(evidence: RegimeEvidence, limits: GlobalLimits, tolerance: Tolerance) -> RegimeArtifacts:
    """What stands behind the figures of one regime."""
    found = validity(evidence, limits)
    mine = [trial for trial in evidence.trials if trial.arm == "candidate"]
    slots = [trial for trial in counted(evidence, "candidate") if trial is not None]
    readings = [(name, reading) for trial in mine for name, reading in trial.readings.items()]
    measured = {name for trial in slots for name in METRICS if value_of(trial, name) is not None}
    is_measured = evidence.status == "measured"
    return RegimeArtifacts(
        regime=evidence.regime,
        status="unavailable" if not is_measured else "measured" if found.is_valid else "invalid",
        reason=found.reason,
        packages=evidence.packages,
        gain_metric=evidence.gain_metric,
        workload_id=evidence.workload_id,
        order=tuple(trial.arm for trial in evidence.trials if trial.pair != WARM_UP),
        units=_units(readings),
        sources={name: reading.source for name, reading in reversed(readings) if reading.source and name in measured},
        unavailable={name: _why(evidence, readings, name) for name in METRICS if name not in measured},
        successes=found.successes,
        failures=found.failures,
        retries=sum(trial.retry_of is not None for trial in evidence.trials),
        noisy=sum(trial.is_noisy for trial in evidence.trials),
        applied=_applied(mine),
        unchecked=_distinct(text for trial in mine for text in trial.unchecked),
        breaches=_distinct(text for trial in mine for text in trial.breaches),
        within_tolerance=is_within_tolerance(evidence, tolerance),
        trials=without_samples(evidence.trials),
    )


def common_units(evidences: Sequence[RegimeEvidence]) -> dict[Metric, str]:
    """Unit of each metric that has the same one in every measured regime."""
    rows = [
        _units([item for trial in row.trials for item in trial.readings.items()]) for row in evidences if row.trials
    ]
    return {
        name: rows[0][name]
        for name in METRICS
        if rows and name in rows[0] and all(row.get(name) == rows[0][name] for row in rows)
    }


def without_samples(trials: Iterable[TrialFacts]) -> tuple[TrialFacts, ...]:
    """The trials as a pack holds them."""
    return tuple(trial.model_copy(update={"samples": ()}) if trial.samples else trial for trial in trials)


def _units(readings: Sequence[tuple[Metric, Reading]]) -> dict[Metric, str]:
    return {name: reading.unit for name, reading in reversed(readings) if reading.unit}


def _why(evidence: RegimeEvidence, readings: Sequence[tuple[Metric, Reading]], metric: Metric) -> str:
    reasons = (reading.reason for name, reading in readings if name == metric and reading.reason is not None)
    return evidence.reason or next(reasons, "no trial of the candidate was counted")


def _applied(trials: Sequence[TrialFacts]) -> dict[str, str]:
    """Setting -> applied; where it was not in one of the trials, what became of it there."""
    found: dict[str, str] = {}
    for trial in trials:
        for name, outcome in trial.applied.items():
            if found.get(name, APPLIED) == APPLIED:
                found[name] = outcome
    return found


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
