"""What leaves an actor process once its step is on disk: messages to their receivers, and once more to a boxed one.

In: journalled steps, and the place of their frames. Out: frames at the sockets, large payloads left in the journal
unless the receiver cannot look there: it is boxed, or a guest that takes frames. What the sockets drop is not sent
again here; its receiver finds it in the journal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bus.core import Cursor
from bus.envelope import Place, encode_envelope, envelope_of
from bus.execution import Step
from bus.link import Outlet
from bus.payloads import travelling
from bus.redelivery import Redelivery
from schemas.guests import GuestBook
from schemas.roles import Role


@dataclass
class Departure:
    """The way out of one process."""

    sender: str
    redelivery: Redelivery
    _takes_frames: frozenset[str] = field(default_factory=frozenset)

    def seat_guests(self, outlet: Outlet, role: Role, book: GuestBook) -> None:
        """Reach the guests to whom `role` may say something; know which of them want to be sent everything."""
        outlet.call_guests(role, book)
        self._takes_frames = frozenset(guest.instance for guest in book.guests if guest.takes_frames)

    def send(self, outlet: Outlet, step: Step, now_ns: int, place: Place) -> None:
        """Let the messages of `step` out, whose frame is at `place`."""
        for out in step.record.outgoing:
            envelope = envelope_of(step.record.event, out, self.sender, place, now_ns)
            is_whole = out.receiver in self.redelivery.receivers or out.receiver in self._takes_frames
            payloads = out.payloads if is_whole else travelling(out.payloads)
            outlet.send(out.receiver, encode_envelope(envelope), out.body, payloads)

    def send_again(self, outlet: Outlet, said: Mapping[str, Cursor]) -> None:
        """Send boxed receivers what they have missed; `said` names the last message to each receiver."""
        for receiver, envelope, body, payloads in self.redelivery.due(said):
            outlet.send(receiver, encode_envelope(envelope), body, payloads)
