"""Candidate against baseline, pair by pair: the change of every metric, how sure it is, what could have been seen.

In: the evidence of regimes, a seed. Out: a `Change` for each regime and metric, and one for the mean gain. A pair gives
one log ratio, candidate to baseline, so that noise which both shared cancels; a pair in which one of them is missing or
not above 0 gives none. Of two 95 % intervals, Student's and bootstrap-t, the ends that claim less count.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from actors.regime_runner.evidence import series
from actors.regime_runner.statistics import (
    ALPHA,
    Groups,
    Interval,
    bootstrap_t_interval,
    estimate,
    generator,
    minimum_detectable_effect,
    sign_flip_p,
    t_interval,
)
from schemas.evidence import Change, RegimeEvidence, Verdict
from schemas.regimes import Metric, Regime

COMPARED: Final[tuple[Metric, ...]] = ("perf", "p95_ms", "watts")


@dataclass(frozen=True)
class Comparison:
    """Paired log ratios, candidate to baseline, turned so that more is better."""

    regime: Regime | Literal["all"]
    metric: Metric | Literal["gain"]
    groups: Groups
    """One group of gains, or one a regime."""
    least_gain: float
    """A gain up to this is no improvement worth the name."""

    @property
    def sign(self) -> float:
        """-1 where less of the metric is better."""
        return -1.0 if self.metric in ("p95_ms", "watts") else 1.0

    @property
    def is_usable(self) -> bool:
        """Whether every group has two pairs at least."""
        return bool(self.groups) and min(map(len, self.groups)) >= 2

    def p(self, seed: int) -> float | None:
        """Two-sided sign-flip test."""
        return sign_flip_p(self.groups, generator(seed, f"flips/{self.regime}/{self.metric}"))

    def gain_interval(self, seed: int) -> Interval:
        """The cautious interval of the mean gain: of both intervals the ends that claim less."""
        both = [interval for interval in (t_interval(self.groups), self._by_bootstrap(seed)) if interval is not None]
        return min(low for low, _ in both), max(high for _, high in both)

    def change(self, seed: int, p_holm: float | None, alpha: float) -> Change:
        """As it is told; `alpha` is the level at which the least favoured test of the family stands."""
        found = estimate(self.groups)
        if found is None:
            raise ValueError(f"{self.metric} of {self.regime} has fewer than two pairs in a group")
        detectable = minimum_detectable_effect(found.standard_error, found.degrees, alpha)
        verdict, reason = self._verdict(seed, p_holm, detectable)
        return Change(
            regime=self.regime,
            metric=self.metric,
            pairs=found.pairs,
            change=math.expm1(self.sign * found.mean),
            t_interval=self._as_share(t_interval(self.groups)),
            bootstrap_t_interval=self._as_share(self._by_bootstrap(seed)),
            p=self.p(seed),
            p_holm=p_holm,
            minimum_detectable=math.expm1(detectable),
            verdict=verdict,
            reason=reason,
        )

    def _by_bootstrap(self, seed: int) -> Interval | None:
        return bootstrap_t_interval(self.groups, generator(seed, f"bootstrap-t/{self.regime}/{self.metric}"))

    def _as_share(self, gains: Interval | None) -> Interval | None:
        if gains is None:
            return None
        low, high = sorted((math.expm1(self.sign * gains[0]), math.expm1(self.sign * gains[1])))
        return low, high

    def _verdict(self, seed: int, p_holm: float | None, detectable: float) -> tuple[Verdict, str]:
        low, high = self.gain_interval(seed)
        if high <= self.least_gain:
            return "not improved", f"a gain above {share(self.least_gain)} is ruled out: at most {share(high)}"
        if low > self.least_gain and p_holm is not None and p_holm <= ALPHA:
            return "improved", f"a gain of at least {share(low)} is shown"
        return "inconclusive", f"between {share(low)} and {share(high)}; {share(detectable)} would show 4 times in 5"


def paired_gains(evidence: RegimeEvidence, metric: Metric) -> tuple[float, ...]:
    """Log ratio of every pair in which both values are above 0, turned so that more is better."""
    arms = zip(series(evidence, "candidate", metric), series(evidence, "baseline", metric), strict=True)
    ratios = (math.log(mine / its) for mine, its in arms if mine and its and mine > 0.0 and its > 0.0)
    return tuple(ratios if metric == "perf" else (-ratio for ratio in ratios))


def comparisons(evidences: Sequence[RegimeEvidence], least_gain: float) -> list[Comparison]:
    """One for each measured regime and metric, whether or not it can be used."""
    return [
        Comparison(evidence.regime, metric, [paired_gains(evidence, metric)], least_gain)
        for evidence in evidences
        if evidence.status == "measured"
        for metric in COMPARED
    ]


def mean_gain(evidences: Sequence[RegimeEvidence], least_gain: float) -> Comparison:
    """The gains of all measured regimes, each in its gain metric."""
    measured = [evidence for evidence in evidences if evidence.status == "measured"]
    groups = [paired_gains(evidence, evidence.gain_metric) for evidence in measured]
    return Comparison("all", "gain", groups, least_gain)


def share(gain: float) -> str:
    """A log gain as text: `+4.2 %`."""
    percent = math.expm1(min(gain, 50.0)) * 100.0
    return f"{percent:+.1f} %" if abs(percent) < 1000.0 else f"{percent:+.1e} %"
