"""Scores: the seed's formula on ratios to the baseline and on raw units, ranking, and what the search is told.

In: the results of the regimes; whole packs. Out: means, `score_v2`, `score_raw`, an order of packs. The formula is
perf - 0.2 p95_ms - 0.1 watts (seed 003). `score_v2` applies it to the mean over regimes of (candidate's mean / stored
baseline), so that a candidate like its baseline has 1 - 0.2 - 0.1 = 0.7; `score_raw` to the means in their own units.
A metric that some scored regime lacks leaves both sums, and the pack says so in `score_terms`: a missing wattmeter is
no 0 W. Refused: to rank packs whose terms, regimes, profile or host differ.
"""

import math
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Final

from actors.regime_runner.comparing import COMPARED, paired_gains
from actors.regime_runner.pareto import Point, pareto_front
from schemas.candidate_pack import CandidatePack, Means, RegimeMeans, RegimeResult
from schemas.errors import OneirosError
from schemas.evidence import METRICS, REGIMES, RegimeEvidence
from schemas.regimes import Metric, Regime

LATENCY_PENALTY: Final = 0.2
POWER_PENALTY: Final = 0.1


class NotComparableError(OneirosError):
    """Two packs were measured under conditions that forbid to set one above the other."""

    def __init__(self, first: str, second: str, differences: Sequence[str]) -> None:
        self.differences = tuple(differences)
        super().__init__(f"{first} and {second} cannot be compared: {'; '.join(differences)}; evaluate both alike")


def composite_score(perf: float, p95_ms: float | None, watts: float | None) -> float:
    """The seed's formula; a metric that is not measured leaves the sum."""
    return perf - LATENCY_PENALTY * (p95_ms or 0.0) - POWER_PENALTY * (watts or 0.0)


def means_of(results: Sequence[RegimeResult], scored: Sequence[Regime]) -> Means:
    """Mean of each metric in each regime; overall is the unweighted mean over `scored`, null where one lacks it."""
    return Means(**{metric: _regime_means(results, scored, metric) for metric in METRICS})


def score_terms(results: Sequence[RegimeResult], scored: Sequence[Regime]) -> tuple[Metric, ...]:
    """Metrics of the formula that every scored regime has, and its baseline too where it has one."""
    held = [result for result in results if result.regime in scored]
    return tuple(metric for metric in COMPARED if held and all(_has(result, metric) for result in held))


def score_raw(means: Means, terms: Sequence[Metric]) -> float | None:
    """The formula on the overall means in their own units; None without perf."""
    return _score(terms, lambda metric: _named(means, metric).overall)


def score_v2(results: Sequence[RegimeResult], scored: Sequence[Regime], terms: Sequence[Metric]) -> float | None:
    """The formula on ratios to the stored baselines; None where one of the terms has no baseline above 0."""
    return _score(terms, ratios(results, scored).get)


def ratios(results: Sequence[RegimeResult], scored: Sequence[Regime]) -> dict[Metric, float]:
    """Candidate's mean to baseline, averaged over the scored regimes; of metrics that all of them have."""
    held = [result for result in results if result.regime in scored]
    found: dict[Metric, float] = {}
    for metric in COMPARED:
        every = [_ratio(mean_of(result, metric), getattr(result.baseline, metric)) for result in held]
        known = [value for value in every if value is not None]
        if known and len(known) == len(every):
            found[metric] = fmean(known)
    return found


def front_of(packs: Sequence[CandidatePack]) -> tuple[str, ...]:
    """The candidates on the Pareto front of `packs`, by their ratios to the baseline; an unsafe one never is."""
    points = []
    for pack in packs:
        found = {
            metric: value for metric, value in ratios(pack.regimes, pack.artifacts.scored_regimes).items() if value
        }
        is_eligible = pack.artifacts.status == "scored" and pack.safe is not False
        points.append(Point(pack.cand_id, found, is_eligible))
    return pareto_front(points)


