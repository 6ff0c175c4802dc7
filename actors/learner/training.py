"""The task with its network: minibatches, dreams as examples, and an arm in figures.

In: the input set and settings once, then weights and draws. Out: what a round of the protocol needs, without any
state of its own. A dream is labelled by its ancestry: a soft label, the share of each known training picture for its
class. What is left (facts, noise, unknown pictures) has no label, and the dream weighs that much less: spread over the
classes it would teach to be unsure. It refuses what `patches` refuses.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from actors.learner.credit import Examples, Pace
from actors.learner.network import (
    Array,
    NetworkShape,
    accuracy,
    cross_entropies,
    forward,
    initial_weights,
    mean_loss,
)
from actors.learner.patches import FEATURES, Patches, Task, cut_task
from bus.randomness import RandomSource
from schemas.base import Colour
from schemas.dreams import DreamFacts
from schemas.feedback import ArmResult
from schemas.inputs import InputSet
from schemas.settings import EngineSettings

LOSS_LIMIT: Final = 1e9
"""Reported for a loss that is not finite, nats."""

LEAST_LOSS: Final = 1e-6
"""Every patch can be drawn, nats."""

ClassShares = tuple[tuple[int, float], ...]
"""(class, share) of the pictures that flowed into a dream."""


@dataclass(frozen=True, slots=True)
class Training:
    """What stays the same over a run."""

    settings: EngineSettings
    task: Task
    shape: NetworkShape
    first_weights: npt.NDArray[np.float32]

    @property
    def pace(self) -> Pace:
        """Sizes of a step."""
        return Pace(self.settings.learner.learning_rate, self.settings.learner.dream_weight)

    def minibatch(self, generator: np.random.Generator) -> npt.NDArray[np.intp]:
        """Indices of distinct labelled patches, `learner.batch_size` of them or all that there are.

        The classes take turns in a drawn order, so that no class leads another by more than one patch: a step towards
        whatever class a minibatch has most of would hide what a dream does.
        """
        by_class = np.arange(len(self.task.labelled.labels)).reshape(self.task.classes, -1)
        turns = generator.permuted(by_class, axis=1)[generator.permutation(self.task.classes)].T
        return turns.reshape(-1)[: self.settings.learner.batch_size]

    def wanted_colour(self, weights: Array, batch: npt.NDArray[np.intp], generator: np.random.Generator) -> Colour:
        """Mean colour of one of the minibatch's patches, drawn with a chance that grows with its loss.

        Always asking for the worst would bring the same few dreams again and again.
        """
        labelled = self.task.labelled
        logits = forward(weights, self.shape, labelled.features[batch])[1]
        reached = np.cumsum(np.maximum(cross_entropies(logits, labelled.targets[batch]), LEAST_LOSS))
        drawn = min(int(np.searchsorted(reached, generator.random() * reached[-1], side="right")), len(batch) - 1)
        red, green, blue = np.clip(labelled.colours[batch[drawn]], 0.0, 1.0).tolist()
        return red, green, blue

    def class_shares(self, facts: DreamFacts) -> ClassShares:
        """The known training pictures in the ancestry of a dream, as (class, share), by class."""
        shares: dict[int, float] = {}
        for ancestor in facts.ancestry:
            if ancestor.source == "image" and ancestor.split == "train" and ancestor.ancestor_id in self.task.image_ids:
                label = self.task.image_ids.index(ancestor.ancestor_id)
                shares[label] = shares.get(label, 0.0) + ancestor.share
        return tuple(sorted(shares.items()))

    def target(self, shares: ClassShares) -> npt.NDArray[np.float32]:
        """The target f32 [classes] of a dream: the share of each class in its ancestry, which sums to its weight."""
        known = math.fsum(share for _, share in shares)
        whole = max(1.0, known)
        target = np.zeros(self.task.classes, dtype=np.float64)
        for label, share in shares:
            target[label] += share / whole
        return target.astype(np.float32)

    def labelled(self, batch: npt.NDArray[np.intp]) -> Examples:
        """The labelled patches at `batch`."""
        return Examples(self.task.labelled.features[batch], self.task.labelled.targets[batch])

    def probe(self) -> Examples:
        """All probe patches."""
        return Examples(self.task.probe.features, self.task.probe.targets)

    def probe_loss(self, weights: Array) -> float:
        """Mean loss on the probe patches, nats."""
        return self._loss(weights, self.task.probe)

    def evaluate(self, arm: str, weights: Array, steps: int) -> ArmResult:
        """An arm on all labelled, probe and test patches."""
        test = self.task.test
        return ArmResult(
            arm=arm,
            steps=steps,
            train_loss=self._loss(weights, self.task.labelled),
            probe_loss=self.probe_loss(weights),
            test_loss=self._loss(weights, test),
            test_accuracy=accuracy(weights, self.shape, test.features, test.labels),
        )

    def _loss(self, weights: Array, patches: Patches) -> float:
        loss = mean_loss(weights, self.shape, patches.features, patches.targets)
        return loss if math.isfinite(loss) else LOSS_LIMIT


def prepare(inputs: InputSet, settings: EngineSettings, randomness: RandomSource) -> Training:
    """The training of a run, before its first step. Raises TaskError when the pictures make no task."""
    task = cut_task(inputs, settings, randomness)
    shape = NetworkShape(FEATURES, settings.learner.hidden, task.classes)
    return Training(settings, task, shape, initial_weights(shape, randomness.at("weights", 0)))
