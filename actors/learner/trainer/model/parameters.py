"""The parameters of a model: one flat float32 vector, with a name, a shape and a place for each part, in fixed order.

In: a layout, and named streams for the first weights. Out: views into the vector, its SHA-256, and copies by name.
Refused: parts of another name, order, shape or type.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from actors.learner.trainer.streams import Streams
from schemas.errors import OneirosError

F32 = npt.NDArray[np.float32]
Start = Literal["he", "level", "ones", "zeros"]
"""How a part begins: `he` and `level` are uniform of variance 2 / inputs and 1 / inputs, for what a rectifier follows
and for what none follows (He et al. 2015); inputs are all axes but the last."""

_VARIANCE = {"he": 2.0, "level": 1.0}


class ModelRefusedError(OneirosError):
    """A model cannot be made of these settings, or cannot take these weights."""

    is_permanent = True


@dataclass(frozen=True, slots=True)
class Part:
    """One named parameter."""

    name: str
    shape: tuple[int, ...]
    start: Start = "zeros"

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Layout:
    """All parameters of a model, in the order in which they lie in the vector."""

    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Number of values of all parts."""
        return sum(part.size for part in self.parts)

    def views(self, flat: F32) -> dict[str, F32]:
        """Each part of `flat` [size] by its name, as a view."""
        found, place = {}, 0
        for part in self.parts:
            found[part.name] = flat[place : place + part.size].reshape(part.shape)
            place += part.size
        return found

    def first_weights(self, streams: Streams) -> F32:
        """Fresh weights [size]; each part draws from a stream of its own, so that no part moves another."""
        flat = np.zeros(self.size, dtype=np.float32)
        for number, (part, view) in enumerate(zip(self.parts, self.views(flat).values(), strict=True)):
            match part.start:
                case "zeros":
                    continue
                case "ones":
                    view[...] = 1.0
                case "he" | "level":
                    inputs = max(1, math.prod(part.shape[:-1]))
                    bound = (3.0 * _VARIANCE[part.start] / inputs) ** 0.5
                    view[...] = streams.at("weights", number).uniform(-bound, bound, part.shape)
        return flat

    def flat(self, state: Mapping[str, F32]) -> F32:
        """One vector [size] of the parts in `state`; raises ModelRefusedError unless they are exactly those."""
        names = tuple(part.name for part in self.parts)
        if tuple(state) != names:
            raise ModelRefusedError(f"weights of {', '.join(state) or 'nothing'}, the model has {', '.join(names)}")
        for part in self.parts:
            given = state[part.name]
            if given.shape != part.shape or given.dtype != np.float32:
                told = f"{given.dtype} {given.shape}"
                raise ModelRefusedError(f"{part.name} is {told}, the model has float32 {part.shape}")
        return np.concatenate([state[name].reshape(-1) for name in names])


def sha256_of(flat: F32) -> str:
    """SHA-256 of the little-endian bytes of a vector, in hex: two models are the same exactly when these are."""
    return hashlib.sha256(np.ascontiguousarray(flat, dtype="<f4").data).hexdigest()
