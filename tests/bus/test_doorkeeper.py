"""Every inbox has a lock: who has no key of the run, or one that the topology keeps out, is refused and counted."""

import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import zmq
from zmq.utils import z85

from bus.codec import encode_body
from bus.control_inbox import ControlInbox
from bus.core import Actor
from bus.doorkeeper import MAX_WAITING, Door, Doorkeeper
from bus.endpoints import inbox_path, is_served
from bus.envelope import Envelope, encode_envelope
from bus.errors import EndpointError
from bus.keys import SUPERVISOR, KeyBook, KeyRing
from bus.link import Inbox, Outlet, make_context
from bus.loop import ActorLoop
from schemas.base import Message
from schemas.control import Stopped
from schemas.manifest import Seat
from schemas.retrieval import PoolStatsRequest

KEEPER = "pool-keeper"


@dataclass
class Lock:
    """A pool-keeper's loop behind a locked inbox, and whoever wants to come in."""

    stage: object
    seats: tuple[Seat, ...]
    book: KeyBook
    keeper: ActorLoop
    outside: zmq.Context
    outlets: list[Outlet] = field(default_factory=list)

    def ring(self, instance: str = "learner") -> KeyRing:
        return self.book.ring(instance, self.seats)

    def say(self, ring: KeyRing | None, sender: str = "learner") -> None:
        outlet = Outlet(self.outside, self.stage.runtime, [KEEPER], awaited=[KEEPER], ring=ring)
        outlet.send(KEEPER, *words(sender, PoolStatsRequest(request=1)))
        self.outlets.append(outlet)

    def until_refused(self, text: str) -> None:
        """Turn until the refusal that is shown says `text`, and nothing has reached the core."""
        self.stage.play(lambda: text in str(self.keeper.refusals.last))
        assert self.keeper.refusals.count >= 1
        assert self.keeper.actor.core.seen == []
        assert self.keeper.intake.cursors == {}


def words(sender: str, message: Message) -> tuple[bytes, bytes]:
    envelope = Envelope(message.kind, 1, sender, 1, 1, 0, 0, 0, "", 0, 0, 0, 0)
    return encode_envelope(envelope), encode_body(message)


@pytest.fixture
def outside() -> Iterator[zmq.Context]:
    context = make_context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def lock(stage, seats: tuple[Seat, ...], answerer: Callable[[], Actor], outside: zmq.Context) -> Lock:
    book = KeyBook()
    keeper = stage.enter(KEEPER, answerer)
    keeper.inbox.close()
    keeper.outlet.close()
    ring, key = book.ring(KEEPER, seats), book.pair(SUPERVISOR).public  # every role has a row to it: one is taken away
    ring = replace(ring, admitted={k: ring.admitted[k] for k in ring.admitted if k != key}, others={key: SUPERVISOR})
    keeper.inbox = Inbox(stage.context, stage.runtime, KEEPER, ring=ring)
    keeper.outlet = keeper.reporter.outlet = Outlet(stage.context, stage.runtime, [*ring.peers], ring=ring)
    return Lock(stage, seats, book, keeper, outside)


@pytest.fixture
def runtime() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="one-") as folder:
        yield Path(folder)


def test_the_right_key_passes_and_nothing_is_refused(lock: Lock) -> None:
    lock.say(lock.ring())

    lock.stage.play(lambda: lock.keeper.actor.core.seen == [1])

    assert lock.keeper.refusals.count == 0


def test_a_wrong_key_is_refused_and_its_process_is_named(lock: Lock) -> None:
    forged = KeyBook().pair("learner")

    lock.say(replace(lock.ring(), public=forged.public, secret=forged.secret))

    lock.until_refused(f"handshake from unknown: wrong key (process {os.getpid()})")


def test_a_missing_key_is_refused(lock: Lock) -> None:
    lock.say(None)

    lock.until_refused("handshake from unknown: no key")


def test_a_wrong_server_key_is_refused(lock: Lock) -> None:
    lock.say(replace(lock.ring(), peers={KEEPER: lock.ring().public}))

    lock.until_refused("handshake from unknown: wrong server key")


def test_the_keys_of_an_earlier_up_are_refused(lock: Lock) -> None:
    lock.say(KeyBook().ring("learner", lock.seats))

    lock.until_refused("handshake from unknown: wrong server key")


def test_a_stale_key_is_refused_by_who_learnt_the_new_key_of_the_inbox(lock: Lock) -> None:
    stale = KeyBook().ring("learner", lock.seats)

    lock.say(replace(stale, peers=lock.ring().peers))

    lock.until_refused("handshake from unknown: wrong key")


def test_the_key_of_an_actor_without_a_row_is_refused_and_called_by_name(lock: Lock) -> None:
    lock.say(replace(lock.ring(SUPERVISOR), peers=lock.ring().peers))

    lock.until_refused("handshake from supervisor: the key of supervisor, which may not write here")


