"""Every sender, kind and receiver: what the topology names is accepted, all else is refused and counted.

Over real sockets, each sender with its real key. Who has no row at all to a receiver does not get through the
handshake, although it knows the key of the inbox; who has one is refused what it may not say at the intake.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import zmq

from bus.actor_log import ActorLog
from bus.codec import encode_body, payloads_of
from bus.control_inbox import ControlInbox
from bus.envelope import Envelope, encode_envelope
from bus.intake import Intake
from bus.keys import SUPERVISOR, KeyBook
from bus.link import Inbox, Outlet, make_context
from bus.readback import RefusedBody
from bus.refusals import Refusals
from bus.topology import is_allowed
from schemas.base import Message
from schemas.catalogue import MESSAGES
from schemas.manifest import Seat
from schemas.roles import ACTOR_ROLES, ROLES, Role

SEATS = tuple(Seat(instance=role, role=role) for role in ACTOR_ROLES)
TURNS = 1000


@dataclass
class Heard:
    """What came in at one receiver, and what did not."""

    accepted: list[tuple[str, str]] = field(default_factory=list)
    """(sender, kind)"""
    refused: list[tuple[str, str]] = field(default_factory=list)
    """(sender, kind, or `handshake`)"""


class NotedRefusals(Refusals):
    """Refusals that are also listed."""

    def __init__(self, folder: Path, instance: str, heard: Heard) -> None:
        super().__init__(folder, instance)
        self.heard = heard

    def add(self, sender: str, kind: str, reason: str, holder: str | None = None) -> None:
        super().add(sender, kind, reason, holder)
        self.heard.refused.append((sender, kind))


class ActorEar:
    """The inbox and the intake of an actor."""

    def __init__(self, context: zmq.Context, runtime: Path, role: Role, book: KeyBook, home: Path) -> None:
        self.heard = Heard()
        seat = next(seat for seat in SEATS if seat.role == role)
        self.refusals = NotedRefusals(home / "refusals", role, self.heard)
        self.inbox = Inbox(context, runtime, role, ring=book.ring(role, SEATS))
        self.intake = Intake(seat, SEATS, home / "journal", self.refusals, ActorLog(role))

    def turn(self) -> None:
        self.inbox.wait(5)
        while (arrival := self.inbox.receive()) is not None:
            accepted = self.intake.offer(arrival.parts, arrival.holder)
            if isinstance(accepted, RefusedBody):
                self.refusals.add(accepted.ref.sender, accepted.kind, accepted.reason)
            elif accepted is not None:
                self.heard.accepted.append((accepted.ref.sender, accepted.message.kind))
        for sender, reason in self.inbox.take_refusals():
            self.refusals.add(sender, "handshake", reason)

    @property
    def refused(self) -> int:
        return self.refusals.count

    def close(self) -> None:
        self.inbox.close()
        self.intake.close()
        self.refusals.close()


class SupervisorEar:
    """The supervisor's own inbox."""

    def __init__(self, runtime: Path, book: KeyBook) -> None:
        self.heard = Heard()
        self.inbox = ControlInbox(runtime, book.ring(SUPERVISOR, SEATS))

    def turn(self) -> None:
        for message in self.inbox.drain(5):
            self.heard.accepted.append((message.instance, message.kind))

    @property
    def refused(self) -> int:
        return self.inbox.refused

    def close(self) -> None:
        self.inbox.close()


@pytest.fixture
def book() -> KeyBook:
    return KeyBook()


@pytest.fixture
def context() -> Iterator[zmq.Context]:
    context = make_context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def runtime() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="one-") as folder:
        yield Path(folder)


@pytest.fixture
def ear_of(
    context: zmq.Context, runtime: Path, book: KeyBook, tmp_path: Path
) -> Iterator[Callable[[Role], ActorEar | SupervisorEar]]:
    made: list[ActorEar | SupervisorEar] = []

    def make(role: Role) -> ActorEar | SupervisorEar:
        ear = SupervisorEar(runtime, book) if role == SUPERVISOR else ActorEar(context, runtime, role, book, tmp_path)
        made.append(ear)
        return ear

    yield make
    for ear in made:
        ear.close()


def say_everything(outlet: Outlet, sender: Role, receiver: Role, examples: dict[str, Message]) -> None:
    """One message of each kind; first, in one stream, those that may be said, so that order refuses none of them.

    To somebody who is shut out at the door a message may find no way; from everybody else all of them leave.
    """
    last = 0
    is_known = any(is_allowed(sender, cls.kind, receiver) for cls in MESSAGES)
    for seq, cls in enumerate(sorted(MESSAGES, key=lambda cls: not is_allowed(sender, cls.kind, receiver)), 1):
        message = examples[cls.kind]
        if "instance" in cls.model_fields:
            message = message.model_copy(update={"instance": sender})
        head = Envelope(cls.kind, cls.version, sender, 1, seq, int(last > 0), last, 0, "", 0, 0, 0, 0)
        has_left = outlet.send(receiver, encode_envelope(head), encode_body(message), payloads_of(message))
        assert has_left or not is_known
        if is_allowed(sender, cls.kind, receiver):
            last = seq


@pytest.mark.parametrize("receiver", ROLES)
def test_what_the_topology_names_is_accepted_and_all_else_is_refused(
    receiver: Role,
    ear_of: Callable[[Role], ActorEar | SupervisorEar],
    context: zmq.Context,
    runtime: Path,
    book: KeyBook,
    examples: dict[str, Message],
) -> None:
    ear = ear_of(receiver)
    allowed = {(sender, cls.kind) for sender in ROLES for cls in MESSAGES if is_allowed(sender, cls.kind, receiver)}
    known = {sender for sender, _ in allowed}
    at_intake = len(known) * len(MESSAGES) - len(allowed)
    at_the_door = len(ROLES) - len(known)

    outlets = []
    for sender in ROLES:
        ring = replace(book.ring(sender, SEATS), peers={receiver: book.pair(receiver).public})
        outlet = Outlet(context, runtime, [receiver], awaited=[receiver], ring=ring)
        say_everything(outlet, sender, receiver, examples)
        outlets.append(outlet)
    for _ in range(TURNS):
        ear.turn()
        if len(ear.heard.accepted) >= len(allowed) and ear.refused >= at_intake + at_the_door:
            break
    ear.turn()

    assert sorted(ear.heard.accepted) == sorted(allowed)
    assert ear.refused == at_intake + at_the_door
    if isinstance(ear, ActorEar):
        shut_out = [(sender, "handshake") for sender in ROLES if sender not in known]
        forbidden = [(s, cls.kind) for s in known for cls in MESSAGES if (s, cls.kind) not in allowed]
        assert sorted(ear.heard.refused) == sorted(shut_out + forbidden)
    for outlet in outlets:
        outlet.close()


def test_the_dreamer_accepts_one_triple_of_all() -> None:
    # design: the dreamer only ever receives BiasProfile
    triples = [(s, cls.kind) for s in ROLES for cls in MESSAGES if is_allowed(s, cls.kind, "dreamer")]

    assert triples == [("bias-synthesizer", "BiasProfile")]
