"""Divides a dataset into train, val and test: by content, so that a new sample moves no other.

In: a dataset, shares and the seed. Out: `Splits`, with a digest over who is where. The side of a sample is that of a
number in [0, 1) drawn from the seed and its content alone (SHA-256) against the shares, so order, file names and other
samples play no part, and equal contents lie on one side. The shares hold in the mean of each class.

Then three rules. Where a class has enough different samples for every part and still none in one, the sample whose
number is nearest to that part goes there; a later sample that fills the gap frees it, and this is the only way in which
a new sample moves another. Parts that the source has of its own (an official test set, regions of a picture) are kept,
and the shares divide the rest. The same content in two parts belongs to the later of train, val, test. Refused: a
dataset of which nothing is left to train on.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from actors.learner.trainer.datasets.dataset import FREE, HASH_BYTES, PARTS, DataRefusedError, Dataset, Parts
from actors.learner.trainer.datasets.settings import SplitSettings

RULE: Final = "content-1"
"""Name of the rule above; another rule has another name."""
LABEL: Final = b"oneiros splits 1\n"
KEY_RANGE: Final = 2**64

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Splits:
    """Who is where; made by `split` or `splits_of`."""

    train: Indices
    """Ascending indices into the dataset."""
    val: Indices
    test: Indices
    digest: str
    """Hexadecimal SHA-256 over the dataset and the content of each part."""

    def counts(self, dataset: Dataset) -> Mapping[str, list[int]]:
        """Samples of each class in each part."""
        classes = len(dataset.class_names)
        arrays = (self.train, self.val, self.test)
        return {
            part: np.bincount(dataset.labels[chosen], minlength=classes).tolist()
            for part, chosen in zip(PARTS, arrays, strict=True)
        }


@dataclass(frozen=True, slots=True)
class _Group:
    """Samples that may not be divided, by their number in [0, KEY_RANGE)."""

    key: int
    name: bytes
    label: int


def split(dataset: Dataset, settings: SplitSettings, seed: int) -> Splits:
    """The splits of `dataset`; the same content, shares and seed give the same. Raises DataRefusedError."""
    parts = parts_of(dataset, settings, seed)
    if not np.any(parts == 0):
        raise DataRefusedError(
            f"{dataset.source}: none of {len(dataset)} samples is left to train on; add samples or raise "
            "data.split.train"
        )
    return splits_of_parts(dataset, parts)


def splits_of(dataset: Dataset, train: Indices, val: Indices, test: Indices) -> Splits:
    """Splits of given indices, such as those of a manifest; raises DataRefusedError unless they divide the dataset."""
    together = np.concatenate((train, val, test))
    if len(together) != len(dataset) or not np.array_equal(np.sort(together), np.arange(len(dataset))):
        raise DataRefusedError(
            f"{dataset.source}: the parts name {len(together)} samples, not each of {len(dataset)} once"
        )
    parts = np.zeros(len(dataset), dtype=np.int8)
    parts[val], parts[test] = 1, 2
    return splits_of_parts(dataset, parts)


def splits_of_parts(dataset: Dataset, parts: Parts) -> Splits:
    """Splits by the part of each sample, [n] of 0, 1 and 2."""
    train, val, test = (np.flatnonzero(parts == number).astype(np.intp) for number in range(len(PARTS)))
    total = hashlib.sha256(LABEL + dataset.digest.encode("ascii"))
    for chosen in (train, val, test):
        total.update(len(chosen).to_bytes(8, "big"))
        total.update(dataset.sample_hashes[chosen].tobytes())
        total.update(dataset.labels[chosen].astype("<i8").tobytes())
        chosen.flags.writeable = False
    return Splits(train, val, test, total.hexdigest())


def parts_of(dataset: Dataset, settings: SplitSettings, seed: int) -> Parts:
    """The part of each sample, [n]."""
    parts = dataset.parts.copy()
    free = np.flatnonzero(parts == FREE)
    if len(free):
        owned = {int(number) for number in np.unique(parts[parts != FREE])}
        edges = _edges(settings, owned)
        numbers, inverse = _groups(dataset, free, seed)
        parts[free] = np.array(_assigned(numbers, edges), dtype=np.int8)[inverse]
    return _on_one_side(dataset, parts)


def _edges(settings: SplitSettings, owned: set[int]) -> tuple[int, int]:
    """Where val and where test begin in [0, KEY_RANGE], without the parts that the source has of its own."""
    shares = [
        0.0 if number in owned and number > 0 else share
        for number, share in enumerate((settings.train, settings.val, settings.test))
    ]
    total = sum(shares)
    kept = SplitSettings(train=shares[0] / total, val=shares[1] / total, test=shares[2] / total)
    val, test = kept.edges()
    return int(val * KEY_RANGE), int(test * KEY_RANGE)


def _groups(dataset: Dataset, free: Indices, seed: int) -> tuple[list[_Group], Indices]:
    """The groups of the free samples, and the group of each."""
    rows = np.ascontiguousarray(dataset.group_hashes[free])
    names, first, inverse = np.unique(rows.view(f"V{HASH_BYTES}").ravel(), return_index=True, return_inverse=True)
    lowest = np.full(len(names), len(dataset.class_names), dtype=np.intp)
    np.minimum.at(lowest, inverse, dataset.labels[free])
    head = LABEL + RULE.encode("ascii") + seed.to_bytes(8, "big")
    groups = []
    for place, label in zip(first.tolist(), lowest.tolist(), strict=True):
        name = rows[place].tobytes()
        key = int.from_bytes(hashlib.sha256(head + name).digest()[:8], "big")
        groups.append(_Group(key, name, label))
    return groups, inverse


def _assigned(groups: list[_Group], edges: tuple[int, int]) -> list[int]:
    """The part of each group: by its number, then gaps in a class are filled."""
    parts = [(group.key >= edges[0]) + (group.key >= edges[1]) for group in groups]
    bounds = ((0, edges[0]), (edges[0], edges[1]), (edges[1], KEY_RANGE))
    wanted = [number for number, (low, high) in enumerate(bounds) if low < high]
    by_class: dict[int, list[int]] = {}
    for place, group in enumerate(groups):
        by_class.setdefault(group.label, []).append(place)
    for places in by_class.values():
        if len(places) >= len(wanted):
            for number in wanted:
                _fill(number, bounds[number], places, groups, parts)
    return parts


def _fill(number: int, bounds: tuple[int, int], places: list[int], groups: list[_Group], parts: list[int]) -> None:
    """Give part `number` the nearest group of the part that has most of this class, where it has none."""
    held = [[place for place in places if parts[place] == part] for part in range(len(PARTS))]
    if held[number]:
        return
    donors = max(held, key=len)
    low, high = bounds
    nearest = min(
        donors, key=lambda place: (max(low - groups[place].key, groups[place].key - high), groups[place].name)
    )
    parts[nearest] = number


def _on_one_side(dataset: Dataset, parts: Parts) -> Parts:
    """The same content lies in the strictest of the parts it was given."""
    rows = np.ascontiguousarray(dataset.sample_hashes)
    names, inverse = np.unique(rows.view(f"V{HASH_BYTES}").ravel(), return_inverse=True)
    strictest = np.zeros(len(names), dtype=np.int8)
    np.maximum.at(strictest, inverse, parts)
    united: Parts = strictest[inverse]
    return united
