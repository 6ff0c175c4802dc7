"""What a loader is lent: the folder that relative paths begin at, the pictures of the run, the seed, a decoder.

In: what the caller has. Out: paths and pictures for the loaders. A picture decoder is the widest door for bad bytes, so
no file of an actor has one: who loads pictures from files brings it. Refused: a root that a source needs and that is
missing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from actors.learner.trainer.datasets.dataset import DataRefusedError
from actors.learner.trainer.datasets.settings import DataSettings
from schemas.inputs import InputSet

PictureDecoder = Callable[[Path, tuple[int, int], int], npt.NDArray[np.uint8]]
"""Decodes the picture at a path, of (rows, cols) or, where that is (0, 0), of its own size, with 1 or 3 channels.

It gives u8 [rows, cols, channels], and raises an OneirosError for what is no sound picture or too large.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """What a loader may know beside its settings."""

    base: Path
    """Folder of the configuration."""
    seed: int
    """Master seed of the run."""
    inputs: InputSet | None = None
    """Pictures of the run or of the sample set, decoded by the caller; only `patches` without a root needs them."""
    decode: PictureDecoder | None = None
    """Only `folders` needs it; `supervisor.pictures.decode_sized` is one."""

    def root(self, settings: DataSettings) -> Path:
        """The folder or file that `data.root` names; raises DataRefusedError where it is empty."""
        if not settings.root:
            raise DataRefusedError(f"{settings.source}: data.root is empty; name the folder or file to read")
        return self.base / settings.root
