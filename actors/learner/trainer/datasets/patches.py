"""Datasets of patches cut from pictures; which picture a patch is from is its class.

In: the pictures of a run (its `InputSet`, from the caller or from a file of `home/inputs`) and the seed. Out: a
`Dataset` of u8 patches in which every sample has its part: train from the region `train`, val from `probe`, test from
`test`. Dreams are born from `train` alone, so no dream has seen what validates or tests, and no share can mix them. A
picture's places are drawn by its content, so another picture moves none of them. Refused: fewer than two pictures, a
picture too small for a patch in one of its regions.
"""

from typing import Final

import msgpack
import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from actors.learner.trainer.datasets.dataset import (
    MAX_BYTES,
    PARTS,
    DataRefusedError,
    Dataset,
    Facts,
    Part,
    dataset_of,
    sum_of_bytes,
)
from actors.learner.trainer.datasets.place import Place
from actors.learner.trainer.datasets.settings import PatchesSettings
from actors.learner.trainer.reading import read_file
from actors.learner.trainer.streams import Streams
from schemas.inputs import InputSet, Picture, Region

REGIONS: Final[dict[Part, Region]] = {"train": "train", "val": "probe", "test": "test"}
LEAST_PICTURES: Final = 2


def load_patches(settings: PatchesSettings, place: Place) -> Dataset:
    """The dataset of patches; raises DataRefusedError and FileRefusedError."""
    inputs = inputs_of(settings, place)
    pictures = inputs.pictures
    if len(pictures) < LEAST_PICTURES:
        raise DataRefusedError(f"patches: a dataset needs at least {LEAST_PICTURES} pictures, found {len(pictures)}")
    counts = {"train": settings.train_per_picture, "val": settings.val_per_picture, "test": settings.test_per_picture}
    sum_of_bytes(len(pictures) * sum(counts.values()), (settings.rows, settings.cols, 3), 1, "patches")
    streams = Streams(place.seed)
    images, labels, parts = [], [], []
    for label, picture in enumerate(pictures):
        for number, part in enumerate(PARTS):
            generator = streams.at(f"patches.{part}.{picture.image_id}")
            images.append(_crops(picture, part, (settings.rows, settings.cols), counts[part], generator))
            labels.extend([label] * counts[part])
            parts.extend([number] * counts[part])
    names = _names(pictures)
    facts = Facts(names, "patches", 255.0, parts=np.array(parts, dtype=np.int8))
    return dataset_of(np.concatenate(images), np.array(labels, dtype=np.intp), facts)


def inputs_of(settings: PatchesSettings, place: Place) -> InputSet:
    """The pictures that patches are cut from; raises DataRefusedError and FileRefusedError."""
    if not settings.root:
        if place.inputs is None:
            raise DataRefusedError("patches: no pictures are given; set data.root to a file of HOME/inputs")
        return place.inputs
    path = place.root(settings)
    try:
        return InputSet.from_bytes(read_file(path, MAX_BYTES))
    except (ValidationError, ValueError, msgpack.UnpackException) as error:
        raise DataRefusedError(f"patches: {path} is no input set; name a file of HOME/inputs") from error


def _names(pictures: tuple[Picture, ...]) -> tuple[str, ...]:
    """Names of the pictures, with the beginning of their id where two are called the same."""
    plain = [picture.name for picture in pictures]
    return tuple(
        name if plain.count(name) == 1 else f"{name} {picture.image_id}"
        for name, picture in zip(plain, pictures, strict=True)
    )


def _crops(
    picture: Picture, part: Part, size: tuple[int, int], count: int, generator: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """`count` patches of the region of `part`, u8 [count, rows, cols, 3]."""
    pixels = picture.pixels(REGIONS[part])
    height, width = pixels.shape[:2]
    rows, cols = size
    if rows > height or cols > width:
        raise DataRefusedError(
            f"patches: region {REGIONS[part]} of {picture.name} is {height} x {width} pixels, too small for {rows} x "
            f"{cols}; lower data.rows and data.cols"
        )
    tops = generator.integers(0, height - rows + 1, count).tolist()
    lefts = generator.integers(0, width - cols + 1, count).tolist()
    return np.stack([pixels[top : top + rows, left : left + cols] for top, left in zip(tops, lefts, strict=True)])
