"""What may come in, and in which order: the check between the socket and the core.

In: raw messages from the inbox, and messages read back from the senders' journals. Out: messages accepted in order,
exactly once. A message is accepted iff its predecessor equals the cursor of its sender; on a gap, at start and when
idle the sender's journal is read (design, section 3). Refused and counted: envelopes that are none, senders without a
seat, senders that are not the holder of the key, kinds that the topology does not allow from that sender, bodies that
fail validation. A bad body on the socket moves no cursor; only the sender's own journal can prove that it was really
said. A boxed receiver reads no journal: what it misses is sent again (`bus.redelivery`), and the key proves who said
it.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from bus.actor_log import ActorLog
from bus.box.profiles import is_boxed
from bus.codec import BytesLike
from bus.core import Cursor, Received
from bus.envelope import Envelope, Place, decode_envelope
from bus.errors import DecodeError, MissingInputError
from bus.link import RawMessage
from bus.payloads import PayloadStore
from bus.readback import Accepted, Admission, RefusedBody, streams_to
from bus.refusals import Refusals
from bus.seating import seats_of
from bus.stream import Damage, Found, Journalled, Pause
from schemas.guests import GuestBook
from schemas.manifest import Seat

LAST_WORDS_S: Final = 2.0
"""What guests said and was not heard yet may take so long when an actor leaves; actors are heard to the end."""
BEGINNING: Final = Cursor(0, 0)
"""Before the first message of a sender."""


class Intake:
    """Puts the messages of all senders in order."""

    def __init__(
        self, seat: Seat, seats: tuple[Seat, ...], run_folder: Path, refusals: Refusals, log: ActorLog
    ) -> None:
        self._seat = seat
        self._run_folder = run_folder
        self._payloads = PayloadStore(run_folder, checks_named=False)
        self.cursors: dict[str, Cursor] = {}
        self.streams = {} if is_boxed(seat.role) else streams_to(seat, seats, run_folder, self._payloads)
        self.received = 0
        self.recovered = 0
        self.duplicates = 0
        self.damaged = 0
        self._admission = Admission(seat.role, seats)
        self._guests: set[str] = set()
        self._heard: dict[str, Envelope] = {}
        self._backlogs: dict[str, Iterator[Found]] = {}
        self._refusals = refusals
        self._log = log

    def restore(self, cursors: Mapping[str, Cursor]) -> None:
        """Go on after `cursors`, reading the journals anew."""
        self.cursors = dict(cursors)
        self._backlogs.clear()
        self._heard.clear()
        self.close()

    def seat_guests(self, book: GuestBook) -> None:
        """Admit the guests in `book`, and read their journals."""
        self._admission.seat_guests(book)
        self._guests = {guest.instance for guest in book.guests}
        if not is_boxed(self._seat.role):
            found = streams_to(self._seat, seats_of(book), self._run_folder, self._payloads)
            self.streams = {**found, **self.streams}

    def cursor(self, sender: str) -> Cursor:
        """The last message accepted from `sender`."""
        return self.cursors.get(sender, BEGINNING)

    def offer(self, parts: RawMessage, holder: str | None = None) -> Accepted | None:
        """Judge a message from the socket; None when it is refused, known already, or out of order.

        `holder` is the instance whose key it came under; None on a transport without keys.
        """
        envelope: Envelope | None = None
        try:
            envelope = decode_envelope(parts[0])
            if holder is not None and envelope.sender != holder:
                self._refusals.add(envelope.sender, envelope.kind, f"the key is {holder}'s", holder)
                return None
            decoder = self._admission.decoder(envelope.sender, envelope.kind)
            cursor = self.cursors.get(envelope.sender, BEGINNING)
            if envelope[3:5] <= cursor:
                self.duplicates += 1
                return None
            if envelope[5:7] != cursor:
                self.look_back(envelope.sender)
                return None
            if len(parts) < 2:
                raise DecodeError(envelope.kind, "the body is missing")
            payloads: Sequence[BytesLike] = parts[2:]
            if not payloads and decoder.takes_payloads:
                payloads = self._payloads_left_behind(envelope)
            message = decoder.decode(parts[1], payloads, envelope.version)
        except (DecodeError, MissingInputError) as error:
            if envelope is not None and holder is not None and not self.streams:
                return self._pass_over(envelope, error.reason)
            self._not_accepted(envelope, error, holder)
            return None
        self.received += 1
        self.cursors[envelope.sender] = envelope.position
        self._heard[envelope.sender] = envelope
        return Received(envelope.ref, message)

    def _pass_over(self, envelope: Envelope, reason: str) -> RefusedBody | None:
        """Move on without a message that its sender really said, if it is the next."""
        if envelope.predecessor != self.cursor(envelope.sender) or envelope.position <= envelope.predecessor:
            self._refusals.add(envelope.sender, envelope.kind, reason)
            return None
        self.cursors[envelope.sender] = envelope.position
        return RefusedBody(envelope.ref, envelope.kind, reason)

    def _payloads_left_behind(self, envelope: Envelope) -> Sequence[BytesLike]:
        """The payloads that stayed in the sender's journal, for their size."""
        place = Place(envelope.epoch, envelope.segment_seq, envelope.offset)
        return self._payloads.at(envelope.sender, place, envelope.seq)

    def _not_accepted(
        self, envelope: Envelope | None, error: DecodeError | MissingInputError, holder: str | None
    ) -> None:
        """Count a refusal; either way only the sender's journal can tell what was really said."""
        if isinstance(error, DecodeError):
            kind = error.kind if envelope is None else envelope.kind
            self._refusals.add("unknown" if envelope is None else envelope.sender, kind, error.reason, holder)
        if envelope is not None:
            self.look_back(envelope.sender)

    def look_back(self, sender: str) -> None:
        """Read the journal of `sender` from the cursor on, a bit in each `backlog`."""
        if sender in self.streams and sender not in self._backlogs:
            heard = self._heard.pop(sender, None)
            if heard is not None:
                self.streams[sender].skip_to(Place(heard.epoch, heard.segment_seq, heard.offset))
            self._backlogs[sender] = self.streams[sender].after(self.cursor(sender))

    def look_back_everywhere(self) -> None:
        """Look for news in the journals of all senders: at start and when idle."""
        for sender in self.streams:
            self.look_back(sender)

    @property
    def has_backlog(self) -> bool:
        """Whether some journal is still being read."""
        return bool(self._backlogs)

    def has_last_words(self, until_s: float) -> bool:
        """Whether some journal is still to be read before leaving; those of guests are closed after `until_s`."""
        late = self._guests & self._backlogs.keys() if time.monotonic() > until_s else ()
        for name in sorted(late):
            del self._backlogs[name]
            self.streams.pop(name).close()
            self._log.warning(f"{name} has said more than can be heard before the end")
        return self.has_backlog

    def backlog(self, limit: int) -> list[Accepted]:
        """At most `limit` messages read back from journals, in the order of each sender."""
        accepted: list[Accepted] = []
        for sender in list(self._backlogs):
            for item in self._backlogs[sender]:
                taken = self._take(sender, item)
                if taken is not None:
                    accepted.append(taken)
                if len(accepted) >= limit:
                    return accepted
                if not isinstance(item, Journalled):
                    break  # others get their turn
            else:
                del self._backlogs[sender]
        return accepted

    def _take(self, sender: str, item: Found) -> Accepted | None:
        if isinstance(item, Pause):
            return None
        if isinstance(item, Damage):
            self.damaged += 1
            place = f"{sender}/{item.segment} at {item.offset}"
            self._log.error(f"damaged journal: {place}: {item.reason}; {item.size} bytes are not served")
            return None
        cursor = self.cursors.get(sender, BEGINNING)
        if item.ref[1:] <= cursor:
            return None
        if item.predecessor != cursor:
            self.damaged += 1
            self._log.error(f"messages of {sender} after {tuple(cursor)} up to {tuple(item.predecessor)} are lost")
        self.recovered += 1
        self.cursors[sender] = Cursor(item.ref.epoch, item.ref.seq)
        return self._admission.judge(item)

    def close(self) -> None:
        """Close all journals."""
        self._payloads.close()
        for stream in self.streams.values():
            stream.close()
