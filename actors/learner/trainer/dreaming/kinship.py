"""What a dream may teach: classes by its ancestry, and nothing where its ancestry touches what validates or tests.

In: a dataset, its splits, the pictures of a run where the dataset is cut from them; the ancestry of a dream. Out: the
target of the dream, or the reason why it is left out. A picture that is itself a sample counts as that sample, by its
content. Refused: an ancestor of another part of a picture than `train`; an ancestor that lies in val or test.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from actors.learner.trainer.datasets.dataset import Dataset
from actors.learner.trainer.datasets.splitting import Splits
from schemas.dreams import Ancestor
from schemas.ids import derived_id
from schemas.inputs import InputSet

TOUCHES_VALIDATION: Final = "its ancestry touches data that validate or test"
OF_NO_CLASS: Final = "no class of the dataset in its ancestry"
RGB: Final = 3
NO_IDS: Final[Mapping[str, frozenset[str]]] = {}


@dataclass(frozen=True, slots=True)
class Kinship:
    """Which ancestors are which classes, and which must not be there."""

    classes: Mapping[str, int]
    """Id of a picture that one may learn from to its class."""
    forbidden: frozenset[str]
    """Ids of pictures that are samples of val or test."""
    count: int
    """Number of classes."""

    def refusal(self, ancestry: Sequence[Ancestor]) -> str:
        """Why a dream of this ancestry is left out whatever it shows; empty when it is not."""
        for ancestor in ancestry:
            if ancestor.ancestor_id in self.forbidden:
                return TOUCHES_VALIDATION
            if ancestor.source == "image" and ancestor.split != "train":
                return TOUCHES_VALIDATION
        return ""

    def target(self, ancestry: Sequence[Ancestor]) -> npt.NDArray[np.float32] | None:
        """f32 [classes], the share of each class in the ancestry; None where there is none."""
        target = np.zeros(self.count, dtype=np.float64)
        for ancestor in ancestry:
            label = self.classes.get(ancestor.ancestor_id or "")
            if ancestor.source == "image" and label is not None:
                target[label] += ancestor.share
        known = float(target.sum())
        if known <= 0.0:
            return None
        return (target / max(1.0, known)).astype(np.float32)


def kinship_of(
    dataset: Dataset, splits: Splits, inputs: InputSet | None, ids: Mapping[str, frozenset[str]] = NO_IDS
) -> Kinship:
    """The kinship of a dataset.

    `inputs` are the pictures that it is cut from, one class each, or None; `ids` are ids that a sample has as a picture
    beside that of its own content, by its SHA-256 in hex.
    """
    count = len(dataset.class_names)
    if inputs is not None:
        pictures = {picture.image_id: label for label, picture in enumerate(inputs.pictures)}
        return Kinship(pictures, frozenset(), count)
    held = {name: int(dataset.labels[index]) for index in splits.train for name in _ids(dataset, int(index), ids)}
    others = np.concatenate((splits.val, splits.test))
    return Kinship(held, frozenset(name for index in others for name in _ids(dataset, int(index), ids)), count)


def _ids(dataset: Dataset, index: int, ids: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """The ids that a sample has as a picture of a run (`supervisor.inputs`)."""
    rows, cols, channels = dataset.images.shape[1:]
    name = dataset.sample_hashes[index].tobytes().hex()
    if channels == RGB and dataset.images.dtype == np.uint8:
        yield derived_id("picture", rows, cols, name)
    yield from ids.get(name, ())
