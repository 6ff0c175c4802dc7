"""A small network with its own backward pass: inputs, one hidden layer of rectifiers, softmax over classes.

In: a flat weight vector, examples [n, inputs] and targets [n, classes], distributions times weights. Out: losses,
gradients, predictions. Everything runs in the type of the weights: float32 in the learner, float64 where a test
compares with finite differences. It refuses nothing; callers look at whether a result is finite.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """Widths of the three layers."""

    inputs: int
    hidden: int
    classes: int

    @property
    def size(self) -> int:
        """Number of weights, biases included."""
        return (self.inputs + 1) * self.hidden + (self.hidden + 1) * self.classes


class Layers(NamedTuple):
    """Views into a flat vector: w1 [inputs, hidden], b1 [hidden], w2 [hidden, classes], b2 [classes]."""

    w1: Array
    b1: Array
    w2: Array
    b2: Array


class ExampleGradients(NamedTuple):
    """The gradients of n single examples as factors: layer one is inputs x delta1, layer two hidden x delta2."""

    inputs: Array
    """[n, inputs]"""
    hidden: Array
    """[n, hidden]"""
    delta1: Array
    """[n, hidden]"""
    delta2: Array
    """[n, classes]"""


def layers_of(vector: Array, shape: NetworkShape) -> Layers:
    """The four views into the flat `vector` [shape.size]."""
    first = shape.inputs * shape.hidden
    second = first + shape.hidden
    third = second + shape.hidden * shape.classes
    return Layers(
        vector[:first].reshape(shape.inputs, shape.hidden),
        vector[first:second],
        vector[second:third].reshape(shape.hidden, shape.classes),
        vector[third:],
    )


def initial_weights(shape: NetworkShape, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """Uniform weights of the variance that keeps rectifier layers level (He et al. 2015), zero biases; f32 [size]."""
    weights = np.zeros(shape.size, dtype=np.float32)
    layers = layers_of(weights, shape)
    for matrix in (layers.w1, layers.w2):
        bound = (6.0 / matrix.shape[0]) ** 0.5
        matrix[:] = generator.uniform(-bound, bound, matrix.shape)
    return weights


def forward(weights: Array, shape: NetworkShape, inputs: Array) -> tuple[Array, Array]:
    """Hidden activations [n, hidden] and logits [n, classes] of `inputs` [n, inputs]."""
    w1, b1, w2, b2 = layers_of(weights, shape)
    hidden = np.maximum(inputs @ w1 + b1, 0)
    return hidden, hidden @ w2 + b2


def cross_entropies(logits: Array, targets: Array) -> npt.NDArray[np.float64]:
    """Cross entropy of each target along the last axis, in nats, in float64; shape of the other axes.

    A target is a distribution times the weight of its example: what it sums to is what its loss counts.
    """
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    normaliser: npt.NDArray[np.float64] = np.log(np.exp(wide).sum(axis=-1))
    expected: npt.NDArray[np.float64] = (targets * wide).sum(axis=-1)
    losses: npt.NDArray[np.float64] = targets.sum(axis=-1, dtype=np.float64) * normaliser - expected
    return losses


def mean_loss(weights: Array, shape: NetworkShape, inputs: Array, targets: Array) -> float:
    """Mean cross entropy over the examples, in nats."""
    return float(cross_entropies(forward(weights, shape, inputs)[1], targets).mean())


def accuracy(weights: Array, shape: NetworkShape, inputs: Array, labels: npt.NDArray[np.intp]) -> float:
    """Share of examples whose largest logit is that of their label, in [0, 1]."""
    predicted = forward(weights, shape, inputs)[1].argmax(axis=1)
    return float(np.count_nonzero(predicted == labels)) / len(labels)


def softmax_delta(logits: Array, targets: Array) -> Array:
    """The gradient of each cross entropy by its logits, in the type of the logits; [n, classes]."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    wanted = targets.astype(logits.dtype, copy=False)
    delta: Array = shifted / shifted.sum(axis=1, keepdims=True) * wanted.sum(axis=1, keepdims=True) - wanted
    return delta


def backward(weights: Array, shape: NetworkShape, inputs: Array, hidden: Array, delta2: Array) -> ExampleGradients:
    """The gradients of every example, factored, from those of the logits, `delta2` [n, classes]."""
    delta1 = (delta2 @ layers_of(weights, shape).w2.T) * (hidden > 0)
    return ExampleGradients(inputs, hidden, delta1, delta2)


def example_gradients(weights: Array, shape: NetworkShape, inputs: Array, targets: Array) -> ExampleGradients:
    """The gradient of the loss of every example alone, factored."""
    hidden, logits = forward(weights, shape, inputs)
    return backward(weights, shape, inputs, hidden, softmax_delta(logits, targets.astype(weights.dtype)))


def write_sum(parts: ExampleGradients, shape: NetworkShape, into: Array) -> None:
    """Write the gradient of the summed loss of the examples into the flat vector `into` [size]."""
    layers = layers_of(into, shape)
    np.matmul(parts.inputs.T, parts.delta1, out=layers.w1)
    parts.delta1.sum(axis=0, out=layers.b1)
    np.matmul(parts.hidden.T, parts.delta2, out=layers.w2)
    parts.delta2.sum(axis=0, out=layers.b2)


def mean_gradient(parts: ExampleGradients, shape: NetworkShape) -> Array:
    """The gradient of the mean loss over the examples: a flat vector [size]."""
    flat = np.empty(shape.size, dtype=parts.delta2.dtype)
    write_sum(parts, shape, flat)
    flat /= len(parts.inputs)
    return flat
