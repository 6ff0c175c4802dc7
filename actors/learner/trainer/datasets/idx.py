"""Datasets in IDX files, such as MNIST and Fashion-MNIST, with their official test part.

In: settings and a folder with images and labels of a training part and, where there is one, a test part. Out: a
`Dataset` of grey images whose official test samples are claimed by `test`. Refused: files that are missing (with the
names that were looked for), numbers of images and labels that differ, parts of different sizes.
"""

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from actors.learner.trainer.datasets.dataset import FREE, PARTS, DataRefusedError, Dataset, Facts, dataset_of
from actors.learner.trainer.datasets.idx_format import read_idx
from actors.learner.trainer.datasets.place import Place
from actors.learner.trainer.datasets.settings import IdxSettings

STEMS: Final = {"train": "train", "test": "t10k"}
ENDINGS: Final = {"images": "idx3-ubyte", "labels": "idx1-ubyte"}

_Pair = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


def load_idx(settings: IdxSettings, place: Place) -> Dataset:
    """The dataset in the files of `data.root`; raises DataRefusedError and FileRefusedError."""
    root = place.root(settings)
    train = _pair(root, "train", settings.train_images, settings.train_labels)
    if train is None:
        raise DataRefusedError(f"idx: no training files in {root}; looked for {', '.join(_names('train', 'images'))}")
    test = _pair(root, "test", settings.test_images, settings.test_labels)
    pairs = [train] if test is None else [train, test]
    if test is not None and train[0].shape[1:] != test[0].shape[1:]:
        raise DataRefusedError(f"idx: training images are {train[0].shape[1:]}, test images {test[0].shape[1:]}")
    parts = np.full(sum(len(labels) for _, labels in pairs), FREE, dtype=np.int8)
    parts[len(train[1]) :] = PARTS.index("test")
    images = np.concatenate([images for images, _ in pairs])[..., None]
    labels = np.concatenate([labels for _, labels in pairs]).astype(np.intp)
    names = settings.class_names or tuple(str(number) for number in range(int(labels.max(initial=0)) + 1))
    return dataset_of(images, labels, Facts(names, "idx", 255.0, parts=parts))


def _pair(root: Path, part: str, images_name: str, labels_name: str) -> _Pair | None:
    """Images and labels of one part; None where no name is given and none of the usual files is there."""
    found = {}
    for what, given in (("images", images_name), ("labels", labels_name)):
        candidates = [root / given] if given else [root / name for name in _names(part, what)]
        found[what] = candidates[0] if given else next((path for path in candidates if path.is_file()), None)
    images_path, labels_path = found["images"], found["labels"]
    if images_path is None and labels_path is None:
        return None
    if images_path is None or labels_path is None:
        missing = "images" if images_path is None else "labels"
        raise DataRefusedError(f"idx: {root} has no {part} {missing}; looked for {', '.join(_names(part, missing))}")
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if len(images) != len(labels):
        raise DataRefusedError(f"idx: {images_path} has {len(images)} images, {labels_path} {len(labels)} labels")
    return images, labels


def _names(part: str, what: str) -> list[str]:
    base = f"{STEMS[part]}-{what}"
    return [f"{base}{dot}{ENDINGS[what]}{packed}" for dot in "-." for packed in ("", ".gz")]
