"""What a model has to beat: the commonest class, guessing by the shares, the nearest mean of a class.

In: the labels and images of the training part, those of the part that measures. Out: `Baseline` rows. Means are taken
in float64, a fixed number of images at a time. It refuses nothing; without a training part there is no baseline.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from actors.learner.trainer.validator.findings import Baseline
from actors.learner.trainer.validator.scores import Labels, Wide

AT_ONCE: Final = 1000
NO_TRAINING: Final = "there is no training example"

Look = Callable[[Labels], npt.NDArray[np.float32]]
"""Indices to normalised images [n, ...]."""


class Means:
    """What the baselines know of the training part; made once for all parts that measure."""

    def __init__(self, look: Look, train: Labels, labels: Labels, classes: int) -> None:
        """`labels` are those of the whole dataset."""
        self.counts: list[int] = np.bincount(labels[train], minlength=classes).tolist()
        self._look = look
        self._means = self._class_means(train, labels)

    def baselines(self, chosen: Labels, labels: Labels) -> tuple[Baseline, ...]:
        """The baselines on the examples at `chosen`, whose classes are `labels[chosen]`."""
        total, truths = sum(self.counts), labels[chosen].tolist()
        if not total:
            return tuple(Baseline(name=name, accuracy=None, reason=NO_TRAINING) for name in NAMES)
        commonest = self.counts.index(max(self.counts))
        guessed = math.fsum(self.counts[label] / total for label in truths) / len(truths)
        right = sum(label == commonest for label in truths) / len(truths)
        nearest = self._nearest(chosen)
        near = sum(found == label for found, label in zip(nearest, truths, strict=True)) / len(truths)
        values = (right, min(1.0, guessed), near)
        return tuple(Baseline(name=n, accuracy=value, reason="") for n, value in zip(NAMES, values, strict=True))

    def _class_means(self, train: Labels, labels: Labels) -> Wide:
        sums: list[Wide | None] = [None] * len(self.counts)
        for start in range(0, len(train), AT_ONCE):
            part = train[start : start + AT_ONCE]
            wide = self._look(part).reshape(len(part), -1).astype(np.float64)
            for number in np.unique(labels[part]).tolist():
                added = wide[labels[part] == number].sum(axis=0)
                before = sums[number]
                sums[number] = added if before is None else before + added
        size = next((len(found) for found in sums if found is not None), 0)
        far = np.full(size, np.inf)  # a class without an example is nobody's nearest
        rows = [far if s is None else s / count for s, count in zip(sums, self.counts, strict=True)]
        return np.stack(rows)

    def _nearest(self, chosen: Labels) -> list[int]:
        known = np.flatnonzero(np.isfinite(self._means[:, :1]).all(axis=1))
        means = self._means[known]
        lengths = (means**2).sum(axis=1)
        found: list[int] = []
        for start in range(0, len(chosen), AT_ONCE):
            part = chosen[start : start + AT_ONCE]
            wide = self._look(part).reshape(len(part), -1).astype(np.float64)
            found += known[(lengths - 2.0 * (wide @ means.T)).argmin(axis=1)].tolist()
        return found


NAMES: Final = ("commonest_class", "guess_by_share", "nearest_mean")
