"""Sums of a fixed order: of a batch that is cut into parts, and of losses over an epoch.

In: parts, one after the other. Out: the mean loss and gradient of the whole. A batch in one part is one product of
matrices, whose order the library fixes; parts are added in float64 in their order and rounded once. The two agree to
rounding and differ in the last bits, which is why `training.accumulate` is part of a configuration's hash.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from actors.learner.trainer.model.parameters import F32
from actors.learner.trainer.model.port import LossFunction, Model


@dataclass(slots=True)
class CompensatedSum:
    """A running sum that keeps what rounding took (Neumaier 1974)."""

    total: float = 0.0
    lost: float = 0.0

    def add(self, value: float) -> None:
        """Add `value`, finite."""
        reached = self.total + value
        if abs(self.total) >= abs(value):
            self.lost += (self.total - reached) + value
        else:
            self.lost += (value - reached) + self.total
        self.total = reached

    @property
    def value(self) -> float:
        """The sum."""
        return self.total + self.lost


@dataclass(frozen=True, slots=True)
class Step:
    """What a batch says before the weights move."""

    loss: float
    """Mean by weight."""
    gradient: F32
    """Of the mean, flat; a buffer that the next step overwrites."""
    weight: float
    """Of all examples."""


Examples = tuple[F32, F32]
"""Images and targets."""


class Accumulator:
    """Takes batches through a model, a part at a time."""

    def __init__(self, model: Model, loss: LossFunction, parts: int) -> None:
        self._model = model
        self._loss = loss
        self._parts = parts
        self._sum: npt.NDArray[np.float64] = np.zeros(0)

    def step(self, batch: Examples, extra: Examples | None, stream: np.random.Generator | None) -> Step:
        """Mean loss and gradient over `batch`, whose examples weigh 1, and what is added to it."""
        weight = float(len(batch[0]))
        lots = cut(batch, self._parts)
        if extra is not None and len(extra[0]):
            weight += float(extra[1].sum(dtype=np.float64))
            lots.append(extra)
        if len(lots) == 1:
            total, gradient = self._model.step_gradients(*lots[0], self._loss, stream, 1.0 / weight)
            return Step(total / weight, gradient, weight)
        return self._add_up(lots, stream, weight)

    def _add_up(self, lots: Sequence[Examples], stream: np.random.Generator | None, weight: float) -> Step:
        if not len(self._sum):
            self._sum = np.zeros(len(self._model.weights))
        self._sum.fill(0.0)
        losses = CompensatedSum()
        for images, targets in lots:
            total, gradient = self._model.step_gradients(images, targets, self._loss, stream, 1.0 / weight)
            losses.add(total)
            self._sum += gradient
        np.copyto(self._model.gradient, self._sum, casting="same_kind")
        return Step(losses.value / weight, self._model.gradient, weight)


def cut(batch: Examples, parts: int) -> list[Examples]:
    """`batch` in at most `parts` parts of its order, whose sizes differ by one at most, the larger first."""
    images, targets = batch
    count = len(images)
    parts = min(parts, count)
    if parts <= 1:
        return [batch]
    edges = [(number * count + parts - 1) // parts for number in range(parts + 1)]
    return [(images[low:high], targets[low:high]) for low, high in pairwise(edges)]
