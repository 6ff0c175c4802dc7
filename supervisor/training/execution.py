"""One training in memory, from its first step to its reports: what a new run, a resumed one and a replay all do.

In: what was prepared, a back end, pinned dreams or none, a sink. Out: steps taken as far as asked, dreams judged at the
beginning of each epoch, and everything that the reports say. It writes nothing itself and asks for no time.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from actors.learner.trainer.configuration.settings import TrainConfig
from actors.learner.trainer.datasets.normalising import normalisation_of
from actors.learner.trainer.datasets.splitting import Indices
from actors.learner.trainer.dreaming.examples import DreamExamples
from actors.learner.trainer.dreaming.judging import Judge, Judgement, digest_of
from actors.learner.trainer.dreaming.pins import Pins
from actors.learner.trainer.model.backends import backend_of
from actors.learner.trainer.registry import LOSSES, MODELS, OPTIMIZERS, SCHEDULES
from actors.learner.trainer.reports.documents import BestEpoch, DreamSummary, Status, TrainSummary, ValidationMetrics
from actors.learner.trainer.reports.writing import Told
from actors.learner.trainer.streams import Streams
from actors.learner.trainer.training.feeding import ExtraBatch
from actors.learner.trainer.training.measuring import logits_of
from actors.learner.trainer.training.step_log import EpochRow, Link, Row, Sink
from actors.learner.trainer.training.stopping import StopReason
from actors.learner.trainer.training.trainer import Outcome, Trainer
from actors.learner.trainer.validator.baselines import Means
from actors.learner.trainer.validator.drifting import drift_between
from actors.learner.trainer.validator.findings import Drift, PartFindings, Undefined
from actors.learner.trainer.validator.scores import ScoresRefusedError, scores_of
from actors.learner.trainer.validator.validating import validate
from supervisor.training.preparing import Prepared

NOT_ENDED: Final = "the run has not ended"


@dataclass
class Rows:
    """A sink that remembers what goes through it."""

    onward: Sink | None = None
    rows: list[Row] = field(default_factory=list)

    def take(self, links: Sequence[Link]) -> None:
        """See `Sink`."""
        self.rows.extend(link.row for link in links)
        if self.onward is not None:
            self.onward.take(links)

    def settle(self) -> None:
        """See `Sink`."""
        if self.onward is not None:
            self.onward.settle()


@dataclass(frozen=True)
class End:
    """How far a run came, in the words of the reports."""

    status: Status
    reason: str
    detail: str


RUNNING: Final = End("partial", "running", "")


class Execution:
    """A trainer with its data, its dreams and its memory of rows."""

    def __init__(self, prepared: Prepared, sink: Sink | None = None, pins: Pins | None = None) -> None:
        """Raises what the layers refuse, before the first step."""
        config = prepared.config
        self.prepared = prepared
        self.memory = Rows(sink)
        self.judgements: list[Judgement] = []
        self.dreams = None if pins is None else _dreams(prepared, pins)
        self._streams = Streams(config.meta.seed)
        extra = None if self.dreams is None else self._beside
        backend = backend_of(config.training.backend)
        self.trainer = Trainer(config, prepared.dataset, prepared.splits, backend, self.memory, extra)
        self._judge = None if self.dreams is None else Judge(self.trainer, config, self.dreams)

    @property
    def is_at_epoch_start(self) -> bool:
        """Whether the next step is the first of an epoch."""
        return self.trainer.progress.batch == 0

    def judge(self) -> tuple[Judgement, ...]:
        """Judge the dreams whose turn it is; to be called at the start of each epoch, once."""
        if self._judge is None:
            return ()
        found = self._judge.judge(self.trainer.progress.epoch)
        self.judgements.extend(found)
        return found

    def run_epoch(self, until: int, should_stop: Callable[[], bool] | None = None) -> Outcome:
        """Steps to the end of this epoch, or until so many are taken since the run began."""
        batches = self.trainer.feed.batches
        end = (self.trainer.progress.epoch + 1) * batches
        return self.trainer.run(min(until, end), should_stop)

    def run(self, until: int | None = None) -> Outcome:
        """Steps, with judging, until so many are taken, to the end, or to a failure."""
        last = self.trainer.steps_total if until is None else until
        outcome = None
        while outcome is None or (outcome.step < last and not outcome.reason.is_failure):
            if self.is_at_epoch_start:
                self.judge()
            outcome = self.run_epoch(last)
        return outcome

    def told(self, end: End) -> Told:
        """Everything that the reports of this state say."""
        has_ended = end.reason != RUNNING.reason
        validation = self._validated(end.status) if has_ended else self._not_validated()
        return Told(self._summary(end, validation), tuple(self.memory.rows), validation)

    @property
    def feedback_sha256(self) -> str | None:
        """Over all judgements; None without dreams."""
        return None if self.dreams is None else digest_of(self.judgements)

    def _beside(self, epoch: int, batch: int) -> ExtraBatch | None:
        return None if self.dreams is None else self.dreams.batch(self._streams, epoch, batch)

    def _validated(self, status: Status) -> ValidationMetrics:
        prepared = self.prepared
        feed = self.trainer.feed
        means = Means(
            lambda chosen: feed.examples(chosen)[0], prepared.splits.train, prepared.dataset.labels, feed.classes
        )
        val = self._part("validation", prepared.splits.val, means)
        test = self._part("test", prepared.splits.test, means)
        drift: Drift | Undefined = Undefined(reason="validation and test are not both measured")
        if isinstance(val, PartFindings) and isinstance(test, PartFindings):
            names = prepared.dataset.class_names
            drift = drift_between("validation to test", names, val.confusion, test.confusion, same_examples=False)
        return self._metrics(status, val, test, drift)

    def _part(self, name: str, chosen: Indices, means: Means) -> PartFindings | Undefined:
        if not len(chosen):
            return Undefined(reason=f"the {name} part is empty")
        dataset = self.prepared.dataset
        logits = logits_of(self.trainer.model, self.trainer.feed, chosen)
        try:
            scores = scores_of(logits, dataset.labels[chosen], dataset.class_names)
        except ScoresRefusedError as error:
            return Undefined(reason=str(error))
        return validate(scores, means.baselines(chosen, dataset.labels))

    def _not_validated(self) -> ValidationMetrics:
        nothing = Undefined(reason=NOT_ENDED)
        return self._metrics("partial", nothing, nothing, nothing)

    def _metrics(
        self, status: Status, val: PartFindings | Undefined, test: PartFindings | Undefined, drift: Drift | Undefined
    ) -> ValidationMetrics:
        return ValidationMetrics(
            status=status,
            class_names=self.prepared.dataset.class_names,
            splits_digest=self.prepared.splits.digest,
            weights_sha256=self.trainer.model.weights_sha256,
            val=val,
            test=test,
            drift=drift,
        )

    def _summary(self, end: End, validation: ValidationMetrics) -> TrainSummary:
        prepared, config, trainer = self.prepared, self.prepared.config, self.trainer
        epochs = [row for row in self.memory.rows if isinstance(row, EpochRow)]
        last = epochs[-1] if epochs else None
        test = validation.test
        return TrainSummary(
            status=end.status,
            reason=end.reason,
            detail=end.detail,
            **_named(config),
            parameters=len(trainer.model.weights),
            data_source=prepared.dataset.source,
            class_names=prepared.dataset.class_names,
            samples={part: sum(counts) for part, counts in prepared.splits.counts(prepared.dataset).items()},
            steps=trainer.progress.step,
            steps_total=trainer.steps_total,
            epochs=len(epochs),
            epochs_total=config.training.epochs,
            train_loss=None if last is None or not math.isfinite(last.train_loss) else last.train_loss,
            val_loss=None if last is None else last.val_loss,
            val_accuracy=None if last is None else last.val_accuracy,
            test_accuracy=test.accuracy if isinstance(test, PartFindings) else None,
            best=_best(epochs),
            dreams=self._dream_summary(),
            config_hash=trainer.config_hash,
            dataset_digest=prepared.dataset.digest,
            splits_digest=prepared.splits.digest,
            log_digest=trainer.log.digest,
            log_rows=trainer.log.count,
            weights_sha256=trainer.model.weights_sha256,
        )

    def _dream_summary(self) -> DreamSummary | None:
        if self.dreams is None:
            return None
        pins, settings = self.dreams.pins, self.prepared.config.dreams
        worths = [row.utility for row in self.judgements]
        return DreamSummary(
            query=settings.query,
            per_batch=settings.count,
            mix=settings.mix,
            pinned=len(pins.tensors),
            left_out=pins.head.left_out,
            pool_sequence=pins.pool_sequence,
            pins_sha256=pins.digest,
            judged=len(worths),
            mean_utility=math.fsum(worths) / len(worths) if worths else None,
            feedback_sha256=digest_of(self.judgements),
        )


def ended(outcome: Outcome, stored_reason: str = "") -> End:
    """The words for an outcome; `stored_reason` is that of a run whose stop is repeated."""
    if outcome.reason == StopReason.COMPLETED:
        return End("complete", str(StopReason.COMPLETED), "")
    reason = str(outcome.reason)
    is_stop = outcome.reason in (StopReason.PAUSED, StopReason.INTERRUPTED)
    return End("partial", stored_reason if is_stop and stored_reason else reason, outcome.detail)


def _dreams(prepared: Prepared, pins: Pins) -> DreamExamples:
    config = prepared.config
    normalisation = normalisation_of(prepared.dataset, prepared.splits.train, config.data.normalise)
    return DreamExamples(pins, prepared.kinship, prepared.dataset, normalisation, config.dreams)


def _named(config: TrainConfig) -> dict[str, Any]:
    return {
        "name": config.meta.name,
        "version": config.meta.version,
        "seed": config.meta.seed,
        "backend": config.training.backend,
        "model": MODELS.kind_of(config.model),
        "optimizer": OPTIMIZERS.kind_of(config.optimizer),
        "optimizer_schedule": SCHEDULES.kind_of(config.schedule),
        "loss": LOSSES.kind_of(config.loss),
    }


def _best(epochs: Sequence[EpochRow]) -> BestEpoch | None:
    known = [row for row in epochs if row.val_accuracy is not None]
    if not known:
        return None
    best = max(known, key=lambda row: (row.val_accuracy or 0.0, -row.epoch))
    return BestEpoch(epoch=best.epoch, val_accuracy=best.val_accuracy or 0.0, val_loss=best.val_loss)
