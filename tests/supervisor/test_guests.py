"""Seats that are given while a run runs: who gets one, what is in the offer, and what the actors are told."""

import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bus.errors import SeatError
from bus.keys import KeyBook
from bus.seat_offer import TakenSeat
from bus.seating import FILE_NAME, read_book
from schemas.control import Figure, Heartbeat, Ready, Stopped, Traffic
from schemas.guests import MAX_GUESTS, GuestBook
from schemas.ids import RunId
from supervisor.cli import run_cli
from supervisor.guests import Guests, Place, SeatRefusedError
from supervisor.home import Home
from supervisor.plan import default_seats
from supervisor.restarts import RestartHistory, RestartPolicy
from supervisor.runs import RunFolder
from supervisor.seats import CommandLine, SeatRequest
from supervisor.supervised import SupervisedActor

POLICY = RestartPolicy(backoff_first_s=0.01, backoff_max_s=0.02, max_restarts=2, window_s=60.0)
SILENCE = Traffic(received=0, sent=0, recovered=0, duplicates=0, dropped=0, refused=0, damaged=0, queue=0)


@pytest.fixture
def runtime() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="one-") as folder:
        yield Path(folder)


@pytest.fixture
def heard() -> list[GuestBook]:
    """The guest books that the supervisor was told of."""
    return []


@pytest.fixture
def actors() -> tuple[SupervisedActor, ...]:
    return tuple(SupervisedActor(seat, RestartHistory(POLICY, seat.instance)) for seat in default_seats())


@pytest.fixture
def guests(tmp_path: Path, runtime: Path, heard: list[GuestBook], actors: tuple[SupervisedActor, ...]) -> Guests:
    home = Home(tmp_path)
    home.create()
    run = RunFolder(home, RunId("20260101T000000Z-0001"))
    run.path.mkdir(parents=True)
    place = Place(home, run, runtime, default_seats(), KeyBook(), POLICY, lambda level, event, **fields: None)
    return Guests(place, lambda: actors, heard.append)


def ask(name: str = "ann", **update: object) -> SeatRequest:
    return SeatRequest(name=name, **update)  # type: ignore[arg-type]


def know(actors: tuple[SupervisedActor, ...], version: int) -> None:
    """Let those who hear guests tell that they know a guest book."""
    for actor in actors:
        if actor.seat.role in {"pool-keeper", "friend"}:
            actor.figures = (Figure(name="guests_known", value=version),)
        if actor.seat.role == "pool-keeper":
            actor.figures += (Figure(name="refused_of.ann", value=3),)


def test_an_offer_is_for_our_eyes_alone_and_names_whom_a_learner_may_speak_to(guests: Guests, runtime: Path) -> None:
    given = guests.give(ask())
    taken = TakenSeat(Path(given.offer))

    offer = taken.offer
    ring = taken.ring
    taken.close()

    assert stat.S_IMODE(Path(given.offer).stat().st_mode) == 0o600
    assert (set(offer.peers), set(offer.admitted)) == ({"pool-keeper", "friend", "supervisor"}, {"pool-keeper"})
    assert ring is not None and ring.secret.decode() not in repr(ring) + repr(offer)
    assert guests.place.keys is not None
    assert ring.peers["pool-keeper"] == guests.place.keys.pair("pool-keeper").public


def test_a_seat_is_known_without_a_friend_that_was_given_up(
    guests: Guests, actors: tuple[SupervisedActor, ...]
) -> None:
    given = guests.give(ask())
    know(actors, given.book_version)
    friend = next(actor for actor in actors if actor.seat.role == "friend")
    friend.figures = ()
    states = [guests.describe()[0].state]
    friend.state = "failed"

    assert [*states, guests.describe()[0].state] == ["granted", "detached"]


def test_a_field_of_the_users_may_speak_to_the_friend_and_to_nobody_else(guests: Guests) -> None:
    taken = TakenSeat(Path(guests.give(ask("leo", role="field-host")).offer))

    offer = taken.offer
    taken.close()

    assert (set(offer.peers), set(offer.admitted)) == ({"friend", "supervisor"}, {"friend"})


def test_the_guest_book_tells_the_actors_of_public_keys_alone(guests: Guests, heard: list[GuestBook]) -> None:
    given = guests.give(ask())

    read = read_book(guests.place.run.path / FILE_NAME)

    assert read is not None and read[1] == heard[-1] == guests.book
    assert TakenSeat(Path(given.offer)).offer.secret_key not in read[0].decode()
    assert [(guest.instance, guest.role) for guest in read[1].guests] == [("ann", "learner")]


@pytest.mark.parametrize("name", ["", "Ann", "a b", "-ann", "a" * 33, "../ann", "ann\n"])
def test_what_is_no_name_gets_no_seat(guests: Guests, name: str) -> None:
    with pytest.raises(SeatRefusedError, match="is no name for a seat"):
        guests.give(ask(name))


def test_what_is_no_name_is_a_mistake_whether_anything_runs_or_not(tmp_path: Path, capsys) -> None:
    assert run_cli(["attach", "Ann", "--home", str(tmp_path)]) == 2

    assert "'Ann' is no name for a seat" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["dreamer", "learner", "pool-keeper", "supervisor"])
