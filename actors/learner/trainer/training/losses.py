"""The losses that are shipped: cross entropy and mean squared error, for every back end.

In: logits f32 [n, classes] and targets f32 [n, classes], a distribution times the weight of its example. Out: the loss
summed over the examples, exact to the last bit of a float64 whatever their order, and its gradient by the logits. They
refuse nothing; the loop looks at whether a loss is finite.

A loss from outside registers `build(settings) -> LossFunction`.
"""

import math

import numpy as np
import numpy.typing as npt

from actors.learner.network import cross_entropies, softmax_delta
from actors.learner.trainer.model.parameters import F32
from actors.learner.trainer.model.port import LossFunction
from actors.learner.trainer.training.settings import CrossEntropySettings, MseSettings


def cross_entropy(logits: F32, targets: F32) -> tuple[float, F32]:
    """Cross entropy in nats, times the weight of each example."""
    delta = np.asarray(softmax_delta(logits, targets), dtype=np.float32)
    return exact_sum(cross_entropies(logits, targets)), delta


def mean_squared_error(logits: F32, targets: F32) -> tuple[float, F32]:
    """Mean over the classes of (output - target)^2, times the weight of each example."""
    weights = targets.sum(axis=1, keepdims=True)
    wanted = targets / np.where(weights > 0, weights, np.float32(1))
    apart = logits - wanted
    losses = (apart.astype(np.float64) ** 2).mean(axis=1) * weights[:, 0]
    delta: F32 = apart * weights
    delta *= np.float32(2.0 / logits.shape[1])
    return exact_sum(losses), delta


def exact_sum(losses: npt.NDArray[np.float64]) -> float:
    """The sum of float64 values, rounded once; not a number where one is not finite."""
    try:
        return math.fsum(losses.tolist())
    except (OverflowError, ValueError):  # finite values whose sum is not; infinities of both signs
        return math.nan


def build_cross_entropy(_settings: CrossEntropySettings) -> LossFunction:
    """The cross entropy has nothing to set."""
    return cross_entropy


def build_mse(_settings: MseSettings) -> LossFunction:
    """The mean squared error has nothing to set."""
    return mean_squared_error
