"""What trials showed, in the form that is judged and kept in a candidate pack (seed 003).

In: python values. Out: immutable records. A trial belongs to an arm (candidate or baseline) and a pair, counted from 0;
of several trials of one arm and pair the last counts, the others are a failure that was retried or a noisy moment that
was repeated. Warm-ups have pair -1 and count for nothing.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.base import Count, Record
from schemas.regimes import Domain, Metric, Noise, Reading, Regime, Seconds, TrialId, TrialStatus

Arm = Literal["candidate", "baseline"]
Verdict = Literal["improved", "not improved", "inconclusive"]
METRICS: Final[tuple[Metric, ...]] = ("perf", "p95_ms", "watts", "temp_peak_c", "errors", "oom")
REGIMES: Final[tuple[Regime, ...]] = ("idle", "normal", "stress", "mixed")
WARM_UP: Final = -1


class TrialFacts(Record):
    """One trial as it was run and what it showed."""

    trial_id: TrialId
    arm: Arm
    pair: Annotated[int, Field(ge=WARM_UP)]
    status: TrialStatus
    retry_of: TrialId | None
    is_noisy: bool
    """The rest of the machine was too busy for the figures to count."""
    readings: dict[Metric, Reading]
    safe: bool | None
    breaches: tuple[str, ...]
    unchecked: tuple[str, ...]
    injected: bool
    argv: tuple[str, ...]
    background: tuple[tuple[str, ...], ...]
    env: dict[str, str]
    applied: dict[str, str]
    noise: Noise | None
    exit_code: int | None
    wall_s: Seconds
    cpu_s: Seconds
    max_rss_kib: Count
    written_bytes: Count
    stderr_tail: str
    quality: dict[str, float]
    samples_count: Count
    """How many raw samples the workload gave."""
    samples: tuple[float, ...] = ()
    """Raw samples, ms; a pack leaves them to the file beside it."""


class RegimeEvidence(Record):
    """All trials of one candidate in one regime."""

    domain: Domain
    regime: Regime
    status: Literal["measured", "unavailable"]
    reason: str | None
    """Why it is unavailable."""
    packages: tuple[str, ...]
    trials_planned: Count
    """Pairs that were planned."""
    gain_metric: Literal["perf", "p95_ms"]
    """What a better genome raises or lowers; `p95_ms` for an open loop, whose rate is given."""
    workload_id: str
    """Hash of the rendered default row and the version of its tool: baselines of others do not fit."""
    trials: tuple[TrialFacts, ...]
    """As they were run."""


class Change(Record):
    """A metric of the candidate relative to the baseline, from paired trials: 0.1 is 10 % more."""

    regime: Regime | Literal["all"]
    metric: Metric | Literal["gain"]
    """`gain` is the mean over regimes of each one's gain metric, turned so that more is better."""
    pairs: Count
    change: float
    """Geometric mean ratio minus 1."""
    t_interval: tuple[float, float] | None
    """95 %, Student's t on the log ratios."""
    bootstrap_t_interval: tuple[float, float] | None
    """95 %, bootstrap-t on the log ratios; None for fewer than five pairs."""
    p: float | None
    """Two-sided sign-flip test."""
    p_holm: float | None
    """Adjusted for all regimes and metrics of the candidate."""
    minimum_detectable: float | None
    """Smallest change, as a share, that so many pairs of such noise show with a chance of 80 %."""
    verdict: Verdict
    reason: str