def test_a_right_key_under_a_foreign_name_is_refused_and_hurts_nobody(lock: Lock) -> None:
    lock.say(lock.ring("dreamer"), sender="learner")

    lock.until_refused("PoolStatsRequest from learner: the key is dreamer's")
    assert not lock.keeper.intake.has_backlog
    lock.say(lock.ring(), sender="learner")
    lock.stage.play(lambda: lock.keeper.actor.core.seen == [1])


def test_refused_handshakes_stand_in_the_refusals_file(lock: Lock) -> None:
    lock.say(None)

    lock.until_refused("no key")

    lines = (lock.stage.home / "logs" / "refusals" / f"{KEEPER}.jsonl").read_text().splitlines()
    assert all('"kind": "handshake"' in line for line in lines)
    assert lines


def test_who_is_refused_does_not_keep_others_out(lock: Lock) -> None:
    for ring in (None, KeyBook().ring("learner", lock.seats)):
        lock.say(ring)

    lock.say(lock.ring())

    lock.stage.play(lambda: lock.keeper.actor.core.seen == [1] and lock.keeper.refusals.count >= 2)


def test_inboxes_of_one_context_are_judged_apart(lock: Lock) -> None:
    learner = Inbox(lock.stage.context, lock.stage.runtime, "learner", ring=lock.ring("learner"))
    stranger = replace(lock.ring("dreamer"), peers={"learner": lock.book.pair("learner").public})
    from_dreamer = Outlet(lock.outside, lock.stage.runtime, ["learner"], ["learner"], ring=stranger)

    lock.say(lock.ring("dreamer"), sender="dreamer")
    to_learner = Outlet(lock.outside, lock.stage.runtime, ["learner"], ["learner"], ring=lock.ring(KEEPER))
    to_learner.send("learner", b"head", b"body")

    learner.wait(5000)
    lock.until_refused("the topology has no row (dreamer, PoolStatsRequest, pool-keeper)")

    assert learner.receive() == ([b"head", b"body"], KEEPER)
    assert learner.receive() is None
    assert [refusal.sender for refusal in learner.take_refusals()] == ["dreamer"]
    for end in (learner, to_learner, from_dreamer):
        end.close()


def test_looking_whether_somebody_serves_is_no_attack(lock: Lock) -> None:
    served = [is_served(inbox_path(lock.stage.runtime, KEEPER)) for _ in range(20)]
    lock.say(lock.ring())

    lock.stage.play(lambda: lock.keeper.actor.core.seen == [1])

    assert served == [True] * 20
    assert lock.keeper.refusals.count == 0


def test_who_connects_and_closes_without_listening_is_no_attack() -> None:
    door = guarded_door()

    door.failed(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, 104)

    assert door.refused == 0


def guarded_door(book: KeyBook | None = None) -> Door:
    context = make_context()
    seats = (Seat(instance="learner", role="learner"), Seat(instance=KEEPER, role=KEEPER))
    pull = context.socket(zmq.PULL)
    door = Doorkeeper(context).guard(pull, (book or KeyBook()).ring(KEEPER, seats))
    context.destroy(linger=0)
    return door


def test_a_caller_that_is_away_is_no_attack_and_one_with_a_wrong_key_is() -> None:
    seats = (Seat(instance="dreamer", role="dreamer"), Seat(instance=KEEPER, role=KEEPER))
    door = Door(KeyBook().ring(KEEPER, seats), called="dreamer")

    door.failed(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, 32)
    away = door.refused
    door.failed(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, int(zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH))

    assert away == 0
    assert [refusal.sender for refusal in door.take_refusals()] == ["dreamer"]


def test_a_flood_is_counted_in_full_and_kept_within_bounds() -> None:
    door = guarded_door()

    for _ in range(MAX_WAITING + 5):
        door.judge(b"CURVE", (bytes(32),), "localhost:0:0:7")
    kept = len(door._waiting)
    taken = door.take_refusals()

    assert kept == MAX_WAITING
    assert door.refused == len(taken) == MAX_WAITING + 5
    assert door.take_refusals() == []


@pytest.mark.parametrize("mechanism", [b"NULL", b"PLAIN", b"GSSAPI", b""])
def test_no_other_mechanism_passes_not_even_with_the_right_key(mechanism: bytes) -> None:
    book = KeyBook()
    door, key = guarded_door(book), z85.decode(book.pair("learner").public)

    assert door.judge(b"CURVE", (key,), "localhost:0:0:7") == "learner"
    assert door.judge(mechanism, (key,), "localhost:0:0:7") is None


def test_a_locked_inbox_lets_nobody_in_when_nobody_judges(seats: tuple[Seat, ...], runtime: Path) -> None:
    context = make_context()
    inbox = Inbox(context, runtime, KEEPER, ring=KeyBook().ring(KEEPER, seats))

    assert inbox._socket.getsockopt(zmq.ZAP_ENFORCE_DOMAIN) == 1

    inbox.close()
    context.term()


def test_the_thread_ends_with_its_context_and_delays_nothing(seats: tuple[Seat, ...], runtime: Path) -> None:
    before = set(threading.enumerate())
    context = make_context()
    inbox = Inbox(context, runtime, KEEPER, ring=KeyBook().ring(KEEPER, seats))
    (thread,) = set(threading.enumerate()) - before
    inbox.close()

    context.term()
    thread.join(5)

    assert not thread.is_alive()


