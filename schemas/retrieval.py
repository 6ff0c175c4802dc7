"""What a learner asks the pool for, and what it gets (seed 000, sections 3.3 to 3.5 and 5)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.base import Colour, Count, Digest, Message, Payload, Record, Unit, WallNs
from schemas.dreams import DreamFacts
from schemas.ids import UuidText
from schemas.tensor import Shape

RetrievalMode = Literal["cosine", "euclidean", "mixed", "composite"]
MAX_K = 4096


class RetrievalQuery(Message):
    """A request for the `k` best dreams. learner -> pool-keeper.

    The answer is a function of this message and the pool sequence that it saw, and of nothing else.
    """

    query_id: UuidText
    k: Annotated[int, Field(ge=1, le=MAX_K)]
    mode: RetrievalMode
    query_signature: Colour
    min_coherence: Unit | None
    """Lower bound, inclusive."""
    max_entropy: Unit | None
    """Upper bound, inclusive."""
    recency_decay: Annotated[float, Field(ge=0.0)] | None
    """Lambda per day of age; None means no decay."""
    allow_duplicates: bool
    """False: at most one entry per lineage root and per tensor hash."""
    seed: Annotated[int, Field(ge=0, le=2**64 - 1)]
    """Decides the explored entries only, never the order of equals."""
    as_of_ns: WallNs
    """Age is measured from here; dreams from after it have age 0."""
    alpha: Unit
    """Weight of cosine against coherence in the composite score."""
    exploration: Unit
    """Share of k that is drawn uniformly instead of ranked."""


class RetrievedEntry(Record):
    """One dream of an answer, without its tensor."""

    facts: DreamFacts
    score: float
    """Final score S' of seed 000, section 5."""
    is_explored: bool
    propensity: Annotated[float, Field(gt=0.0, le=1.0)]
    """Probability of being in this answer: 1 for a ranked entry, the drawing probability for an explored one."""


class RetrievalStats(Record):
    """Means over the returned entries; all zero for an empty answer."""

    mode: RetrievalMode
    avg_coherence: Unit
    avg_entropy: Unit
    diversity: Annotated[float, Field(ge=0.0)]
    """Mean Euclidean distance between the signatures of all pairs; 0 for fewer than two."""


class RetrievedSet(Message):
    """The ranked answer to a RetrievalQuery. pool-keeper -> learner."""

    query_id: UuidText
    pool_sequence: Count
    """Number of the last dream that the answer could see."""
    entries: Annotated[tuple[RetrievedEntry, ...], Field(max_length=MAX_K)]
    stats: RetrievalStats


class BatchRequest(Message):
    """A request for the tensors of dreams of an answer. learner -> pool-keeper."""

    query_id: UuidText
    entry_ids: Annotated[tuple[UuidText, ...], Field(max_length=MAX_K)]


class SkippedEntry(Record):
    """A dream that could not be served, and why."""

    entry_id: UuidText
    reason: str


class LearningBatch(Message):
    """Tensors, aligned with their ids. pool-keeper -> learner."""

    payload_fields: ClassVar[tuple[str, ...]] = ("tensors",)

    query_id: UuidText
    entry_ids: Annotated[tuple[UuidText, ...], Field(max_length=MAX_K)]
    shapes: Annotated[tuple[Shape, ...], Field(max_length=MAX_K)]
    tensor_sha256s: Annotated[tuple[Digest, ...], Field(max_length=MAX_K)]
    tensors: Annotated[tuple[Payload, ...], Field(max_length=MAX_K)]
    """Blobs as in DreamEntry, one for each entry id."""
    labels: tuple[int, ...] | None
    """Labels of supervised tasks; None when the pool knows none."""
    skipped: Annotated[tuple[SkippedEntry, ...], Field(max_length=MAX_K)]


class PoolStatsRequest(Message):
    """A request for PoolStats. learner -> pool-keeper."""

    request: Count
    """Number of the request, repeated in the answer."""


class PoolStats(Message):
    """The pool in figures. pool-keeper -> learner."""

    request: Count
    pool_sequence: Count
    dreams_total: Count
    coherence_mean: Unit
    spectral_entropy_mean: Unit
    last_compaction_at_ns: WallNs | None


class RequestRefused(Message):
    """A request that the keeper cannot answer, and why. pool-keeper -> learner."""

    request_kind: str
    request_epoch: Count
    request_seq: Count
    reason: str
