"""Guests of a run: who was given a seat after it began, and how its actors come to know.

In: `home/runs/RUN/guests.json`, which the supervisor replaces. Out: the observation `guests` with the bytes of that
file, which an actor handles and journals like any other input: from that step on it admits the guests, in the
process, after a restart and in a replay alike. Only roles that the topology lets guests speak to look at the file;
the dreamer is none of them, and its box would not let it. Refused: a file that is not a guest book; the last one stays.
"""

from pathlib import Path
from typing import Final, get_args

from pydantic import ValidationError

from bus.core import Observed
from bus.topology import senders_to
from schemas.guests import NO_GUESTS, GuestBook, GuestRole
from schemas.manifest import Seat
from schemas.roles import Role

GUESTS: Final = "guests"
"""Name of the observation."""
FILE_NAME: Final = "guests.json"
GUEST_ROLES: Final[tuple[Role, ...]] = get_args(GuestRole)


def hears_guests(role: Role) -> bool:
    """Whether a guest may say something journalled to `role`."""
    return any(sender in GUEST_ROLES for sender in senders_to(role))


def seats_of(book: GuestBook) -> tuple[Seat, ...]:
    """The seats of the guests in `book`."""
    return tuple(Seat(instance=guest.instance, role=guest.role) for guest in book.guests)


def book_in(event: object) -> GuestBook | None:
    """The guest book that `event` holds; None when it is another input."""
    if not isinstance(event, Observed) or event.name != GUESTS:
        return None
    return GuestBook.model_validate_json(event.data)


def read_book(path: Path) -> tuple[bytes, GuestBook] | None:
    """The guest book in the file at `path`, with its bytes; None when there is none that can be read."""
    try:
        data = path.read_bytes()
        return data, GuestBook.model_validate_json(data)
    except (OSError, ValidationError):
        return None


class Reception:
    """Where one actor looks for new guests."""

    def __init__(self, role: Role, run: Path) -> None:
        """`run`: the folder of the run's manifest."""
        self._path = run / FILE_NAME if hears_guests(role) else None
        self._seen: tuple[int, ...] | None = None
        read = None if self._path is None else read_book(self._path)
        self.book = NO_GUESTS if read is None else read[1]
        """The last one that was read."""

    def news(self) -> Observed | None:
        """The guest book, when it is another than at the last look."""
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        if seen == self._seen:
            return None
        self._seen = seen
        read = read_book(self._path)
        if read is None:
            return None
        self.book = read[1]
        return Observed(GUESTS, read[0])
