"""What a simulated process asks of its world, and how the machine under it is set.

In: nothing. Out: the ports of `bus.simulation.process`; each touch of them is a call at which the process may die.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from bus.core import Ask
from bus.execution import Step
from bus.link import RawMessage
from bus.simulation.faults import Crash, PowerCut
from bus.step import Outgoing


class Crashed(Exception):  # noqa: N818 - an event, not an error
    """The process dies here."""

    def __init__(self, fault: Crash | PowerCut) -> None:
        self.fault = fault
        super().__init__(f"{fault.instance} at port call {fault.call}")


class Written(NamedTuple):
    """A step in a journal: its number, and where its frame begins and ends in its segment."""

    step: Step
    number: int
    offset: int
    end: int


class Ports(Protocol):
    """What a process asks of its world."""

    def wall_ns(self) -> int:
        """The wall clock."""

    def takes_writes(self) -> bool:
        """Whether the disk has room for a journal."""

    def send(self, out: Outgoing, parts: RawMessage) -> None:
        """Put a message on its way."""

    def send_again(self, receiver: str, parts: RawMessage) -> None:
        """Put a message on its way that was sent before."""

    def announce(self, receiver: str) -> None:
        """The journal holds something new for `receiver`."""

    def announce_start(self) -> None:
        """The process shows what it has heard, and can see what others have."""

    def set_timer(self, name: str, delay_s: float) -> None:
        """Have `name` fire."""

    def ask(self, ask: Ask) -> None:
        """Ask the world, whose answers come to this process alone."""

    def complain(self, instance: str, text: str) -> None:
        """An error of the log."""

    def now_ns(self) -> int:
        """Virtual time."""

    def call(self) -> None:
        """A port call; raises Crashed when the process dies in it."""


@dataclass(frozen=True)
class Setting:
    """How the machine of one run is set; a seed draws it."""

    is_power_safe: bool
    """Fsync policy `power`: sync before anything is sent."""
    sync_ns: int
    """How long the disk takes to sync."""
    latency_ns: int
    """From one process to another."""
    look_back_ns: int
    """After which a receiver looks into the journal of a sender that has written."""
    snapshot_steps: int
    segment_bytes: int
