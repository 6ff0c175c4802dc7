"""A look at the pool and its day, in numbers (seed 004: defrag.observe).

In: a `Day`, the thresholds, the anchors of the night. Out: `DefragObserved`: counters, and findings of four types, each
with its evidence. Nothing that was looked at is changed, and nothing is concluded.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from actors.nightly_observer.anchors import Anchors
from actors.nightly_observer.bins import bins_of
from actors.nightly_observer.bridges import Bridges, find_bridges
from actors.nightly_observer.conflicts import Conflicts, find_conflicts
from actors.nightly_observer.day import Day, Floats
from actors.nightly_observer.duplicates import Duplicates, find_duplicates
from actors.nightly_observer.pressure import find_pressure
from schemas.dream_seeds import DECIMALS, MAX_ANCHORS, Band, DefragObserved, Finding, evidence
from schemas.night_settings import DefragSettings, DuplicateSettings

DISABLED: Final = DefragObserved(
    status="disabled",
    mode="observe",
    dreams=None,
    pool_rows=None,
    duplicate_cluster_count=None,
    conflict_cluster_count=None,
    reference_candidate_count=None,
    references_saturated=False,
    rollup_candidate_count=None,
    exact_pairs=None,
    near_pairs=None,
    lineage_pairs=None,
    unconfirmed_pairs=None,
    clustered_dreams=None,
    feedback_records=None,
    repeated_records=None,
    retrievals=None,
    inserted=None,
    evicted=None,
    top_similarities=(),
    clusters_by_band=(),
    findings=(),
)
"""What is observed when nobody looks."""


def observe(day: Day, settings: DefragSettings, anchors: Anchors) -> DefragObserved:
    """Look at `day`."""
    if not settings.enable:
        return DISABLED
    duplicates = find_duplicates(day, settings.duplicate)
    conflicts = find_conflicts(day, duplicates.first, settings.conflict, settings.history_nights, anchors)
    bridges = find_bridges(day, settings.bridge, settings.conflict.bins, settings.min_reference_weight, anchors)
    findings = (
        *_duplicate_finding(day, duplicates, settings, anchors),
        *conflicts.findings,
        *bridges.findings,
        *find_pressure(day, settings.budget_pressure, anchors),
    )
    return _observed(day, settings, duplicates, conflicts, bridges).model_copy(update={"findings": findings})


def _observed(
    day: Day, settings: DefragSettings, duplicates: Duplicates, conflicts: Conflicts, bridges: Bridges
) -> DefragObserved:
    references = bridges.reference_candidates
    top = np.round(np.sort(duplicates.similarity)[::-1][: settings.top_pairs], DECIMALS)
    return DefragObserved(
        status="observed",
        mode=settings.mode,
        dreams=int(day.pool.in_window.sum()),
        pool_rows=day.bounds.dreams,
        duplicate_cluster_count=len(duplicates.sizes),
        conflict_cluster_count=sum(finding.fires for finding in conflicts.findings),
        reference_candidate_count=min(references, settings.max_references),
        references_saturated=bridges.is_saturated or references > settings.max_references,
        rollup_candidate_count=max(0, day.bounds.dreams - settings.rollup_budget),
        exact_pairs=duplicates.exact_pairs,
        near_pairs=duplicates.near_pairs,
        lineage_pairs=duplicates.lineage_pairs,
        unconfirmed_pairs=duplicates.unconfirmed_pairs,
        clustered_dreams=int(duplicates.sizes.sum()),
        feedback_records=conflicts.records,
        repeated_records=conflicts.repeated,
        retrievals=bridges.answers,
        inserted=day.bounds.inserted,
        evicted=day.bounds.evicted,
        top_similarities=tuple(top.tolist()),
        clusters_by_band=bands_of(duplicates.similarity, settings.bands),
        findings=(),
    )


def bands_of(similarity: Floats, lows: Sequence[float]) -> tuple[Band, ...]:
    """How many pairs lie in each band; what is below the lowest is not counted."""
    at = np.searchsorted(np.asarray(lows), similarity, side="right")
    return tuple(Band(low=low, count=int((at == number).sum())) for number, low in enumerate(lows, start=1))


def _duplicate_finding(day: Day, found: Duplicates, settings: DefragSettings, anchors: Anchors) -> tuple[Finding, ...]:
    """One finding for all duplicates of the day; none for a day without dreams."""
    dreams = int(day.pool.in_window.sum())
    if not dreams:
        return ()
    limits = settings.duplicate
    ratio = float((found.sizes - 1).sum()) / dreams
    is_exact, is_many = found.exact_pairs >= limits.min_exact, ratio >= limits.min_ratio
    by_ratio = is_many and (not is_exact or _times(ratio, limits.min_ratio) >= found.exact_pairs / limits.min_exact)
    name, value, limit = ("ratio", ratio, limits.min_ratio) if by_ratio or not is_exact else _exact(found, limits)
    shown = evidence(
        f"duplicate.{name}",
        value,
        ">=",
        limit,
        dreams,
        exact_pairs=found.exact_pairs,
        near_pairs=found.near_pairs,
        lineage_pairs=found.lineage_pairs,
        unconfirmed_pairs=found.unconfirmed_pairs,
        cluster_count=len(found.sizes),
        largest=int(found.sizes[0]) if len(found.sizes) else 0,
        ratio=ratio,
        sim_max=float(found.similarity.max()) if found.near_pairs else None,
        sim_median=float(np.median(found.similarity)) if found.near_pairs else None,
        eps=limits.max_distance,
        is_saturated=found.is_saturated,
    )
    leaders = found.leaders[:MAX_ANCHORS]
    bins = bins_of(day.pool.colours, leaders, settings.conflict.bins)
    return (
        Finding(
            seed_type="duplicate",
            fires=is_exact or is_many,
            evidence=shown,
            anchors=tuple(anchors.of("dream", day.pool.ids[row]) for row in leaders.tolist()),
            bins=tuple(sorted(set(bins.values()))),
        ),
    )


def _exact(found: Duplicates, limits: DuplicateSettings) -> tuple[str, float, float]:
    return "exact_pairs", found.exact_pairs, limits.min_exact


def _times(value: float, limit: float) -> float:
    return value / limit if limit > 0.0 else float("inf")
