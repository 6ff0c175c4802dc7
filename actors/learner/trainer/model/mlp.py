"""The multi-layer perceptron of the trainer in numpy: the learner's own network, `actors.learner.network`.

In: settings, the shape of the images, the classes, named streams. Out: a model with one hidden layer. There is one
definition of its forward and backward pass, and the learner of the loop has the same.
"""

import numpy as np

from actors.learner.network import (
    ExampleGradients,
    NetworkShape,
    backward,
    forward,
    initial_weights,
    layers_of,
    write_sum,
)
from actors.learner.trainer.model.parameters import F32, Layout, Part
from actors.learner.trainer.model.port import LossFunction, Model, ModelPlan, drop
from actors.learner.trainer.model.settings import MlpSettings


def shape_of(settings: MlpSettings, plan: ModelPlan) -> NetworkShape:
    """Widths of the three layers."""
    return NetworkShape(plan.images.size, settings.hidden, plan.classes)


def layout_of(shape: NetworkShape) -> Layout:
    """The parts in the order of `NetworkShape`."""
    first = (Part("w1", (shape.inputs, shape.hidden), "he"), Part("b1", (shape.hidden,)))
    return Layout((*first, Part("w2", (shape.hidden, shape.classes), "he"), Part("b2", (shape.classes,))))


def weights_of(shape: NetworkShape, plan: ModelPlan) -> F32:
    """Fresh weights: those that the learner of the loop would draw from the same stream."""
    return initial_weights(shape, plan.streams.at("weights", 0))


class Mlp(Model):
    """Inputs, one hidden layer of rectifiers, outputs."""

    def __init__(self, shape: NetworkShape, weights: F32, dropout: float) -> None:
        super().__init__(layout_of(shape), weights)
        self._shape = shape
        self._dropout = dropout

    @property
    def draws(self) -> bool:
        """Whether hidden units are dropped."""
        return self._dropout > 0.0

    def step_gradients(
        self, images: F32, targets: F32, loss: LossFunction, stream: np.random.Generator | None, scale: float = 1.0
    ) -> tuple[float, F32]:
        """See `Model`."""
        inputs = images.reshape(len(images), self._shape.inputs)
        hidden, logits = forward(self.weights, self._shape, inputs)
        kept = self._kept(stream, hidden.shape)
        if kept is not None:
            hidden = hidden * kept
            layers = layers_of(self.weights, self._shape)
            logits = hidden @ layers.w2 + layers.b2
        total, delta = loss(logits, targets)
        delta *= np.float32(scale)
        parts = backward(self.weights, self._shape, inputs, hidden, delta)
        if kept is not None:
            parts = ExampleGradients(inputs, hidden, parts.delta1 * kept, delta)
        write_sum(parts, self._shape, self.gradient)
        return total, self.gradient

    def logits(self, images: F32) -> F32:
        """See `Model`."""
        return forward(self.weights, self._shape, images.reshape(len(images), self._shape.inputs))[1]

    def _kept(self, stream: np.random.Generator | None, shape: tuple[int, ...]) -> F32 | None:
        return drop(stream, shape, self._dropout) if self.draws else None


def build_mlp(settings: MlpSettings, plan: ModelPlan) -> Mlp:
    """The perceptron of `settings` with fresh weights."""
    shape = shape_of(settings, plan)
    return Mlp(shape, weights_of(shape, plan), settings.dropout)
