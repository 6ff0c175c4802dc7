"""Sending again to a boxed actor what it has missed: it may read no journal, and it never says that it misses anything.

In: the sender's own journal, and the cursors that the boxed actor leaves in its folder. Out: the messages after its
cursor, in order, as they were said. Each names as its predecessor what the receiver will have heard by then: when a
power cut took from the sender's journal what the receiver knows, nothing else tells it where the stream goes on. What
was said lately gets a period of grace: it may be on its way. A receiver that has heard everything costs one small
read a period.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from bus.box.profiles import is_boxed
from bus.codec import BytesLike
from bus.core import Cursor
from bus.cursor_file import read_cursors
from bus.envelope import NO_CAUSE, Envelope
from bus.payloads import PayloadStore
from bus.stream import Journalled, SenderStream
from bus.topology import peers_of
from schemas.manifest import Seat

NOTHING: Final = Cursor(0, 0)
MOST_MESSAGES: Final = 64
"""Messages that are sent again to one receiver at a time."""


def boxed_receivers(seat: Seat, seats: tuple[Seat, ...]) -> tuple[str, ...]:
    """The boxed instances that `seat` may say something to."""
    roles = peers_of(seat.role)
    return tuple(other.instance for other in seats if other.role in roles and is_boxed(other.role))


class Redelivered(NamedTuple):
    """A message that is to be sent once more."""

    receiver: str
    envelope: Envelope
    body: bytes
    payloads: tuple[BytesLike, ...]


@dataclass
class Redelivery:
    """What one sender owes to boxed receivers."""

    run_folder: Path
    sender: str
    receivers: tuple[str, ...]
    _owed: dict[str, tuple[Cursor, Cursor]] = field(default_factory=dict)
    """What each had heard, and what had been said to it, when it was looked at last."""

    @property
    def owes(self) -> bool:
        """Whether somebody had not heard everything when it was looked at last."""
        return bool(self._owed)

    def due(self, said: Mapping[str, Cursor]) -> Iterator[Redelivered]:
        """What is to be sent again now; `said` names the last message to each receiver."""
        for receiver in self.receivers:
            last = said.get(receiver, NOTHING)
            heard = self.heard_by(receiver)
            before = self._owed.pop(receiver, None)
            if heard is None or heard >= last:
                continue
            self._owed[receiver] = (heard, last)
            if before is not None and before[0] == heard < before[1]:
                yield from self._after(receiver, heard)

    def stream_to(self, receiver: str) -> SenderStream:
        """What this sender has said to `receiver`."""
        return SenderStream(self.run_folder, self.sender, receiver, PayloadStore(self.run_folder))

    def heard_by(self, receiver: str) -> Cursor | None:
        """The last message that `receiver` has heard from this sender; None when that cannot be seen."""
        cursors = read_cursors(self.run_folder / receiver)
        return None if cursors is None else cursors.get(self.sender, NOTHING)

    def _after(self, receiver: str, cursor: Cursor) -> Iterator[Redelivered]:
        stream = self.stream_to(receiver)
        messages = (item for item in stream.after(cursor) if isinstance(item, Journalled))
        for item in islice(messages, MOST_MESSAGES):
            yield Redelivered(receiver, _envelope_of(item, cursor), item.body, item.payloads)
            cursor = Cursor(item.ref.epoch, item.ref.seq)
        stream.close()


def _envelope_of(item: Journalled, predecessor: Cursor) -> Envelope:
    """The envelope of `item` after `predecessor`, without a place: who gets it looks nothing up."""
    number = (*item.ref[1:], *predecessor)
    cause = item.cause or NO_CAUSE
    return Envelope._make((item.kind, item.version, item.ref.sender, *number, item.wall_ns, *cause, 0, 0))
