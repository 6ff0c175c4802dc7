"""Those who join a running run: what its actors are told of them, and what each of them is given.

`GuestBook` is `home/runs/RUN/guests.json`, written by the supervisor, and, byte for byte, an observation in the journal
of every actor that a guest may speak to. `SeatOffer` is the file that a guest begins with; it holds its secret key.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.base import Count, Record
from schemas.ids import InstanceText

GuestRole = Literal["learner", "field-host"]
"""The roles that a guest may take."""
MAX_GUESTS: Final = 64
SEAT_VARIABLE: Final = "ONEIROS_SEAT"
"""The environment variable that names the offer of a seat."""

KeyText = Annotated[str, Field(min_length=40, max_length=40)]
"""A CURVE key in Z85 (ZeroMQ RFC 32)."""


class Guest(Record):
    """One seat that was given after the run began."""

    instance: InstanceText
    role: GuestRole
    public_key: KeyText | None
    """The one that counts now; None on a bus without locks."""
    takes_frames: bool
    """Whether tensors are sent to it, however large; a guest that does not reads them from the journals."""


class GuestBook(Record):
    """Every seat that was given after the run began, in the order in which they were given. It never shrinks."""

    version: Count
    """Grows with every change."""
    guests: Annotated[tuple[Guest, ...], Field(max_length=MAX_GUESTS)]


NO_GUESTS: Final = GuestBook(version=0, guests=())


class SeatOffer(Record):
    """All that a process needs to be a guest; mode 0600, in the runtime folder of the run."""

    instance: InstanceText
    role: GuestRole
    home: str
    run_id: str
    epoch: Annotated[int, Field(ge=1)]
    """Least number of the next process start in the seat; one that keeps a journal may have used higher ones."""
    runtime: str
    """Folder of the sockets: the inbox of NAME is `ipc://RUNTIME/NAME.in`."""
    schema_sha256: str
    """Digest of all messages of the program that made the offer."""
    public_key: KeyText | None
    secret_key: Annotated[KeyText | None, Field(repr=False)]
    peers: dict[InstanceText, KeyText | None]
    """Who may be spoken to, with the public key of its inbox."""
    admitted: dict[InstanceText, KeyText | None]
    """Who speaks to the guest, with the public key that it comes under."""
