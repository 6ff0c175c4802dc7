"""The settings of every kind of dataset: where images lie, what they become, how they are divided.

In: the section `data` of a training configuration. Out: frozen settings with every default. Refused: unknown keys, a
split that does not add up to 1, a split without training samples, a root that depends on who is logged in.
"""

import math
from fractions import Fraction
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from schemas.base import Record, Unit

MAX_SIDE: Final = 4096
"""Longest side of an image, pixels."""
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]
Names = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=128)], ...],
    BeforeValidator(lambda given: tuple(given) if isinstance(given, list) else given),
    Field(max_length=100_000),
]
Normalise = Literal["unit", "standard", "none"]
TOLERANCE: Final = 1e-9


def _rooted(root: str) -> str:
    if root.startswith("~"):
        raise ValueError(
            "write the folder out: ~ is another folder for another user, and the run could not be replayed"
        )
    if "\0" in root or "$" in root:
        raise ValueError("write the folder out, without variables")
    return root


Root = Annotated[str, AfterValidator(_rooted), Field(max_length=4096)]


class SplitSettings(Record):
    """[data.split]: shares of the samples; where a source has parts of its own, those are kept."""

    train: Unit = 0.8
    val: Unit = 0.1
    test: Unit = 0.1

    @model_validator(mode="after")
    def _adds_up(self) -> "SplitSettings":
        total = math.fsum((self.train, self.val, self.test))
        if abs(total - 1.0) > TOLERANCE:
            raise ValueError(f"train + val + test is {total:g}; the shares add up to 1")
        if self.train == 0.0:
            raise ValueError("train is 0; give the training part a share")
        return self

    def edges(self) -> tuple[Fraction, Fraction]:
        """Where val begins and where test begins, in [0, 1], exact."""
        train, val, test = Fraction(self.train), Fraction(self.val), Fraction(self.test)
        whole = train + val + test
        return train / whole, (train + val) / whole


class DataSettings(Record):
    """[data]: what every source has."""

    source: str
    root: Root = ""
    """Folder or file, from the folder of the configuration where it is relative; empty for what is shipped."""
    split: SplitSettings = SplitSettings()
    normalise: Normalise = "unit"
    """unit: divided by the largest value there can be; standard: then mean 0 and deviation 1 by the training part."""
    limit: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """Most samples that are taken, chosen by their content; 0 for all."""


class DigitsSettings(DataSettings):
    """The 8 x 8 digits that are shipped."""

    source: Literal["digits"] = "digits"


class PatchesSettings(DataSettings):
    """Patches of pictures; the class is the picture. Parts come from the regions of a picture, never from shares."""

    source: Literal["patches"] = "patches"
    rows: Side = 32
    cols: Side = 32
    train_per_picture: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Patches from the region that dreams are born from."""
    val_per_picture: Annotated[int, Field(ge=1, le=100_000)] = 32
    test_per_picture: Annotated[int, Field(ge=1, le=100_000)] = 32


class FoldersSettings(DataSettings):
    """A folder with a folder of pictures for each class."""

    source: Literal["folders"] = "folders"
    rows: Annotated[int, Field(ge=0, le=MAX_SIDE)] = 0
    """Pictures are scaled to this; 0 keeps their size, which must then be the same for all."""
    cols: Annotated[int, Field(ge=0, le=MAX_SIDE)] = 0
    channels: Literal[1, 3] = 3

    @model_validator(mode="after")
    def _both_or_none(self) -> "FoldersSettings":
        if (self.rows == 0) != (self.cols == 0):
            raise ValueError("rows and cols go together: give both, or 0 for both")
        return self


class IdxSettings(DataSettings):
    """IDX files as MNIST has them, plain or compressed by gzip; the official test part stays the test part."""

    source: Literal["idx"] = "idx"
    train_images: str = ""
    """File in `root`; empty finds the usual names."""
    train_labels: str = ""
    test_images: str = ""
    test_labels: str = ""
    class_names: Names = ()
    """In order of labels; empty names them by number."""


class NpzSettings(DataSettings):
    """One .npz file; nothing in it is ever unpickled."""

    source: Literal["npz"] = "npz"
    images_key: str = "images"
    """Array [n, rows, cols] or [n, rows, cols, channels]: u8, or floats in [0, 1] where they are to be normalised."""
    labels_key: str = "labels"
    """Array [n] of whole numbers from 0."""
    class_names: Names = ()


class DicomSettings(DataSettings):
    """A folder with a folder of DICOM files for each class; needs the extra `dicom`."""

    source: Literal["dicom"] = "dicom"
    rows: Side = 64
    cols: Side = 64
    low: Annotated[float, Field(ge=-1e9, le=1e9)] = 0.0
    """Value that becomes 0 and value that becomes 1, in the units of the modality; equal for the range of each file."""
    high: Annotated[float, Field(ge=-1e9, le=1e9)] = 0.0
    keep_patients_together: bool = True
    """Whether all pictures of a patient lie on one side of the split."""

    @model_validator(mode="after")
    def _ordered(self) -> "DicomSettings":
        if self.high < self.low:
            raise ValueError(f"high is {self.high:g}, below low {self.low:g}")
        return self
