"""The way of a foreign host to the friend: no seat is no friend, and a line is measured by its words."""

import socket
from collections.abc import Iterator

import pytest

from bus.errors import SeatError
from bus.friend_client import REMEMBERED, Ear, SeatLine, attach_field
from bus.friend_wire import Frame, Wire
from schemas.friend import FriendDecline, OriginTold
from schemas.ids import derived_id

SAID = OriginTold(host_id="leo", bootstrap="A lamp.", readme=())
TOLD = FriendDecline(ctx_id=derived_id("moment"), reason="dice")


def never(*_: object) -> object:
    raise AssertionError("nothing is asked of the host")


@pytest.mark.parametrize("seat", ["/nowhere/leo.seat", None])
def test_without_a_seat_a_host_is_as_without_a_friend(seat, monkeypatch, capfd) -> None:
    monkeypatch.delenv("ONEIROS_SEAT", raising=False)
    shim = attach_field("leo", "I was a lamp.", ["\ud800 a field"], seat=seat)

    for _ in range(5):
        shim.lead(object(), never, never, 1.0)

    assert (shim.health.offered, shim.health.missed, shim.health.held) == (3, 3, 0)
    assert shim.health.fault is not None and shim.health.fault.startswith("SeatError")
    assert capfd.readouterr() == ("", "")


def test_a_host_needs_a_name() -> None:
    with pytest.raises(ValueError, match="host_id"):
        attach_field("No Name", "")


class Seated(SeatLine):
    """A line whose seat is held by the test, at the other end of the wire."""

    def __init__(self) -> None:
        super().__init__("nowhere")
        self.seats: list[Wire] = []

    def _start(self) -> Wire:
        ours, theirs = socket.socketpair()
        self.seats.append(Wire(theirs))
        self._wire = Wire(ours)
        return self._wire

    def close(self) -> None:
        super().close()
        for seat in self.seats:
            seat.close()


@pytest.fixture
def line() -> Iterator[Seated]:
    line = Seated()
    yield line
    line.close()


def test_what_is_said_reaches_the_seat_and_what_is_told_reaches_the_host(line) -> None:
    line.say(SAID)
    line.seats[0].put(Frame("seated"))
    line.settle(1.0)
    line.seats[0].put(Frame("told", TOLD))

    assert line.seats[0].take(1.0) == [Frame("say", SAID)]
    assert line.hear(1.0) == TOLD


def test_what_the_seat_has_met_is_raised_and_the_next_call_looks_again(line) -> None:
    line.say(SAID)
    line.seats[0].put(Frame("fault", text="SeatError: the run is over"))

    with pytest.raises(SeatError, match=r"^the run is over$"):
        line.hear(1.0)
    line.say(SAID)

    assert line.seats[0].take(1.0) == [Frame("say", SAID), Frame("say", SAID)]


def test_a_process_that_is_gone_is_replaced(line) -> None:
    line.say(SAID)
    line.seats[0].close()

    with pytest.raises(OSError):
        line.hear(1.0)
    line.say(SAID)

    assert line.seats[1].take(1.0) == [Frame("say", SAID)]


def test_a_friend_that_did_not_answer_is_called_anew(line) -> None:
    line.say(SAID)

    heard = line.hear(0.002)
    line.say(SAID)
    line.hear(0.0)
    line.say(SAID)

    assert heard is None
    assert [frame.word for frame in line.seats[0].take(1.0)] == ["say", "call again", "say", "say"]


def test_nothing_is_heard_without_a_seat() -> None:
    with pytest.raises(ConnectionError):
        SeatLine("nowhere").hear(0.01)


def test_where_there_is_no_seat_no_process_is_started(monkeypatch) -> None:
    monkeypatch.setattr("bus.friend_client.Popen", never)

    with pytest.raises(SeatError, match="nowhere"):
        SeatLine("nowhere").say(SAID)


def test_what_was_heard_is_less_new_and_the_origin_hurts() -> None:
    ear = Ear("A storm broke my lantern.")

    first, again, junk = ear("The storm broke it"), ear("the storm broke it"), ear("plim plam plum")

    assert (first.pulse.novelty, again.pulse.novelty) == (1.0, 0.0)
    assert first.trauma == 1.0 > junk.trauma == 0.0


def test_a_loud_line_is_stirring_and_an_empty_one_is_measured() -> None:
    ear = Ear("")

    assert ear("STORM! LANTERN! HELP!").pulse.arousal > 0.8 > ear("a calm sea").pulse.arousal == 0.0
    assert (ear("").pulse.entropy, ear("?!").trauma) == (0.5, 0.0)


def test_an_ear_remembers_a_bounded_number_of_words() -> None:
    ear = Ear("")
    ear("first")

    for number in range(REMEMBERED):
        ear("".join(chr(97 + int(digit)) for digit in f"{number:05d}"))

    assert ear("first").pulse.novelty == 1.0
    assert len(ear._heard) <= REMEMBERED
