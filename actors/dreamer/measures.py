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
from numpy.fft import fft, rfft

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
        planes = 3 * layers
        self._window = np.multiply.outer(_hann(rows), _hann(cols)).reshape(-1)
        self._plane = np.empty((planes, rows, cols), np.float64)
        self._spectrum = np.empty((planes, rows, cols // 2 + 1), np.complex128)
        self._terms = np.empty((2, planes, rows, cols // 2 + 1), np.float64)
        self._step = np.empty((3, layers, rows, cols), np.float32)
        self._cell = np.empty((3, layers, rows, cols), np.float32)

    def measure(self, tensor: Planar) -> Measures:
        """All figures of `tensor` [3, layers, rows, cols]."""
        means, entropy = self._entropy(tensor)
        layers = tensor.shape[1]
        red, green, blue = (min(1.0, float(total) / layers) for total in np.add.reduce(means, axis=1))
        return Measures(
            spectral_entropy=entropy,
            coherence=round(1.0 - entropy, DECIMALS),
            energy=self._energy(tensor),
            signature=(red, green, blue),
        )

    def entropy_of_layer(self, tensor: Planar, layer: int) -> float:
        """Spectral entropy of one layer alone: an eighth of the work at eight layers, enough to steer by."""
        return self._entropy(tensor[:, layer : layer + 1])[1]

    def _entropy(self, tensor: Planar) -> tuple[npt.NDArray[np.float64], float]:
        """Means [3, layers] of the planes of `tensor`, and their mean entropy in [0, 1]."""
        _, layers, rows, cols = tensor.shape
        count = 3 * layers
        planes = self._plane[:count]
        np.copyto(planes.reshape(tensor.shape), tensor)
        flat = planes.reshape(count, rows * cols)
        means = np.add.reduce(flat, axis=1) / self._cells
        np.subtract(flat, means[:, None], out=flat)
        np.multiply(flat, self._window, out=flat)
        spectrum = rfft(planes, axis=2, out=self._spectrum[:count])
        fft(spectrum, axis=1, out=spectrum)
        return means.reshape(3, layers), self._entropy_of_spectra(spectrum)

    def _entropy_of_spectra(self, spectrum: npt.NDArray[np.complex128]) -> float:
        """Mean entropy in [0, 1] of the half spectra [n, rows, cols // 2 + 1], which are overwritten."""
        count = len(spectrum)
        parts, terms = spectrum.view(np.float64), self._terms[:, :count]
        np.multiply(parts, parts, out=parts)
        power, logarithm = terms
        np.add(parts[..., 0::2], parts[..., 1::2], out=power)
        power[:, 0, 0] = 0.0
        np.add(power, TINY, out=logarithm)
        np.log(logarithm, out=logarithm)
        np.multiply(logarithm, power, out=logarithm)
        total, weighted = self._whole(terms)
        lacks_power = total <= NO_POWER * self._cells**2
        if is_flat := bool(lacks_power.any()):
            total[lacks_power] = 1.0
        entropy = np.log(total) - weighted / total
        if is_flat:
            entropy[lacks_power] = 0.0
        entropy /= math.log(self._bins)
        return round(min(1.0, max(0.0, float(np.add.reduce(entropy)) / count)), DECIMALS)

    def _whole(self, half: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Sums [2, n] over the whole spectra, of which `half` holds the columns that a real field needs."""
        total: npt.NDArray[np.float64] = 2.0 * np.add.reduce(half, axis=(2, 3)) - np.add.reduce(half[..., 0], axis=2)
        return total - np.add.reduce(half[..., -1], axis=2) if self._is_even else total

    def _energy(self, tensor: Planar) -> float:
        """Differences are taken over the whole buffer at once; those across a border are then set to 0."""
        cols = tensor.shape[3]
        flat, step = tensor.reshape(-1), self._step.reshape(-1)
        np.subtract(flat[1:], flat[:-1], out=step[1:])
        self._step[..., 0] = 0.0
        variation = float(np.add.reduce(np.abs(step, out=step), dtype=np.float64))
        np.subtract(flat[cols:], flat[:-cols], out=step[cols:])
        self._step[..., 0, :] = 0.0
        variation += float(np.add.reduce(np.abs(step, out=step), dtype=np.float64))
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


def calibrated_gate(meter: Meter, shape: tuple[int, int, int]) -> float:
    """The least coherence that a dream of `shape` (rows, cols, layers) needs, measured on uniform noise.

    With h the highest coherence of `CALIBRATION_DRAWS` noise tensors, the gate is `NOISE_MARGIN` times h, or half-way
    from h to 1 where that is less. Noise stays far below it at every shape, and real pictures far above: measured
    medians are 0.06 for noise and 0.16 (a deep sky) to 0.7 for pictures at 32x32. The noise is the same in every run,
    so that a shape has one gate.
    """
    noises = RandomSource(0, 0, "calibration")
    rows, cols, layers = shape
    highest = 0.0
    for draw in range(CALIBRATION_DRAWS):
        noise = noises.at("gate", draw).random((3, layers, rows, cols), dtype=np.float32)
        highest = max(highest, meter.measure(noise).coherence)
    return min(NOISE_MARGIN * highest, (1.0 + highest) / 2.0)


def is_accepted(coherence: float, gate: float) -> bool:
    """Whether a dream passes: the gate itself is let through (seed 000, section 2)."""
    return coherence >= gate


def _hann(length: int) -> npt.NDArray[np.float64]:
    return np.array([0.5 - 0.5 * math.cos(2.0 * math.pi * index / length) for index in range(length)])
