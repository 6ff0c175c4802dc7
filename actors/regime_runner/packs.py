"""Candidate packs built from evidence (seed 003, candidate_pack.v2).

In: the context of an evaluation, a candidate with its evidence, the stored baselines. Out: a `CandidatePack`, computed
from what is given alone: equal evidence gives equal packs. Of a trial that failed every figure is null but an OOM kill.
Unsafe comes before invalid, and both before a score: an unsafe candidate has minus infinity, an invalid one none.
Whether the candidate improves on the baseline is decided by its verdict, and by the confirmation run alone where there
is one; without a baseline that fits, or when the verdict is inconclusive, it cannot be said.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from actors.regime_runner.baselines import Baselines
from actors.regime_runner.evidence import joined, series, validity
from actors.regime_runner.packing import PackContext, pack_path, samples_path
from actors.regime_runner.regime_artifacts import artifacts_of, common_units, without_samples
from actors.regime_runner.scoring import means_of, score_raw, score_terms, score_v2
from actors.regime_runner.statistics import bootstrap_ci
from actors.regime_runner.verdicts import judge
from schemas.candidate_pack import (
    SCHEMA,
    Aggregate,
    Artifacts,
    BaselineMeans,
    CandidatePack,
    ConfirmationBlock,
    Judgement,
    MetricIntervals,
    MetricSeries,
    PackStatus,
    RegimeResult,
    RiskProfile,
    Series,
)
from schemas.evidence import METRICS, RegimeEvidence, TrialFacts
from schemas.regimes import Genome, Metric, Regime

NO_BASELINE: Final = BaselineMeans(**dict.fromkeys(METRICS), baseline_id=None)


@dataclass(frozen=True)
class Confirmation:
    """The candidate measured again on fresh pairs."""

    session: str
    evidences: tuple[RegimeEvidence, ...]


@dataclass(frozen=True)
class Candidate:
    """A genome and everything that was measured of it."""

    generation: int
    cand_id: str
    genome: Genome
    evidences: tuple[RegimeEvidence, ...]
    """idle, normal, stress, mixed."""
    repeats: tuple[RegimeEvidence, ...] = ()
    """Further pairs of the same genome, proposed again: they count for the verdict."""
    quality_problems: tuple[str, ...] = ()
    """Figures of quality that are worse than the baseline's by more than is allowed."""
    confirmation: Confirmation | None = None


def build_pack(context: PackContext, candidate: Candidate, baselines: Baselines) -> CandidatePack:
    """The pack of `candidate`; deltas and score are against what `baselines` has for it."""
    results = tuple(_result(evidence, context, baselines) for evidence in candidate.evidences)
    safe = _is_safe(_own_trials(candidate))
    found = _find(context, candidate, baselines, safe)
    return CandidatePack(
        schema=SCHEMA,
        run_id=context.run_id,
        domain=context.domain,
        cand_id=candidate.cand_id,
        generation=candidate.generation,
        genome=candidate.genome,
        risk_profile=_risk(_own_trials(candidate)),
        regimes=results,
        aggregate=_aggregate(results, found, candidate.quality_problems),
        safe=safe,
        artifacts=_artifacts(context, candidate, results, found),
    )


def _result(evidence: RegimeEvidence, context: PackContext, baselines: Baselines) -> RegimeResult:
    found = baselines.find(evidence, context) if evidence.status == "measured" else None
    means = NO_BASELINE if found is None else found.means()
    is_measured = evidence.status == "measured"
    columns = {metric: series(evidence, "candidate", metric) if is_measured else () for metric in METRICS}
    deltas = {metric: _delta(column, getattr(means, metric)) for metric, column in columns.items()}
    return RegimeResult(
        regime=evidence.regime,
        trials=evidence.trials_planned if is_measured else 0,
        kpis=MetricSeries(**columns),
        baseline=means,
        delta=MetricSeries(**deltas),
        ci95=MetricIntervals(**{metric: bootstrap_ci(column, context.seed) for metric, column in columns.items()}),
    )


def _delta(column: Series, mean: float | None) -> Series:
    return tuple(None if value is None or mean is None else value - mean for value in column)


@dataclass(frozen=True)
class _Findings:
    """What is decided about a candidate before its pack is written."""

    status: PackStatus
    reason: str | None
    scored: tuple[Regime, ...]
    notes: tuple[str, ...]
    judgement: Judgement
    confirmed: Judgement | None


def _find(context: PackContext, candidate: Candidate, baselines: Baselines, safe: bool | None) -> _Findings:
    rows = [row for row in candidate.evidences if row.status == "measured"]
    validities = {row.regime: validity(row, context.limits) for row in rows}
    invalid = [f"{regime}: {found.reason}" for regime, found in validities.items() if found.reason]
    status, reason = _status(candidate, invalid, safe)
    again = candidate.confirmation
    return _Findings(
        status=status,
        reason=reason,
        scored=tuple(regime for regime, found in validities.items() if found.is_valid),
        notes=tuple(baselines.why_none(row, context) for row in rows if baselines.find(row, context) is None),
        judgement=judge(joined(candidate.evidences, candidate.repeats), context.seed, context.tolerance),
        confirmed=judge(again.evidences, context.seed, context.tolerance) if again else None,
    )


