"""What a dream measures: spectral entropy, coherence, energy, signature; and the gate that coherence must pass.

In: planar tensors f32 [3, layers, rows, cols] in [0, 1]. Out: numbers in float64 with the names and versions of their
definitions. Refuses nothing: every such tensor has every measure, a flat one has entropy 0.

Definitions (seed 000, section 3.2; design, 5.1 and 5.2):
- spectral entropy: per layer and channel the mean is removed, a periodic Hann window is laid over rows and columns, P
  is the power spectrum without its DC bin, p = P / sum(P), entropy = -sum(p ln p) / ln(bins); averaged over layers
  and channels. A plane whose windowed mean square is under `NO_POWER` (f32 rounding of a flat field) has entropy 0.
- coherence: 1 - spectral entropy.
- energy: sum of |difference| of the three channels over all 4-neighbour edges within layers, per edge, + 0.1 times the
  mean of (S - 0.5)^2 with S = (max - min) / max of a cell, 0 for black.
- signature: mean red, green, blue.

Entropy and coherence are rounded to 12 decimals: logarithms differ in the last bit between processors, dreams do not.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from bus.randomness import RandomSource

Planar = npt.NDArray[np.float32]
"""f32 [3, layers, rows, cols] in [0, 1]."""

DEFINITIONS: Final[dict[str, str]] = {
    "coherence": "one-minus-spectral-entropy/1",
    "energy": "edge-variation-and-saturation/1",
    "gate": "noise-ceiling-and-half/1",
    "signature": "mean-rgb/1",
    "spectral_entropy": "hann-power-without-dc/1",
}
"""Name and version of each definition; they travel in the metadata of every dream."""

NO_POWER: Final = 1e-14
CALIBRATION_DRAWS: Final = 32
NOISE_MARGIN: Final = 1.5
SATURATION_WEIGHT: Final = 0.1
DECIMALS: Final = 12
TINY: Final = 1e-300


@dataclass(frozen=True, slots=True)
class Measures:
    """The figures of one dream."""

    spectral_entropy: float
    coherence: float
    energy: float
    signature: tuple[float, float, float]


class Meter:
    """Measures tensors of one shape, with buffers that are made once."""

    def __init__(self, rows: int, cols: int, layers: int) -> None:
        self._bins = rows * cols - 1
        self._cells = rows * cols
        self._edges = layers * (rows * (cols - 1) + (rows - 1) * cols)
        self._is_even = cols % 2 == 0
        self._window = np.multiply.outer(_hann(rows), _hann(cols))
        self._plane = np.empty((3, layers, rows, cols), np.float64)
        self._spectrum = np.empty((3, layers, rows, cols // 2 + 1), np.complex128)
        self._power = np.empty(self._spectrum.shape, np.float64)
        self._logarithm = np.empty(self._spectrum.shape, np.float64)
        self._step = np.empty((3, layers, rows, cols), np.float32)
        self._cell = np.empty((3, layers, rows, cols), np.float32)

    def measure(self, tensor: Planar) -> Measures:
        """All figures of `tensor` [3, layers, rows, cols]."""
        np.copyto(self._plane, tensor)
        means = self._plane.sum(axis=(2, 3)) / self._cells
        entropy = round(self._entropy_of_planes(self._plane, means), DECIMALS)
        red, green, blue = (min(1.0, float(channel.sum()) / channel.size) for channel in means)
        return Measures(
            spectral_entropy=entropy,
            coherence=round(1.0 - entropy, DECIMALS),
            energy=self._energy(tensor),
            signature=(red, green, blue),
        )

    def entropy_of_layer(self, tensor: Planar, layer: int) -> float:
        """Spectral entropy of one layer alone: an eighth of the work at eight layers, enough to steer by."""
        planes = self._plane[:, layer : layer + 1]
        np.copyto(planes, tensor[:, layer : layer + 1])
        means = planes.sum(axis=(2, 3)) / self._cells
        return round(self._entropy_of_planes(planes, means), DECIMALS)

    def _entropy_of_planes(self, planes: npt.NDArray[np.float64], means: npt.NDArray[np.float64]) -> float:
        """Mean entropy in [0, 1] of `planes` [3, n, rows, cols], which are overwritten."""
        layers = planes.shape[1]
        np.subtract(planes, means[:, :, None, None], out=planes)
        np.multiply(planes, self._window, out=planes)
        spectrum = np.fft.rfft2(planes, out=self._spectrum[:, :layers])
        power, logarithm = self._power[:, :layers], self._logarithm[:, :layers]
        np.multiply(spectrum.real, spectrum.real, out=power)
        np.multiply(spectrum.imag, spectrum.imag, out=logarithm)
        np.add(power, logarithm, out=power)
        power[:, :, 0, 0] = 0.0
        np.add(power, TINY, out=logarithm)
        np.log(logarithm, out=logarithm)
        np.multiply(logarithm, power, out=logarithm)
        total = self._whole(power)
        weighted = self._whole(logarithm)
        has_power = total > NO_POWER * self._cells**2
        total = np.where(has_power, total, 1.0)
        entropy = np.where(has_power, np.log(total) - weighted / total, 0.0) / math.log(self._bins)
        return min(1.0, max(0.0, float(entropy.sum()) / entropy.size))

    def _whole(self, half: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Sums [3, n] over the whole spectrum, of which `half` holds the columns that a real field needs."""
        total: npt.NDArray[np.float64] = 2.0 * half.sum(axis=(2, 3)) - half[..., 0].sum(axis=2)
        return total - half[..., -1].sum(axis=2) if self._is_even else total

    def _energy(self, tensor: Planar) -> float:
        across = np.subtract(tensor[..., 1:], tensor[..., :-1], out=self._step[..., 1:])
        self._step[..., 0] = 0.0
        np.abs(across, out=across)
        variation = float(self._step.sum(dtype=np.float64))
        down = np.subtract(tensor[..., 1:, :], tensor[..., :-1, :], out=self._step[..., 1:, :])
        self._step[..., 0, :] = 0.0
        np.abs(down, out=down)
        variation += float(self._step.sum(dtype=np.float64))
        return variation / self._edges + SATURATION_WEIGHT * self._saturation_spread(tensor)

    def _saturation_spread(self, tensor: Planar) -> float:
        """Mean of (S - 0.5)^2 over the cells."""
        high, low, black = self._cell
        np.maximum(tensor[0], tensor[1], out=high)
        np.maximum(high, tensor[2], out=high)
        np.minimum(tensor[0], tensor[1], out=low)
        np.minimum(low, tensor[2], out=low)
        np.subtract(high, low, out=low)
        np.add(high, np.equal(high, 0.0, out=black, casting="unsafe"), out=high)
        np.divide(low, high, out=low)
        np.subtract(low, 0.5, out=low)
        np.multiply(low, low, out=low)
        return float(low.sum(dtype=np.float64)) / low.size


def calibrated_gate(meter: Meter, shape: tuple[int, int, int], randomness: RandomSource) -> float:
    """The least coherence that a dream of `shape` (rows, cols, layers) needs, measured on uniform noise.

    With h the highest coherence of `CALIBRATION_DRAWS` noise tensors, the gate is `NOISE_MARGIN` times h, or half-way
    from h to 1 where that is less. Noise stays far below it at every shape, and real pictures far above: measured
    medians are 0.06 for noise and 0.16 (a deep sky) to 0.7 for pictures at 32x32. Deterministic in the run's seed.
    """
    rows, cols, layers = shape
    highest = 0.0
    for draw in range(CALIBRATION_DRAWS):
        noise = randomness.at("gate", draw).random((3, layers, rows, cols), dtype=np.float32)
        highest = max(highest, meter.measure(noise).coherence)
    return min(NOISE_MARGIN * highest, (1.0 + highest) / 2.0)


def is_accepted(coherence: float, gate: float) -> bool:
    """Whether a dream passes: the gate itself is let through (seed 000, section 2)."""
    return coherence >= gate


def _hann(length: int) -> npt.NDArray[np.float64]:
    return np.array([0.5 - 0.5 * math.cos(2.0 * math.pi * index / length) for index in range(length)])
