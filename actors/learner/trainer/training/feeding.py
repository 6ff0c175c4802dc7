"""What a step sees: examples of the training part in the order of the epoch, normalised, with a digest of which.

In: a dataset, its splits, how to normalise, named streams. Out: batches f32, one after the other, the same whenever one
is asked for. The order of an epoch is one permutation from its own stream. Refused: a split without training examples.
"""

import hashlib
from typing import Final, NamedTuple

import numpy as np

from actors.learner.trainer.datasets.dataset import DataRefusedError, Dataset
from actors.learner.trainer.datasets.normalising import normalisation_of
from actors.learner.trainer.datasets.settings import Normalise
from actors.learner.trainer.datasets.splitting import Indices, Splits
from actors.learner.trainer.model.parameters import F32
from actors.learner.trainer.model.port import ImageShape
from actors.learner.trainer.streams import Streams

HELD_BYTES: Final = 1024**3
"""A dataset whose normalised images take no more is normalised once, a larger one batch by batch; to the same bits."""
DIGESTS_AT_ONCE: Final = 64
"""Batches of an epoch whose digests are taken together, while their code is hot."""
AT_ONCE: Final = 4096
"""Images that are normalised at once."""


class Batch(NamedTuple):
    """Examples of one step."""

    images: F32
    """[n, rows, cols, channels], normalised"""
    targets: F32
    """[n, classes], one at the label"""
    sha256: str
    """Over the places of its examples in the dataset, in order; what lies there the digest of the splits says."""


class ExtraBatch(NamedTuple):
    """Examples that are added to a step: dreams, pinned before the first of them."""

    images: F32
    """f32 [k, rows, cols, channels], normalised as the dataset is (`Feed.normalisation`)"""
    targets: F32
    """f32 [k, classes], a distribution times the weight of the example"""
    sha256: str
    """Over what they are."""


class Feed:
    """The examples of a run."""

    def __init__(
        self, dataset: Dataset, splits: Splits, normalise: Normalise, batch_size: int, streams: Streams
    ) -> None:
        if not len(splits.train):
            raise DataRefusedError(f"{dataset.source}: nothing to train on; raise data.split.train")
        self.splits = splits
        self.normalisation = normalisation_of(dataset, splits.train, normalise)
        self.images = ImageShape(*dataset.images.shape[1:])
        self.classes = len(dataset.class_names)
        self.batches = -(-len(splits.train) // batch_size)
        """Batches of an epoch; the last has what is left."""
        self._dataset = dataset
        self._batch_size = batch_size
        self._streams = streams
        self._one_hot = np.eye(self.classes, dtype=np.float32)
        self._epoch = -1
        self._order = splits.train
        self._digests: dict[int, str] = {}
        self._held = self._normalised() if dataset.images.size * 4 <= HELD_BYTES else None

    def batch(self, epoch: int, number: int) -> Batch:
        """The batch with `number` of `epoch`, both from 0."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = self._streams.at("order", epoch).permutation(self.splits.train)
            self._digests = {}
        if number not in self._digests:
            self._digests = {later: self._digest(later) for later in range(number, number + DIGESTS_AT_ONCE)}
        images, targets = self.examples(self._chosen(number))
        return Batch(images, targets, self._digests[number])

    def _chosen(self, number: int) -> Indices:
        return self._order[number * self._batch_size : (number + 1) * self._batch_size]

    def _digest(self, number: int) -> str:
        return hashlib.sha256(self._chosen(number).astype("<i8").data).hexdigest()

    def examples(self, chosen: Indices) -> tuple[F32, F32]:
        """Normalised images, a new array, and targets of the samples at `chosen`."""
        if self._held is None:
            return self.normalisation.apply(self._dataset.images[chosen]), self.one_hot(self._dataset.labels[chosen])
        return self._held[chosen], self.one_hot(self._dataset.labels[chosen])

    def one_hot(self, labels: Indices) -> F32:
        """Targets f32 [n, classes], one at the label."""
        return self._one_hot[labels]

    def labels(self, chosen: Indices) -> Indices:
        """The class of each sample at `chosen`."""
        return self._dataset.labels[chosen]

    def _normalised(self) -> F32:
        held: F32 = np.empty(self._dataset.images.shape, dtype=np.float32)
        for start in range(0, len(held), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            held[part] = self.normalisation.apply(self._dataset.images[part])
        return held
