"""The place of one actor in a simulated world: what outlives its processes, and the ports that they use.

In: port calls of a process (`bus.simulation.process.Ports`). Out: calls of the world; a `Crashed` at the port call that
a fault has chosen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bus.core import Actor, Ask, Observed
from bus.link import RawMessage
from bus.simulation.company import Part, Surroundings
from bus.simulation.faults import NEVER, SECOND_NS, Break, Faults
from bus.simulation.ports import Crashed, Setting
from bus.simulation.process import Process
from bus.step import Outgoing
from bus.window import NoWorldError


class Surface(Protocol):
    """What a station asks of its world."""

    now_ns: int
    wall_offset_ns: int
    journals_full_until_ns: int
    store_full_until_ns: int
    setting: Setting
    complaints: list[str]

    def after(self, delay_ns: int, what: Callable[..., None], one: object, other: object) -> int:
        """Have `what` happen; the number of the event."""

    def fire(self, process: Process, name: str) -> None:
        """A timer has run out."""

    def answer(self, process: Process, observation: Observed) -> None:
        """The world has answered."""

    def transmit(self, station: "Station", out: Outgoing, parts: RawMessage) -> None:
        """Carry a message."""

    def transmit_again(self, receiver: str, parts: RawMessage) -> None:
        """Carry a message that was carried before."""

    def announce(self, sender: str, receiver: str) -> None:
        """The journal of `sender` holds something new for `receiver`."""

    def announce_start(self, instance: str) -> None:
        """A process of `instance` shows what it has heard, and can see what others have."""


@dataclass
class Station:
    """One actor."""

    world: Surface
    part: Part
    epoch: int = 0
    calls: int = 0
    """Port calls of all its processes."""
    break_at: int = NEVER
    broken_by: Break | None = None
    process: Process | None = None

    @property
    def instance(self) -> str:
        """The name of the actor."""
        return self.part.seat.instance

    def now_ns(self) -> int:
        """Virtual time."""
        return self.world.now_ns

    def wall_ns(self) -> int:
        """The wall clock."""
        return self.world.now_ns + self.world.wall_offset_ns

    def takes_writes(self) -> bool:
        """Whether the disk has room for a journal."""
        return self.world.now_ns >= self.world.journals_full_until_ns

    def has_room(self) -> bool:
        """Whether the disk has room for a store."""
        return self.world.now_ns >= self.world.store_full_until_ns

    def call(self) -> None:
        """A port call; raises Crashed when the process dies in it."""
        self.calls += 1
        if self.calls == self.break_at and self.broken_by is not None:
            raise Crashed(self.broken_by)

    def send(self, out: Outgoing, parts: RawMessage) -> None:
        """Put a message on its way."""
        self.world.transmit(self, out, parts)

    def send_again(self, receiver: str, parts: RawMessage) -> None:
        """Put a message on its way that was sent before."""
        self.world.transmit_again(receiver, parts)

    def announce(self, receiver: str) -> None:
        """The journal holds something new for `receiver`."""
        self.world.announce(self.instance, receiver)

    def announce_start(self) -> None:
        """The process shows what it has heard, and can see what others have."""
        self.world.announce_start(self.instance)

    def set_timer(self, name: str, delay_s: float) -> None:
        """Have `name` fire."""
        process = self.process
        if process is not None:
            process.timers[name] = self.world.after(int(delay_s * SECOND_NS), self.world.fire, process, name)

    def ask(self, ask: Ask) -> None:
        """Ask the world, whose answers come to this process alone; raises NoWorldError when there is none."""
        if self.part.script is None:
            raise NoWorldError(f"{self.instance} asked for {ask.name!r}, and its part has no script")
        for later in self.part.script(ask):
            self.world.after(int(later.delay_s * SECOND_NS), self.world.answer, self.process, later.answer)

    def complain(self, instance: str, text: str) -> None:
        """An error of the log."""
        self.world.complaints.append(f"{instance}: {text}")

    def await_break(self, faults: Faults) -> None:
        """Find the next port call at which something breaks."""
        self.broken_by = faults.next_break(self.instance, self.calls)
        self.break_at = NEVER if self.broken_by is None else self.broken_by.call

    def build(self) -> Actor:
        """The actor, as at a process start."""
        setting = self.world.setting
        surroundings = Surroundings(self.now_ns, self.has_room, self.call, setting.is_power_safe, setting.sync_ns)
        return self.part.build(surroundings)