def objectives(evidences: Sequence[RegimeEvidence]) -> dict[Metric, float] | None:
    """What a search is told: candidate to baseline, geometric mean of the pairs, then of the regimes; None for no perf.

    More perf is better; less p95_ms and watts. A metric that a measured regime lacks is left out.
    """
    measured = [evidence for evidence in evidences if evidence.status == "measured"]
    found: dict[Metric, float] = {}
    for metric in COMPARED:
        gains = [paired_gains(evidence, metric) for evidence in measured]
        if gains and all(gains):
            sign = 1.0 if metric == "perf" else -1.0
            found[metric] = math.exp(sign * fmean(fmean(pairs) for pairs in gains))
    return found if "perf" in found else None


def rank(packs: Sequence[CandidatePack]) -> tuple[CandidatePack, ...]:
    """Best first: by score, then the unsafe, then those without a score, in the order given.

    Raises NotComparableError when two that have a finite score were measured under different conditions.
    """
    scored = [pack for pack in packs if _finite(pack.aggregate.score_v2) is not None]
    for pack in scored[1:]:
        check_comparable(scored[0], pack)
    unsafe = [pack for pack in packs if pack.aggregate.score_v2 == -math.inf]
    rest = [pack for pack in packs if pack.aggregate.score_v2 is None]
    return (*sorted(scored, key=lambda pack: -(pack.aggregate.score_v2 or 0.0)), *unsafe, *rest)


def check_comparable(first: CandidatePack, second: CandidatePack) -> None:
    """Raise NotComparableError naming every condition that differs."""
    pairs: tuple[tuple[str, object, object], ...] = (
        ("domain", first.domain, second.domain),
        ("profile", first.artifacts.profile, second.artifacts.profile),
        ("host", first.artifacts.host, second.artifacts.host),
        ("measured metrics", first.artifacts.score_terms, second.artifacts.score_terms),
        ("measured regimes", first.artifacts.scored_regimes, second.artifacts.scored_regimes),
        ("injected sensors", first.artifacts.injected, second.artifacts.injected),
        ("workloads", _workloads(first), _workloads(second)),
    )
    differences = [f"{name} {_shown(mine)} and {_shown(its)}" for name, mine, its in pairs if mine != its]
    if differences:
        raise NotComparableError(first.cand_id, second.cand_id, differences)


def mean_of(result: RegimeResult, metric: Metric) -> float | None:
    """Mean of the values that are there."""
    held = [value for value in getattr(result.kpis, metric) if value is not None]
    return fmean(held) if held else None


def _score(terms: Sequence[Metric], value: Callable[[Metric], float | None]) -> float | None:
    values = {metric: value(metric) for metric in terms}
    perf = values.get("perf")
    if perf is None or None in values.values():
        return None
    return composite_score(perf, values.get("p95_ms"), values.get("watts"))


def _regime_means(results: Sequence[RegimeResult], scored: Sequence[Regime], metric: Metric) -> RegimeMeans:
    means = {result.regime: mean_of(result, metric) for result in results}
    held = [means.get(regime) for regime in scored]
    known = [value for value in held if value is not None]
    overall = fmean(known) if known and len(known) == len(held) else None
    return RegimeMeans(**{regime: means.get(regime) for regime in REGIMES}, overall=overall)


def _named(means: Means, metric: Metric) -> RegimeMeans:
    found: RegimeMeans = getattr(means, metric)
    return found


def _has(result: RegimeResult, metric: Metric) -> bool:
    is_known = result.baseline.baseline_id is None or (getattr(result.baseline, metric) or 0.0) > 0.0
    return is_known and mean_of(result, metric) is not None


def _ratio(mine: float | None, its: float | None) -> float | None:
    return mine / its if mine is not None and its is not None and its > 0.0 else None


def _finite(score: float | None) -> float | None:
    return score if score is not None and math.isfinite(score) else None


def _workloads(pack: CandidatePack) -> tuple[str, ...]:
    return tuple(row.workload_id for row in pack.artifacts.regimes if row.regime in pack.artifacts.scored_regimes)


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return "+".join(str(part)[:20] for part in value) or "none"
    return str(value)[:20]
