"""Why a run stops, and the numbers at which it may not go on.

In: the figures of a step. Out: a reason, and words that say which number it was and what to try. A step whose loss or
gradient is not finite is not taken, so the weights stay those of the last good step.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LEAST_FIRST_LOSS: Final = 0.01
"""A run that begins with less is measured against this."""


class StopReason(StrEnum):
    """Every way in which `Trainer.run` ends."""

    COMPLETED = "completed"
    PAUSED = "paused"
    """The step that was asked for is reached."""
    INTERRUPTED = "interrupted"
    """Whoever started the run asked it to stop."""
    LOSS_NOT_FINITE = "loss_not_finite"
    GRADIENT_NOT_FINITE = "gradient_not_finite"
    WEIGHTS_NOT_FINITE = "weights_not_finite"
    DIVERGED = "diverged"
    """The loss is far above that of the first batch."""

    @property
    def is_failure(self) -> bool:
        """Whether the configuration has to change before the run can go on."""
        return self in {
            StopReason.LOSS_NOT_FINITE,
            StopReason.GRADIENT_NOT_FINITE,
            StopReason.WEIGHTS_NOT_FINITE,
            StopReason.DIVERGED,
        }


@dataclass(frozen=True, slots=True)
class Halt:
    """A reason in words."""

    reason: StopReason
    detail: str


def halt_of(loss: float, first_loss: float, grad_norm: float, factor: float) -> Halt | None:
    """What is wrong with a step, or None."""
    if not math.isfinite(loss):
        return Halt(StopReason.LOSS_NOT_FINITE, f"the loss is {loss}; try a lower optimizer.lr")
    if not math.isfinite(grad_norm):
        return Halt(StopReason.GRADIENT_NOT_FINITE, f"the gradient's norm is {grad_norm}; try a lower optimizer.lr")
    if loss > factor * max(first_loss, LEAST_FIRST_LOSS):
        told = f"the loss is {loss:.6g}, more than {factor:g} times the {first_loss:.6g} of the first batch"
        return Halt(StopReason.DIVERGED, f"{told}; try a lower optimizer.lr or training.clip_norm")
    return None
