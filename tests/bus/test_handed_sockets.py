"""A process that may make no socket serves those that it was handed: it is called, and calls nobody."""

import os
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import zmq

from bus.doorkeeper import Door
from bus.endpoints import MAX_SOCKET_PATH_BYTES, inbox_path, is_served, outlet_path
from bus.errors import EndpointError
from bus.keys import SUPERVISOR, KeyBook, KeyRing
from bus.link import Arrival, Inbox, Outlet, listen_at, make_context
from schemas.manifest import Seat

TENSOR = bytes(range(256)) * 1536  # 64x64x8x3 f32: 393,216 bytes
BOXED, KEEPER, TEACHER = "dreamer", "pool-keeper", "bias-synthesizer"
RECEIVERS = (KEEPER, SUPERVISOR)
TURNS = 500
DEATHS = 120
LATE_S = 0.005


@dataclass
class Boxed:
    """One process start of a boxed dreamer, with copies of the descriptors that are kept for it."""

    context: zmq.Context
    inbox: Inbox
    outlet: Outlet

    def end(self) -> None:
        self.inbox.close()
        self.outlet.close()
        self.context.term()


@dataclass
class Yard:
    """A runtime folder with the sockets of a boxed dreamer, and those who talk to it."""

    runtime: Path
    book: KeyBook | None
    seats: tuple[Seat, ...]
    context: zmq.Context = field(default_factory=make_context)

    def __post_init__(self) -> None:
        self.inbox_socket = listen_at(inbox_path(self.runtime, BOXED))
        self.out_sockets = {name: listen_at(outlet_path(self.runtime, BOXED, name)) for name in RECEIVERS}

    def ring(self, instance: str) -> KeyRing | None:
        return None if self.book is None else self.book.ring(instance, self.seats)

    def holder(self, instance: str) -> str | None:
        return None if self.book is None else instance

    def start(self) -> Boxed:
        context, ring = make_context(), self.ring(BOXED)
        inbox = Inbox(context, self.runtime, BOXED, ring=ring, listener=os.dup(self.inbox_socket.fileno()))
        listeners = {name: os.dup(held.fileno()) for name, held in self.out_sockets.items()}
        outlet = Outlet(context, self.runtime, RECEIVERS, (SUPERVISOR,), ring=ring, listeners=listeners)
        return Boxed(context, inbox, outlet)

    def receiver(self, instance: str) -> Inbox:
        return Inbox(self.context, self.runtime, instance, ring=self.ring(instance), callers=(BOXED,))

    def sender(self) -> Outlet:
        return Outlet(self.context, self.runtime, [BOXED], awaited=[BOXED], ring=self.ring(TEACHER))

    def close(self) -> None:
        self.context.destroy(linger=0)
        for held in (self.inbox_socket, *self.out_sockets.values()):
            held.close()


@pytest.fixture
def runtime() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="one-") as folder:
        yield Path(folder)


@pytest.fixture(params=["with keys", "without keys"])
def yard(request: pytest.FixtureRequest, runtime: Path, seats: tuple[Seat, ...]) -> Iterator[Yard]:
    yard = Yard(runtime, KeyBook() if request.param == "with keys" else None, seats)
    yield yard
    yard.close()


def next_of(inbox: Inbox) -> Arrival:
    for _ in range(TURNS):
        inbox.wait(10)
        arrival = inbox.receive()
        if arrival is not None:
            return arrival
    raise AssertionError("nothing came")


def say(outlet: Outlet, peer: str, body: bytes, *payloads: bytes) -> None:
    """Send, as soon as `peer` has called."""
    for _ in range(TURNS):
        if outlet.send(peer, b"envelope", body, payloads):
            return
        outlet._sockets[peer].poll(10, zmq.POLLOUT)
        outlet._muted_until[peer] = 0.0
    raise AssertionError(f"{peer} did not call")


def test_tensors_pass_both_ways(yard: Yard) -> None:
    keeper, teacher, boxed = yard.receiver(KEEPER), yard.sender(), yard.start()

    say(boxed.outlet, KEEPER, b"dream", TENSOR)
    say(teacher, BOXED, b"profile", TENSOR)
    out, back = next_of(keeper), next_of(boxed.inbox)

    assert (list(map(bytes, out.parts)), out.holder) == ([b"envelope", b"dream", TENSOR], yard.holder(BOXED))
    assert (list(map(bytes, back.parts)), back.holder) == ([b"envelope", b"profile", TENSOR], yard.holder(TEACHER))
    del out, back
    boxed.end()
    keeper.close()
    teacher.close()


def test_a_process_that_starts_again_is_reached_at_the_same_sockets(yard: Yard) -> None:
    keeper, teacher = yard.receiver(KEEPER), yard.sender()
    heard = []

    for start in (b"first", b"second", b"third"):
        boxed = yard.start()
        say(boxed.outlet, KEEPER, start)
        say(teacher, BOXED, start)
        heard.append((next_of(keeper).parts[1], next_of(boxed.inbox).parts[1]))
        boxed.end()

    assert heard == [(start, start) for start in (b"first", b"second", b"third")]
    assert keeper.take_refusals() == []
    keeper.close()
    teacher.close()


