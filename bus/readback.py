"""What a receiver may decode, and its inputs read back from the journals of those who sent them.

In: the seat of a receiver, the identity of a message that its own journal names as an input. Out: the message,
decoded and judged as it was then: the same bytes give the same message or the same refusal. Used when an actor
starts again, and when a run is replayed.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

from bus.codec import Decoder
from bus.core import Cursor, MessageRef, Received
from bus.errors import DecodeError, MissingInputError
from bus.payloads import PayloadStore
from bus.seating import book_in, seats_of
from bus.step import Heard
from bus.stream import Found, Journalled, SenderStream
from bus.topology import accepted_by, senders_to
from schemas.guests import NO_GUESTS, GuestBook
from schemas.manifest import Seat
from schemas.roles import Role

SUPERVISOR: Final[Role] = "supervisor"
"""What the user wants of an actor is said by the supervisor, in a journal of its own."""


class RefusedBody(NamedTuple):
    """A message that was really said and whose body is refused: the cursor moves on without it."""

    ref: MessageRef
    kind: str
    reason: str


Accepted = Received | RefusedBody
"""What is in its place in the stream of its sender."""


class Admission:
    """Decides by the topology what one receiver may decode at all."""

    def __init__(self, role: Role, seats: tuple[Seat, ...]) -> None:
        self._role_of: dict[str, Role] = {**{seat.instance: seat.role for seat in seats}, SUPERVISOR: SUPERVISOR}
        self._decoders = {key: Decoder(cls) for key, cls in accepted_by(role).items()}
        self._role = role

    def seat_guests(self, book: GuestBook) -> None:
        """Admit the guests in `book` as their roles allow; nobody takes the seat of one who has one."""
        self._role_of = {**{seat.instance: seat.role for seat in seats_of(book)}, **self._role_of}

    def decoder(self, sender: str, kind: str) -> Decoder:
        """The decoder of `kind` from `sender`; raises DecodeError when it may not send that here."""
        sender_role = self._role_of.get(sender)
        if sender_role is None:
            raise DecodeError(kind, f"sender {sender!r} has no seat in this run")
        decoder = self._decoders.get((sender_role, kind))
        if decoder is None:
            raise DecodeError(kind, f"the topology has no row ({sender_role}, {kind}, {self._role})")
        return decoder

    def judge(self, item: Journalled) -> Accepted:
        """The message in `item`, which its sender really said, or why its body is refused."""
        try:
            decoder = self.decoder(item.ref.sender, item.kind)
            return Received(item.ref, decoder.decode(item.body, item.payloads, item.version))
        except DecodeError as error:
            return RefusedBody(item.ref, item.kind, error.reason)

    def judge_heard(self, ref: MessageRef, heard: Heard) -> Accepted:
        """The message `ref`, which its receiver kept itself."""
        try:
            return Received(ref, self.decoder(ref.sender, heard.kind).decode(heard.body, (), heard.version))
        except DecodeError as error:
            return RefusedBody(ref, heard.kind, error.reason)


def streams_to(
    seat: Seat, seats: tuple[Seat, ...], run_folder: Path, payloads: PayloadStore
) -> dict[str, SenderStream]:
    """The journals of everyone who may say something journalled to `seat`, by instance; the supervisor has no seat."""
    roles = {**{other.instance: other.role for other in seats}, SUPERVISOR: SUPERVISOR}
    senders = senders_to(seat.role)
    return {
        instance: SenderStream(run_folder, instance, seat.instance, payloads)
        for instance, role in roles.items()
        if role in senders
    }


class Readback:
    """Finds the inputs of one actor, in the order in which its journal names them."""

    def __init__(self, seat: Seat, seats: tuple[Seat, ...], run_folder: Path, guests: GuestBook = NO_GUESTS) -> None:
        self.cursors: dict[str, Cursor] = {}
        self._seat = seat
        self._run_folder = run_folder
        self._payloads = PayloadStore(run_folder)
        self._streams = streams_to(seat, seats, run_folder, self._payloads)
        self._admission = Admission(seat.role, seats)
        self._reading: dict[str, Iterator[Found]] = {}
        self._seat_guests(guests)

    def observe(self, event: object) -> None:
        """Take in the guests that `event` tells of, if it does."""
        book = book_in(event)
        if book is not None:
            self._seat_guests(book)

    def _seat_guests(self, book: GuestBook) -> None:
        self._admission.seat_guests(book)
        if book.guests:
            found = streams_to(self._seat, seats_of(book), self._run_folder, self._payloads)
            self._streams = {**found, **self._streams}

    def start_after(self, cursors: Mapping[str, Cursor]) -> None:
        """Begin behind `cursors`."""
        self.close()
        self.cursors = dict(cursors)

    def recall(self, ref: MessageRef, heard: Heard | None) -> Accepted:
        """The message `ref` as its receiver kept it, else from its sender's journal. Raises MissingInputError."""
        if heard is None:
            return self.read(ref)
        self.cursors[ref.sender] = Cursor(ref.epoch, ref.seq)
        return self._admission.judge_heard(ref, heard)

    def read(self, ref: MessageRef) -> Accepted:
        """The message `ref`, which is the next input from its sender. Raises MissingInputError."""
        try:
            found = self._find(ref)
        except OSError as error:
            raise MissingInputError("/".join(map(str, ref)), f"its sender's journal cannot be read: {error}") from error
        if found is None:
            reason = f"it is no longer whole in the journal of {ref.sender}"
            raise MissingInputError("/".join(map(str, ref)), reason)
        self.cursors[ref.sender] = Cursor(ref.epoch, ref.seq)
        return self._admission.judge(found)

    def _find(self, ref: MessageRef) -> Journalled | None:
        stream = self._streams.get(ref.sender)
        if stream is not None:
            reading = self._reading.get(ref.sender)
            if reading is None:
                cursor = self.cursors.get(ref.sender, Cursor(0, 0))
                reading = self._reading[ref.sender] = stream.after(cursor)
            for item in reading:
                if not isinstance(item, Journalled) or item.ref < ref:
                    continue
                if item.ref == ref:
                    return item
                self._reading[ref.sender] = chain((item,), reading)
                break
        return None

    def close(self) -> None:
        """Let go of all journals."""
        self._reading.clear()
        self._payloads.close()
        for stream in self._streams.values():
            stream.close()
