"""The worth of each dream in one step: paired, on held-out patches, never the training loss (design, 5.9).

In: weights, a labelled minibatch, the dreams of an answer and the probe patches. Out: the weights after a step with
all dreams, and for each dream a utility and a contribution. From the same weights w, with g the gradient of the
minibatch and d_i that of dream i alone:

    utility_i      = probe_loss(w - rate * g) - probe_loss(w - rate * (g + weight / k * d_i))
    contribution_i = (1 + cos(d_i, probe gradient at w)) / 2, and 1/2 where a gradient is zero
    step           = w - rate * (g + weight / k * sum_i d_i)

A dream is judged with the share that it has in the step: alone and with the whole weight, one example of one class
would overshoot and look harmful whatever it shows.

The gradient of one example is an outer product in both layers, so all the "with" networks are evaluated together
from the "without" network plus a term of rank one for each, at a fraction of the cost of k forward passes.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from actors.learner.network import (
    Array,
    ExampleGradients,
    NetworkShape,
    cross_entropies,
    example_gradients,
    layers_of,
    mean_gradient,
)

PERCENTILES: Final = (5.0, 95.0)
CHUNK_ELEMENTS: Final = 2_000_000
"""Activations held at once while dreams are evaluated together."""


class Examples(NamedTuple):
    """Features [n, inputs] and targets [n, classes]: a distribution over the classes times the example's weight."""

    inputs: Array
    targets: Array


class Pace(NamedTuple):
    """Sizes of a step."""

    learning_rate: float
    dream_weight: float


class PairedStep(NamedTuple):
    """What one step gave."""

    weights: Array
    """After the step with all dreams, flat."""
    utilities: npt.NDArray[np.float64]
    """[k], in nats, not clipped"""
    contributions: npt.NDArray[np.float64]
    """[k], in [0, 1]"""


def plain_step(weights: Array, shape: NetworkShape, labelled: Examples, learning_rate: float) -> Array:
    """The weights after a step on the minibatch alone."""
    gradient = mean_gradient(example_gradients(weights, shape, *labelled), shape)
    return weights - learning_rate * gradient


def paired_step(
    weights: Array, shape: NetworkShape, labelled: Examples, dreams: Examples, probe: Examples, pace: Pace
) -> PairedStep:
    """One step with all `dreams`, and what each of them alone would have changed on the probe."""
    without = plain_step(weights, shape, labelled, pace.learning_rate)
    parts = example_gradients(weights, shape, *dreams)
    probe_gradient = mean_gradient(example_gradients(weights, shape, *probe), shape)
    size = pace.learning_rate * pace.dream_weight
    return PairedStep(
        weights=without - size * mean_gradient(parts, shape),
        utilities=_utilities(without, shape, parts, probe, size / len(dreams.inputs)),
        contributions=_contributions(parts, probe_gradient, shape),
    )


def clip_to_percentiles(raw: npt.NDArray[np.float64], epoch: Sequence[float]) -> npt.NDArray[np.float64]:
    """`raw` [k] clipped to the 5th and 95th percentile (type 7) of the raw utilities of the `epoch` so far."""
    low, high = np.percentile(np.asarray(epoch, dtype=np.float64), PERCENTILES, method="linear")
    return np.clip(raw, low, high)


def _utilities(
    without: Array, shape: NetworkShape, parts: ExampleGradients, probe: Examples, size: float
) -> npt.NDArray[np.float64]:
    w1, b1, w2, b2 = layers_of(without, shape)
    before = probe.inputs @ w1 + b1
    active = np.maximum(before, 0)
    loss_without = cross_entropies(active @ w2 + b2, probe.targets).mean()
    along_inputs = parts.inputs @ probe.inputs.T + 1
    chunk = max(1, CHUNK_ELEMENTS // (len(probe.inputs) * max(shape.hidden, shape.classes)))
    losses = np.empty(len(parts.inputs), dtype=np.float64)
    for start in range(0, len(losses), chunk):
        some = slice(start, start + chunk)
        shift = along_inputs[some, :, None] * (size * parts.delta1[some, None, :])
        hidden = np.maximum(before - shift, 0)
        along_hidden = np.matmul(hidden, parts.hidden[some, :, None]) + 1
        logits = np.matmul(hidden, w2) + b2 - along_hidden * (size * parts.delta2[some, None, :])
        losses[some] = cross_entropies(logits, probe.targets).mean(axis=1)
    result: npt.NDArray[np.float64] = loss_without - losses
    return result


def _contributions(parts: ExampleGradients, probe_gradient: Array, shape: NetworkShape) -> npt.NDArray[np.float64]:
    w1, b1, w2, b2 = layers_of(probe_gradient, shape)
    inner = ((parts.inputs @ w1 + b1) * parts.delta1).sum(axis=1) + ((parts.hidden @ w2 + b2) * parts.delta2).sum(
        axis=1
    )
    squares = _squares(parts.delta1) * (1 + _squares(parts.inputs)) + _squares(parts.delta2) * (
        1 + _squares(parts.hidden)
    )
    lengths = np.sqrt(squares.astype(np.float64) * float(np.square(probe_gradient).sum()))
    cosines = np.divide(inner.astype(np.float64), lengths, out=np.zeros(len(inner)), where=lengths > 0)
    shares: npt.NDArray[np.float64] = np.clip((1 + cosines) / 2, 0.0, 1.0)
    return shares


def _squares(rows: Array) -> Array:
    total: Array = np.square(rows).sum(axis=1)
    return total
