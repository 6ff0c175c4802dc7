"""Candidate pack v2: everything that one evaluated genome showed, in the form of seed 003.

In: python values, or the JSON of a pack. Out: immutable records. The fields of the seed stand at the top and hold what
the seed gives them; everything of ours is under `artifacts`. A number that was not measured is null in its place, so
that series keep their length. Refused: unknown fields, a second version field, NaN, infinity anywhere but as the score
of an unsafe candidate. `schemas/candidate_pack_v2.schema.json` is the JSON Schema of these records.
"""

import json
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from schemas.base import Count, Record
from schemas.evidence import Arm, Change, TrialFacts, Verdict
from schemas.regimes import Domain, Genome, Metric, Profile, Regime

SCHEMA: Final = "candidate_pack.v2"
MINUS_INFINITY: Final = float("-inf")

PackStatus = Literal["scored", "unscored", "invalid", "unsafe", "unavailable"]
"""unscored: measured, and without a baseline that fits."""
Series = tuple[float | None, ...]
Interval = Annotated[tuple[float, float], Field(description="Lower and upper end.")]
Score = Annotated[float, Field(allow_inf_nan=True)]
"""A finite score, or minus infinity for an unsafe candidate."""


class MetricSeries(Record):
    """One value a trial and metric; null where the trial or the metric gave none."""

    perf: Series
    p95_ms: Series
    watts: Series
    temp_peak_c: Series
    errors: Series
    oom: Series


class MetricIntervals(Record):
    """95 % bootstrap interval of each metric's mean; null for fewer than two values."""

    perf: Interval | None
    p95_ms: Interval | None
    watts: Interval | None
    temp_peak_c: Interval | None
    errors: Interval | None
    oom: Interval | None


class BaselineMeans(Record):
    """Mean of each metric in the stored baseline, and its id; all null where there is no baseline that fits."""

    perf: float | None
    p95_ms: float | None
    watts: float | None
    temp_peak_c: float | None
    errors: float | None
    oom: float | None
    baseline_id: str | None


class RegimeResult(Record):
    """What the candidate showed in one regime."""

    regime: Regime
    trials: Count
    """Length of every series; 0 where the regime is unavailable."""
    kpis: MetricSeries
    baseline: BaselineMeans
    delta: MetricSeries
    """kpis[i] minus the baseline's mean."""
    ci95: MetricIntervals


class RegimeMeans(Record):
    """Mean of one metric in each regime, and the unweighted mean of these means over the scored regimes."""

    idle: float | None
    normal: float | None
    stress: float | None
    mixed: float | None
    overall: float | None


class Means(Record):
    """The means of every metric."""

    perf: RegimeMeans
    p95_ms: RegimeMeans
    watts: RegimeMeans
    temp_peak_c: RegimeMeans
    errors: RegimeMeans
    oom: RegimeMeans


class Aggregate(Record):
    """The candidate in one line."""

    means: Means
    score_v2: Score | None
    """perf - 0.2 p95_ms - 0.1 watts on ratios to the baseline; null when it cannot be said."""
    improves_over_baseline: bool | None
    """None when it cannot be said: no baseline, or an inconclusive verdict."""


class RiskProfile(Record):
    """Largest value seen in any trial of the candidate; null where nothing was read."""

    temp_peak_c: float | None
    errors: float | None
    oom: float | None


class Judgement(Record):
    """What the paired trials say about the candidate."""

    verdict: Verdict
    reason: str
    overall: Change | None
    """Mean gain of the regimes, each in its gain metric."""
    changes: tuple[Change, ...]
    """Every regime and metric that could be compared, with Holm's correction over all of them."""
    not_compared: tuple[str, ...]


class ConfirmationBlock(Record):
    """The winner measured again, on fresh pairs in a fresh session; it alone decides."""

    session: str
    judgement: Judgement


class RegimeArtifacts(Record):
    """How one regime was measured."""

    regime: Regime
    status: Literal["measured", "unavailable", "invalid"]
    reason: str | None
    packages: tuple[str, ...]
    """What to install where a tool is absent."""
    gain_metric: Literal["perf", "p95_ms"]
    workload_id: str
    order: tuple[Arm, ...]
    """Arms as the trials were run, warm-ups left out."""
    units: dict[Metric, str]
    sources: dict[Metric, str]
    unavailable: dict[Metric, str]
    """Metric -> why it has no value."""
    successes: Count
    failures: Count
    retries: Count
    noisy: Count
    """Trials that were flagged noisy; each was repeated as far as the plan allows."""
    applied: dict[str, str]
    """Setting -> applied, or what else became of it in any trial of the candidate."""
    unchecked: tuple[str, ...]
    """Caps that nothing here can check, with the reason."""
    breaches: tuple[str, ...]
    within_tolerance: bool | None
    """The seed's point rule on the paired means of this regime; None where it cannot be said."""
    trials: tuple[TrialFacts, ...]
    """Every trial of both arms as it was run; raw samples are in the file `Artifacts.samples`."""


class Artifacts(Record):
    """What stands behind the numbers."""

    path: str
    """This file, relative to home."""
    samples: str
    """File of the raw samples, relative to home."""
    evaluation_id: str
    """Unique for ever; `run_id` has the form of the seed."""
    created_at_utc: str
    status: PackStatus
    reason: str | None
    profile: Profile
    host: str
    host_facts: dict[str, str]
    code_hash: str
    tools: dict[str, str]
    virtualised: bool | None
    injected: bool
    """Sensors were a tree of files given by the user."""
    seed: Count
    score_raw: Score | None
    """The formula on raw units."""
    score_terms: tuple[Metric, ...]
    scored_regimes: tuple[Regime, ...]
    units: dict[Metric, str]
    """Unit of each metric where all regimes agree."""
    baseline_notes: tuple[str, ...]
    """Why a stored baseline was not used, or a new one not taken."""
    improves_reason: str
    quality_problems: tuple[str, ...]
    """Figures of quality (word error rate, compression) that are worse than is allowed."""
    judgement: Judgement
    confirmation: ConfirmationBlock | None
    regimes: tuple[RegimeArtifacts, ...]
    repeats: tuple[TrialFacts, ...]
    """Trials of the same genome, proposed again: further pairs for the verdict alone."""


class CandidatePack(Record):
    """`artifacts/candidates/DOMAIN/CAND.json`."""

    schema_name: Literal["candidate_pack.v2"] = Field(alias="schema")
    run_id: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d_r\d{3,}$")]
    domain: Domain
    cand_id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    generation: Count
    genome: Genome
    risk_profile: RiskProfile
    regimes: Annotated[tuple[RegimeResult, ...], Field(min_length=1, max_length=4)]
    aggregate: Aggregate
    safe: bool | None
    """None where a capped sensor is absent."""
    artifacts: Artifacts

    @model_validator(mode="after")
    def _unsafe_is_minus_infinity(self) -> Self:
        for score in (self.aggregate.score_v2, self.artifacts.score_raw):
            if score is None or -MINUS_INFINITY > score > MINUS_INFINITY:
                continue
            if score != MINUS_INFINITY or self.safe is not False:
                raise ValueError(f"score {score} of a pack with safe {self.safe}: only an unsafe one is minus infinity")
        return self


def pack_schema() -> str:
    """The JSON Schema of a pack file, as text."""
    tree = {"$schema": "https://json-schema.org/draft/2020-12/schema", **CandidatePack.model_json_schema()}
    return json.dumps(tree, indent=1) + "\n"
