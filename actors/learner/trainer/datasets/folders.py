"""Datasets of pictures in class folders.

In: settings and a folder. Out: a `Dataset` whose classes are the names of the folders. Refused: a picture that cannot
be read (all are named), pictures of different sizes where no size is given, more pixels than fit.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from actors.learner.trainer.datasets.class_folders import find_class_files, refuse_if_any
from actors.learner.trainer.datasets.dataset import DataRefusedError, Dataset, Facts, dataset_of, sum_of_bytes
from actors.learner.trainer.datasets.place import Place
from actors.learner.trainer.datasets.settings import FoldersSettings
from actors.learner.trainer.reading import FileRefusedError
from schemas.errors import OneirosError

SUFFIXES: Final = frozenset((".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm", ".tga"))


def load_folders(settings: FoldersSettings, place: Place) -> Dataset:
    """The dataset in the class folders of `data.root`; raises DataRefusedError."""
    root = place.root(settings)
    if place.decode is None:
        raise DataRefusedError(
            "folders: pictures are decoded by the supervisor; load this dataset with `supervisor train`"
        )
    found = find_class_files(root, "folders", lambda path: path.suffix.lower() in SUFFIXES)
    size = (settings.rows, settings.cols)
    pictures: list[npt.NDArray[np.uint8]] = []
    refused: list[FileRefusedError] = []
    for file in found.files:
        try:
            picture = place.decode(file.path, size, settings.channels)
        except OneirosError as error:
            refused.append(FileRefusedError(file.path, str(error)))
            continue
        if not pictures:
            sum_of_bytes(len(found.files), picture.shape, 1, f"folders: {root}")
        elif picture.shape != pictures[0].shape:
            raise DataRefusedError(
                f"folders: {file.path} is {picture.shape[0]} x {picture.shape[1]}, the first picture is "
                f"{pictures[0].shape[0]} x {pictures[0].shape[1]}; set data.rows and data.cols"
            )
        pictures.append(picture)
    refuse_if_any(refused, "folders")
    labels = np.array([file.label for file in found.files], dtype=np.intp)
    return dataset_of(np.stack(pictures), labels, Facts(found.names, "folders", 255.0))
