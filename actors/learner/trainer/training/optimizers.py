"""The optimizers that are shipped: they change one flat vector in place, the same code for every back end.

In: weights, their gradient and a rate, step after step. Out: the changed weights. What an optimizer remembers is a few
vectors of the size of the weights, by name, in float32, and the number of its steps: that is all that a checkpoint
keeps. The gradient is scratch space after a step. Refused: a state of other names, sizes or types.

An optimizer from outside derives from `Optimizer` and registers `build(settings, size) -> Optimizer`; its settings have
an `lr`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from actors.learner.trainer.model.parameters import F32
from actors.learner.trainer.registry import OPTIMIZERS
from actors.learner.trainer.training.settings import AdamWSettings, RmsPropSettings, SgdSettings
from schemas.base import Record
from schemas.errors import OneirosError


class OptimizerRefusedError(OneirosError):
    """A state does not belong to this optimizer."""

    is_permanent = True


class Optimizer(ABC):
    """Vectors that are remembered, and a step."""

    remembered: ClassVar[tuple[str, ...]] = ()
    """Names of the vectors, in the order in which a checkpoint has them."""

    def __init__(self, size: int) -> None:
        self.steps = 0
        """Steps taken."""
        self._of = {name: np.zeros(size, dtype=np.float32) for name in self.remembered}
        self._scratch = np.empty(size, dtype=np.float32)

    def step(self, weights: F32, gradient: F32, rate: float) -> None:
        """Move `weights` [size] in place; `gradient` [size] is overwritten."""
        self.steps += 1
        self._move(weights, gradient, rate)

    @abstractmethod
    def _move(self, weights: F32, gradient: F32, rate: float) -> None: ...

    def state(self) -> dict[str, F32]:
        """A copy of each remembered vector, in fixed order."""
        return {name: vector.copy() for name, vector in self._of.items()}

    def load(self, state: Mapping[str, F32], steps: int) -> None:
        """Take over what `state` gave after so many steps; raises OptimizerRefusedError when it is another's."""
        if tuple(state) != self.remembered:
            told, mine = ", ".join(state) or "nothing", ", ".join(self.remembered) or "nothing"
            raise OptimizerRefusedError(f"a state of {told}; this optimizer remembers {mine}")
        for name, vector in state.items():
            if vector.shape != self._scratch.shape or vector.dtype != np.float32:
                told = f"{vector.dtype} {vector.shape}"
                raise OptimizerRefusedError(f"{name} is {told}, this optimizer has float32 {self._scratch.shape}")
        for name, vector in state.items():
            self._of[name][:] = vector
        self.steps = steps

    def _decay_into(self, gradient: F32, weights: F32, decay: float) -> None:
        """Add `decay` times the weights to the gradient."""
        if decay > 0.0:
            np.multiply(weights, np.float32(decay), out=self._scratch)
            gradient += self._scratch


def optimizer_of(settings: Record, size: int) -> Optimizer:
    """The optimizer of `settings` for `size` weights; raises OptimizerRefusedError where something else is built."""
    built = OPTIMIZERS.build(settings, size)
    if not isinstance(built, Optimizer):
        told = f"{OPTIMIZERS.kind_of(settings)} builds a {type(built).__name__}, which is no Optimizer"
        raise OptimizerRefusedError(f"optimizer.kind: {told}")
    return built


def rate_of(settings: Record) -> float:
    """The `lr` that the schedule begins with; raises OptimizerRefusedError where settings from outside have none."""
    rate = getattr(settings, "lr", None)
    if not isinstance(rate, int | float):
        raise OptimizerRefusedError(f"optimizer: {type(settings).__name__} has no lr; add one to the settings")
    return float(rate)


class Sgd(Optimizer):
    """v = momentum * v + g; w = w - rate * v."""

    remembered = ("velocity",)

    def __init__(self, settings: SgdSettings, size: int) -> None:
        super().__init__(size)
        self._settings = settings

    def _move(self, weights: F32, gradient: F32, rate: float) -> None:
        self._decay_into(gradient, weights, self._settings.weight_decay)
        velocity = self._of["velocity"]
        velocity *= np.float32(self._settings.momentum)
        velocity += gradient
        np.multiply(velocity, np.float32(rate), out=self._scratch)
        weights -= self._scratch


class AdamW(Optimizer):
    """m and v are running means of g and g^2 without their bias; w = (1 - rate * decay) w - rate * m / (sqrt v + e)."""

    remembered = ("first", "second")

    def __init__(self, settings: AdamWSettings, size: int) -> None:
        super().__init__(size)
        self._settings = settings

    def _move(self, weights: F32, gradient: F32, rate: float) -> None:
        given, first, second, scratch = self._settings, self._of["first"], self._of["second"], self._scratch
        if given.weight_decay > 0.0:
            weights *= np.float32(1.0 - rate * given.weight_decay)
        _mean_in(first, gradient, given.beta1, scratch)
        np.multiply(gradient, gradient, out=gradient)
        _mean_in(second, gradient, given.beta2, scratch)
        np.sqrt(second, out=scratch)
        scratch /= np.float32((1.0 - given.beta2**self.steps) ** 0.5)
        scratch += np.float32(given.epsilon)
        np.divide(first, scratch, out=scratch)
        scratch *= np.float32(rate / (1.0 - given.beta1**self.steps))
        weights -= scratch


class RmsProp(Optimizer):
    """s is a running mean of g^2; b = momentum * b + g / (sqrt s + e); w = w - rate * b."""

    remembered = ("square", "velocity")

    def __init__(self, settings: RmsPropSettings, size: int) -> None:
        super().__init__(size)
        self._settings = settings

    def _move(self, weights: F32, gradient: F32, rate: float) -> None:
        given, square, velocity, scratch = self._settings, self._of["square"], self._of["velocity"], self._scratch
        self._decay_into(gradient, weights, given.weight_decay)
        square *= np.float32(given.alpha)
        np.multiply(gradient, gradient, out=scratch)
        scratch *= np.float32(1.0 - given.alpha)
        square += scratch
        np.sqrt(square, out=scratch)
        scratch += np.float32(given.epsilon)
        np.divide(gradient, scratch, out=scratch)
        velocity *= np.float32(given.momentum)
        velocity += scratch
        np.multiply(velocity, np.float32(rate), out=scratch)
        weights -= scratch


def _mean_in(mean: F32, value: F32, memory: float, scratch: F32) -> None:
    """Let the running `mean` keep `memory` of itself and take the rest from `value`."""
    mean *= np.float32(memory)
    np.multiply(value, np.float32(1.0 - memory), out=scratch)
    mean += scratch