def _status(candidate: Candidate, invalid: Sequence[str], safe: bool | None) -> tuple[PackStatus, str | None]:
    if all(row.status == "unavailable" for row in candidate.evidences):
        return "unavailable", "; ".join(f"{row.regime}: {row.reason}" for row in candidate.evidences)
    if safe is False:
        return "unsafe", "; ".join(dict.fromkeys(text for trial in _own_trials(candidate) for text in trial.breaches))
    if invalid:
        return "invalid", "; ".join(invalid)
    return "scored", None


def _aggregate(results: Sequence[RegimeResult], found: _Findings, quality_problems: Sequence[str]) -> Aggregate:
    terms = score_terms(results, found.scored)
    return Aggregate(
        means=means_of(results, found.scored),
        score_v2=_by_status(found, score_v2(results, found.scored, terms)),
        improves_over_baseline=_improves(found, quality_problems)[0],
    )


def _by_status(found: _Findings, score: float | None) -> float | None:
    if found.status == "unsafe":
        return -math.inf
    return score if found.status == "scored" else None


def _improves(found: _Findings, quality_problems: Sequence[str]) -> tuple[bool | None, str]:
    """Whether the candidate is better than the baseline, and why; None where it cannot be said."""
    decisive = found.confirmed or found.judgement
    if found.status in ("unsafe", "invalid"):
        return False, f"{found.status}: {found.reason}"
    if found.status == "unavailable":
        return None, "no regime could be measured here"
    if quality_problems:
        return False, "; ".join(quality_problems)
    if found.notes:
        return None, "; ".join(found.notes)
    by = "confirmed on fresh pairs: " if found.confirmed else ""
    answers: dict[str, bool | None] = {"improved": True, "not improved": False, "inconclusive": None}
    return answers[decisive.verdict], f"{decisive.verdict}: {by}{decisive.reason}"


def _artifacts(
    context: PackContext, candidate: Candidate, results: Sequence[RegimeResult], found: _Findings
) -> Artifacts:
    terms = score_terms(results, found.scored)
    means = means_of(results, found.scored)
    is_unscored = found.status == "scored" and score_v2(results, found.scored, terms) is None
    block = (
        ConfirmationBlock(session=again.session, judgement=found.confirmed)
        if (again := candidate.confirmation) and found.confirmed
        else None
    )
    return Artifacts(
        path=pack_path(context.domain, candidate.cand_id),
        samples=samples_path(context.domain, candidate.cand_id),
        evaluation_id=context.evaluation_id,
        created_at_utc=context.created_at_utc,
        status="unscored" if is_unscored else found.status,
        reason=("; ".join(found.notes) or "no perf") if is_unscored else found.reason,
        profile=context.profile,
        host=context.host,
        host_facts=context.host_facts,
        code_hash=context.code_hash,
        tools=context.tools,
        virtualised=context.virtualised,
        injected=any(trial.injected for trial in _own_trials(candidate)),
        seed=context.seed,
        score_raw=_by_status(found, score_raw(means, terms)),
        score_terms=terms,
        scored_regimes=found.scored,
        units=common_units(candidate.evidences),
        baseline_notes=found.notes,
        improves_reason=_improves(found, candidate.quality_problems)[1],
        quality_problems=candidate.quality_problems,
        judgement=found.judgement,
        confirmation=block,
        regimes=tuple(artifacts_of(row, context.limits, context.tolerance) for row in candidate.evidences),
        repeats=without_samples(trial for row in candidate.repeats for trial in row.trials),
    )


def _own_trials(candidate: Candidate) -> list[TrialFacts]:
    """Every trial of the candidate's arm, warm-ups and confirmation among them."""
    again = candidate.confirmation.evidences if candidate.confirmation else ()
    rows = (*candidate.evidences, *candidate.repeats, *again)
    return [trial for row in rows for trial in row.trials if trial.arm == "candidate"]


def _is_safe(trials: Sequence[TrialFacts]) -> bool | None:
    """False beats null beats true; a trial that failed leaves nothing open but its own breaches."""
    if any(trial.safe is False for trial in trials):
        return False
    done = [trial.safe for trial in trials if trial.status == "done"]
    return True if done and None not in done else None


def _risk(trials: Sequence[TrialFacts]) -> RiskProfile:
    def highest(metric: Metric) -> float | None:
        readings = (trial.readings.get(metric) for trial in trials)
        return max((reading.value for reading in readings if reading and reading.value is not None), default=None)

    return RiskProfile(temp_peak_c=highest("temp_peak_c"), errors=highest("errors"), oom=highest("oom"))
