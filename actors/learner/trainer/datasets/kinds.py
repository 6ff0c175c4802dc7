"""The datasets that are shipped, registered; and the one way to load any of them.

In: the section `data` of a configuration and a place. Out: a `Dataset`, limited as the section says. Refused: what the
loaders refuse; a dataset of one class, of which there is nothing to learn.
"""

from typing import Final

from actors.learner.trainer.datasets.dataset import DataRefusedError, Dataset
from actors.learner.trainer.datasets.dicom import load_dicom
from actors.learner.trainer.datasets.digit_file import load_digits
from actors.learner.trainer.datasets.folders import load_folders
from actors.learner.trainer.datasets.idx import load_idx
from actors.learner.trainer.datasets.npz import load_npz
from actors.learner.trainer.datasets.patches import load_patches
from actors.learner.trainer.datasets.place import Place
from actors.learner.trainer.datasets.settings import (
    DataSettings,
    DicomSettings,
    DigitsSettings,
    FoldersSettings,
    IdxSettings,
    NpzSettings,
    PatchesSettings,
)
from actors.learner.trainer.registry import DATASETS

DATASETS.register("dicom", DicomSettings, load_dicom)
DATASETS.register("digits", DigitsSettings, load_digits)
DATASETS.register("folders", FoldersSettings, load_folders)
DATASETS.register("idx", IdxSettings, load_idx)
DATASETS.register("npz", NpzSettings, load_npz)
DATASETS.register("patches", PatchesSettings, load_patches)


LEAST_CLASSES: Final = 2


def load_dataset(settings: DataSettings, place: Place) -> Dataset:
    """The dataset that `settings` describe; raises DataRefusedError, FileRefusedError and KindError."""
    dataset = DATASETS.build(settings, place)
    if not isinstance(dataset, Dataset):
        raise DataRefusedError(f"{settings.source}: what is built is a {type(dataset).__name__}, which is no Dataset")
    if len(dataset.class_names) < LEAST_CLASSES:
        told = f"{settings.source}: has {len(dataset.class_names)} class"
        raise DataRefusedError(f"{told}; at least {LEAST_CLASSES} are needed to tell apart")
    return dataset.limited(settings.limit, place.seed)
