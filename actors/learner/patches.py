"""Patches of the pictures of a run, and the features in which a patch and a dream can be compared.

In: the input set, the settings, and a random source for the places. Out: labelled, probe and test patches, each cut
from the region of that name, so that no patch that measures was ever trained on or dreamt of. A patch has the
tensor's rows and columns, clipped to its region. Features are area means on a grid of 8 x 8, per channel in
ascending order, from -1 to 1: which colours there are, wherever they lie (from four labelled patches a picture this
tells pictures apart better than the same means in their places). A dream is averaged over its layers and treated
alike. It refuses fewer than two pictures, and a picture too narrow to have all three regions.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from bus.randomness import RandomSource
from schemas.errors import OneirosError
from schemas.inputs import InputSet, Picture, Region
from schemas.settings import EngineSettings
from schemas.tensor import Tensor

GRID: Final = 8
FEATURES: Final = GRID * GRID * 3
LEAST_PICTURES: Final = 2

Features = npt.NDArray[np.float32]


class TaskError(OneirosError):
    """The pictures of the run make no classification task."""

    is_permanent = True


@dataclass(frozen=True, slots=True)
class Patches:
    """Patches of one region."""

    features: Features
    """f32 [n, FEATURES]"""
    targets: Features
    """f32 [n, classes], one at the label"""
    labels: npt.NDArray[np.intp]
    """[n], index of the picture in the input set"""
    colours: npt.NDArray[np.float64]
    """[n, 3], mean red, green and blue in [0, 1]"""


@dataclass(frozen=True, slots=True)
class Task:
    """All that the learner trains on and is measured with."""

    image_ids: tuple[str, ...]
    labelled: Patches
    probe: Patches
    test: Patches

    @property
    def classes(self) -> int:
        """Number of pictures."""
        return len(self.image_ids)


def cut_task(inputs: InputSet, settings: EngineSettings, randomness: RandomSource) -> Task:
    """The task of a run; the same pictures, settings and random source give the same patches. Raises TaskError."""
    if len(inputs.pictures) < LEAST_PICTURES:
        raise TaskError(
            f"the learner tells pictures apart and needs at least {LEAST_PICTURES}, this run has "
            f"{len(inputs.pictures)}: add pictures to run.images"
        )
    learner = settings.learner
    size = (settings.tensor.rows, settings.tensor.cols)
    return Task(
        image_ids=tuple(picture.image_id for picture in inputs.pictures),
        labelled=_cut(inputs, "train", learner.labelled_per_class, size, randomness),
        probe=_cut(inputs, "probe", learner.probe_per_class, size, randomness),
        test=_cut(inputs, "test", learner.test_per_class, size, randomness),
    )


def dream_features(tensor: Tensor) -> Features:
    """Features f32 [FEATURES] of a chromatic tensor [rows, cols, layers, 3], averaged over its layers."""
    rows, cols, layers, channels = tensor.shape
    # means commute: averaging the layers of 64 cells costs less than those of every pixel
    grid = _grid(tensor.reshape(1, rows, cols, layers * channels)).reshape(1, GRID, GRID, layers, channels)
    features: Features = _features_of_grid(grid.mean(axis=3))[0]
    return features


def _cut(inputs: InputSet, region: Region, count: int, size: tuple[int, int], randomness: RandomSource) -> Patches:
    grids = [
        _grid(_crops(picture, region, count, size, randomness.at(f"patches/{region}", label)))
        for label, picture in enumerate(inputs.pictures)
    ]
    grid = np.concatenate(grids)
    labels = np.repeat(np.arange(len(grids), dtype=np.intp), count)
    targets = np.eye(len(grids), dtype=np.float32)[labels]
    colours = grid.astype(np.float64).mean(axis=(1, 2))
    return Patches(_features_of_grid(grid), targets, labels, np.clip(colours, 0.0, 1.0))


def _crops(
    picture: Picture, region: Region, count: int, size: tuple[int, int], generator: np.random.Generator
) -> npt.NDArray[np.float32]:
    """`count` patches of a region as f32 [count, rows, cols, 3] in [0, 1]."""
    pixels = picture.pixels(region)
    height, width = pixels.shape[:2]
    if width == 0:
        raise TaskError(f"picture {picture.name} is {picture.width} pixels wide: its {region} region has no column")
    rows, cols = min(size[0], height), min(size[1], width)
    tops = generator.integers(0, height - rows + 1, count)
    lefts = generator.integers(0, width - cols + 1, count)
    crops = [
        pixels[top : top + rows, left : left + cols] for top, left in zip(tops.tolist(), lefts.tolist(), strict=True)
    ]
    return np.stack(crops).astype(np.float32) / np.float32(255)


def _grid(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Area means f32 [n, GRID, GRID, depth] of f32 [n, rows, cols, depth]."""
    count, rows, cols, depth = pixels.shape
    over_rows = _area_weights(rows) @ pixels.reshape(count, rows, cols * depth)
    by_column = over_rows.reshape(count * GRID, cols, depth).transpose(0, 2, 1).reshape(count * GRID * depth, cols)
    over_both = (by_column @ _area_weights(cols).T).reshape(count, GRID, depth, GRID)
    return np.ascontiguousarray(over_both.transpose(0, 1, 3, 2))


@cache
def _area_weights(size: int) -> npt.NDArray[np.float32]:
    """f32 [GRID, size]: share of cell i, which spans [i, i + 1) * size / GRID pixels, that each pixel covers."""
    edges = np.arange(GRID + 1, dtype=np.float64) * size / GRID
    pixels = np.arange(size, dtype=np.float64)
    covered = np.minimum(edges[1:, None], pixels + 1.0) - np.maximum(edges[:-1, None], pixels)
    weights: npt.NDArray[np.float32] = (np.maximum(covered, 0.0) * GRID / size).astype(np.float32)
    return weights


def _features_of_grid(grid: npt.NDArray[np.float32]) -> Features:
    """Features f32 [n, FEATURES] in [-1, 1] of area means f32 [n, GRID, GRID, 3]."""
    ordered = np.sort(grid.reshape(len(grid), GRID * GRID, 3), axis=1).reshape(len(grid), FEATURES)
    features: Features = (ordered - np.float32(0.5)) * np.float32(2)
    return features
