"""The schedules that are shipped: the learning rate of each step, from its number alone.

In: settings, the rate of the optimizer, how many steps an epoch and the run have. Out: a function of the step. Nothing
is remembered, so that a resumed run has the same rates. It refuses nothing beyond what its settings refuse.

A schedule from outside registers `build(settings, pace: Pace) -> Schedule`.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from actors.learner.trainer.training.settings import (
    ConstantSettings,
    CosineSettings,
    LinearSettings,
    StepSettings,
)

Schedule = Callable[[int], float]
"""Step, from 0, to learning rate."""


class Pace(NamedTuple):
    """What a schedule is built for."""

    rate: float
    """The `lr` of the optimizer."""
    steps_per_epoch: int
    steps: int
    """Of the whole run."""


def build_constant(settings: ConstantSettings, pace: Pace) -> Schedule:
    """The same rate at every step after the warm-up."""
    return lambda step: pace.rate * _warmth(step, settings.warmup_steps)


def build_linear(settings: LinearSettings, pace: Pace) -> Schedule:
    """From the whole rate to its final share in a line."""

    def rate(step: int) -> float:
        fallen = (1.0 - settings.final_share) * _progress(step, settings.warmup_steps, pace.steps)
        return pace.rate * _warmth(step, settings.warmup_steps) * (1.0 - fallen)

    return rate


def build_cosine(settings: CosineSettings, pace: Pace) -> Schedule:
    """From the whole rate to its final share along half a cosine."""

    def rate(step: int) -> float:
        height = 0.5 * (1.0 + math.cos(math.pi * _progress(step, settings.warmup_steps, pace.steps)))
        share = settings.final_share + (1.0 - settings.final_share) * height
        return pace.rate * _warmth(step, settings.warmup_steps) * share

    return rate


def build_step(settings: StepSettings, pace: Pace) -> Schedule:
    """Times the factor after every so many epochs."""

    def rate(step: int) -> float:
        falls = step // pace.steps_per_epoch // settings.every_epochs
        return float(pace.rate * _warmth(step, settings.warmup_steps) * settings.factor**falls)

    return rate


def _warmth(step: int, warmup_steps: int) -> float:
    """Share of the rate while it climbs; the first step already moves."""
    return min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0


def _progress(step: int, warmup_steps: int, steps: int) -> float:
    """0 at the first step after the warm-up, 1 at the last of the run."""
    return min(1.0, max(0, step - warmup_steps) / max(1, steps - 1 - warmup_steps))
