"""The names under which pictures of a dataset may come back as ancestors of dreams.

In: a dataset of pictures in class folders. Out: for each sample the id that its file has as a picture of a run,
whatever size and channels the dataset gives it: a run scales the same file to `run.image_side`, so the content of the
sample does not tell. The side is the shipped one; of a run with another side only a sample of that very size is known.
It refuses nothing beyond what the dataset refuses: a file that no run would take has no such id.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from actors.learner.trainer.datasets.class_folders import find_class_files
from actors.learner.trainer.datasets.folders import SUFFIXES
from actors.learner.trainer.datasets.place import Place
from actors.learner.trainer.datasets.settings import FoldersSettings
from supervisor.configuration import Sources, load_configuration
from supervisor.home import Home
from supervisor.inputs import picture_from
from supervisor.pictures import PictureRefusedError, decode_sized


def picture_ids(data: FoldersSettings, place: Place) -> Mapping[str, frozenset[str]]:
    """SHA-256 of each sample, in hex, to the ids of its files; raises DataRefusedError and PictureRefusedError."""
    side = load_configuration(Sources(Home(Path("/nonexistent")))).settings.run.image_side
    found: dict[str, set[str]] = {}
    files = find_class_files(place.root(data), data.source, lambda path: path.suffix.lower() in SUFFIXES).files
    for file in files:
        sample = np.ascontiguousarray(decode_sized(file.path, (data.rows, data.cols), data.channels))
        try:
            picture = picture_from(file.path, file.path.name, side)
        except PictureRefusedError:
            continue  # no run has it
        found.setdefault(hashlib.sha256(sample.data).hexdigest(), set()).add(picture.image_id)
    return {sample: frozenset(ids) for sample, ids in found.items()}
