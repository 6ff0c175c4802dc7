"""What a model and a back end are to the training loop.

In: images f32 [n, rows, cols, channels], targets f32 [n, classes] (a distribution times the weight of its example), a
loss, a generator for what a step draws. Out: the summed loss and its gradient as one flat vector; logits. A model
keeps nothing from one step to the next but its weights, so a checkpoint needs no more. It refuses images too small for
its layers, and weights of another layout.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np

from actors.learner.trainer.model.parameters import F32, Layout, sha256_of
from actors.learner.trainer.streams import Streams
from schemas.base import Record

PREDICTED_AT_ONCE: Final = 500
"""Images of one forward pass outside training: fixed, as the rows of a product decide its last bits."""


class ImageShape(NamedTuple):
    """Shape of one image."""

    rows: int
    cols: int
    channels: int

    @property
    def size(self) -> int:
        """Values of an image."""
        return self.rows * self.cols * self.channels


class LossFunction(Protocol):
    """Any loss that has a gradient by the logits."""

    def __call__(self, logits: F32, targets: F32) -> tuple[float, F32]:
        """The loss summed over the examples in float64, and its gradient by the logits f32 [n, classes]."""
        ...


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """What a model is built for, beside its settings."""

    backend: str
    images: ImageShape
    classes: int
    streams: Streams


class Model(ABC):
    """A network with one flat vector of weights, which the optimizer changes in place."""

    def __init__(self, layout: Layout, weights: F32) -> None:
        self.layout = layout
        self.weights = weights
        """f32 [layout.size]; one buffer for the life of the model."""
        self.gradient: F32 = np.zeros_like(weights)
        """f32 [layout.size], of the last call of `step_gradients`."""

    @abstractmethod
    def step_gradients(
        self, images: F32, targets: F32, loss: LossFunction, stream: np.random.Generator | None, scale: float = 1.0
    ) -> tuple[float, F32]:
        """The summed loss in float64, and `gradient`: that of the summed loss times `scale`.

        `stream` is what dropout draws from; a model that `draws` cannot do without.
        """

    @abstractmethod
    def logits(self, images: F32) -> F32:
        """Logits f32 [n, classes] of images that fit into memory at once; nothing is dropped."""

    @property
    def draws(self) -> bool:
        """Whether a step draws random numbers."""
        return False

    def predict(self, images: F32) -> F32:
        """Logits f32 [n, classes], a fixed number of images at a time."""
        starts = range(0, max(len(images), 1), PREDICTED_AT_ONCE)
        return np.concatenate([self.logits(images[start : start + PREDICTED_AT_ONCE]) for start in starts])

    def state(self) -> dict[str, F32]:
        """A copy of each parameter by name, in fixed order."""
        return {name: view.copy() for name, view in self.layout.views(self.weights).items()}

    def load(self, state: Mapping[str, F32]) -> None:
        """Take over what `state` gave; raises ModelRefusedError when it is of another model."""
        self.weights[:] = self.layout.flat(state)

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights, in hex."""
        return sha256_of(self.weights)


class Backend(Protocol):
    """A library that computes models."""

    @property
    def name(self) -> str:
        """As `training.backend` names it."""
        ...

    def build(self, settings: Record, images: ImageShape, classes: int, streams: Streams) -> Model:
        """The model of `settings` with fresh weights. Raises KindError, ModelRefusedError, BackendError."""
        ...

    def fingerprint(self) -> dict[str, str]:
        """What decides the bits of its results on this machine, sorted by name."""
        ...


def drop(stream: np.random.Generator | None, shape: tuple[int, ...], share: float) -> F32:
    """A mask of zeros for the `share` that is left out and 1 / (1 - share) for the rest, drawn from `stream`."""
    if stream is None:
        raise ValueError("dropout without a stream: what a step draws has to come from a named stream")
    kept: F32 = (stream.random(shape, dtype=np.float32) >= np.float32(share)).astype(np.float32)
    kept /= np.float32(1.0 - share)
    return kept