def test_a_context_that_is_destroyed_with_an_open_inbox_ends_the_thread(seats: tuple[Seat, ...], runtime: Path) -> None:
    before = set(threading.enumerate())
    context = make_context()
    inbox = Inbox(context, runtime, KEEPER, ring=KeyBook().ring(KEEPER, seats))
    (thread,) = set(threading.enumerate()) - before

    context.destroy(linger=0)
    thread.join(5)

    assert not thread.is_alive()
    inbox.close()


@pytest.mark.parametrize("is_closed", [True, False])
def test_an_inbox_that_ends_as_soon_as_it_is_made_blocks_nothing(
    seats: tuple[Seat, ...], runtime: Path, is_closed: bool
) -> None:
    ring = KeyBook().ring(KEEPER, seats)
    before = set(threading.enumerate())

    for _ in range(100):
        context = make_context()
        inbox = Inbox(context, runtime, KEEPER, ring=ring)
        if is_closed:
            inbox.close()
        context.destroy(linger=0)
        inbox.close()

    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert set(threading.enumerate()) == before


def test_a_context_has_one_judge(seats: tuple[Seat, ...], runtime: Path) -> None:
    context = make_context()
    inbox = Inbox(context, runtime, KEEPER, ring=KeyBook().ring(KEEPER, seats))

    with pytest.raises(EndpointError, match="another judge of keys"):
        Doorkeeper(context)

    inbox.close()
    context.term()


def test_without_keys_nobody_is_a_holder_and_there_is_no_thread(runtime: Path) -> None:
    before = set(threading.enumerate())
    context = make_context()
    inbox = Inbox(context, runtime, KEEPER)
    outlet = Outlet(context, runtime, [KEEPER], awaited=[KEEPER])
    outlet.send(KEEPER, b"head", b"body")

    inbox.wait(5000)

    assert inbox.receive() == ([b"head", b"body"], None)
    assert inbox.take_refusals() == []
    assert set(threading.enumerate()) == before
    context.destroy(linger=0)


def test_an_outlet_without_the_key_of_a_peer_is_not_made(seats: tuple[Seat, ...], runtime: Path) -> None:
    context = make_context()

    with pytest.raises(EndpointError, match="dreamer has no key of learner"):
        Outlet(context, runtime, [KEEPER, "learner"], ring=KeyBook().ring("dreamer", seats))

    context.term()


@dataclass
class Ear:
    """The supervisor's inbox, and an actor that talks to it."""

    inbox: ControlInbox
    outlet: Outlet

    def heard(self, sender: str, message: Message) -> list[Message]:
        self.outlet.send(SUPERVISOR, *words(sender, message))
        return self.inbox.drain(5000)


@pytest.fixture
def ear(runtime: Path, seats: tuple[Seat, ...], outside: zmq.Context) -> Iterator[Ear]:
    book = KeyBook()
    inbox = ControlInbox(runtime, book.ring(SUPERVISOR, seats))
    outlet = Outlet(outside, runtime, [SUPERVISOR], awaited=[SUPERVISOR], ring=book.ring("learner", seats))
    yield Ear(inbox, outlet)
    inbox.close()


def test_the_supervisor_hears_an_actor_about_itself(ear: Ear) -> None:
    last_words = Stopped(instance="learner", epoch=1, step=9)

    assert ear.heard("learner", last_words) == [last_words]
    assert ear.inbox.refused == 0


def test_the_supervisor_refuses_a_foreign_sender(ear: Ear) -> None:
    assert ear.heard("dreamer", Stopped(instance="learner", epoch=1, step=9)) == []
    assert (ear.inbox.refused, ear.inbox.last_refusal) == (
        1,
        "Stopped: 'dreamer' is not who sends this: the key is learner's",
    )


def test_the_supervisor_refuses_a_foreign_subject(ear: Ear) -> None:
    assert ear.heard("learner", Stopped(instance="dreamer", epoch=1, step=9)) == []
    assert (ear.inbox.refused, ear.inbox.last_refusal) == (1, "Stopped: it is about 'dreamer': the key is learner's")


def test_the_supervisor_counts_a_handshake_without_a_key(ear: Ear, runtime: Path, outside: zmq.Context) -> None:
    keyless = Outlet(outside, runtime, [SUPERVISOR], awaited=[SUPERVISOR])

    for _ in range(500):
        ear.inbox.drain(10)
        if ear.inbox.refused:
            break

    assert ear.inbox.refused == 1
    assert ear.inbox.last_refusal.startswith("handshake from unknown: no key")
    keyless.close()


def test_an_inbox_does_not_take_the_place_of_one_that_is_served(runtime: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(inbox_path(runtime, KEEPER)))
        other.listen()
        context = make_context()
        with pytest.raises(EndpointError, match="served by another process"):
            Inbox(context, runtime, KEEPER)

        context.term()
