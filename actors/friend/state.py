"""All that the friend remembers, and its bytes.

In: a state. Out: JSON bytes that name it exactly, and the state back. What a field has heard is archived beside it. It
refuses bytes that are no state, with a pydantic ValidationError.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Final

from pydantic import TypeAdapter

from actors.friend.dialogue import Admission, Dialogue
from actors.friend.field.host import FieldState
from actors.friend.fragments import SpokenLine
from schemas.friend import Answer, FriendOffer
from schemas.persona import DialogCommit, Persona

MOST_HOSTS: Final = 32
RECENT_LINES: Final = 48
RECENT_DIALOGS: Final = 10


@dataclass(slots=True)
class Claim:
    """A moment that waits for the keeper's word."""

    claim_id: str
    instance: str
    offer: FriendOffer
    admission: Admission


@dataclass(slots=True)
class Uncommitted:
    """A dialogue that the keeper has not confirmed, with what it takes to commit it on another revision."""

    commit: DialogCommit
    lines: list[SpokenLine]
    echo: float | None
    """Share of the user's words in what the friend said."""


@dataclass(slots=True)
class Friendship:
    """What the friend knows of one host."""

    persona: Persona
    is_known: bool = False
    """Whether the keeper has told what it keeps."""
    requests: int = 0
    origin: tuple[str, ...] = ()
    """The first fragments; empty until the host has told its origin."""
    claim: Claim | None = None
    dialogue: Dialogue | None = None
    trial: str | None = None
    """`try_id` of a dialogue that is to be tried at the next moment."""
    uncommitted: Uncommitted | None = None
    lines: list[str] = field(default_factory=list)
    echoes: list[float] = field(default_factory=list)
    generations: list[list[int]] = field(default_factory=list)


@dataclass(slots=True)
class Tally:
    """Numbers that only `figures` shows."""

    declined: dict[str, int] = field(default_factory=dict)
    opened: int = 0
    kept: int = 0
    abandoned: int = 0
    dropped: int = 0
    """Answers of an unknown dialogue, an unexpected step or another instance."""
    conflicts: int = 0


@dataclass(slots=True)
class FriendMemory:
    """The whole state beside the archive of the field."""

    friendships: dict[str, Friendship] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    host: FieldState = field(default_factory=FieldState)
    answers: list[Answer] = field(default_factory=list)
    """The last ones to the user."""


@cache
def _adapter() -> TypeAdapter[FriendMemory]:
    return TypeAdapter(FriendMemory)


def to_bytes(memory: FriendMemory) -> bytes:
    """Canonical bytes of `memory`."""
    return _adapter().dump_json(memory)


def from_bytes(data: bytes) -> FriendMemory:
    """The memory that `to_bytes` gave."""
    return _adapter().validate_json(data)
