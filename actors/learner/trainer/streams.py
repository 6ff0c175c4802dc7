"""Named random streams of a training run: every draw derives from the master seed, a name and counters.

In: the master seed, then a name and counters. Out: a generator from its beginning, the same whatever was drawn before,
after any restart and in any order; a log of what was handed out. Refused: names that could be read as another name
with counters. No generator outlives the step that it is for, so a checkpoint needs the counters alone.
"""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from bus.randomness import RandomSource
from schemas.errors import OneirosError

NAME: Final = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


class StreamRefusedError(OneirosError):
    """A stream was asked for that has no unmistakable key."""


@dataclass(frozen=True, slots=True)
class StreamNote:
    """What one name was used for so far in this process."""

    name: str
    first_counters: tuple[int, ...]
    first_seed: str
    """The 128-bit key of the first generator, 32 hex digits."""
    handed_out: int


class Streams:
    """Hands out generators of one master seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._source = RandomSource(seed, 0, "trainer")
        self._notes: dict[str, StreamNote] = {}

    def at(self, name: str, *counters: int) -> np.random.Generator:
        """The generator of `name` at `counters`; another name, number or order of counters is another stream."""
        if not NAME.fullmatch(name):
            raise StreamRefusedError(f"{name!r} names no stream: lower-case letters, digits and _.- after a letter")
        if any(counter < 0 for counter in counters):
            raise StreamRefusedError(f"stream {name} counts from 0, not {counters}")
        purpose = "/".join((f"{name}*{len(counters)}", *map(str, counters[:-1])))
        generator = self._source.at(purpose, counters[-1] if counters else 0)
        self._note(name, counters, generator)
        return generator

    def notes(self) -> tuple[StreamNote, ...]:
        """Every name that was used, by name, with the seed that it began with."""
        return tuple(self._notes[name] for name in sorted(self._notes))

    def _note(self, name: str, counters: tuple[int, ...], generator: np.random.Generator) -> None:
        known = self._notes.get(name)
        if known is None:
            seed = seed_of(generator)
            self._notes[name] = StreamNote(name, counters, seed, 1)
        else:
            self._notes[name] = StreamNote(name, known.first_counters, known.first_seed, known.handed_out + 1)


def seed_of(generator: np.random.Generator) -> str:
    """The key of a generator of `Streams`, 32 hex digits."""
    key: npt.NDArray[np.uint64] = generator.bit_generator.state["state"]["key"]
    return key.astype("<u8").tobytes().hex()
