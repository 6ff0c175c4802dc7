"""What `supervisor attach` asks the running supervisor for, and what it gets.

In and out: the command fills the one and reads the other. It knows no more than pydantic, so that a command that only
asks starts quickly.
"""

import re

from schemas.base import Record
from schemas.guests import GuestRole
from schemas.ids import INSTANCE_PATTERN


def fault_of_name(name: str) -> str | None:
    """Why `name` is none for a seat; None when it is one."""
    if re.fullmatch(INSTANCE_PATTERN, name):
        return None
    return f"{name!r} is no name for a seat: 1 to 32 small letters, digits and hyphens, a letter first"


class CommandLine(Record):
    """What is to be run, as the user would have run it."""

    words: tuple[str, ...]
    folder: str
    environment: dict[str, str]


class SeatRequest(Record):
    """What `supervisor attach` asks for."""

    name: str
    role: GuestRole = "learner"
    is_replacing: bool = False
    takes_frames: bool = False
    command: CommandLine | None = None


class SeatGiven(Record):
    """What it gets."""

    name: str
    offer: str
    """Path of the offer, for ONEIROS_SEAT."""
    book_version: int
