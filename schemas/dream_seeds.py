"""The seeds of dreams: what a night observed, as conditions and numbers (seed 004, 4.1).

In: numbers that were recomputed from a day's logs. Out: immutable findings, seeds, and the two blocks of observations
that the kernel reads. Refused: free text, raw ids (an anchor is a keyed hash), numbers that are not finite, and
evidence whose numbers are unordered or named twice. Nothing here says what a finding means.
"""

from typing import Annotated, Final, Literal, Self, get_args

from pydantic import Field, model_validator

from schemas.base import Count, Record

SeedType = Literal["duplicate", "conflict", "bridge", "budget_pressure", "guard_overuse"]
SEED_TYPES: Final[tuple[SeedType, ...]] = get_args(SeedType)
"""In the order in which seeds of equal weight stand."""
Tone = Literal["neutral", "slight", "strong"]
TONES: Final[tuple[Tone, ...]] = get_args(Tone)
Op = Literal[">=", "<="]
Reason = Literal["drift_spike", "input_drop", "suppression_bias", "guard_overactive"]
Status = Literal["observed", "disabled", "missing"]

Anchor = Annotated[str, Field(pattern=r"^[hm]:[0-9a-f]{24}$")]
Formula = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$", max_length=64)]
"""Name of the rule that gave a value: `conflict.bin_mix`."""
NumberName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=48)]
Number = bool | int | float
Named = tuple[NumberName, Number]

DECIMALS: Final = 6
MAX_ANCHORS: Final = 8
MAX_FINDINGS: Final = 4096

Block = dict[str, object]
"""Plain JSON values."""


class Evidence(Record):
    """A value against its threshold, what it was made of, and by which formula."""

    value: float
    threshold: float
    op: Op
    """How the value has to stand to the threshold for the condition to hold."""
    n: Count
    """Observations that the value rests on."""
    formula: Formula
    numbers: tuple[Named, ...]
    """By name."""

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        names = [name for name, _ in self.numbers]
        if names != sorted(set(names)):
            raise ValueError(f"the numbers of evidence are sorted by name and named once, not {names}")
        return self

    @property
    def strength(self) -> float | None:
        """The value in thresholds, inverted where lower is worse: 1 is just enough. None against a threshold of 0."""
        over, under = (self.value, self.threshold) if self.op == ">=" else (self.threshold, self.value)
        return over / under if under > 0.0 else None

    def as_block(self) -> Block:
        """Plain values."""
        head: Block = {"value": self.value, "threshold": self.threshold, "op": self.op, "n": self.n}
        return {**head, "formula": self.formula, "numbers": dict(self.numbers)}


def evidence(formula: str, value: float, op: Op, threshold: float, n: int, **numbers: Number | None) -> Evidence:
    """Evidence with its floats rounded to `DECIMALS`; numbers that are None are left out."""
    kept = {name: _rounded(number) for name, number in numbers.items() if number is not None}
    return Evidence(
        value=round(float(value), DECIMALS),
        threshold=round(float(threshold), DECIMALS),
        op=op,
        n=n,
        formula=formula,
        numbers=tuple(sorted(kept.items())),
    )


def _rounded(number: Number) -> Number:
    return round(number, DECIMALS) if isinstance(number, float) else number


class Finding(Record):
    """What one rule says of one thing, whether its condition holds or not."""

    seed_type: SeedType
    fires: bool
    """Whether the condition, and the support that it asks for, are there."""
    evidence: Evidence
    anchors: Annotated[tuple[Anchor, ...], Field(max_length=MAX_ANCHORS)]
    """The thing itself first, then what belongs to it."""
    bins: tuple[Count, ...]
    """Chroma bins concerned; none for what has no colour."""


class DreamSeed(Record):
    """A finding that a dream grows from."""

    seed_type: SeedType
    evidence: Evidence
    anchors: Annotated[tuple[Anchor, ...], Field(max_length=MAX_ANCHORS)]
    tone: Tone
    bins: tuple[Count, ...]


class Band(Record):
    """Near-duplicates of a band of similarity, half-open."""

    low: float
    count: Count


class GuardTally(Record):
    """How often a guard acted in a night, of how many times it could have; `baseline` is of the nights before."""

    guard: NumberName
    k: Count
    n: Count
    rate: float | None
    wilson_low: float | None
    baseline: float | None
    """Median rate of the nights before; None when none of them had an opportunity."""