def test_who_calls_while_nobody_serves_waits_and_is_answered(yard: Yard) -> None:
    keeper, teacher = yard.receiver(KEEPER), yard.sender()
    for number in range(5):
        teacher.send(BOXED, b"envelope", b"%d" % number)
    keeper.wait(50)
    waiting = keeper.receive()

    boxed = yard.start()
    say(boxed.outlet, KEEPER, b"here")

    assert waiting is None
    assert [next_of(boxed.inbox).parts[1] for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]
    assert next_of(keeper).parts[1] == b"here"
    boxed.end()
    keeper.close()
    teacher.close()


def test_the_first_words_to_an_awaited_peer_wait_for_its_call(yard: Yard) -> None:
    ear, boxed = yard.receiver(SUPERVISOR), yard.start()

    is_sent = boxed.outlet.send(SUPERVISOR, b"envelope", b"ready")

    assert is_sent
    assert next_of(ear).parts[1] == b"ready"
    boxed.end()
    ear.close()


def test_words_to_a_peer_that_does_not_call_are_dropped_and_counted(yard: Yard) -> None:
    boxed = yard.start()

    is_sent = boxed.outlet.send(KEEPER, b"envelope", b"dream")

    assert (is_sent, boxed.outlet.dropped, boxed.outlet.sent) == (False, 1, 0)
    boxed.end()


@pytest.mark.parametrize("pause_ms", [2, 6])
def test_a_receiver_stays_in_touch_however_often_the_one_it_calls_dies_in_the_handshake(
    runtime: Path, seats: tuple[Seat, ...], pause_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge_late(door: Door, *question: object) -> str | None:
        threading.Event().wait(LATE_S)  # as a doorkeeper does that the machine has no time for
        return judge(door, *question)

    judge = Door.judge
    monkeypatch.setattr(Door, "judge", judge_late)
    yard = Yard(runtime, KeyBook(), seats)
    keeper, supervisor = yard.receiver(KEEPER), yard.receiver(SUPERVISOR)

    for _ in range(DEATHS):
        dying = yard.start()
        keeper.wait(pause_ms)
        dying.context.destroy(linger=0)
    boxed = yard.start()
    say(boxed.outlet, KEEPER, b"dream")
    say(boxed.outlet, SUPERVISOR, b"ready")

    assert (next_of(keeper).parts[1], next_of(supervisor).parts[1]) == (b"dream", b"ready")
    boxed.end()
    keeper.close()
    supervisor.close()
    yard.close()


def test_the_socket_files_stay_when_their_process_ends(yard: Yard) -> None:
    paths = [inbox_path(yard.runtime, BOXED), *(outlet_path(yard.runtime, BOXED, name) for name in RECEIVERS)]

    yard.start().end()

    assert [is_served(path) for path in paths] == [True] * 3


@pytest.mark.parametrize("has_keys", [True, False])
def test_an_out_socket_in_foreign_hands_is_not_heard(runtime: Path, seats: tuple[Seat, ...], has_keys: bool) -> None:
    yard, impostor = Yard(runtime, KeyBook(), seats), KeyBook()
    impostor._pairs[KEEPER] = yard.book.pair(KEEPER)
    keeper = yard.receiver(KEEPER)
    listener = {KEEPER: os.dup(yard.out_sockets[KEEPER].fileno())}
    ring = impostor.ring(BOXED, seats) if has_keys else None
    outlet = Outlet(yard.context, runtime, [KEEPER], ring=ring, listeners=listener)

    refusals = []
    for _ in range(TURNS):
        outlet.send(KEEPER, b"envelope", b"forged")
        keeper.wait(10)
        refusals += [*keeper.take_refusals(), *outlet.take_refusals()]
        if refusals:
            break

    assert "key" in refusals[0].reason
    assert keeper.receive() is None
    outlet.close()
    keeper.close()
    yard.close()


def test_a_handed_over_socket_is_for_its_owner_alone_and_does_not_block(runtime: Path) -> None:
    path = inbox_path(runtime, BOXED)

    with listen_at(path) as listener:
        mode = stat.S_IMODE(path.stat().st_mode)

        assert mode == 0o600
        assert not listener.getblocking()
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


def test_a_stale_socket_file_makes_room(runtime: Path) -> None:
    path = inbox_path(runtime, BOXED)
    listen_at(path).close()

    with listen_at(path):
        assert is_served(path)


def test_a_served_place_is_not_taken_over(runtime: Path) -> None:
    path = inbox_path(runtime, BOXED)

    with listen_at(path), pytest.raises(EndpointError, match="served by another process"):
        listen_at(path)


def test_a_file_that_is_no_socket_is_left_alone(runtime: Path) -> None:
    path = inbox_path(runtime, BOXED)
    path.write_text("mine")

    with pytest.raises(EndpointError, match="cannot listen at"):
        listen_at(path)

    assert path.read_text() == "mine"


def test_a_path_too_long_for_a_socket_is_refused_by_its_size(runtime: Path) -> None:
    path = runtime / ("x" * MAX_SOCKET_PATH_BYTES)

    with pytest.raises(EndpointError, match="set XDG_RUNTIME_DIR to a shorter folder"):
        listen_at(path)
