"""Guests and the actors of a run: who looks for them, whose keys count, what of them is kept, and that replay knows."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq
from zmq.utils import z85

from bus.codec import encode_body
from bus.core import Actor, Input, MessageRef, Observed, Outcome, Received, Scalar, Send, Started
from bus.doorkeeper import Door
from bus.envelope import Envelope, encode_envelope
from bus.execution import Execution, UndeclaredMessageError
from bus.keys import KeyBook
from bus.link import Inbox, Outlet, make_context
from bus.randomness import RandomSource
from bus.recording import Recording
from bus.replay import Bounds, Replay
from bus.seating import FILE_NAME, GUESTS, Reception, hears_guests
from bus.step import Numbering
from schemas.guests import Guest, GuestBook
from schemas.manifest import Seat
from schemas.retrieval import PoolStatsRequest, RequestRefused
from schemas.roles import ACTOR_ROLES

ANN = Seat(instance="ann", role="learner")
REFUSED = RequestRefused(request_kind="PoolStatsRequest", request_epoch=1, request_seq=1, reason="not now")


def book(key: str | None = None, version: int = 1, takes_frames: bool = False) -> GuestBook:
    guest = Guest(instance="ann", role="learner", public_key=key, takes_frames=takes_frames)
    return GuestBook(version=version, guests=(guest,))


def seated(found: GuestBook) -> Observed:
    return Observed(GUESTS, found.model_dump_json().encode())


def write(home: Path, found: GuestBook) -> None:
    (home / "runs" / "run").mkdir(parents=True, exist_ok=True)
    (home / "runs" / "run" / FILE_NAME).write_bytes(found.model_dump_json().encode())


def test_only_the_pool_keeper_and_the_friend_look_for_guests() -> None:
    # the dreamer hears BiasProfile alone: it is not even told that there are guests
    assert [role for role in ACTOR_ROLES if hears_guests(role)] == ["pool-keeper", "friend"]


@pytest.mark.parametrize("role", [role for role in ACTOR_ROLES if role not in ("pool-keeper", "friend")])
def test_nobody_else_opens_the_guest_book(role, tmp_path: Path) -> None:
    write(tmp_path, book())

    assert Reception(role, tmp_path / "runs" / "run").news() is None


def test_a_guest_book_is_news_once_and_again_when_it_changes(tmp_path: Path) -> None:
    reception = Reception("pool-keeper", tmp_path / "runs" / "run")
    before = reception.news()
    write(tmp_path, book())
    first, second = reception.news(), reception.news()
    write(tmp_path, book(version=12))
    third = reception.news()

    assert (before, first, second, third) == (None, seated(book()), None, seated(book(version=12)))


def test_a_file_that_is_no_guest_book_leaves_the_last_one(tmp_path: Path) -> None:
    write(tmp_path, book())
    reception = Reception("pool-keeper", tmp_path / "runs" / "run")
    reception.news()
    (tmp_path / "runs" / "run" / FILE_NAME).write_text("{")

    assert reception.news() is None
    assert reception.book == book()


def test_a_guest_can_be_answered_from_its_step_on_and_its_words_are_kept(
    answerer: Callable[[], Actor], seats: tuple[Seat, ...]
) -> None:
    keeper = next(seat for seat in seats if seat.role == "pool-keeper")
    request = Received(MessageRef("ann", 1, 1), PoolStatsRequest(request=1))
    execution = Execution(answerer(), keeper, seats, Numbering(1))
    execution.handle(Started(1), 0)

    with pytest.raises(UndeclaredMessageError, match="may not send PoolStats to ann"):
        execution.handle(request, 0)
    execution.handle(seated(book()), 0)
    answer = execution.handle(request, 0).record
    own = execution.handle(Received(MessageRef("learner", 1, 1), PoolStatsRequest(request=2)), 0).record

    assert [out.receiver for out in answer.outgoing] == ["ann"]
    assert answer.heard is not None and answer.heard.body == encode_body(request.message)
    assert own.heard is None


def test_a_keeper_serves_a_guest_after_a_kill_and_the_replay_needs_no_journal_of_the_guest(
    stage, answerer: Callable[[], Actor]
) -> None:
    keeper = stage.enter("pool-keeper", answerer)
    outlet = Outlet(stage.context, stage.runtime, ["pool-keeper"], awaited=["pool-keeper"])
    write(stage.home, book())
    stage.play(lambda: keeper.reporter.guests.version == 1)

    say(outlet, 1)
    stage.play(lambda: keeper.actor.core.seen == [1])
    stage.kill(keeper)
    keeper = stage.enter("pool-keeper", answerer, epoch=2)
    say(outlet, 2)
    stage.play(lambda: keeper.actor.core.seen == [1, 2])
    stage.kill(keeper)
    outlet.close()
    seat = next(seat for seat in stage.seats if seat.role == "pool-keeper")
    verdict = Replay(Recording(stage.run_folder), seat, stage.seats, answerer).run(Bounds())

    assert not (stage.run_folder / "ann").exists()
    assert verdict.is_identical, verdict
    assert verdict.messages == 2


class AtOnce:
    """Tells a guest something at every start after the first."""

    def __init__(self) -> None:
        self.starts = 0

    def handle(self, event: Input, now_ns: int) -> Outcome:
        del now_ns
        if isinstance(event, Observed):
            return Outcome()
        self.starts += isinstance(event, Started)
        return Outcome(sends=[Send(REFUSED, to="ann")] if self.starts > 1 else [])

    def snapshot(self) -> bytes:
        return bytes([self.starts])

    def restore(self, data: bytes) -> None:
        self.starts = data[0]

    def figures(self) -> dict[str, Scalar]:
        return {}


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_an_actor_that_speaks_to_a_guest_as_soon_as_it_starts_again_is_replayed_the_same(
    stage, from_snapshot: bool
) -> None:
    def build() -> Actor:
        return Actor(AtOnce(), RandomSource(7, 1, "pool-keeper"))

    write(stage.home, book())
    keeper = stage.enter("pool-keeper", build)
    stage.play(lambda: keeper.reporter.guests.version == 1)
    for epoch in (2, 3):
        stage.kill(keeper)
        keeper = stage.enter("pool-keeper", build, epoch=epoch)
    stage.kill(keeper)
    seat = next(seat for seat in stage.seats if seat.role == "pool-keeper")
    verdict = Replay(Recording(stage.run_folder), seat, stage.seats, build).run(Bounds(from_snapshot=from_snapshot))

    assert verdict.is_identical, verdict
    assert verdict.messages >= 1


def say(outlet: Outlet, number: int) -> None:
    message = PoolStatsRequest(request=number)
    before = (1, number - 1) if number > 1 else (0, 0)
    envelope = Envelope(message.kind, 1, "ann", 1, number, *before, 0, "", 0, 0, 0, 0)
    assert outlet.send("pool-keeper", encode_envelope(envelope), encode_body(message))


@pytest.fixture
def runtime() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="one-") as folder:
        yield Path(folder)


def test_a_withdrawn_key_counts_no_more_not_even_on_an_open_connection(seats: tuple[Seat, ...], runtime: Path) -> None:
    keys, context = KeyBook(), make_context()
    inbox = Inbox(context, runtime, "pool-keeper", ring=keys.ring("pool-keeper", seats))
    inbox.admit_guests("pool-keeper", book(keys.pair("ann").public.decode()))
    outlet = Outlet(context, runtime, ["pool-keeper"], awaited=["pool-keeper"], ring=keys.ring("ann", (*seats, ANN)))
    holders = [holder_of(inbox, outlet)]
    inbox.admit_guests("pool-keeper", book(keys.renew("ann").public.decode(), version=2))
    holders.append(holder_of(inbox, outlet))
    context.destroy(linger=0)

    assert holders == ["ann", "(withdrawn)"]


def holder_of(inbox: Inbox, outlet: Outlet) -> str | None:
    outlet.send("pool-keeper", b"envelope", b"body")
    for _ in range(500):
        inbox.wait(10)
        arrival = inbox.receive()
        if arrival is not None:
            return arrival.holder
    raise AssertionError("nothing arrived")


def test_a_guest_cannot_pass_as_an_actor_by_its_name(seats: tuple[Seat, ...]) -> None:
    keys = KeyBook()
    door = Door(keys.ring("pool-keeper", seats))
    door.admit_guests({"ann": keys.pair("ann").public})
    own = z85.decode(keys.pair("learner").public)

    assert door.judge(b"CURVE", (own,), "localhost:0:0:7") == "learner"
    assert door.holder(door.user_id(own, "learner")) == "learner"


def test_a_key_of_nobody_is_nobodys(seats: tuple[Seat, ...]) -> None:
    door = Door(KeyBook().ring("pool-keeper", seats))

    assert door.holder(zmq.curve_keypair()[0].decode()) == "(withdrawn)"
