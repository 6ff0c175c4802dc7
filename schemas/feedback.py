"""What the learner says of dreams that it used, and what becomes of it (seed 000, section 3.6)."""

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.base import Colour, Count, Message, Record, Unit, WallNs
from schemas.dreams import Source
from schemas.ids import InstanceText, UuidText

MAX_RECORDS = 4096


class FeedbackRecord(Record):
    """The worth of one dream in one answer."""

    query_id: UuidText
    entry_id: UuidText
    utility: float
    """Paired loss difference on a held-out probe, loss(without) - loss(with); clipped (design, 5.9)."""
    contribution: Unit
    """Alignment of the dream's gradient with the probe's, normalised."""
    notes: Annotated[str, Field(max_length=1024)] | None


class FeedbackBatch(Message):
    """Feedback that is stored whole or not at all. learner -> pool-keeper."""

    batch_id: UuidText
    records: Annotated[tuple[FeedbackRecord, ...], Field(min_length=1, max_length=MAX_RECORDS)]


class RefusedFeedback(Record):
    """A record that was not stored, and why."""

    query_id: UuidText
    entry_id: UuidText
    reason: str


class FeedbackReceipt(Message):
    """What became of a FeedbackBatch. pool-keeper -> learner."""

    batch_id: UuidText
    stored: Count
    duplicates: Count
    refused: tuple[RefusedFeedback, ...]


class StoredFeedback(Record):
    """A stored record together with what the bias needs to know of its dream."""

    entry_id: UuidText
    query_id: UuidText
    utility: float
    contribution: Unit
    chroma_signature: Colour
    spectral_entropy: Unit
    source: Source


class FeedbackStored(Message):
    """A batch of feedback that has been committed. pool-keeper -> bias-synthesizer."""

    batch_id: UuidText
    learner: InstanceText
    stored_at_ns: WallNs
    records: Annotated[tuple[StoredFeedback, ...], Field(min_length=1, max_length=MAX_RECORDS)]


class Kpis(Record):
    """The five figures of seed 000, section 10, over one epoch; None where the epoch gives no such figure."""

    selection_precision: Unit | None
    """Share of retrieved dreams with utility above tau."""
    utilization_rate: Unit | None
    """Share of retrieved dreams that entered a training step."""
    improvement_delta: float | None
    """Fall of the probe loss per 100 feedback records."""
    coverage: Unit | None
    """Share of the chroma bins that retrieved dreams fall into."""
    recency_ratio: Unit | None
    """Share of retrieved dreams younger than `recent_days`."""


class ArmResult(Record):
    """One training arm at the end of an epoch, on held-out patches."""

    arm: str
    steps: Count
    train_loss: float
    probe_loss: float
    test_loss: float
    test_accuracy: Unit


class EpochReport(Message):
    """An epoch in figures; the no-dream arm stands beside the arm that dreams. learner -> pool-keeper."""

    version: ClassVar[int] = 2

    epoch: Annotated[int, Field(ge=1)]
    rounds: Count
    feedback_records: Count
    kpis: Kpis
    tau: float
    recent_days: Annotated[float, Field(gt=0.0)]
    arms: Annotated[tuple[ArmResult, ...], Field(min_length=2, max_length=8)]
    """The arm that dreams is the first."""
    probe_loss_at_start: float | None
    """Probe loss of the first arm before the first step of the epoch; None when the learner does not say."""
