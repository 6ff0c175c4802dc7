"""What pixels become before a model sees them, decided by the training part alone.

In: a dataset, its splits, the way of `data.normalise`. Out: a `Normalisation`, plain numbers that a manifest can keep,
and f32 images. Sums over u8 images are whole numbers, so their mean is the same on every machine. It refuses nothing: a
channel without any spread is only centred.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from actors.learner.trainer.datasets.dataset import Dataset, Images
from actors.learner.trainer.datasets.settings import Normalise

CHUNK: Final = 4096
"""Images that are summed at a time."""

Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Normalisation:
    """(value / divisor - mean) / deviation, for each channel."""

    divisor: float
    mean: Numbers
    deviation: Numbers

    def apply(self, images: Images) -> npt.NDArray[np.float32]:
        """Images f32 [n, rows, cols, channels], contiguous."""
        if images.dtype == np.uint8:
            return self._by_table(images)  # type: ignore[arg-type] # the line above says so
        plain = np.divide(images, np.float32(self.divisor), dtype=np.float32)
        plain -= np.array(self.mean, dtype=np.float32)
        plain /= np.array(self.deviation, dtype=np.float32)
        return plain

    def _by_table(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """A u8 value has 256 results: each is computed once."""
        levels = np.arange(256, dtype=np.float64) / self.divisor
        out = np.empty(images.shape, dtype=np.float32)
        for channel, (mean, deviation) in enumerate(zip(self.mean, self.deviation, strict=True)):
            table = ((levels - mean) / deviation).astype(np.float32)
            np.take(table, images[..., channel], out=out[..., channel], mode="clip")
        return out


def normalisation_of(dataset: Dataset, train: npt.NDArray[np.intp], way: Normalise) -> Normalisation:
    """How images of `dataset` are normalised, by the samples at `train`."""
    channels = dataset.images.shape[3]
    divisor = 1.0 if way == "none" else dataset.top
    if way != "standard":
        return Normalisation(divisor, (0.0,) * channels, (1.0,) * channels)
    means, deviations = [], []
    for channel in range(channels):
        count, total, squares = _sums(dataset.images, train, channel)
        mean = total / count
        variance = max(0.0, (squares * count - total * total) / (count * count))
        means.append(mean / divisor)
        deviations.append(math.sqrt(variance) / divisor or 1.0)
    return Normalisation(divisor, tuple(means), tuple(deviations))


def _sums(images: Images, chosen: npt.NDArray[np.intp], channel: int) -> tuple[int, float, float]:
    """Number of values, their sum and the sum of their squares; whole numbers of any size for u8."""
    exact = images.dtype == np.uint8
    count = len(chosen) * images.shape[1] * images.shape[2]
    sums: list[float] = []
    squares: list[float] = []
    for start in range(0, len(chosen), CHUNK):
        values = images[chosen[start : start + CHUNK], :, :, channel].astype(np.int64 if exact else np.float64)
        sums.append(values.sum().item())
        squares.append((values * values).sum().item())
    return count, (sum if exact else math.fsum)(sums), (sum if exact else math.fsum)(squares)
