"""A candidate in one line: what tables, reports and `--json` say of a pack.

In: packs. Out: `CandidateSummary`, and the object that `regimes evaluate --json` prints. Minus infinity, which JSON
lacks, is null here beside `safe: false`; the pack has it.
"""

import math
from collections.abc import Sequence

from schemas.base import Record
from schemas.candidate_pack import CandidatePack, PackStatus
from schemas.evidence import Verdict
from schemas.regimes import Domain, Genome, Regime


class RegimeSummary(Record):
    """One regime of one candidate."""

    regime: Regime
    status: str
    reason: str | None
    packages: tuple[str, ...]
    trials: int
    failures: int
    retries: int
    noisy: int
    perf: float | None
    perf_unit: str
    p95_ms: float | None
    watts: float | None
    baseline_id: str | None


class CandidateSummary(Record):
    """One candidate."""

    cand_id: str
    path: str
    generation: int
    genome: Genome
    status: PackStatus
    reason: str | None
    safe: bool | None
    score_v2: float | None
    score_raw: float | None
    verdict: Verdict
    change: float | None
    """Mean gain over the regimes, a share."""
    minimum_detectable: float | None
    is_confirmed: bool
    improves_over_baseline: bool | None
    improves_reason: str
    regimes: tuple[RegimeSummary, ...]


class EvaluationSummary(Record):
    """What an evaluation found."""

    domain: Domain
    run_id: str
    profile: str
    is_complete: bool
    is_interrupted: bool
    candidates: tuple[CandidateSummary, ...]
    refusals: tuple[str, ...]
    """What was not done, and why."""
    faults: tuple[str, ...]
    """Packs that cannot be read."""

    @property
    def has_measured(self) -> bool:
        """Whether any regime of any candidate could be measured here."""
        return any(candidate.status != "unavailable" for candidate in self.candidates)


def summarise(pack: CandidatePack) -> CandidateSummary:
    """`pack` in one line."""
    told = pack.artifacts
    decisive = told.confirmation.judgement if told.confirmation else told.judgement
    return CandidateSummary(
        cand_id=pack.cand_id,
        path=told.path,
        generation=pack.generation,
        genome=pack.genome,
        status=told.status,
        reason=told.reason,
        safe=pack.safe,
        score_v2=finite(pack.aggregate.score_v2),
        score_raw=finite(told.score_raw),
        verdict=decisive.verdict,
        change=decisive.overall.change if decisive.overall else None,
        minimum_detectable=decisive.overall.minimum_detectable if decisive.overall else None,
        is_confirmed=told.confirmation is not None,
        improves_over_baseline=pack.aggregate.improves_over_baseline,
        improves_reason=told.improves_reason,
        regimes=_regimes(pack),
    )


def finite(score: float | None) -> float | None:
    """A score that JSON can hold."""
    return score if score is not None and math.isfinite(score) else None


def best_first(candidates: Sequence[CandidateSummary]) -> list[CandidateSummary]:
    """By score; those without one last, in their order."""
    return sorted(candidates, key=lambda found: -math.inf if found.score_v2 is None else found.score_v2, reverse=True)


def _regimes(pack: CandidatePack) -> tuple[RegimeSummary, ...]:
    means = pack.aggregate.means
    return tuple(
        RegimeSummary(
            regime=row.regime,
            status=told.status,
            reason=told.reason,
            packages=told.packages,
            trials=row.trials,
            failures=told.failures,
            retries=told.retries,
            noisy=told.noisy,
            perf=getattr(means.perf, row.regime),
            perf_unit=told.units.get("perf", ""),
            p95_ms=getattr(means.p95_ms, row.regime),
            watts=getattr(means.watts, row.regime),
            baseline_id=row.baseline.baseline_id,
        )
        for row, told in zip(pack.regimes, pack.artifacts.regimes, strict=True)
    )
