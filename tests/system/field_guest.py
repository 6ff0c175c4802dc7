"""A foreign field in a seat of its own: it offers moments, and says and hears lines when a test tells it to."""

import json
import time
from pathlib import Path

from bus.core import Received
from bus.guest_link import GuestLink
from bus.seat_offer import TakenSeat
from schemas.base import Message
from schemas.friend import (
    DialogLimits,
    FriendOffer,
    GenerateLine,
    LineGenerated,
    LineMeasures,
    LineObserved,
    ObserveLine,
    OriginTold,
    Pulse,
)
from schemas.ids import derived_id

ORIGIN = (
    "The little lighthouse was lonely. A storm broke its lantern. It learned to whistle instead. "
    "Ships remember the whistle. The lighthouse remembers the ships."
)
PULSE = Pulse(novelty=0.5, arousal=0.25, entropy=0.5)
LOOK_BACK_S = 0.2
PATIENCE_S = 20.0


def seat_of(house, name: str) -> Path:
    """A seat for a foreign field."""
    given = house.run("attach", name, "--role=field-host", "--json")
    assert given.returncode == 0, given.stderr
    return Path(json.loads(given.stdout)["offer"])


class FieldGuest:
    """One foreign host."""

    def __init__(self, house, host_id: str, origin: str = ORIGIN) -> None:
        self.host_id = host_id
        self.heard: list[Message] = []
        self._waiting: list[Message] = []
        self._moments = 0
        self._is_gone = False
        self._link = GuestLink(TakenSeat(seat_of(house, host_id)))
        self.say(OriginTold(host_id=host_id, bootstrap=origin, readme=()))

    def say(self, message: Message) -> None:
        """Say it, whoever is there."""
        self._link.say(message, message.kind)

    def offer(self) -> str:
        """Offer a moment whose gate is open; its id."""
        self._moments += 1
        ctx_id = derived_id(self.host_id, self._moments)
        self.say(
            FriendOffer(
                ctx_id=ctx_id,
                host_id=self.host_id,
                now_s=1_767_225_600.0 + 1000.0 * self._moments,
                prompt="who are you?",
                reply="i was a lamp.",
                snapshots=(),
                pulse=PULSE,
                trauma=0.75,
                themes=(),
                expert="structural",
                quality=None,
                limits=DialogLimits(lines=3, tokens=48, chars=320),
            )
        )
        return ctx_id

    def hear(self, *kinds: type[Message], patience_s: float = PATIENCE_S) -> Message:
        """The next message of one of `kinds`; what comes before it is kept in `heard`."""
        end_s = time.monotonic() + patience_s
        while True:
            for received in self._link.hear(LOOK_BACK_S) or self._link.look_back():
                self._keep(received)
            while self._waiting:
                message = self._waiting.pop(0)
                if isinstance(message, kinds):
                    return message
            assert time.monotonic() < end_s, f"{self.host_id} heard {[each.kind for each in self.heard]}"
            self._link.beat()

    def serve(self, request: Message) -> None:
        """Do what the friend asks for."""
        dialog_id, step = getattr(request, "dialog_id", ""), getattr(request, "step", 0)
        if isinstance(request, GenerateLine):
            text = f"The lantern of the {self.host_id} ship {dialog_id[:8]} remembers storm number {step}."
            self.say(LineGenerated(dialog_id=dialog_id, step=step, text=text, error=None))
        elif isinstance(request, ObserveLine):
            measures = LineMeasures(pulse=PULSE, trauma=0.5, quality=0.5)
            self.say(LineObserved(dialog_id=dialog_id, step=step, now_s=1_767_225_600.0, measures=measures))

    def serve_until(self, kind: type[Message], count: int = 1) -> Message:
        """Serve until the friend has said `kind` so many times; the last of them is not served."""
        while True:
            message = self.hear(Message)
            count -= isinstance(message, kind)
            if not count:
                return message
            self.serve(message)

    def close(self) -> None:
        """Leave; twice is once."""
        if not self._is_gone:
            self._is_gone = True
            self._link.close()

    def _keep(self, received: Received) -> None:
        self.heard.append(received.message)
        self._waiting.append(received.message)
