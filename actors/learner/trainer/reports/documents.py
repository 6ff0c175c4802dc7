"""The JSON files of a run's reports, as closed records; their JSON schemas are in `reports/json_schemas`.

In: values without any wall clock, path or run id. Out: canonical JSON, keys in order of the alphabet: two runs of the
same configuration write the same bytes. A file reads back as it was. Refused: unknown keys, NaN and infinity.
"""

import json
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import Field

from actors.learner.trainer.validator.findings import Drift, PartFindings, Undefined
from schemas.base import Count, Record

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Status = Literal["complete", "partial"]
D = TypeVar("D", bound=Record)


class DreamSummary(Record):
    """What the run had of dreams."""

    query: str
    per_batch: Count
    mix: float
    pinned: Count
    left_out: dict[str, Count]
    """Reason to dreams that were retrieved and may not be used."""
    pool_sequence: Count
    """Number of the last dream that the answers could see."""
    pins_sha256: Sha256
    judged: Count
    """Judgements of a dream, paired with a step without it."""
    mean_utility: float | None
    """Null where none was judged."""
    feedback_sha256: Sha256
    """Over all judgements."""


class BestEpoch(Record):
    """By the same rule in every run: the highest validation accuracy, the earliest among equals."""

    epoch: Count
    val_accuracy: float
    val_loss: float | None


class TrainSummary(Record):
    """train_summary.json"""

    schema_id: Literal["oneiros.train_summary/1"] = "oneiros.train_summary/1"
    status: Status
    reason: str
    """Why it ended, a word of `training.stopping`; `running` before it did."""
    detail: str
    name: str
    version: str
    seed: Count
    backend: str
    model: str
    parameters: Count
    optimizer: str
    optimizer_schedule: str
    loss: str
    data_source: str
    class_names: tuple[str, ...]
    samples: dict[str, Count]
    """Part to its samples."""
    steps: Count
    steps_total: Count
    epochs: Count
    """Completed."""
    epochs_total: Count
    train_loss: float | None
    """Of the last completed epoch, as the next two; null before the first."""
    val_loss: float | None
    val_accuracy: float | None
    test_accuracy: float | None
    """Of the weights at the end."""
    best: BestEpoch | None
    dreams: DreamSummary | None
    config_hash: Sha256
    dataset_digest: Sha256
    splits_digest: Sha256
    log_digest: Sha256
    log_rows: Count
    weights_sha256: Sha256


class MetricRow(Record):
    """A row of the step log, with null for what a row of this kind does not have."""

    row: Literal["step", "epoch"]
    step: Count
    """Of a step from 0; at the end of an epoch the steps taken."""
    epoch: Count
    batch: Count | None
    loss: float | None
    lr: float | None
    grad_norm: float | None
    examples: Count | None
    dreams: Count | None
    train_loss: float | None
    val_loss: float | None
    val_accuracy: float | None
    val_examples: Count | None


class TrainingMetrics(Record):
    """training_metrics.json; training_metrics.csv holds the same rows."""

    schema_id: Literal["oneiros.training_metrics/1"] = "oneiros.training_metrics/1"
    status: Status
    rows: tuple[MetricRow, ...]
    steps_left_out: Count
    """Steps that are only in the step log, as there are too many; ends of epochs are always here."""


class ValidationMetrics(Record):
    """validation_metrics.json"""

    schema_id: Literal["oneiros.validation_metrics/1"] = "oneiros.validation_metrics/1"
    status: Status
    class_names: tuple[str, ...]
    splits_digest: Sha256
    weights_sha256: Sha256
    val: PartFindings | Undefined
    test: PartFindings | Undefined
    drift: Drift | Undefined
    """From val to test."""


class ReportFile(Record):
    """One file of the reports."""

    bytes: Count
    sha256: Sha256


class ReportManifest(Record):
    """report_manifest.json; what signs it lies beside it."""

    schema_id: Literal["oneiros.report_manifest/1"] = "oneiros.report_manifest/1"
    status: Status
    config_hash: Sha256
    weights_sha256: Sha256
    files: dict[str, ReportFile]
    absent: dict[str, str]
    """File that could not be made, to the reason."""
    is_signed: bool
    unsigned_reason: str
    """Empty where it is signed."""


class ReportSignature(Record):
    """report_manifest.sig.json"""

    schema_id: Literal["oneiros.report_signature/1"] = "oneiros.report_signature/1"
    algorithm: Literal["Ed25519"] = "Ed25519"
    of: Literal["report_manifest.json"] = "report_manifest.json"
    sha256: Sha256
    public_key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


DOCUMENTS: Final[dict[str, type[Record]]] = {
    "report_manifest.json": ReportManifest,
    "report_manifest.sig.json": ReportSignature,
    "train_summary.json": TrainSummary,
    "training_metrics.json": TrainingMetrics,
    "validation_metrics.json": ValidationMetrics,
}
"""File to its type."""


def canonical(document: Record) -> bytes:
    """`document` as JSON: keys in order, two spaces, ASCII, a line's end."""
    return canonical_json(document.model_dump(mode="json"))


def canonical_json(tree: Any) -> bytes:
    """The same of plain values; raises ValueError for NaN and infinity."""
    return (json.dumps(tree, sort_keys=True, indent=2, allow_nan=False) + "\n").encode("ascii")


def read_document(cls: type[D], content: bytes) -> D:
    """The document in `content`; raises pydantic.ValidationError."""
    return cls.model_validate_json(content)


def json_schema(cls: type[Record]) -> str:
    """The JSON Schema of a document, as text."""
    tree = {"$schema": "https://json-schema.org/draft/2020-12/schema", **cls.model_json_schema(mode="serialization")}
    return json.dumps(tree, indent=1, sort_keys=True) + "\n"
