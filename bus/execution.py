"""Running a core: one input in, one journal record out. The same code in a process, in a replay and in memory.

In: an actor, its seat, the seats of the run, and inputs. Out: step records with every message addressed and numbered.
An observation of guests changes who can be addressed, from its own step on. Refuses, as a programming error, to address
a message to anyone whom the topology does not name.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from bus.box.profiles import is_boxed
from bus.codec import encode_body
from bus.core import Actor, Input, Outcome, Received, Send
from bus.errors import BusError
from bus.randomness import UNTOUCHED
from bus.seating import book_in, seats_of
from bus.step import Heard, Numbering, Outgoing, RecordedInput, StepRecord
from bus.topology import receivers_of
from schemas.base import Message
from schemas.guests import NO_GUESTS, GuestBook
from schemas.manifest import Seat

Build = Callable[[], Actor]


class UndeclaredMessageError(BusError):
    """A core tried to say something that the topology does not allow."""


class Step(NamedTuple):
    """A handled input: what the journal keeps, and what the host still has to do."""

    record: StepRecord
    outcome: Outcome


class Execution:
    """Feeds one actor and numbers what it says."""

    def __init__(
        self,
        actor: Actor,
        seat: Seat,
        seats: tuple[Seat, ...],
        numbering: Numbering,
        guests: GuestBook = NO_GUESTS,
    ) -> None:
        self.actor = actor
        self.numbering = numbering
        self._seat = seat
        self._seats = seats
        self._is_boxed = is_boxed(seat.role)
        self.seat_guests(guests)

    def seat_guests(self, book: GuestBook) -> None:
        """Know the guests in `book` from now on."""
        self.book = book
        guests = seats_of(book)
        self._guests = frozenset(guest.instance for guest in guests)
        seats = (*self._seats, *guests)
        self._receivers = cache(lambda message: _receivers(self._seat, seats, message))

    def keeps_messages_of(self, sender: str) -> bool:
        """Whether a step holds the message of `sender` that it handled.

        A boxed actor finds it nowhere else; the journal of a guest is the guest's own, and proves nothing.
        """
        return self._is_boxed or sender in self._guests

    def is_guest(self, sender: str) -> bool:
        """Whether `sender` was given its seat after the run began."""
        return sender in self._guests

    def handle(self, event: Input, now_ns: int) -> Step:
        """Let the core decide on `event`."""
        book = book_in(event)
        if book is not None:
            self.seat_guests(book)
        outcome = self.actor.core.handle(event, now_ns)
        outgoing = tuple(out for send in outcome.sends for out in self._address(send)) if outcome.sends else ()
        digest = self.actor.randomness.take_digest()
        if not isinstance(event, Received):
            return Step(StepRecord(event, digest, outgoing, outcome.refusal), outcome)
        heard = self._heard(event.message) if self.keeps_messages_of(event.ref.sender) else None
        return Step(StepRecord(event.ref, digest, outgoing, outcome.refusal, heard), outcome)

    def refuse(self, event: RecordedInput, reason: str) -> Step:
        """The step of a message whose body is refused: the cursor moves on, the core never sees it."""
        return Step(StepRecord(event, UNTOUCHED, (), reason), Outcome(refusal=reason))

    @staticmethod
    def _heard(message: Message) -> Heard:
        return Heard(message.kind, message.version, encode_body(message))

    def _address(self, send: Send) -> list[Outgoing]:
        allowed = self._receivers(type(send.message))
        if send.to is not None and send.to not in allowed:
            raise UndeclaredMessageError(f"{self._seat.role} may not send {send.message.kind} to {send.to}")
        targets = allowed if send.to is None else (send.to,)
        return [self.numbering.outgoing(target, send.message, send.payload_origins) for target in targets]


def name_of_input(event: Input | None) -> str:
    """`event`, for people."""
    if isinstance(event, Received):
        return f"{event.message.kind} {'/'.join(map(str, event.ref))}"
    return repr(event)[:200]


def _receivers(seat: Seat, seats: tuple[Seat, ...], message: type[Message]) -> tuple[str, ...]:
    roles = receivers_of(seat.role, message)
    if not roles:
        raise UndeclaredMessageError(f"the topology has no row for {message.__name__} from {seat.role}")
    return tuple(other.instance for other in seats if other.role in roles)