def test_nobody_takes_the_place_of_an_actor(guests: Guests, name: str) -> None:
    with pytest.raises(SeatRefusedError, match="is an actor of this run"):
        guests.give(ask(name, is_replacing=True))


def test_a_seat_is_given_once_unless_it_is_replaced(guests: Guests) -> None:
    first = TakenSeat(Path(guests.give(ask()).offer))

    with pytest.raises(SeatRefusedError, match="was given before: ONEIROS_SEAT="):
        guests.give(ask())
    second = TakenSeat(Path(guests.give(ask(is_replacing=True)).offer))

    assert first.offer.public_key != second.offer.public_key
    assert first.offer.epoch < second.offer.epoch
    assert [guest.public_key for guest in guests.book.guests] == [second.offer.public_key]
    with pytest.raises(SeatError, match="was given to another"):
        first.check()
    first.close()
    second.close()


def test_there_are_only_so_many_seats(guests: Guests) -> None:
    for number in range(MAX_GUESTS):
        guests.give(ask(f"g{number}"))

    with pytest.raises(SeatRefusedError, match="there are no more"):
        guests.give(ask("one-more"))


def test_a_seat_is_shown_as_granted_detached_attached(guests: Guests, actors: tuple[SupervisedActor, ...]) -> None:
    given = guests.give(ask())
    states = [guests.describe()[0].state]
    know(actors, given.book_version)
    states.append(guests.describe()[0].state)
    guests.hear([Ready(instance="ann", epoch=1, pid=os.getpid(), step=1, recovered_steps=0, cut_bytes=0)])
    guests.hear([Heartbeat(instance="ann", epoch=1, step=9, traffic=SILENCE, figures=(), last_refusal=None)])
    row = guests.describe()[0]
    guests.hear([Stopped(instance="ann", epoch=1, step=12)])

    assert [*states, row.state, guests.describe()[0].state] == ["granted", "detached", "attached", "detached"]
    assert (row.step, row.refused) == (9, 3)


def test_the_silence_of_a_guest_is_shown_and_all_that_it_said(
    guests: Guests, actors: tuple[SupervisedActor, ...]
) -> None:
    now_s = [100.0]
    guests.clock_s = lambda: now_s[0]
    know(actors, guests.give(ask()).book_version)
    ages = [guests.describe()[0].heartbeat_age_s]
    guests.hear([Ready(instance="ann", epoch=1, pid=os.getpid(), step=1, recovered_steps=0, cut_bytes=0)])
    traffic = SILENCE.model_copy(update={"sent": 3, "dropped": 4})
    guests.hear([Heartbeat(instance="ann", epoch=1, step=9, traffic=traffic, figures=(), last_refusal=None)])
    now_s[0] += 3.5
    row = guests.describe()[0]
    guests.hear([Stopped(instance="ann", epoch=1, step=12)])

    assert [*ages, row.heartbeat_age_s, guests.describe()[0].heartbeat_age_s] == [None, 3.5, None]
    assert row.sent == 7


def test_what_each_actor_refused_of_a_guest_is_added_up(guests: Guests, actors: tuple[SupervisedActor, ...]) -> None:
    know(actors, guests.give(ask()).book_version)
    actors[-1].figures = (Figure(name="refused_of.ann", value=2),)

    assert guests.describe()[0].refused == 5


def test_offers_are_withdrawn_with_the_run(guests: Guests) -> None:
    given = guests.give(ask())
    taken = TakenSeat(Path(given.offer))

    guests.close()

    with pytest.raises(SeatError, match="is over"):
        taken.check()
    taken.close()


def turned(guests: Guests, until: Callable[[], bool]) -> None:
    """Turn until it has come to that; the processes are real, so the time is, too."""
    deadline_s = time.monotonic() + 20.0
    while not until():
        assert time.monotonic() < deadline_s, guests.describe()
        guests.turn(time.monotonic(), is_stopping=False)


def test_a_command_waits_for_its_seat_to_be_known_and_is_given_up_after_too_many_deaths(
    guests: Guests, actors: tuple[SupervisedActor, ...], tmp_path: Path
) -> None:
    command = CommandLine(
        words=("/bin/sh", "-c", "echo $ONEIROS_SEAT; exit 7"), folder=str(tmp_path), environment={"PATH": "/bin"}
    )
    given = guests.give(ask(command=command))
    guests.turn(time.monotonic(), is_stopping=False)
    before = guests.describe()[0].process
    know(actors, given.book_version)

    turned(guests, lambda: guests.describe()[0].process == "failed")

    row = guests.describe()[0]
    assert (before, row.restarts, row.reason) == ("waiting", 2, "exited with 7")
    assert (guests.place.home.logs / "ann.log").read_text() == f"{given.offer}\n" * 3


def test_a_command_that_ends_well_is_finished(
    guests: Guests, actors: tuple[SupervisedActor, ...], tmp_path: Path
) -> None:
    given = guests.give(ask(command=CommandLine(words=("/bin/true",), folder=str(tmp_path), environment={})))
    know(actors, given.book_version)

    turned(guests, lambda: guests.describe()[0].process == "finished")

    assert guests.pids == ()
