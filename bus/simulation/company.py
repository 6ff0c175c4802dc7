"""Who takes part in a simulation, and what the simulation must know of them.

In: builders of actors. Out: `Company`. The bus knows no actor: the caller brings them, be it the real cores or the
light ones of `bus.simulation.stand_ins`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, Protocol

from bus.core import Actor, Cursor, MessageRef
from bus.scripted import Script
from schemas.base import Message
from schemas.manifest import Seat


class Surroundings(NamedTuple):
    """What a store in a simulation may ask of the world."""

    now_ns: Callable[[], int]
    has_room: Callable[[], bool]
    """Whether the disk takes what a store writes."""
    call: Callable[[], None]
    """A port call: the process may die in it."""
    is_power_safe: bool
    sync_ns: int
    """How long a sync takes."""


class Taken(NamedTuple):
    """A message whose effect a store has committed."""

    ref: MessageRef
    name: str
    """What the message is known by."""


class Archive(Protocol):
    """What a store has committed, seen from outside."""

    def count(self) -> int:
        """How many messages have a committed effect; shrinks by a power cut alone."""

    def taken(self, index: int) -> Taken:
        """The message whose effect was committed as number `index`, counted from 0."""

    def cursors(self) -> Mapping[str, Cursor]:
        """The committed cursors."""

    def covers(self, sender: str) -> bool:
        """Whether every message of `sender` leaves an entry here."""

    def cut_power(self, now_ns: int, draws: Random) -> None:
        """Lose the process's work, and commits that no sync has covered."""


class Part(NamedTuple):
    """One actor: its seat and its builder."""

    seat: Seat
    build: Callable[[Surroundings], Actor]
    script: Script | None = None
    """What the world answers to its asks; None for an actor without a world."""


@dataclass(frozen=True)
class Company:
    """The actors of one run."""

    parts: tuple[Part, ...]
    archive: Archive | None
    requests: frozenset[str]
    """Kinds of messages that wait for an answer."""
    name_of: Callable[[Message], str]
    """What a message is known by: two different messages of one sender never share it."""
    can_lose_power: bool = True
    """Whether the store can be cut by a power failure; files of the real one cannot."""
    close: Callable[[], None] = lambda: None
    """Release what the company holds."""

    @property
    def seats(self) -> tuple[Seat, ...]:
        """The seats of all."""
        return tuple(part.seat for part in self.parts)


Cast = Callable[[int], Company]
"""Makes the company of a seed."""
