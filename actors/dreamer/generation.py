"""How a seed tensor evolves into a dream: steps of mix, filter, complement, saturate and smooth (seed 000, section 1).

In: a planar tensor f32 [3, layers, rows, cols] in [0, 1], a target colour and an entropy window or None, keyed
streams. Out: the same array, evolved in place, and the names of all that was applied, in order. Values stay in [0, 1].

One step draws an operator by `PROBABILITIES` and an amount a, uniform in `AMOUNTS`:
- mix: (1 - a) x + a x', with x' the tensor itself, shifted by a drawn number of rows and columns around the torus;
- filter: (x - a x') / (1 - a): takes x' out again, so it brings out what differs;
- complement: red stays, green and blue move by a towards 1 - g and 1 - b;
- saturate: m + (x - m) (0.8 + a) with m the mean of red, green and blue of the cell;
- smooth: a of the way to the mean of a cell and its four neighbours, within the layer.

The amounts of complement and saturate are small, and saturate is as often less as more: what a dream shows of a picture
is learnt by the colours that it has, and eight steps must not carry these away.

Then the mean colour moves `prior_strength` of the way to the target: the whole field is shifted, so what it shows
stays. Every second step the entropy of one layer is measured. Below the window smooth gives way to filter and grain
is added, by the distance to the window; above it filter gives way to smooth, and every step ends with one.
"""

from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from actors.dreamer.measures import Meter, Planar
from bus.randomness import RandomSource
from schemas.colour import Rgb

Operator = Literal["mix", "filter", "complement", "saturate", "smooth"]

OPERATORS: Final[tuple[Operator, ...]] = ("mix", "filter", "complement", "saturate", "smooth")
PROBABILITIES: Final[dict[Operator, float]] = {
    "mix": 0.25,
    "filter": 0.20,
    "complement": 0.10,
    "saturate": 0.25,
    "smooth": 0.20,
}
AMOUNTS: Final[dict[Operator, tuple[float, float]]] = {
    "mix": (0.05, 0.30),
    "filter": (0.05, 0.25),
    "complement": (0.01, 0.05),
    "saturate": (0.1, 0.3),
    "smooth": (0.2, 0.8),
}
STEERING_SMOOTH: Final = 0.6
GRAIN: Final = 0.15
"""Amplitude of the grain that one step adds per unit of missing entropy, as a multiple of it; at most `MAX_GRAIN`."""
MAX_GRAIN: Final = 0.10
LOOK_EVERY: Final = 2


