"""What a process tells the supervisor about itself: ready, alive, leaving, failed. Sent, never journalled.

In: counters of the link and figures of the core. Out: control messages on the supervisor's inbox; a supervisor that
does not listen misses them.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bus.codec import encode_body
from bus.core import Scalar
from bus.envelope import Envelope, encode_envelope
from bus.intake import Intake
from bus.link import Outlet
from bus.refusals import Refusals
from schemas.base import Message
from schemas.control import Failed, Figure, Heartbeat, Ready, Stopped, Traffic
from schemas.guests import NO_GUESTS, GuestBook

SUPERVISOR = "supervisor"
GUESTS_KNOWN = "guests_known"
"""The figure by which an actor tells which guest book it knows."""


@dataclass
class Reporter:
    """Reports for one process."""

    instance: str
    epoch: int
    outlet: Outlet
    intake: Intake
    refusals: Refusals
    guests: GuestBook = NO_GUESTS
    """The guest book that this process knows."""

    def ready(self, step: int, recovered_steps: int, cut_bytes: int) -> None:
        """The inbox is served and the journal repaired."""
        self._tell(
            Ready(
                instance=self.instance,
                epoch=self.epoch,
                pid=os.getpid(),
                step=step,
                recovered_steps=recovered_steps,
                cut_bytes=cut_bytes,
            )
        )

    def heartbeat(self, step: int, queue: int, figures: Mapping[str, Scalar]) -> None:
        """The main loop turns."""
        traffic = Traffic(
            received=self.intake.received,
            sent=self.outlet.sent,
            recovered=self.intake.recovered,
            duplicates=self.intake.duplicates,
            dropped=self.outlet.dropped,
            refused=self.refusals.count,
            damaged=self.intake.damaged,
            queue=queue,
        )
        shown = tuple(Figure(name=name, value=value) for name, value in {**figures, **self._of_guests()}.items())
        self._tell(
            Heartbeat(
                instance=self.instance,
                epoch=self.epoch,
                step=step,
                traffic=traffic,
                figures=shown,
                last_refusal=self.refusals.last,
            )
        )

    def _of_guests(self) -> dict[str, Scalar]:
        """Which guest book is known, and how much was refused of each guest; nothing without guests."""
        if not self.guests.version:
            return {}
        names = [guest.instance for guest in self.guests.guests]
        refused = {f"refused_of.{name.replace('-', '_')}": self.refusals.of(name) for name in names}
        return {GUESTS_KNOWN: self.guests.version, **refused}

    def stopped(self, step: int) -> None:
        """The journal is closed."""
        self._tell(Stopped(instance=self.instance, epoch=self.epoch, step=step))

    def failed(self, step: int, reference: str, reason: str) -> None:
        """The process cannot go on."""
        reason = reason[:2000]
        self._tell(
            Failed(instance=self.instance, epoch=self.epoch, step=step, input_reference=reference, reason=reason)
        )

    def _tell(self, message: Message) -> None:
        tell(self.outlet, self.instance, self.epoch, message)


def tell(outlet: Outlet, instance: str, epoch: int, message: Message) -> None:
    """Send a control message of `instance` to the supervisor, unnumbered."""
    envelope = Envelope(message.kind, message.version, instance, epoch, 0, 0, 0, time.time_ns(), "", 0, 0, 0, 0)
    outlet.send(SUPERVISOR, encode_envelope(envelope), encode_body(message))
