"""Verdicts: whether a candidate is better than the baseline, from trials that alternated with it.

In: the evidence of the regimes, a seed, the tolerance of `config/caps.yaml`. Out: a `Judgement`: improved, not improved
or inconclusive, with the change of every regime and metric. The rule is the seed's (perf more than +0.5 %, latency at
most +5 %, power at most +3 %), read as evidence and not as points:
- improved: the gain averaged over regimes is shown to be above 0.5 %, by interval and by sign-flip test; latency and
  power averaged over regimes are within tolerance; no regime is shown to lose more than its tolerance.
- not improved: a gain above 0.5 % is ruled out, or a regime is shown to lose more than its tolerance.
- inconclusive: neither is shown. The smallest change that would have been shown is said.
In an open loop the rate is given, and latency is what can be gained (`gain_metric`). The mean gain is the one question
that decides; the changes of regimes and metrics beside it are corrected for their number by Holm's method.
"""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Final

from actors.regime_runner.comparing import COMPARED, Comparison, comparisons, mean_gain, paired_gains, share
from actors.regime_runner.statistics import ALPHA, holm
from schemas.candidate_pack import Judgement
from schemas.cap_settings import Tolerance
from schemas.evidence import Change, RegimeEvidence, Verdict
from schemas.regimes import Metric

ROUNDING: Final = 1e-9


def judge(evidences: Sequence[RegimeEvidence], seed: int, tolerance: Tolerance) -> Judgement:
    """The verdict over all measured regimes."""
    least = math.log1p(tolerance.perf_percent / 100.0)
    every = comparisons(evidences, least)
    usable = [comparison for comparison in every if comparison.is_usable]
    adjusted = holm([comparison.p(seed) for comparison in usable])
    changes = tuple(
        comparison.change(seed, p, ALPHA / len(usable)) for comparison, p in zip(usable, adjusted, strict=True)
    )
    missing = tuple(_missing(comparison, evidences) for comparison in every if not comparison.is_usable)
    gain = mean_gain(evidences, least)
    if not gain.is_usable:
        lacking = (comparison for comparison in every if not comparison.is_usable and _is_gain(comparison, evidences))
        reason = "; ".join(_missing(one, evidences) for one in lacking) or "no regime was measured"
        return Judgement(verdict="inconclusive", reason=reason, overall=None, changes=changes, not_compared=missing)
    overall = gain.change(seed, gain.p(seed), ALPHA)
    losses = [_loss_text(c, seed) for c in usable if c.gain_interval(seed)[1] < -_largest_loss(c.metric, tolerance)]
    verdict, reason = _decide(overall, losses, [*_one_sided(evidences), *_costs(usable, tolerance)])
    return Judgement(verdict=verdict, reason=reason, overall=overall, changes=changes, not_compared=missing)


def is_tolerable(tolerance: Tolerance, perf: float, p95_ms: float | None, watts: float | None) -> bool:
    """The seed's point rule on plain changes (0.1 is 10 % more); None is a metric that nobody measured."""
    return (
        perf > tolerance.perf_percent / 100.0 + ROUNDING
        and (p95_ms is None or p95_ms <= tolerance.p95_ms_percent / 100.0 + ROUNDING)
        and (watts is None or watts <= tolerance.watts_percent / 100.0 + ROUNDING)
    )


def is_within_tolerance(evidence: RegimeEvidence, tolerance: Tolerance) -> bool | None:
    """The seed's point rule on the mean paired changes of one regime; None without its gain metric.

    In an open loop the gain of latency stands in the place of perf.
    """
    gains = {metric: fmean(found) for metric in COMPARED if (found := paired_gains(evidence, metric))}
    if evidence.status == "unavailable" or evidence.gain_metric not in gains:
        return None
    p95_ms = math.expm1(-gains["p95_ms"]) if "p95_ms" in gains else None
    watts = math.expm1(-gains["watts"]) if "watts" in gains else None
    return is_tolerable(tolerance, math.expm1(gains[evidence.gain_metric]), p95_ms, watts)


def _decide(overall: Change, losses: Sequence[str], doubts: Sequence[str]) -> tuple[Verdict, str]:
    """The verdict of the mean gain, unless a loss is shown, and held back by doubts."""
    if losses:
        return "not improved", f"beyond tolerance: {'; '.join(losses)}"
    if overall.verdict == "improved" and doubts:
        return "inconclusive", f"{overall.reason}, but {'; '.join(doubts)}"
    return overall.verdict, overall.reason


def _largest_loss(metric: str, tolerance: Tolerance) -> float:
    """What an improvement may cost in a metric, as log ratio."""
    match metric:
        case "p95_ms":
            return math.log1p(tolerance.p95_ms_percent / 100.0) + ROUNDING
        case "watts":
            return math.log1p(tolerance.watts_percent / 100.0) + ROUNDING
        case _:
            return math.log1p(tolerance.perf_percent / 100.0) + ROUNDING


def _loss_text(comparison: Comparison, seed: int) -> str:
    least_loss = share(comparison.sign * comparison.gain_interval(seed)[1])
    return f"{comparison.metric} of {comparison.regime} changes by {least_loss} or worse"


def _costs(usable: Sequence[Comparison], tolerance: Tolerance) -> list[str]:
    """Metrics whose mean over regimes is beyond tolerance, though no regime shows it."""
    found = []
    for metric in COMPARED:
        gains = [fmean(comparison.groups[0]) for comparison in usable if comparison.metric == metric]
        if gains and fmean(gains) < -_largest_loss(metric, tolerance):
            change = fmean(gains) if metric == "perf" else -fmean(gains)
            found.append(f"{metric} changes by {share(change)} on average, which is beyond tolerance and not shown")
    return found


def _one_sided(evidences: Sequence[RegimeEvidence]) -> list[str]:
    """Metrics that were measured and cannot be compared: their silence is no proof of harmlessness."""
    return [
        f"{metric} of {evidence.regime} was measured in fewer than two pairs"
        for evidence in evidences
        if evidence.status == "measured"
        for metric in COMPARED
        if len(paired_gains(evidence, metric)) < 2 and _is_measured(evidence, metric)
    ]


def _is_measured(evidence: RegimeEvidence, metric: Metric) -> bool:
    readings = (trial.readings.get(metric) for trial in evidence.trials if trial.pair >= 0 and trial.status == "done")
    return any(reading is not None and reading.value is not None for reading in readings)


def _is_gain(comparison: Comparison, evidences: Sequence[RegimeEvidence]) -> bool:
    return any(row.regime == comparison.regime and row.gain_metric == comparison.metric for row in evidences)


def _missing(comparison: Comparison, evidences: Sequence[RegimeEvidence]) -> str:
    """Why a regime and metric cannot be compared."""
    evidence = next(evidence for evidence in evidences if evidence.regime == comparison.regime)
    reasons = (
        reading.reason
        for trial in evidence.trials
        for name, reading in trial.readings.items()
        if name == comparison.metric and reading.reason is not None
    )
    pairs = len(comparison.groups[0])
    silent = "not above 0 in both arms" if pairs < min(2, evidence.trials_planned) else "two are needed"
    return (
        f"{comparison.metric} of {comparison.regime}: {pairs} pair{'' if pairs == 1 else 's'} ({next(reasons, silent)})"
    )