class DefragObserved(Record):
    """What a look at the pool and its day found; None where the source cannot tell."""

    status: Status
    mode: Literal["observe"]
    dreams: Count | None
    """Dreams persisted in the night."""
    pool_rows: Count | None
    """Dreams in the pool at its end."""
    duplicate_cluster_count: Count | None
    conflict_cluster_count: Count | None
    reference_candidate_count: Count | None
    references_saturated: bool
    """Whether pairs were left uncounted, so that the count is a lower bound."""
    rollup_candidate_count: Count | None
    exact_pairs: Count | None
    near_pairs: Count | None
    lineage_pairs: Count | None
    unconfirmed_pairs: Count | None
    """Near by signature, with a tensor that could not be compared."""
    clustered_dreams: Count | None
    """Dreams in clusters of duplicates."""
    feedback_records: Count | None
    repeated_records: Count | None
    """Feedback that repeats other feedback and was not counted."""
    retrievals: Count | None
    inserted: Count | None
    evicted: Count | None
    top_similarities: tuple[float, ...]
    clusters_by_band: tuple[Band, ...]
    findings: Annotated[tuple[Finding, ...], Field(max_length=MAX_FINDINGS)]

    @property
    def is_all_zero(self) -> bool:
        """Whether every counter that is known is 0."""
        counters = (
            self.duplicate_cluster_count,
            self.conflict_cluster_count,
            self.reference_candidate_count,
            self.rollup_candidate_count,
        )
        return not any(counters) and not any(finding.fires for finding in self.findings)

    def as_block(self) -> Block:
        """The block `defrag` of nightly.json: numbers, no ids."""
        plain = self.model_dump(mode="json", exclude={"findings"})
        return {**plain, "by_type": by_type(self.findings)}


class EvidenceCounts(Record):
    """Dreams for which a factor was there."""

    recall: Count | None
    """Retrieved in the night."""
    affect: Count | None
    """Given feedback in the night."""
    interference: Count | None
    """In a cluster of duplicates."""


class GuardCounts(Record):
    """What guards held back; None where the system has no such guard."""

    floors_applied: Count | None
    consent_overrides: Count | None
    monument_locks: Count | None


class ForgetfulnessHealth(Record):
    """How the influence of dreams moved in the night; None where nothing tells, or nothing moved."""

    status: Status
    mode: Literal["observe"]
    dreams: Count | None
    """Dreams that were in the pool before the night and after it."""
    delta_abs_max: float | None
    delta_abs_mean: float | None
    delta_abs_max_free: float | None
    delta_abs_mean_free: float | None
    """Of those that nothing held."""
    delta_abs_max_guarded: float | None
    """Of pinned dreams and those whose influence stands at a bound."""
    delta_nonzero_count: Count | None
    delta_sign_balance: float | None
    """(up - down) / (up + down)."""
    drift_limit: float | None
    """Mean above which the drift is unlike the nights before; None with too few of them."""
    evidence_nonzero_counts: EvidenceCounts
    guard_counts: GuardCounts
    guard_overactive: bool | None
    """Whether a guard of this night is over its limit; None when no guard could be counted."""
    guards: tuple[GuardTally, ...]
    reasons: tuple[Reason, ...]
    findings: Annotated[tuple[Finding, ...], Field(max_length=MAX_FINDINGS)]

    @property
    def guard_stable(self) -> bool:
        """Whether guards were counted and none is over its limit."""
        return self.guard_overactive is False

    @property
    def is_drifting(self) -> bool:
        """Whether the mean free change is above what the nights before allow."""
        return "drift_spike" in self.reasons

    def as_block(self) -> Block:
        """The block `forgetting` of nightly.json: numbers, no ids."""
        plain = self.model_dump(mode="json", exclude={"findings"})
        return {**plain, "guard_stable": self.guard_stable, "by_type": by_type(self.findings)}


def by_type(findings: tuple[Finding, ...]) -> Block:
    """For each seed type that was looked for: how many findings hold, and the evidence of the strongest."""
    found: Block = {}
    for seed_type in SEED_TYPES:
        of_type = [finding for finding in findings if finding.seed_type == seed_type]
        if of_type:
            best = max(of_type, key=lambda each: (each.fires, each.evidence.strength or 0.0))
            fired = sum(each.fires for each in of_type)
            found[seed_type] = {"fired": fired, "looked_at": len(of_type), "strongest": best.evidence.as_block()}
    return found
