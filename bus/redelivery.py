"""Sending again to a boxed actor what it has missed: it may read no journal, and it never says that it misses anything.

In: the sender's own journal, and the cursors that the boxed actor leaves in its folder; when they are gone, are none or
are ahead of all that was said, after some looks what its journal tells. Out: the messages after its
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
from bus.journalled_cursors import JournalledCursors
from bus.payloads import PayloadStore
from bus.stream import Journalled, SenderStream
from bus.topology import peers_of
from schemas.manifest import Seat

NOTHING: Final = Cursor(0, 0)
MOST_MESSAGES: Final = 64
"""Messages that are sent again to one receiver at a time."""
LOOKS_TO_JOURNAL: Final = 10
"""Looks without cursors to be seen after which the receiver's journal is read, each time."""


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
    _blind: dict[str, int] = field(default_factory=dict)
    """How often each was looked at since its cursors could be seen."""
    _unknown: set[str] = field(default_factory=set)
    """Of whom nothing told what they had heard when they were looked at last."""
    _tellers: dict[str, JournalledCursors] = field(default_factory=dict)

    @property
    def owes(self) -> bool:
        """Whether somebody had not heard everything when it was looked at last, or may not have."""
        return bool(self._owed or self._unknown)

    def due(self, said: Mapping[str, Cursor]) -> Iterator[Redelivered]:
        """What is to be sent again now; `said` names the last message to each receiver."""
        for receiver in self.receivers:
            last = said.get(receiver, NOTHING)
            heard = self._seen(receiver, last)
            if heard is None:
                self._unknown.add(receiver)
                continue
            self._unknown.discard(receiver)
            before = self._owed.pop(receiver, None)
            if heard >= last:
                continue
            self._owed[receiver] = (heard, last)
            if before is not None and before[0] == heard < before[1]:
                yield from self._after(receiver, heard)

    def stream_to(self, receiver: str) -> SenderStream:
        """What this sender has said to `receiver`."""
        return SenderStream(self.run_folder, self.sender, receiver, PayloadStore(self.run_folder))

    def journal_of(self, receiver: str) -> JournalledCursors:
        """What the journal of `receiver` tells of what it has heard."""
        return JournalledCursors(self.run_folder / receiver)

    def _seen(self, receiver: str, last: Cursor) -> Cursor | None:
        """What `receiver` has heard of all up to `last`; None when nothing tells that now."""
        shown = self.heard_by(receiver) if last > NOTHING else NOTHING
        if shown is not None and shown <= last:
            self._blind.pop(receiver, None)
            return shown
        looks = self._blind[receiver] = self._blind.get(receiver, 0) + 1
        if looks % LOOKS_TO_JOURNAL:
            return None
        if receiver not in self._tellers:
            self._tellers[receiver] = self.journal_of(receiver)
        told = self._tellers[receiver].look()
        return None if told is None else min(told.get(self.sender, NOTHING), last)

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
