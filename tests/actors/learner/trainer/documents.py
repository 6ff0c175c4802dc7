"""Reports of a small made-up run, for tests that look at files alone."""

import hashlib

import numpy as np

from actors.learner.trainer.reports.documents import DreamSummary, Status, TrainSummary, ValidationMetrics
from actors.learner.trainer.reports.writing import Told
from actors.learner.trainer.training.step_log import EpochRow, Row, StepRow
from actors.learner.trainer.validator.drifting import drift_between
from actors.learner.trainer.validator.findings import Undefined
from actors.learner.trainer.validator.scores import scores_of
from actors.learner.trainer.validator.validating import validate

NAMES = ("first | one", "second", "third $x$")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def rows(epochs: int = 2, batches: int = 3) -> tuple[Row, ...]:
    found: list[Row] = []
    for epoch in range(epochs):
        for batch in range(batches):
            step = epoch * batches + batch
            found.append(StepRow(step, epoch, batch, 1.0 / (step + 3), 0.1, 0.1 + 0.2, 8, 2, digest(str(step))))
        loss = None if epoch == 0 else 1 / 3
        found.append(EpochRow(epoch, (epoch + 1) * batches, 0.7, loss, 0.5, 30, digest(f"weights {epoch}")))
    return tuple(found)


def validation(status: Status = "complete") -> ValidationMetrics:
    generator = np.random.Generator(np.random.Philox(4))
    parts = []
    for count in (60, 40):
        logits = generator.normal(size=(count, 3)).astype(np.float32)
        logits[:, 2] = -9.0  # never predicted, so that a figure is undefined
        parts.append(validate(scores_of(logits, generator.integers(0, 3, count), NAMES)))
    val, test = parts
    return ValidationMetrics(
        status=status,
        class_names=NAMES,
        splits_digest=digest("splits"),
        weights_sha256=digest("weights"),
        val=val,
        test=test if status == "complete" else Undefined(reason="the run has not ended"),
        drift=drift_between("validation to test", NAMES, val.confusion, test.confusion, same_examples=False),
    )


def summary(status: Status = "complete", reason: str = "completed") -> TrainSummary:
    return TrainSummary(
        status=status,
        reason=reason,
        detail="",
        name="made up",
        version="1",
        seed=7,
        backend="numpy",
        model="mlp",
        parameters=1234,
        optimizer="sgd",
        optimizer_schedule="cosine",
        loss="cross-entropy",
        data_source="digits",
        class_names=NAMES,
        samples={"train": 24, "val": 60, "test": 40},
        steps=6,
        steps_total=6,
        epochs=2,
        epochs_total=2,
        train_loss=0.7,
        val_loss=1 / 3,
        val_accuracy=0.5,
        test_accuracy=0.425,
        best=None,
        dreams=DreamSummary(
            query="mixed",
            per_batch=2,
            mix=0.5,
            pinned=16,
            left_out={"no class": 3},
            pool_sequence=99,
            pins_sha256=digest("pins"),
            judged=16,
            mean_utility=-0.00125,
            feedback_sha256=digest("feedback"),
        ),
        config_hash=digest("config"),
        dataset_digest=digest("data"),
        splits_digest=digest("splits"),
        log_digest=digest("log"),
        log_rows=8,
        weights_sha256=digest("weights"),
    )


def told(status: Status = "complete", reason: str = "completed") -> Told:
    return Told(summary(status, reason), rows(), validation(status))
