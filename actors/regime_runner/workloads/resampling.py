"""From 48 to 44.1 kHz, block by block: what sits between two sound cards with clocks of their own.

In: blocks [channels, frames] at 48 kHz. Out: blocks at 44.1 kHz. The kernel is linear, or a windowed sine of 16 or 64
input frames; `snr_db` says how true it is, measured on a tone of 10 kHz.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float64]

FROM: Final = 160
TO: Final = 147
"""160 frames at 48 kHz last as long as 147 at 44.1 kHz."""
WIDTHS: Final = {"linear": 2, "sinc16": 16, "sinc64": 64}
"""Kernel -> input frames that one output frame is made of."""
_TONE_HZ: Final = 10_000.0
_CUT: Final = TO / FROM


class Resampler:
    """Keeps the end of each block for the next."""

    def __init__(self, kind: str, channels: int) -> None:
        self._kind = kind
        self._width = WIDTHS[kind]
        self._weights = _weights(kind)
        self._past = np.zeros((channels, self._width - 1))
        self._ahead = 0
        """Where the next output frame lies, in 147ths of an input frame after the beginning of the next block."""

    def process(self, block: Block) -> Block:
        """All output frames of the block, half a kernel late."""
        joined = np.concatenate((self._past, block), axis=1)
        length = block.shape[1] * TO
        positions = np.arange(self._ahead, length, FROM)
        windows = joined[:, (positions // TO)[:, None] + np.arange(self._width)]
        made: Block = np.einsum("cnw,nw->cn", windows, self._weights[positions % TO])
        self._past = joined[:, -(self._width - 1) :]
        self._ahead += len(positions) * FROM - length
        return made

    def snr_db(self) -> float:
        """Signal to noise of a resampled tone, dB, against the best-fitting sine."""
        tone = np.sin(2 * np.pi * _TONE_HZ / 48_000 * np.arange(FROM * 32))
        out = Resampler(self._kind, 1).process(tone[None, :])[0][256:-256]
        angle = 2 * np.pi * _TONE_HZ / 44_100 * np.arange(len(out))
        basis = np.stack((np.sin(angle), np.cos(angle)), axis=1)
        fitted = basis @ np.linalg.lstsq(basis, out, rcond=None)[0]
        noise = float(np.mean((out - fitted) ** 2))
        return float(10 * np.log10(np.mean(fitted**2) / max(noise, 1e-30)))


def _weights(kind: str) -> Block:
    """One row of weights for each of the 147 phases."""
    width = WIDTHS[kind]
    fractions = np.arange(TO)[:, None] / TO
    distances = np.arange(width)[None, :] - (width // 2 - 1) - fractions
    if kind == "linear":
        return np.maximum(0.0, 1.0 - np.abs(distances))
    window = np.cos(np.pi * distances / (width + 1)) ** 2
    weights = _CUT * np.sinc(_CUT * distances) * window
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
