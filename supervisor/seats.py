"""What `supervisor attach` asks the running supervisor for, and what it gets.

In and out: the command fills the one and reads the other. It knows no more than pydantic, so that a command that only
asks starts quickly.
"""

from schemas.base import Record
from schemas.guests import GuestRole


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
