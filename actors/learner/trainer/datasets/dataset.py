"""A dataset in memory: labelled images, what each sample is by its content, and one digest over all of it.

In: arrays and names from a loader. Out: a frozen `Dataset`. A sample's identity is the SHA-256 of its raw bytes in C
order, computed once. Refused: arrays that do not belong together, labels without a class, values that are not finite,
images of nothing, more bytes than fit.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from schemas.errors import OneirosError

LABEL: Final = b"oneiros dataset 1\n"
HASH_BYTES: Final = 32
MAX_BYTES: Final = 4 * 1024**3
"""Most bytes of images in memory."""

Part = Literal["train", "val", "test"]
PARTS: Final[tuple[Part, ...]] = ("train", "val", "test")
"""In order of strictness: what is on two sides belongs to the later."""
FREE: Final = -1
"""A sample that no part claims."""

Images = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
Labels = npt.NDArray[np.intp]
Hashes = npt.NDArray[np.uint8]
Parts = npt.NDArray[np.int8]


class DataRefusedError(OneirosError):
    """A dataset cannot be used; the text says what is wrong, where, and what to do."""

    is_permanent = True


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled images; made by `dataset_of`."""

    images: Images
    """u8 or f32 [n, rows, cols, channels]"""
    labels: Labels
    """[n], index into `class_names`"""
    class_names: tuple[str, ...]
    source: str
    """Kind of the dataset, no path."""
    top: float
    """Largest value that a pixel can have."""
    parts: Parts
    """[n], index into PARTS where the source itself says so, else FREE"""
    sample_hashes: Hashes
    """u8 [n, 32], SHA-256 of each image's bytes"""
    group_hashes: Hashes
    """u8 [n, 32], what may not be divided: the content, or the patient"""
    digest: str
    """Hexadecimal SHA-256 over everything above."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: npt.NDArray[np.intp]) -> "Dataset":
        """The dataset of the samples at `indices`, in that order, with all classes."""
        chosen = Facts(self.class_names, self.source, self.top, self.parts[indices], self.group_hashes[indices])
        return dataset_of(self.images[indices], self.labels[indices], chosen)

    def limited(self, count: int, seed: int) -> "Dataset":
        """At most `count` samples, chosen by content and seed, in the order they have; 0 takes all."""
        if count == 0 or count >= len(self):
            return self
        head = b"oneiros limit 1\n" + seed.to_bytes(8, "big")
        keys = [hashlib.sha256(head + self.sample_hashes[index].tobytes()).digest() for index in range(len(self))]
        chosen = sorted(range(len(self)), key=lambda index: (keys[index], index))[:count]
        return self.take(np.array(sorted(chosen), dtype=np.intp))


@dataclass(frozen=True, slots=True)
class Facts:
    """What a loader knows beside images and labels."""

    class_names: tuple[str, ...]
    source: str
    top: float
    parts: Parts | None = None
    """None where the source has no parts of its own."""
    group_hashes: Hashes | None = None
    """None where a sample is its own group."""


def dataset_of(images: Images, labels: npt.NDArray[np.integer], facts: Facts) -> Dataset:
    """The dataset of `images` [n, rows, cols, channels] and `labels` [n]; raises DataRefusedError."""
    _check_images(images, facts.source)
    count = len(images)
    if labels.shape != (count,):
        raise DataRefusedError(
            f"{facts.source}: {count} images but labels of shape {labels.shape}; give one label each"
        )
    _check_labels(labels, facts)
    # views are sealed below; the caller's own arrays stay as they are
    images = np.ascontiguousarray(images)[:]  # type: ignore[assignment] # u8 stays u8, f32 stays f32
    hashes = _hashes_of(images)
    parts = np.full(count, FREE, dtype=np.int8) if facts.parts is None else facts.parts.view()
    groups = hashes if facts.group_hashes is None else facts.group_hashes.view()
    whole = labels.astype(np.intp)
    digest = _digest(images, whole, facts, (hashes, groups, parts))
    for array in (images, whole, parts, hashes, groups):
        array.flags.writeable = False
    return Dataset(images, whole, facts.class_names, facts.source, facts.top, parts, hashes, groups, digest)


def sum_of_bytes(count: int, shape: tuple[int, ...], item_bytes: int, name: str) -> int:
    """Bytes of `count` images; raises DataRefusedError where that is more than fits."""
    total = item_bytes * count
    for side in shape:
        total *= side
    if total > MAX_BYTES:
        raise DataRefusedError(f"{name}: {count} images of {shape} are {total} bytes; at most {MAX_BYTES} are taken")
    return total


def _check_images(images: Images, source: str) -> None:
    if images.ndim != 4 or images.dtype not in (np.uint8, np.float32):
        raise DataRefusedError(
            f"{source}: images are {images.dtype} of shape {images.shape}; needed are uint8 or float32 "
            "[n, rows, cols, channels]"
        )
    if 0 in images.shape:
        raise DataRefusedError(f"{source}: holds no images (shape {images.shape}); name a folder or file that does")
    sum_of_bytes(images.shape[0], images.shape[1:], images.itemsize, source)
    if images.dtype == np.float32:
        bad = np.flatnonzero(~np.isfinite(images).reshape(len(images), -1).all(axis=1))
        if len(bad):
            raise DataRefusedError(f"{source}: {len(bad)} images hold NaN or infinity, the first is number {bad[0]}")


def _check_labels(labels: npt.NDArray[np.integer], facts: Facts) -> None:
    classes = len(facts.class_names)
    if len(set(facts.class_names)) != classes:
        raise DataRefusedError(f"{facts.source}: two classes have the same name; name each once")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        wrong = low if low < 0 else high
        raise DataRefusedError(f"{facts.source}: label {wrong} has no class; there are {classes}, from 0")


def _hashes_of(images: Images) -> Hashes:
    flat = images.reshape(len(images), -1).view(np.uint8)
    joined = b"".join([hashlib.sha256(row.data).digest() for row in flat])
    return np.frombuffer(joined, dtype=np.uint8).reshape(len(images), HASH_BYTES)


def _digest(images: Images, labels: Labels, facts: Facts, arrays: tuple[Hashes, Hashes, Parts]) -> str:
    head = {
        "classes": list(facts.class_names),
        "count": len(images),
        "dtype": images.dtype.name,
        "shape": list(images.shape[1:]),
        "source": facts.source,
        "top": facts.top,
    }
    total = hashlib.sha256(LABEL + json.dumps(head, sort_keys=True).encode())
    total.update(labels.astype("<i8").tobytes())
    for array in arrays:
        total.update(array.tobytes())
    return total.hexdigest()
