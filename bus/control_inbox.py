"""The supervisor's ear: what every actor tells it about itself.

In: control messages of the actors of a run. Out: validated Ready, Heartbeat, Stopped and Failed. Anything else is
refused and counted: other kinds, with keys also what names somebody else than the holder of the key as its sender or
its subject, and handshakes that fail.
"""

from collections.abc import Sequence
from pathlib import Path

from bus.codec import Decoder
from bus.envelope import decode_envelope
from bus.errors import DecodeError
from bus.keys import SUPERVISOR, KeyRing
from bus.link import Arrival, Inbox, make_context
from bus.topology import CONTROL
from schemas.base import Message
from schemas.control import Failed, Heartbeat, Ready, Stopped
from schemas.guests import GuestBook

DRAIN_MESSAGES = 1000


class ControlInbox:
    """Receives control messages on the supervisor's own inbox."""

    def __init__(self, runtime: Path, ring: KeyRing | None = None, callers: Sequence[str] = ()) -> None:
        self._context = make_context()
        self._inbox = Inbox(self._context, runtime, SUPERVISOR, ring=ring, callers=callers)
        self._decoders = {cls.kind: Decoder(cls) for cls in CONTROL}
        self.refused = 0
        self.last_refusal: str | None = None

    def admit_guests(self, book: GuestBook) -> None:
        """Hear the guests in `book` as well."""
        self._inbox.admit_guests(SUPERVISOR, book)

    def filenos(self) -> tuple[int, ...]:
        """Descriptors that become readable when something may have arrived; edge-triggered, so drain."""
        return self._inbox.filenos()

    def drain(self, timeout_ms: int) -> list[Message]:
        """What has arrived, waiting at most `timeout_ms` for the first."""
        if timeout_ms:
            self._inbox.wait(timeout_ms)
        messages: list[Message] = []
        while len(messages) < DRAIN_MESSAGES and (arrival := self._inbox.receive()) is not None:
            try:
                messages.append(self._decode(arrival))
            except DecodeError as error:
                self._refuse(str(error))
        for sender, reason in self._inbox.take_refusals():
            self._refuse(f"handshake from {sender}: {reason}")
        return messages

    def _refuse(self, text: str) -> None:
        self.refused += 1
        self.last_refusal = text

    def _decode(self, arrival: Arrival) -> Message:
        parts, holder = arrival
        envelope = decode_envelope(parts[0])
        if holder is not None and envelope.sender != holder:
            raise DecodeError(envelope.kind, f"{envelope.sender!r} is not who sends this: the key is {holder}'s")
        decoder = self._decoders.get(envelope.kind)
        if decoder is None or len(parts) < 2:
            raise DecodeError(envelope.kind, f"{envelope.sender!r} may not send this to the supervisor")
        message = decoder.decode(parts[1], parts[2:], envelope.version)
        if holder is not None and _subject(message) != holder:
            raise DecodeError(envelope.kind, f"it is about {_subject(message)!r}: the key is {holder}'s")
        return message

    def close(self) -> None:
        """Close the inbox."""
        self._inbox.close()
        self._context.term()


def _subject(message: Message) -> str | None:
    """The instance that a control message is about."""
    return message.instance if isinstance(message, Ready | Heartbeat | Stopped | Failed) else None
