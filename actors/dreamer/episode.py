"""One episode: from its plan to a grown tensor, now or again (design, section 2).

In: a plan, the tensors of its parents, the run's inputs and keyed streams. Out: the tensor with what flowed into it.
The same plan gives the same tensor whatever came before, so an earlier dream is made again from its recipe; its id
commits to its SHA-256, and a tensor that does not match is refused: None.
"""

import hashlib
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import numpy as np

from actors.dreamer.generation import Evolution
from actors.dreamer.lineage import Ancestry, Memory, Plan, Recipe, merged
from actors.dreamer.measures import Meter, Planar
from actors.dreamer.seeding import Detail, Seeded, Seeding
from bus.randomness import RandomSource
from schemas.inputs import InputSet
from schemas.settings import DreamerSettings, TensorSettings
from schemas.tensor import Tensor

KEPT_TENSORS: Final = 32
"""Tensors of earlier dreams at hand; no decision depends on it."""


PICTURE_KEEPS: Final = 0.8
"""Share of the colour pull that a dream of pictures alone does not feel: a picture is known by its colours, and a dream
that is painted over teaches whatever learns its label something wrong. Its crop is chosen by colour instead."""


@dataclass(frozen=True, slots=True)
class Grown:
    """A tensor [3, layers, rows, cols], valid until the next episode grows, and its origin."""

    tensor: Planar
    seeded: Seeded
    operators: list[str]


class Episodes:
    """Grows episodes of one run."""

    def __init__(self, tensor: TensorSettings, dreamer: DreamerSettings, inputs: InputSet) -> None:
        shape = (tensor.rows, tensor.cols, tensor.layers)
        self.meter = Meter(*shape)
        self.seeding = Seeding(inputs, *shape)
        self._settings = dreamer
        self._evolution = Evolution(*shape, self.meter)
        self._work = np.empty((3, tensor.layers, tensor.rows, tensor.cols), np.float32)
        self._packed = np.empty((*shape, 3), np.float32)
        self._kept: OrderedDict[int, Planar] = OrderedDict()

    def grow(self, plan: Plan, parents: list[tuple[Recipe, Planar]], randomness: RandomSource) -> Grown:
        """Seed and evolve `plan`; `parents` are the recipes and tensors of its parents, in order."""
        rng = randomness.at("seed", plan.episode)
        if plan.source == "pool":
            self.seeding.blend([tensor for _, tensor in parents], plan.shares, rng, self._work)
            seeded = _inherited(plan, [recipe for recipe, _ in parents])
        else:
            seeded = self.seeding.seed(plan.source, rng, self._work, plan.target)
        pull = None if plan.target is None else (plan.target, self._settings.prior_strength * _paintable(seeded))
        operators = self._evolution.evolve(
            self._work, self._settings.steps, pull, plan.window, (randomness, plan.episode)
        )
        return Grown(self._work, seeded, operators)

    def packed(self, tensor: Planar) -> Tensor:
        """`tensor` in C order [rows, cols, layers, 3]; valid until the next call."""
        for channel in range(3):
            np.copyto(self._packed[..., channel], tensor[channel].transpose(1, 2, 0))
        return self._packed

    def forget_tensors(self) -> None:
        """Drop the tensors at hand."""
        self._kept.clear()

    def make_again(self, episode: int, memory: Memory, randomness: RandomSource) -> Planar | None:
        """The tensor of a remembered episode, or None when it cannot be made as it was."""
        if (known := self._kept.get(episode)) is not None:
            self._kept.move_to_end(episode)
            return known
        recipe = memory.recipe(episode)
        parents = []
        for parent in recipe.plan.parents:
            made = self.make_again(parent, memory, randomness)
            if made is None:
                return None
            parents.append((memory.recipe(parent), made))
        tensor = self.grow(recipe.plan, parents, randomness).tensor
        digest = hashlib.sha256(self.packed(tensor).tobytes()).digest()
        if randomness.identify("dream", episode, digest) != recipe.dream_id:
            return None
        self._kept[episode] = tensor.copy()
        if len(self._kept) > KEPT_TENSORS:
            self._kept.popitem(last=False)
        return self._kept[episode]


def _paintable(seeded: Seeded) -> float:
    """How much of the colour pull a dream feels: the whole where it shows no picture, little where it shows one."""
    return 1.0 - PICTURE_KEEPS * math.fsum(part.share for part in seeded.ancestry if part.origin == "image")


def _inherited(plan: Plan, parents: list[Recipe]) -> Seeded:
    """What a pool dream has of the outside world: its parents' ancestry by their shares, and the noise."""
    parts = [
        Ancestry(origin, index, share * part)
        for parent, part in zip(parents, plan.shares, strict=True)
        for origin, index, share in parent.ancestry
    ]
    parts.append(Ancestry("random", -1, 1.0 - sum(plan.shares)))
    detail: Detail = {"parent_episodes": list(plan.parents)}
    return Seeded(merged(parts), parents[0].image, detail)
