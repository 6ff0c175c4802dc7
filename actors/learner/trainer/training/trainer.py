"""The training loop: same configuration, data and machine, same weights, bit for bit, however often it stops.

In: a configuration, a dataset and its splits, a back end, a sink for the log, and batches that are added where there
are any. Out: changed weights, a chained log of every step, checkpoints, and the reason why it ended. No clock is read:
whatever is hashed follows from the inputs. Refused: a checkpoint of another configuration, seed, log or machine. It
stops, with words, at numbers that are not finite and at a loss that runs away.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from actors.learner.trainer.configuration.hashing import config_hash
from actors.learner.trainer.configuration.settings import TrainConfig
from actors.learner.trainer.datasets.dataset import Dataset
from actors.learner.trainer.datasets.splitting import Splits
from actors.learner.trainer.model.parameters import ModelRefusedError
from actors.learner.trainer.model.port import Backend, LossFunction
from actors.learner.trainer.registry import LOSSES, OPTIMIZERS, SCHEDULES
from actors.learner.trainer.streams import Streams, seed_of
from actors.learner.trainer.training import kinds as _shipped  # noqa: F401 - registers what is shipped
from actors.learner.trainer.training.accumulating import Accumulator, CompensatedSum, Step
from actors.learner.trainer.training.checkpoint import Checkpoint, CheckpointRefusedError, Header, read
from actors.learner.trainer.training.feeding import Batch, ExtraBatch, Feed
from actors.learner.trainer.training.keeping import Keeping
from actors.learner.trainer.training.measuring import measure
from actors.learner.trainer.training.optimizers import OptimizerRefusedError, optimizer_of, rate_of
from actors.learner.trainer.training.schedules import Pace, Schedule
from actors.learner.trainer.training.step_log import EpochRow, Sink, StepLog, StepRow
from actors.learner.trainer.training.stopping import Halt, StopReason, halt_of

ExtraBatches = Callable[[int, int], ExtraBatch | None]
"""(epoch, batch) to what is added to that step; the same whenever it is asked."""
ShouldStop = Callable[[], bool]


@dataclass(slots=True)
class Progress:
    """Where a run is, between two steps."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    loss: CompensatedSum = field(default_factory=CompensatedSum)
    """Of the epoch so far, times weight."""
    loss_weight: float = 0.0
    first_loss: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call of `Trainer.run` ended."""

    reason: StopReason
    detail: str
    """What to do next, where it is a failure; else empty."""
    step: int
    """Steps taken since the run began."""
    steps_total: int
    epoch: int
    batch: int
    """Of the step that would be next, or that could not be taken."""
    weights_sha256: str
    log_digest: str
    log_rows: int


class Trainer:
    """One run of one configuration."""

    def __init__(
        self,
        config: TrainConfig,
        dataset: Dataset,
        splits: Splits,
        backend: Backend,
        sink: Sink,
        extra_batches: ExtraBatches | None = None,
    ) -> None:
        settings = config.training
        self.config_hash = config_hash(config, splits.digest)
        self.streams = Streams(config.meta.seed)
        self.feed = Feed(dataset, splits, config.data.normalise, settings.batch_size, self.streams)
        self.model = backend.build(config.model, self.feed.images, self.feed.classes, self.streams)
        self.fingerprint = backend.fingerprint()
        self.loss: LossFunction = LOSSES.build(config.loss)
        self.optimizer = optimizer_of(config.optimizer, len(self.model.weights))
        self.steps_total = settings.epochs * self.feed.batches
        pace = Pace(rate_of(config.optimizer), self.feed.batches, self.steps_total)
        self.schedule: Schedule = SCHEDULES.build(config.schedule, pace)
        self.log = StepLog(sink)
        self.progress = Progress()
        self._config = config
        self._extra_batches = extra_batches
        self._accumulator = Accumulator(self.model, self.loss, settings.accumulate)
        self._keeping: Keeping | None = None

    def keep_in(self, folder: Path | None) -> None:
        """Write checkpoints into `folder` from now on; None writes none."""
        self._keeping = None if folder is None else Keeping(folder, self._config.training.keep_checkpoints)

    def run(self, until: int | None = None, should_stop: ShouldStop | None = None) -> Outcome:
        """Train until so many steps are taken since the run began, or to the end.

        `should_stop` is asked after each step. A run that stops without failure leaves a checkpoint where it is told to
        keep them; a failure leaves the last good one.
        """
        with np.errstate(all="ignore"):  # what is not finite is looked for, and reported in words
            return self._run(self.steps_total if until is None else min(until, self.steps_total), should_stop)

    def _run(self, last: int, should_stop: ShouldStop | None) -> Outcome:
        halt: Halt | None = None
        saved = -1
        while self.progress.step < last and halt is None:
            halt = self.take_step()
            is_epoch_over = halt is None and self.progress.batch == self.feed.batches
            if is_epoch_over or (halt is None and self._is_checkpoint_due()):
                halt = self._look_at_weights()
                if halt is None:
                    saved = self._reach(is_epoch_over)
            if halt is None and self.progress.step < last and should_stop is not None and should_stop():
                halt = Halt(StopReason.INTERRUPTED, "")
        if halt is None:
            is_done = self.progress.step == self.steps_total
            halt = Halt(StopReason.COMPLETED if is_done else StopReason.PAUSED, "")
        if not halt.reason.is_failure and saved != self.progress.step:
            halt = self._look_at_weights() or halt
        if halt.reason.is_failure:
            self.log.settle()
        elif saved != self.progress.step:
            self._save()
        return self._outcome(halt)

    def resume(self, path: Path, is_other_machine_fine: bool = False) -> None:
        """Go on from the checkpoint at `path`; raises CheckpointRefusedError, and nothing is changed then."""
        checkpoint = read(path)
        header = checkpoint.header
        self._check(header, path, is_other_machine_fine)
        try:
            flat = self.model.layout.flat(checkpoint.model)
            self.optimizer.load(checkpoint.optimizer, header.optimizer_steps)
        except (ModelRefusedError, OptimizerRefusedError) as error:
            raise CheckpointRefusedError(path, str(error)) from error
        self.model.weights[:] = flat
        self.log.go_on_from(header.log_rows, header.log_digest)
        loss = CompensatedSum(header.loss_total, header.loss_lost)
        self.progress = Progress(header.step, header.epoch, header.batch, loss, header.loss_weight, header.first_loss)

    def checkpoint(self) -> Checkpoint:
        """Everything that the next step depends on."""
        now = self.progress
        header = Header(
            config_hash=self.config_hash,
            step=now.step,
            epoch=now.epoch,
            batch=now.batch,
            log_rows=self.log.count,
            log_digest=self.log.digest,
            loss_total=now.loss.total,
            loss_lost=now.loss.lost,
            loss_weight=now.loss_weight,
            first_loss=now.first_loss,
            optimizer_kind=OPTIMIZERS.kind_of(self._config.optimizer),
            optimizer_steps=self.optimizer.steps,
            generators=self._generators(),
            fingerprint=tuple(sorted(self.fingerprint.items())),
        )
        return Checkpoint(header, self.model.state(), self.optimizer.state())

    def take_step(self) -> Halt | None:
        """One step, unless its numbers forbid it; `run` closes epochs, keeps checkpoints and hands on the log."""
        now, settings = self.progress, self._config.training
        batch = self.feed.batch(now.epoch, now.batch)
        extra = self._extra_batches(now.epoch, now.batch) if self._extra_batches is not None else None
        stream = self.streams.at("dropout", now.step) if self.model.draws else None
        step = self._accumulator.step(batch[:2], extra[:2] if extra is not None else None, stream)
        norm = math.sqrt(step.gradient.dot(step.gradient))
        first_loss = step.loss if now.first_loss is None else now.first_loss
        halt = halt_of(step.loss, first_loss, norm, settings.divergence_factor)
        if halt is not None:
            return Halt(halt.reason, f"epoch {now.epoch}, batch {now.batch}: {halt.detail}")
        rate = self.schedule(now.step)
        if 0.0 < settings.clip_norm < norm:
            np.multiply(step.gradient, np.float32(settings.clip_norm / norm), out=step.gradient)
        self.optimizer.step(self.model.weights, step.gradient, rate)
        self.log.add(self._row(batch, extra, step, rate, norm))
        now.first_loss = first_loss
        now.loss.add(step.loss * step.weight)
        now.loss_weight += step.weight
        now.step += 1
        now.batch += 1
        return None

    def _row(self, batch: Batch, extra: ExtraBatch | None, step: Step, rate: float, norm: float) -> StepRow:
        now = self.progress
        return StepRow(
            step=now.step,
            epoch=now.epoch,
            batch=now.batch,
            loss=step.loss,
            lr=rate,
            grad_norm=norm,
            examples=len(batch.images),
            dreams=len(extra.images) if extra is not None else 0,
            batch_sha256=batch.sha256 if extra is None else f"{batch.sha256} {extra.sha256}",
        )

    def _look_at_weights(self) -> Halt | None:
        """A reason to stop where weights are no numbers: such a state is neither measured nor kept."""
        if np.isfinite(self.model.weights).all():
            return None
        told = f"epoch {self.progress.epoch}, batch {self.progress.batch - 1}: weights are not finite"
        return Halt(StopReason.WEIGHTS_NOT_FINITE, f"{told}; try a lower optimizer.lr")

    def _reach(self, is_epoch_over: bool) -> int:
        """Close the epoch where it is over, and keep a checkpoint; the step that it is of."""
        if is_epoch_over:
            now = self.progress
            found = measure(self.model, self.feed, self.feed.splits.val, self.loss)
            train_loss = now.loss.value / now.loss_weight
            self.log.add(EpochRow(now.epoch, now.step, train_loss, *found, self.model.weights_sha256))
            self.progress = Progress(now.step, now.epoch + 1, 0, first_loss=now.first_loss)
        return self._save()

    def _is_checkpoint_due(self) -> bool:
        every = self._config.training.checkpoint_every
        return every > 0 and self.progress.step % every == 0

    def _save(self) -> int:
        """Write a checkpoint where the run keeps them; the step that it is of."""
        if self._keeping is None:
            self.log.flush()
        else:
            self.log.settle()
            self._keeping.save(self.checkpoint())
        return self.progress.step

    def _generators(self) -> tuple[tuple[str, tuple[int, ...], str], ...]:
        """What the next step begins with; fresh streams, so that taking a checkpoint leaves no trace."""
        now, streams = self.progress, Streams(self.streams.seed)
        keys = (("dropout", (now.step,)), ("order", (now.epoch,)))
        return tuple((name, counters, seed_of(streams.at(name, *counters))) for name, counters in keys)

    def _check(self, header: Header, path: Path, is_other_machine_fine: bool) -> None:
        """Raises CheckpointRefusedError unless `header` belongs to this run."""
        if header.config_hash != self.config_hash:
            told = f"{header.config_hash[:12]}, these are {self.config_hash[:12]}"
            raise CheckpointRefusedError(path, f"is of configuration and splits {told}; give those that it is of")
        for name, counters, seed in header.generators:
            if seed_of(Streams(self.streams.seed).at(name, *counters)) != seed:
                raise CheckpointRefusedError(path, f"begins with another generator {name}; draws would differ")
        theirs, mine = dict(header.fingerprint), self.fingerprint
        other = sorted(key for key in theirs.keys() | mine.keys() if theirs.get(key) != mine.get(key))
        if other and not is_other_machine_fine:
            told = ", ".join(f"{key} {theirs.get(key)} there, {mine.get(key)} here" for key in other)
            raise CheckpointRefusedError(path, f"is of another machine or library: {told}; going on would change bits")

    def _outcome(self, halt: Halt) -> Outcome:
        now = self.progress
        return Outcome(
            reason=halt.reason,
            detail=halt.detail,
            step=now.step,
            steps_total=self.steps_total,
            epoch=now.epoch,
            batch=now.batch,
            weights_sha256=self.model.weights_sha256,
            log_digest=self.log.digest,
            log_rows=self.log.count,
        )
