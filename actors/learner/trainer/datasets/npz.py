"""Datasets in one .npz file of numpy.

In: settings and a file with an array of images and one of labels. Out: a `Dataset`. Nothing is unpickled. Refused:
arrays of objects, a head that promises more than the file's entry holds or than fits, floats that are not finite,
labels that are no whole numbers, a key that is missing (with those that are there).
"""

import io
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from actors.learner.trainer.datasets.dataset import MAX_BYTES, DataRefusedError, Dataset, Facts, Images, dataset_of
from actors.learner.trainer.datasets.place import Place
from actors.learner.trainer.datasets.settings import NpzSettings
from actors.learner.trainer.reading import read_file
from actors.learner.trainer.registry import meant

SUFFIX: Final = ".npy"
MAX_HEAD_BYTES: Final = 10_000

Array = npt.NDArray[Any]


def load_npz(settings: NpzSettings, place: Place) -> Dataset:
    """The dataset in the file `data.root`; raises DataRefusedError and FileRefusedError."""
    path = place.root(settings)
    raw = read_file(path, MAX_BYTES)
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            images = _images(_array(archive, settings.images_key, path), path)
            labels = _array(archive, settings.labels_key, path)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataRefusedError(f"{path}: is no sound .npz file ({error})") from error
    if labels.dtype.kind not in "iu" or labels.ndim != 1 or len(labels) == 0:
        raise DataRefusedError(
            f"{path}: {settings.labels_key} is {labels.dtype} {labels.shape}; needed are whole numbers [n]"
        )
    top = 255.0 if images.dtype == np.uint8 else 1.0
    if top == 1.0 and settings.normalise == "unit" and (images.min() < 0.0 or images.max() > 1.0):
        raise DataRefusedError(
            f"{path}: images reach from {images.min():g} to {images.max():g}; scale them to [0, 1], or set "
            "data.normalise to standard or none"
        )
    names = settings.class_names or tuple(str(number) for number in range(_classes(labels, path)))
    return dataset_of(images, labels.astype(np.intp), Facts(names, "npz", top))


def _classes(labels: Array, path: Path) -> int:
    classes = int(labels.max()) + 1
    if classes > len(labels):
        raise DataRefusedError(f"{path}: a label is {classes - 1} among {len(labels)} samples; labels count from 0")
    return classes


def _images(array: Array, path: Path) -> Images:
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4:
        raise DataRefusedError(
            f"{path}: images have {array.ndim} dimensions; needed are [n, rows, cols] or with channels"
        )
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype.kind != "f":
        raise DataRefusedError(f"{path}: images are {array.dtype}; needed are uint8 or floats")
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, which is refused with its place
        return np.ascontiguousarray(array, dtype=np.float32)


def _array(archive: zipfile.ZipFile, key: str, path: Path) -> Array:
    """The array `key`, whose head is compared with its size before anything is made of it."""
    entries = {name.removesuffix(SUFFIX): name for name in archive.namelist() if name.endswith(SUFFIX)}
    if key not in entries:
        raise DataRefusedError(f"{path}: has no array {key!r}{meant(key, entries)}")
    info = archive.getinfo(entries[key])
    if info.file_size > MAX_BYTES + MAX_HEAD_BYTES:
        raise DataRefusedError(f"{path}: {key} unpacks to {info.file_size} bytes; at most {MAX_BYTES} are taken")
    with archive.open(info) as stream:
        try:
            shape, in_columns, dtype = _head(stream)
        except ValueError as error:
            raise DataRefusedError(f"{path}: {key} is no array ({error})") from error
        if dtype.hasobject:
            raise DataRefusedError(f"{path}: {key} holds Python objects, which are never loaded; save plain numbers")
        size = math.prod(shape) * dtype.itemsize
        if size == 0:
            raise DataRefusedError(f"{path}: {key} of {shape} is empty; save at least one sample")
        data = stream.read(min(size, MAX_BYTES) + 1)
    if len(data) != size:
        raise DataRefusedError(f"{path}: {key} claims {shape} of {dtype}, {size} bytes, and does not hold just that")
    flat = np.frombuffer(data, dtype=dtype)
    return flat.reshape(shape[::-1]).T if in_columns else flat.reshape(shape)


def _head(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream, max_header_size=MAX_HEAD_BYTES)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream, max_header_size=MAX_HEAD_BYTES)
    raise ValueError(f"version {version} of the format is not read")
