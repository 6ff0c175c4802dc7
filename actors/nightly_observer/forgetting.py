"""How the influence of dreams moved in a night (seed 004: forgetting.forgetfulness_health).

In: a `Day`, the settings, and how many dreams are in clusters of duplicates. Out: `ForgetfulnessHealth`. The influence
of a dream at a time t is exp(-decay x age in days) x clip(1/2 + u / (2 s), 0, 1): u is the sum of the utilities given
before t over their number + `prior_records`, s is 1.4826 x the median absolute deviation of the utilities of the night.
Where that is 0 nothing can be said of u and the second factor is 1/2. A change is that of a dream which was in the pool
at both ends. Guarded are pinned dreams and those whose second factor stands at a bound at either end.

Reasons are always looked for, each against the nights before, computed from the logs alike (median + `mads` scaled
deviations; `LEAST_NIGHTS` of them): the mean free change is above (drift_spike), the balance is further from 0
(suppression_bias), there are fewer records than median - `mads` deviations (input_drop). A guard over its limit is
guard_overactive.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from actors.nightly_observer.anchors import Anchors
from actors.nightly_observer.day import DAY_NS, Day, Flags, Floats
from actors.nightly_observer.guards import find_overuse, tallies_of
from actors.nightly_observer.spread import median, scaled_mad, unusual_above
from schemas.dream_seeds import DECIMALS, EvidenceCounts, ForgetfulnessHealth, GuardCounts, Reason
from schemas.night_settings import ForgettingSettings, GuardOveruseSettings

LEAST_NIGHTS: Final = 3

DISABLED: Final = ForgetfulnessHealth(
    status="disabled",
    mode="observe",
    dreams=None,
    delta_abs_max=None,
    delta_abs_mean=None,
    delta_abs_max_free=None,
    delta_abs_mean_free=None,
    delta_abs_max_guarded=None,
    delta_nonzero_count=None,
    delta_sign_balance=None,
    drift_limit=None,
    evidence_nonzero_counts=EvidenceCounts(recall=None, affect=None, interference=None),
    guard_counts=GuardCounts(floors_applied=None, consent_overrides=None, monument_locks=None),
    guard_overactive=None,
    guards=(),
    reasons=(),
    findings=(),
)
"""What is known when nobody looks."""


@dataclass(frozen=True, eq=False)
class Change:
    """How the influence of the dreams of one night changed."""

    delta: Floats
    is_guarded: Flags
    records: int
    """Feedback of the night, and answers."""
    balance: float | None

    @property
    def mean_free(self) -> float | None:
        """Mean of what moved freely."""
        return _mean(np.abs(self.delta[~self.is_guarded]))


@dataclass(frozen=True)
class Guarding:
    """What the judging of guards needs."""

    settings: GuardOveruseSettings
    history: int
    anchors: Anchors


def look(
    day: Day, settings: ForgettingSettings, guarding: Guarding, clustered: int | None = None
) -> ForgetfulnessHealth:
    """Look at `day`; `clustered`: dreams in clusters of duplicates, None where nobody looked for them."""
    if not settings.enable:
        return DISABLED
    change = change_of(day, settings, 0)
    before = [change_of(day, settings, back) for back in range(guarding.history, 0, -1)]
    before = [each for each in before if len(each.delta) and each.records]
    findings = find_overuse(day.guards, guarding.settings, guarding.history, guarding.anchors)
    is_overactive = any(finding.fires for finding in findings) if findings else None
    limit = _limit([each.mean_free for each in before], settings.mads)
    moved = np.abs(change.delta)
    return ForgetfulnessHealth(
        status="observed",
        mode=settings.mode,
        dreams=len(change.delta),
        delta_abs_max=_most(moved),
        delta_abs_mean=_mean(moved),
        delta_abs_max_free=_most(moved[~change.is_guarded]),
        delta_abs_mean_free=change.mean_free,
        delta_abs_max_guarded=_most(moved[change.is_guarded]),
        delta_nonzero_count=int((moved > settings.epsilon).sum()),
        delta_sign_balance=change.balance,
        drift_limit=limit,
        evidence_nonzero_counts=_factors(day, clustered),
        guard_counts=GuardCounts(
            floors_applied=day.floors_applied,
            consent_overrides=None,
            monument_locks=int((day.pool.is_pinned & day.pool.is_live).sum()),
        ),
        guard_overactive=is_overactive,
        guards=tallies_of(day.guards, guarding.history),
        reasons=_reasons(change, before, limit, settings.mads, is_overactive=bool(is_overactive)),
        findings=findings,
    )


def change_of(day: Day, settings: ForgettingSettings, back: int) -> Change:
    """The change over the night `back` nights before; 0 is that of the day."""
    from_ns, to_ns = day.night(back)
    told = day.feedback.between(from_ns, to_ns)
    scale = scaled_mad(told.utility.tolist()) if len(told) else 0.0
    there = (day.pool.ts_ns < from_ns) & day.pool.is_live
    if not back:
        there &= ~day.pool.in_window
    before, held_before = influence(day, settings, scale, from_ns)
    after, held_after = influence(day, settings, scale, to_ns)
    delta = (after - before)[there]
    moved = delta[np.abs(delta) > settings.epsilon]
    up = int((moved > 0.0).sum())
    balance = round((2 * up - len(moved)) / len(moved), DECIMALS) if len(moved) else None
    answers = int(((day.answers.ts_ns >= from_ns) & (day.answers.ts_ns < to_ns)).sum())
    guarded = (held_before | held_after | day.pool.is_pinned)[there]
    return Change(delta, guarded, len(told) + answers, balance)


def influence(day: Day, settings: ForgettingSettings, scale: float, at_ns: int) -> tuple[Floats, Flags]:
    """The influence of every dream at a time, and whether it stands at a bound; `scale` is that of the utilities."""
    pool, told = day.pool, day.feedback
    earlier = told.ts_ns < at_ns
    rows = told.row[earlier]
    total = np.bincount(rows, weights=told.utility[earlier], minlength=len(pool))
    prior = settings.prior_records + np.bincount(rows, minlength=len(pool))
    mean = np.divide(total, prior, out=np.zeros(len(pool)), where=prior > 0.0)
    standing = 0.5 + 0.5 * mean / scale if scale > 0.0 else np.full(len(pool), 0.5)
    age_days = np.maximum(at_ns - pool.ts_ns, 0) / DAY_NS
    is_held = np.asarray((standing < 0.0) | (standing > 1.0), dtype=np.bool_)
    return np.exp(-settings.decay_per_day * age_days) * np.clip(standing, 0.0, 1.0), is_held


def _factors(day: Day, clustered: int | None) -> EvidenceCounts:
    inside = (day.answers.ts_ns >= day.from_ns) & (day.answers.ts_ns < day.to_ns)
    is_retrieved = np.repeat(inside, np.diff(day.answers.start))
    return EvidenceCounts(
        recall=len(np.unique(day.answers.rows[is_retrieved])),
        affect=len(np.unique(day.feedback.between(day.from_ns, day.to_ns).row)),
        interference=clustered,
    )


def _reasons(
    change: Change, before: list[Change], limit: float | None, mads: float, *, is_overactive: bool
) -> tuple[Reason, ...]:
    reasons: list[Reason] = []
    if limit is not None and change.mean_free is not None and change.mean_free > limit:
        reasons.append("drift_spike")
    records = [float(each.records) for each in before]
    if len(records) >= LEAST_NIGHTS and change.records < median(records) - mads * scaled_mad(records):
        reasons.append("input_drop")
    usual = _limit([None if each.balance is None else abs(each.balance) for each in before], mads)
    if usual is not None and change.balance is not None and abs(change.balance) > usual:
        reasons.append("suppression_bias")
    if is_overactive:
        reasons.append("guard_overactive")
    return tuple(reasons)


def _limit(values: list[float | None], mads: float) -> float | None:
    known = [value for value in values if value is not None]
    return round(unusual_above(known, mads), DECIMALS) if len(known) >= LEAST_NIGHTS else None


def _mean(values: Floats) -> float | None:
    return round(float(values.mean()), DECIMALS) if len(values) else None


def _most(values: Floats) -> float | None:
    return round(float(values.max()), DECIMALS) if len(values) else None
