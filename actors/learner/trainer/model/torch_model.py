"""A model that torch computes: forward and backward by autograd, weights and gradients in the trainer's own vectors.

In: a layout, fresh weights, and a forward pass as a function of named tensors. Out: a model whose tensors are views of
the numpy vectors, so that optimizers, losses, hashes and checkpoints are the same code for every back end. Nothing is
drawn by torch: masks come from the stream of the step. This module imports torch; only a run that asks for the back
end `torch` imports this module.
"""

from collections.abc import Callable

import numpy as np
import torch

from actors.learner.trainer.model.parameters import F32, Layout
from actors.learner.trainer.model.port import LossFunction, Model, drop

Parts = dict[str, torch.Tensor]
Drop = Callable[[torch.Tensor], torch.Tensor]
Forward = Callable[[Parts, torch.Tensor, Drop], torch.Tensor]
"""(parts by name, images [n, rows, cols, channels], dropout) to logits [n, classes]."""


class TorchModel(Model):
    """A forward pass of torch over the parts of one vector."""

    def __init__(self, layout: Layout, weights: F32, forward: Forward, dropout: float) -> None:
        super().__init__(layout, weights)
        self._forward = forward
        self._dropout = dropout
        slopes = layout.views(self.gradient)
        self._parts: Parts = {}
        for name, view in layout.views(self.weights).items():
            part = torch.from_numpy(view).requires_grad_()
            part.grad = torch.from_numpy(slopes[name])
            self._parts[name] = part

    @property
    def draws(self) -> bool:
        """Whether a step drops anything."""
        return self._dropout > 0.0

    def step_gradients(
        self, images: F32, targets: F32, loss: LossFunction, stream: np.random.Generator | None, scale: float = 1.0
    ) -> tuple[float, F32]:
        """See `Model`."""

        def dropped(values: torch.Tensor) -> torch.Tensor:
            if not self.draws:
                return values
            return values * torch.from_numpy(drop(stream, tuple(values.shape), self._dropout))

        self.gradient.fill(0.0)
        logits = self._forward(self._parts, torch.from_numpy(images), dropped)
        total, delta = loss(logits.detach().numpy(), targets)
        delta *= np.float32(scale)
        torch.autograd.backward(logits, torch.from_numpy(delta))
        return total, self.gradient

    def logits(self, images: F32) -> F32:
        """See `Model`."""
        with torch.no_grad():
            found: F32 = self._forward(self._parts, torch.from_numpy(images), lambda values: values).numpy()
        return found
