"""One round of learning, and the end of an epoch, as changes of the state.

In: the tensors that came, the open round's minibatch, the state. Out: the dreams that can be learnt from, the
feedback for each of them, and the figures of an epoch with the dreaming arm and the arm without dreams side by side.
Both arms begin at the same weights and take the same number of steps on the same minibatches. It refuses tensors
that are corrupt or were not asked for, and a step that would lead to numbers that are not finite.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from actors.learner.credit import Examples, clip_to_percentiles, paired_step, plain_step
from actors.learner.kpis import EpochTally
from actors.learner.patches import dream_features
from actors.learner.state import LearnerState
from actors.learner.training import Training
from schemas.errors import TensorRefusedError
from schemas.feedback import EpochReport, FeedbackRecord
from schemas.retrieval import LearningBatch
from schemas.tensor import decode

MAX_EPOCH_UTILITIES: Final = 4096
"""Raw utilities kept for the percentiles of an epoch: the newest."""
DREAM_ARM: Final = "dreams"
PLAIN_ARM: Final = "no-dreams"


class SoundDreams(NamedTuple):
    """The dreams of a batch that can be learnt from, and why the others cannot."""

    entry_ids: tuple[str, ...]
    examples: Examples | None
    """None when there is no sound dream."""
    refusals: tuple[str, ...]


def sound_dreams(batch: LearningBatch, state: LearnerState, training: Training) -> SoundDreams:
    """The tensors of `batch` that were asked for and pass their checks, each once."""
    found: dict[str, npt.NDArray[np.float32]] = {}
    refusals: list[str] = []
    if not len(batch.entry_ids) == len(batch.shapes) == len(batch.tensor_sha256s) == len(batch.tensors):
        refusals = [
            f"dream {entry_id}: the batch has another number of tensors than ids" for entry_id in batch.entry_ids
        ]
        return SoundDreams((), None, tuple(refusals))
    rows = zip(batch.entry_ids, batch.shapes, batch.tensor_sha256s, batch.tensors, strict=True)
    for entry_id, shape, sha256, blob in rows:
        try:
            if entry_id not in state.pending or entry_id in found:
                raise TensorRefusedError("it was not asked for, or came twice")
            found[entry_id] = dream_features(decode(blob, shape, sha256))
        except TensorRefusedError as error:
            refusals.append(f"dream {entry_id}: {error}")
    if not found:
        return SoundDreams((), None, tuple(refusals))
    targets = np.stack([training.target(state.pending[entry_id]) for entry_id in found])
    return SoundDreams(tuple(found), Examples(np.stack(tuple(found.values())), targets), tuple(refusals))


def take_step(
    state: LearnerState, training: Training, batch: npt.NDArray[np.intp], entry_ids: tuple[str, ...], dreams: Examples
) -> tuple[FeedbackRecord, ...]:
    """One gradient step of either arm, and feedback for every dream; empty when the step would not be finite."""
    labelled, pace = training.labelled(batch), training.pace
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        step = paired_step(state.weights, training.shape, labelled, dreams, training.probe(), pace)
        plain = plain_step(state.plain_weights, training.shape, labelled, pace.learning_rate)
        is_sound = all(bool(np.isfinite(part).all()) for part in (*step, plain))
    if not is_sound:
        state.counters.diverged += 1
        return ()
    state.weights, state.plain_weights = step.weights, plain
    state.rounds += 1
    state.utilities = (state.utilities + step.utilities.tolist())[-MAX_EPOCH_UTILITIES:]
    utilities: list[float] = clip_to_percentiles(step.utilities, state.utilities).tolist()
    state.tally.add_judged(utilities, training.settings.learner.tau)
    state.counters.feedback_sent += len(utilities)
    worth = zip(entry_ids, utilities, step.contributions.tolist(), strict=True)
    return tuple(
        FeedbackRecord(query_id=state.query_id, entry_id=entry_id, utility=u, contribution=c, notes=None)
        for entry_id, u, c in worth
    )


def is_epoch_over(state: LearnerState, training: Training) -> bool:
    """Whether the round that was just completed is the last of its epoch."""
    return state.rounds % training.settings.learner.rounds_per_epoch == 0


def close_epoch(state: LearnerState, training: Training) -> EpochReport:
    """The figures of the running epoch; the next one counts from zero."""
    learner = training.settings.learner
    arms = (
        training.evaluate(DREAM_ARM, state.weights, state.rounds),
        training.evaluate(PLAIN_ARM, state.plain_weights, state.rounds),
    )
    kpis = state.tally.kpis(training.settings.bias.chroma_bins, state.loss_at_start, arms[0].probe_loss)
    state.epochs += 1
    report = EpochReport(
        epoch=state.epochs,
        rounds=learner.rounds_per_epoch,
        feedback_records=state.tally.feedback,
        kpis=kpis,
        tau=learner.tau,
        recent_days=learner.recent_days,
        arms=arms,
        probe_loss_at_start=state.loss_at_start,
    )
    state.loss_at_start = arms[0].probe_loss
    state.tally = EpochTally()
    state.utilities = []
    state.report = shown(report)
    return report


def shown(report: EpochReport) -> dict[str, float | None]:
    """The report as named figures: both arms, then the five figures of the epoch."""
    figures: dict[str, float | None] = {}
    for arm in report.arms:
        name = arm.arm.replace("-", "_")
        figures[f"test_accuracy.{name}"] = arm.test_accuracy
        figures[f"test_loss.{name}"] = arm.test_loss
        figures[f"probe_loss.{name}"] = arm.probe_loss
        figures[f"train_loss.{name}"] = arm.train_loss
    figures.update(report.kpis.model_dump())
    return figures