class Evolution:
    """Evolves tensors of one shape, with buffers that are made once."""

    def __init__(self, rows: int, cols: int, layers: int, meter: Meter) -> None:
        self._meter = meter
        self._layers = layers
        self._other = np.empty((3, layers, rows, cols), np.float32)
        self._grain = np.empty((3, 1, rows, cols), np.float32)

    def evolve(
        self,
        tensor: Planar,
        steps: int,
        pull: tuple[Rgb, float] | None,
        window: tuple[float, float] | None,
        randomness: tuple[RandomSource, int],
    ) -> list[str]:
        """Evolve `tensor` in place; `pull` is the target and its strength, `randomness` the source and the episode."""
        source, episode = randomness
        draws = source.at("evolve", episode).random((steps, 4))
        grain = None if window is None else source.at("grain", episode)
        applied: list[str] = []
        excess = 0.0
        for step, (which, amount, *shift) in enumerate(draws.tolist()):
            if window is not None and step % LOOK_EVERY == 0:
                excess = self._excess(tensor, step % self._layers, window)
            operator = steered(_drawn(which), excess)
            low, high = AMOUNTS[operator]
            self.apply(operator, tensor, low + (high - low) * amount, (shift[0], shift[1]))
            applied.append(operator)
            if excess > 0.0:
                self.smooth(tensor, STEERING_SMOOTH)
                applied.append("smooth")
            elif excess < 0.0 and grain is not None:
                self._roughen(tensor, min(MAX_GRAIN, -GRAIN * excess), grain)
                applied.append("grain")
            if pull is not None:
                move_mean(tensor, *pull)
            tensor.clip(0.0, 1.0, out=tensor)
        return applied

    def apply(self, operator: Operator, tensor: Planar, amount: float, shift: tuple[float, float]) -> None:
        """Apply one operator in place; `shift` in [0, 1) of rows and columns counts for mix and filter alone."""
        match operator:
            case "mix":
                other = self._shifted(tensor, shift, amount)
                np.multiply(tensor, 1.0 - amount, out=tensor)
                np.add(tensor, other, out=tensor)
            case "filter":
                other = self._shifted(tensor, shift, amount)
                np.subtract(tensor, other, out=tensor)
                np.multiply(tensor, 1.0 / (1.0 - amount), out=tensor)
            case "complement":
                np.multiply(tensor[1:], 1.0 - 2.0 * amount, out=tensor[1:])
                np.add(tensor[1:], amount, out=tensor[1:])
            case "saturate":
                self._saturate(tensor, 0.8 + amount)
            case "smooth":
                self.smooth(tensor, amount)

    def smooth(self, tensor: Planar, amount: float) -> None:
        """Move each cell `amount` of the way to the mean of itself and its four neighbours; borders repeat."""
        cols = tensor.shape[3]
        other = np.multiply(tensor, amount / 5.0, out=self._other)
        np.multiply(tensor, 1.0 - 4.0 * amount / 5.0, out=tensor)
        flat, aside = tensor.reshape(-1, copy=False), other.reshape(-1)
        for border, after, before in (
            (np.s_[..., 0, :], slice(cols, None), slice(None, -cols)),
            (np.s_[..., -1, :], slice(None, -cols), slice(cols, None)),
            (np.s_[..., 0], slice(1, None), slice(None, -1)),
            (np.s_[..., -1], slice(None, -1), slice(1, None)),
        ):
            bordering = tensor[border] + other[border]
            np.add(flat[after], aside[before], out=flat[after])
            tensor[border] = bordering

    def _excess(self, tensor: Planar, layer: int, window: tuple[float, float]) -> float:
        """How far the entropy of `layer` is above (positive) or below (negative) `window`; 0 inside."""
        entropy = self._meter.entropy_of_layer(tensor, layer)
        return max(0.0, entropy - window[1]) + min(0.0, entropy - window[0])

    def _shifted(self, tensor: Planar, shift: tuple[float, float], amount: float) -> npt.NDArray[np.float32]:
        """`amount` times `tensor`, moved around the torus of rows and columns.

        Each plane is moved as one long row; the columns that this carries into a neighbouring row are then laid right.
        """
        _, layers, rows, cols = tensor.shape
        down, right = int(shift[0] * rows), int(shift[1] * cols)
        aside = right if 2 * right <= cols else right - cols
        flat, other = tensor.reshape(3 * layers, -1), self._other.reshape(3 * layers, -1)
        for to, source in _wrapped((down * cols + aside) % flat.shape[1], flat.shape[1]):
            np.multiply(flat[:, source], amount, out=other[:, to])
        if aside:
            torn, whole = (slice(aside), slice(-aside, None)) if aside > 0 else (slice(aside, None), slice(-aside))
            for to, source in _wrapped(down, rows):
                np.multiply(tensor[:, :, source, whole], amount, out=self._other[:, :, to, torn])
        return self._other

    def _saturate(self, tensor: Planar, factor: float) -> None:
        mean = np.add(tensor[0], tensor[1], out=self._other[0])
        np.add(mean, tensor[2], out=mean)
        np.multiply(mean, (1.0 - factor) / 3.0, out=mean)
        np.multiply(tensor, factor, out=tensor)
        np.add(tensor, mean, out=tensor)

    def _roughen(self, tensor: Planar, amplitude: float, grain: np.random.Generator) -> None:
        grain.random(out=self._grain, dtype=np.float32)
        np.subtract(self._grain, 0.5, out=self._grain)
        np.multiply(self._grain, 2.0 * amplitude, out=self._grain)
        np.add(tensor, self._grain, out=tensor)


def move_mean(tensor: Planar, target: Rgb, strength: float) -> None:
    """Shift each channel so that its mean moves `strength` of the way to `target`."""
    channels = tensor.reshape(3, -1, copy=False)
    size = channels.shape[1]
    sums = np.add.reduce(channels, axis=1).tolist()
    moves = [strength * (wanted - total / size) for total, wanted in zip(sums, target, strict=True)]
    np.add(channels, np.array(moves, np.float32)[:, None], out=channels)


def _wrapped(move: int, length: int) -> tuple[tuple[slice, slice], ...]:
    """Where to and where from the parts of a ring of `length` go that moves by `move`, from 0 to `length` - 1."""
    if move == 0:
        return ((slice(None), slice(None)),)
    return (slice(move, None), slice(length - move)), (slice(move), slice(length - move, None))


def steered(operator: Operator, excess: float) -> Operator:
    """`operator`, or the one that takes its place above (`excess` > 0) or below the entropy window."""
    if excess > 0.0 and operator == "filter":
        return "smooth"
    if excess < 0.0 and operator == "smooth":
        return "filter"
    return operator


def _drawn(which: float) -> Operator:
    reached = 0.0
    for operator in OPERATORS:
        reached += PROBABILITIES[operator]
        if which < reached:
            return operator
    return OPERATORS[-1]
