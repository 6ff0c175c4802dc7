"""A bus inside one process, in virtual time: the same cores, encoded messages, no sockets and no disk. For tests and
for trying an actor out.

In: actors with their seats, scripts of what the world answers. Out: what they said, in order, and where their timers
led. Everything is
deterministic: events are ordered by virtual time, then by the order in which they were caused. Every message is
encoded, checked against the topology and decoded again, as on the real bus.
"""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bus.codec import Decoder
from bus.core import Actor, Fired, Input, MessageRef, Received, Started, StepPosition
from bus.errors import BusError
from bus.execution import Execution
from bus.scripted import Script
from bus.step import Numbering, Outgoing
from bus.topology import accepted_by
from schemas.base import Message
from schemas.manifest import Seat

START_NS = 1_767_225_600 * 1_000_000_000
"""Virtual time begins on 2026-01-01."""


@dataclass(frozen=True)
class Said:
    """A message that went from one instance to another."""

    at_ns: int
    sender: str
    receiver: str
    message: Message


@dataclass(order=True)
class _Event:
    at_ns: int
    number: int
    instance: str = field(compare=False)
    event: Input = field(compare=False)


class MemoryBus:
    """Runs actors against each other until virtual time is over."""

    def __init__(
        self,
        actors: Mapping[Seat, Actor],
        start_ns: int = START_NS,
        scripts: Mapping[str, Script] = MappingProxyType({}),
    ) -> None:
        """`scripts`: by instance, what the world answers to its asks."""
        self.now_ns = start_ns
        self._scripts = scripts
        self._epochs = dict.fromkeys((seat.instance for seat in actors), 1)
        self.said: list[Said] = []
        self.refusals: list[tuple[str, str]] = []
        self.files: dict[str, bytes] = {}
        self._seats = {seat.instance: seat for seat in actors}
        seats = tuple(actors)
        self._executions = {s.instance: Execution(actor, s, seats, Numbering(1)) for s, actor in actors.items()}
        self._decoders: dict[tuple[str, str], Decoder] = {}
        self._timers: dict[tuple[str, str], int] = {}
        self._events: list[_Event] = []
        self._number = 0
        for seat, actor in actors.items():
            opening: tuple[Input, ...] = (Started(1), *actor.observations)
            for event in opening:
                self._push(start_ns, seat.instance, event)

    def run(self, seconds: float) -> None:
        """Let `seconds` of virtual time pass."""
        end = self.now_ns + int(seconds * 1e9)
        while self._events and self._events[0].at_ns <= end:
            item = heapq.heappop(self._events)
            self.now_ns = item.at_ns
            if self._is_current(item):
                self._handle(item.instance, item.event)
        self.now_ns = end

    def _is_current(self, item: _Event) -> bool:
        if not isinstance(item.event, Fired):
            return True
        key = (item.instance, item.event.name)
        if self._timers.get(key) != item.number:
            return False
        del self._timers[key]
        return True

    def inject(self, sender: str, receiver: str, message: Message) -> None:
        """Say `message` to `receiver` as if `sender` had; the receiver handles it when time goes on."""
        ref = MessageRef(sender, 1, 0)
        self._push(self.now_ns, receiver, Received(ref, message))

    def messages(self, cls: type[Message]) -> list[Message]:
        """All messages of one kind, in the order in which they were said."""
        return [said.message for said in self.said if isinstance(said.message, cls)]

    def _push(self, at_ns: int, instance: str, event: Input) -> int:
        self._number += 1
        heapq.heappush(self._events, _Event(at_ns, self._number, instance, event))
        return self._number

    def _handle(self, instance: str, event: Input) -> None:
        execution = self._executions[instance]
        step = execution.handle(event, self.now_ns)
        store = execution.actor.store
        if store is not None:
            store.commit(StepPosition(1, self._number), {})
        if step.outcome.refusal is not None:
            self.refusals.append((instance, step.outcome.refusal))
        for timer in step.outcome.timers:
            at_ns = self.now_ns + int(timer.delay_s * 1e9)
            self._timers[instance, timer.name] = self._push(at_ns, instance, Fired(timer.name))
        for effect in step.outcome.effects:
            kept = b"" if effect.offset is None else self.files.get(effect.path, b"")[: effect.offset]
            self.files[effect.path] = kept + effect.content
        for ask in step.outcome.asks:
            for later in self._scripts[instance](ask):
                self._push(self.now_ns + int(later.delay_s * 1e9), instance, later.answer)
        if step.outcome.wants_successor:
            self._epochs[instance] += 1
            self._push(self.now_ns, instance, Started(self._epochs[instance]))
        for out in step.record.outgoing:
            self._deliver(instance, out)

    def _deliver(self, sender: str, out: Outgoing) -> None:
        message = self._decoder(sender, out).decode(out.body, out.payloads, out.version)
        self.said.append(Said(self.now_ns, sender, out.receiver, message))
        self._push(self.now_ns, out.receiver, Received(MessageRef(sender, 1, out.seq), message))

    def _decoder(self, sender: str, out: Outgoing) -> Decoder:
        key = (self._seats[out.receiver].role, out.kind)
        if key not in self._decoders:
            cls = accepted_by(key[0]).get((self._seats[sender].role, out.kind))
            if cls is None:
                raise BusError(f"{key[0]} may not receive {out.kind} from {sender}")
            self._decoders[key] = Decoder(cls)
        return self._decoders[key]
