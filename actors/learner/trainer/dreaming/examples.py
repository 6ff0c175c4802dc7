"""Pinned dreams as examples beside a batch: images as the model sees them, targets by ancestry, drawn by named streams.

In: pins, kinship, the dataset, how it is normalised, [dreams]. Out: an `ExtraBatch` for each step, the same whenever it
is asked for. A dream is averaged over its layers and its area means are taken at the size of the dataset. A dream of no
known class is used only where no pinned dream has one: then all are examples of no class, their target is even over the
classes. Refused: pins of which nothing is left.
"""

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt

from actors.learner.trainer.configuration.settings import DreamSettings
from actors.learner.trainer.datasets.dataset import Dataset
from actors.learner.trainer.datasets.dicom import area_weights
from actors.learner.trainer.datasets.normalising import Normalisation
from actors.learner.trainer.dreaming.kinship import Kinship
from actors.learner.trainer.dreaming.pins import Pins, PinsRefusedError
from actors.learner.trainer.streams import Streams
from actors.learner.trainer.training.feeding import ExtraBatch
from schemas.tensor import Tensor

F32 = npt.NDArray[np.float32]
GREY: Final = 1


class DreamExamples:
    """The dreams of one run."""

    def __init__(
        self, pins: Pins, kinship: Kinship, dataset: Dataset, normalisation: Normalisation, settings: DreamSettings
    ) -> None:
        """Raises PinsRefusedError where there is no dream, or one whose ancestry touches what validates or tests."""
        if not pins.tensors:
            raise PinsRefusedError(f"pinned dreams: none may be learnt from ({_told(pins)})")
        for dream in pins.head.dreams:
            if refusal := kinship.refusal(dream.ancestry):
                raise PinsRefusedError(f"pinned dreams: {dream.dream_id}: {refusal}")
        self.pins = pins
        self.images = _images(pins, dataset, normalisation)
        """f32 [n, rows, cols, channels]"""
        self.targets = _targets(pins, kinship) * np.float32(settings.mix)
        """f32 [n, classes], distributions times the weight of a dream"""
        self._count = min(settings.count, len(pins.tensors))

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, streams: Streams, epoch: int, number: int) -> ExtraBatch:
        """The dreams beside batch `number` of `epoch`: distinct ones, drawn from a stream of that batch alone."""
        chosen = streams.at("dreams", epoch, number).permutation(len(self))[: self._count]
        names = b"".join(bytes.fromhex(self.pins.head.dreams[index].tensor_sha256) for index in chosen.tolist())
        return ExtraBatch(self.images[chosen], self.targets[chosen], hashlib.sha256(names).hexdigest())

    def one(self, index: int) -> tuple[F32, F32]:
        """Image and target of one dream, each with an axis of one example."""
        return self.images[index : index + 1], self.targets[index : index + 1]


def allowed(pins: Pins, kinship: Kinship) -> Pins:
    """`pins` without the dreams whose ancestry touches what validates or tests; these are counted as left out."""
    refusals = [kinship.refusal(dream.ancestry) for dream in pins.head.dreams]
    if not any(refusals):
        return pins
    left_out = dict(pins.head.left_out)
    for refusal in filter(None, refusals):
        left_out[refusal] = left_out.get(refusal, 0) + 1
    kept = [place for place, refusal in enumerate(refusals) if not refusal]
    dreams = tuple(pins.head.dreams[place] for place in kept)
    head = pins.head.model_copy(update={"dreams": dreams, "left_out": dict(sorted(left_out.items()))})
    return Pins(head, tuple(pins.tensors[place] for place in kept))


def _images(pins: Pins, dataset: Dataset, normalisation: Normalisation) -> F32:
    rows, cols, channels = dataset.images.shape[1:]
    made = np.stack([_image(tensor, rows, cols, channels) for tensor in pins.tensors])
    made *= np.float32(dataset.top)
    return normalisation.apply(made)


def _image(tensor: Tensor, rows: int, cols: int, channels: int) -> F32:
    """f32 [rows, cols, channels] in [0, 1] of a tensor [rows, cols, layers, 3]."""
    flat = tensor.astype(np.float64).mean(axis=2)
    down, across = area_weights(flat.shape[0], rows), area_weights(flat.shape[1], cols)
    sized = np.einsum("rRc,kR->rkc", np.einsum("rR,RCc->rCc", down, flat), across)
    if channels == GREY:
        sized = sized.mean(axis=2, keepdims=True)
    elif channels != sized.shape[2]:
        raise PinsRefusedError(f"pinned dreams: they have 3 channels, the dataset has {channels}")
    image: F32 = np.clip(sized, 0.0, 1.0).astype(np.float32)
    return image


def _targets(pins: Pins, kinship: Kinship) -> F32:
    found = [kinship.target(dream.ancestry) for dream in pins.head.dreams]
    if all(target is None for target in found):
        return np.full((len(found), kinship.count), np.float32(1.0 / kinship.count), dtype=np.float32)
    nothing = np.zeros(kinship.count, dtype=np.float32)
    return np.stack([nothing if target is None else target for target in found])


def _told(pins: Pins) -> str:
    return ", ".join(f"{count}: {reason}" for reason, count in pins.head.left_out.items()) or "the pool gave none"
