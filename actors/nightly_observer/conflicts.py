"""Feedback that points both ways: in a chroma bin, on one dream, or against the nights before.

In: a `Day`, its duplicates, the thresholds. Out: findings, and how many records repeated others. Let tau be
`tau_scale` x 1.4826 x the median absolute deviation of the day's utilities; a record counts when its utility is beyond
tau. Repeats go first: records of one learner on duplicates that were made by one query, or whose numbers are equal.

- A bin is mixed by M = 2 min(U+, U-) / (U+ + U-), U being the sum of what counts on each side. It is a conflict with
  enough records, of each sign too, when M is at least `min_mix` and unlike the other bins: median + `mads` scaled
  deviations. Where the median itself is at least `min_mix` over `wide_bins` bins, one finding stands for all, if the
  utilities have two sides: of uniform noise around zero tau / range lie within tau, of normal noise more, and unless
  the upper end of that share (95 % Wilson) is below half of it, the utilities are as good as noise.
- A dream has both signs when records on it count on both sides. So many are a conflict when they are `min_both_signs`
  and `mads` standard deviations more than the signs of the night would give by chance.
- A bin has flipped when its mean and that of the nights before are beyond tau on opposite sides, both rest on enough
  records, each is 1.96 standard errors from 0, and they differ by `mads` standard errors.
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from actors.nightly_observer.anchors import Anchors
from actors.nightly_observer.bins import bins_of
from actors.nightly_observer.day import Day, Feedback, Flags, Floats, Integers
from actors.nightly_observer.spread import MAD_SCALE, Z_95, median, scaled_mad, unusual_above, wilson_high
from schemas.dream_seeds import MAX_ANCHORS, Finding, evidence
from schemas.night_settings import ConflictSettings

UNIFORM_DEVIATION: Final = 0.5
"""Median absolute deviation of uniform noise, in its largest value."""


class Conflicts(NamedTuple):
    """What the feedback of a day shows."""

    findings: tuple[Finding, ...]
    records: int
    repeated: int


@dataclass(frozen=True)
class _Bin:
    """One chroma bin of the day."""

    number: int
    rows: Integers
    utility: Floats
    positive: int
    negative: int
    mix: float

    @property
    def counted(self) -> int:
        return self.positive + self.negative


def find_conflicts(day: Day, first: Integers, settings: ConflictSettings, history: int, anchors: Anchors) -> Conflicts:
    """`first`: for each dream the oldest of its cluster of duplicates; `history`: nights before to compare with."""
    told = day.feedback.between(day.from_ns, day.to_ns)
    kept = told.kept(~_repeats(told, first))
    if not len(kept):
        return Conflicts((), len(told), len(told) - len(kept))
    deviation = scaled_mad(kept.utility.tolist())
    tau = settings.tau_scale * deviation
    of_row = bins_of(day.pool.colours, np.union1d(kept.row, day.feedback.row), settings.bins)
    naming = _Naming(day, anchors)
    bins = _bins(kept, of_row, tau)
    findings = _mixed(bins, kept, tau, settings, naming)
    findings += _both_signs(kept, of_row, tau, settings, naming)
    before = day.feedback.between(day.night(history)[0], day.from_ns)
    before = before.kept(~_repeats(before, first))
    findings += _flips(bins, _bins(before, of_row, tau), _Scale(tau, deviation), settings, naming)
    return Conflicts(tuple(findings), len(told), len(told) - len(kept))


class _Scale(NamedTuple):
    tau: float
    deviation: float


@dataclass(frozen=True)
class _Naming:
    """Anchors of what a finding is about."""

    day: Day
    anchors: Anchors

    def of(self, domain: str, name: object, rows: Integers) -> tuple[str, ...]:
        subject = self.anchors.of(domain, str(name))
        dreams = [self.anchors.of("dream", self.day.pool.ids[row]) for row in dict.fromkeys(rows.tolist())]
        return (subject, *dreams)[:MAX_ANCHORS]


def _repeats(told: Feedback, first: Integers) -> Flags:
    """Whether each record says again what one before it said."""
    leader = first[told.row]
    by_query = np.column_stack((told.learner, leader, told.query))
    values = np.column_stack((told.utility, told.contribution)).view(np.int64).reshape(-1, 2)
    by_value = np.column_stack((told.learner, leader, values))
    repeats = np.zeros(len(told), dtype=np.bool_)
    for keys in (by_query, by_value):
        repeats |= ~_is_first(keys)
    return repeats


def _is_first(keys: Integers) -> Flags:
    found = np.zeros(len(keys), dtype=np.bool_)
    if len(keys):
        found[np.unique(keys, axis=0, return_index=True)[1]] = True
    return found


def _bins(told: Feedback, of_row: dict[int, int], tau: float) -> list[_Bin]:
    number = np.array([of_row[row] for row in told.row.tolist()], dtype=np.int64)
    found = []
    for each in np.unique(number).tolist():
        inside = number == each
        utility = told.utility[inside]
        up, down = utility[utility > tau], -utility[utility < -tau]
        above, below = math.fsum(up.tolist()), math.fsum(down.tolist())
        mix = 2.0 * min(above, below) / (above + below) if above + below > 0.0 else 0.0
        found.append(_Bin(each, told.row[inside], utility, len(up), len(down), mix))
    return found


def _mixed(bins: list[_Bin], told: Feedback, tau: float, settings: ConflictSettings, naming: _Naming) -> list[Finding]:
    judged = [each for each in bins if each.counted >= settings.min_counted]
    if not judged:
        return []
    mixes = [each.mix for each in judged]
    middle = median(mixes)
    if middle >= settings.min_mix and len(judged) >= settings.wide_bins:
        return [_wide(judged, told, tau, settings, naming)]
    limit = max(settings.min_mix, unusual_above(mixes, settings.mads))
    return [_mixed_bin(each, limit, middle, tau, settings, naming) for each in judged]


def _mixed_bin(
    each: _Bin, limit: float, middle: float, tau: float, settings: ConflictSettings, naming: _Naming
) -> Finding:
    is_supported = min(each.positive, each.negative) >= settings.min_each
    shown = evidence(
        "conflict.bin_mix",
        each.mix,
        ">=",
        limit,
        each.counted,
        bin=each.number,
        n_pos=each.positive,
        n_neg=each.negative,
        m=each.mix,
        m_median=middle,
        tau=tau,
    )
    strongest = each.rows[np.lexsort((each.rows, -np.abs(each.utility)))]
    return Finding(
        seed_type="conflict",
        fires=is_supported and each.mix >= limit,
        evidence=shown,
        anchors=naming.of("bin", each.number, strongest),
        bins=(each.number,),
    )


def _wide(judged: list[_Bin], told: Feedback, tau: float, settings: ConflictSettings, naming: _Naming) -> Finding:
    middle = median([each.mix for each in judged])
    within = int((np.abs(told.utility) <= tau).sum())
    positive, negative = sum(each.positive for each in judged), sum(each.negative for each in judged)
    of_noise = settings.tau_scale * MAD_SCALE * UNIFORM_DEVIATION
    has_sides = wilson_high(within, len(told)) < of_noise / 2.0
    is_supported = positive + negative >= settings.min_counted and min(positive, negative) >= settings.min_each
    shown = evidence(
        "conflict.pool_mix",
        middle,
        ">=",
        settings.min_mix,
        positive + negative,
        bins=len(judged),
        n_pos=positive,
        n_neg=negative,
        m_median=middle,
        tau=tau,
        within_tau=within / len(told),
    )
    return Finding(
        seed_type="conflict",
        fires=has_sides and is_supported,
        evidence=shown,
        anchors=naming.of("bins", "all", told.row[:0]),
        bins=tuple(each.number for each in judged),
    )


def _both_signs(
    told: Feedback, of_row: dict[int, int], tau: float, settings: ConflictSettings, naming: _Naming
) -> list[Finding]:
    utilities: dict[int, list[float]] = defaultdict(list)
    for row, utility in zip(told.row.tolist(), told.utility.tolist(), strict=True):
        utilities[row].append(utility)
    judged = {row: values for row, values in utilities.items() if len(values) > 1}
    found = sorted(row for row, values in judged.items() if max(values) > tau and min(values) < -tau)
    if not judged:
        return []
    up, down = float((told.utility > tau).mean()), float((told.utility < -tau).mean())
    chances = [_chance_of_both(len(values), up, down) for values in judged.values()]
    expected = math.fsum(chances)
    deviation = math.sqrt(math.fsum(chance * (1.0 - chance) for chance in chances))
    limit = max(float(settings.min_both_signs), expected + settings.mads * deviation)
    shown = evidence(
        "conflict.both_signs", len(found), ">=", limit, len(judged), dreams=len(found), expected=expected, tau=tau
    )
    rows = np.array(found, dtype=np.int64)
    return [
        Finding(
            seed_type="conflict",
            fires=len(found) >= limit,
            evidence=shown,
            anchors=naming.of("signs", "both", rows),
            bins=tuple(sorted({of_row[row] for row in found})),
        )
    ]


def _chance_of_both(records: int, up: float, down: float) -> float:
    """That so many independent records count on both sides."""
    return max(0.0, 1.0 - (1.0 - up) ** records - (1.0 - down) ** records + max(0.0, 1.0 - up - down) ** records)


def _flips(
    bins: list[_Bin], before: list[_Bin], scale: _Scale, settings: ConflictSettings, naming: _Naming
) -> list[Finding]:
    earlier = {each.number: each for each in before if len(each.utility) >= settings.min_counted}
    found = []
    for each in bins:
        old = earlier.get(each.number)
        if old is not None and len(each.utility) >= settings.min_counted:
            found.append(_flip(each, old, scale, settings, naming))
    return found


def _flip(each: _Bin, old: _Bin, scale: _Scale, settings: ConflictSettings, naming: _Naming) -> Finding:
    mean = math.fsum(each.utility.tolist()) / len(each.utility)
    mean_before = math.fsum(old.utility.tolist()) / len(old.utility)
    errors = [scale.deviation / math.sqrt(len(one.utility)) for one in (each, old)]
    error, least = math.hypot(*errors), min(abs(mean), abs(mean_before))
    is_sure = abs(mean) >= Z_95 * errors[0] and abs(mean_before) >= Z_95 * errors[1]
    is_apart = abs(mean - mean_before) >= settings.mads * error
    is_flip = mean * mean_before < 0.0 and least >= scale.tau and is_sure and is_apart
    shown = evidence(
        "conflict.bin_flip",
        least if mean * mean_before < 0.0 else 0.0,
        ">=",
        scale.tau,
        len(each.utility),
        bin=each.number,
        mean=mean,
        mean_before=mean_before,
        n_before=len(old.utility),
        standard_error=error,
        tau=scale.tau,
    )
    return Finding(
        seed_type="conflict",
        fires=is_flip,
        evidence=shown,
        anchors=naming.of("flip", each.number, each.rows),
        bins=(each.number,),
    )
