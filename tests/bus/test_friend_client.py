"""The way of a foreign host to the friend: no seat is no friend, and a line is measured by its words."""

import pytest

from bus.core import Received
from bus.friend_client import REMEMBERED, Ear, SeatLine, attach_field
from schemas.friend import SayLine
from schemas.ids import derived_id

SAID = SayLine(say_id=derived_id("say"), text="a")


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


class Link:
    """A link that brings what it was given, or fails."""

    def __init__(self, *brings: list[Received], fails: bool = False) -> None:
        self.brings, self.fails, self.released, self.said = list(brings), fails, 0, []
        self.calls = 0

    def say(self, message: object, _because: str) -> None:
        if self.fails:
            raise OSError("gone")
        self.said.append(message)

    def hear(self, _timeout_s: float) -> list[Received]:
        return self.brings.pop(0) if self.brings else []

    def call_again(self) -> None:
        self.calls += 1

    def release(self) -> None:
        self.released += 1


def seated(*links: Link) -> SeatLine:
    line, waiting = SeatLine("nowhere"), list(links)
    line._sit = lambda: waiting.pop(0)  # type: ignore[method-assign,assignment,return-value]
    return line


def test_a_link_that_fails_is_let_go_and_the_seat_is_looked_for_again() -> None:
    broken, good = Link(fails=True), Link()
    line = seated(broken, good)

    with pytest.raises(OSError, match="gone"):
        line.say(SAID)
    line.say(SAID)

    assert (broken.released, good.said) == (1, [SAID])


def test_a_friend_that_did_not_answer_is_called_anew() -> None:
    link = Link()
    line = seated(link)
    line.say(SAID)

    heard = line.hear(0.002)
    line.say(SAID)

    assert (heard, link.calls) == (None, 1)


def test_nothing_is_heard_without_a_link() -> None:
    with pytest.raises(ConnectionError):
        SeatLine("nowhere").hear(0.01)


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
