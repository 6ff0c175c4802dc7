"""The supervisor's ear: what every actor tells it about itself.

In: control messages of the actors of a run. Out: validated Ready, Heartbeat, Stopped and Failed. Anything else is
refused and counted.
"""

from pathlib import Path

from bus.codec import Decoder
from bus.envelope import decode_envelope
from bus.errors import DecodeError
from bus.link import Inbox, RawMessage, make_context
from bus.reporting import SUPERVISOR
from bus.topology import CONTROL
from schemas.base import Message

DRAIN_MESSAGES = 1000


class ControlInbox:
    """Receives control messages on the supervisor's own inbox."""

    def __init__(self, runtime: Path) -> None:
        self._context = make_context()
        self._inbox = Inbox(self._context, runtime, SUPERVISOR)
        self._decoders = {cls.kind: Decoder(cls) for cls in CONTROL}
        self.refused = 0
        self.last_refusal: str | None = None

    def fileno(self) -> int:
        """A descriptor that becomes readable when something may have arrived; edge-triggered, so drain."""
        return self._inbox.fileno()

    def drain(self, timeout_ms: int) -> list[Message]:
        """What has arrived, waiting at most `timeout_ms` for the first."""
        if timeout_ms:
            self._inbox.wait(timeout_ms)
        messages: list[Message] = []
        while len(messages) < DRAIN_MESSAGES and (parts := self._inbox.receive()) is not None:
            try:
                messages.append(self._decode(parts))
            except DecodeError as error:
                self.refused += 1
                self.last_refusal = str(error)
        return messages

    def _decode(self, parts: RawMessage) -> Message:
        envelope = decode_envelope(parts[0])
        decoder = self._decoders.get(envelope.kind)
        if decoder is None or len(parts) < 2:
            raise DecodeError(envelope.kind, f"{envelope.sender!r} may not send this to the supervisor")
        return decoder.decode(parts[1], parts[2:], envelope.version)

    def close(self) -> None:
        """Close the inbox."""
        self._inbox.close()
        self._context.term()
