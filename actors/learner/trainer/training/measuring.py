"""What a model is worth on a part of the data: mean loss and accuracy, nothing dropped, in a fixed order.

In: a model, the feed, indices, the loss. Out: two figures and how many examples they are of; None for a part that is
empty. Examples go through the model a fixed number at a time, so that a figure is the same whenever it is taken.
"""

import math
from typing import NamedTuple

import numpy as np

from actors.learner.trainer.datasets.splitting import Indices
from actors.learner.trainer.model.parameters import F32
from actors.learner.trainer.model.port import PREDICTED_AT_ONCE, LossFunction, Model
from actors.learner.trainer.training.feeding import Feed


class Measured(NamedTuple):
    """Figures of one part."""

    loss: float | None
    accuracy: float | None
    examples: int


def logits_of(model: Model, feed: Feed, chosen: Indices) -> F32:
    """Logits f32 [n, classes] of the samples at `chosen`, in that order."""
    starts = range(0, len(chosen), PREDICTED_AT_ONCE)
    lots = [model.logits(feed.examples(chosen[start : start + PREDICTED_AT_ONCE])[0]) for start in starts]
    return np.concatenate(lots) if lots else np.zeros((0, feed.classes), dtype=np.float32)


def measure(model: Model, feed: Feed, chosen: Indices, loss: LossFunction) -> Measured:
    """Mean loss and accuracy over the samples at `chosen`; a loss that is not finite is None."""
    if not len(chosen):
        return Measured(None, None, 0)
    logits, right, losses = logits_of(model, feed, chosen), 0, []
    for start in range(0, len(chosen), PREDICTED_AT_ONCE):
        part = slice(start, start + PREDICTED_AT_ONCE)
        labels = feed.labels(chosen[part])
        losses.append(loss(logits[part], feed.one_hot(labels))[0])
        right += int(np.count_nonzero(logits[part].argmax(axis=1) == labels))
    mean = math.fsum(losses) / len(chosen) if all(map(math.isfinite, losses)) else None
    return Measured(mean, right / len(chosen), len(chosen))
