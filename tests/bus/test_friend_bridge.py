"""The process in the host's seat: passes on both ways, tells what failed, and ends with the host."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.core import MessageRef, Received
from bus.friend_bridge import Bridge
from bus.friend_wire import Frame, Wire
from schemas.base import Message
from schemas.friend import FriendDecline, OriginTold
from schemas.ids import derived_id

SAID = OriginTold(host_id="leo", bootstrap="A lamp.", readme=())
TOLD = FriendDecline(ctx_id=derived_id("moment"), reason="dice")


class Link:
    """A seat in a run: brings what it was given, or fails."""

    def __init__(self, *brings: Message, fails: bool = False) -> None:
        self.brings, self.fails = list(brings), fails
        self.did: list[object] = []

    def say(self, message: Message, _because: str) -> None:
        if self.fails:
            raise OSError("gone")
        self.did.append(message)

    def hear(self, _timeout_s: float) -> list[Received]:
        brought, self.brings = self.brings, []
        return [Received(MessageRef("friend", 1, 1), message) for message in brought]

    def beat(self) -> None:
        pass

    def call_again(self) -> None:
        self.did.append("called again")

    def release(self) -> None:
        self.did.append("released")

    def close(self) -> None:
        self.did.append("closed")


class Sitter(Bridge):
    """A bridge that finds the links it was given in its seat."""

    def __init__(self, end: socket.socket, *links: Link) -> None:
        super().__init__(Wire(end), end.fileno(), Path("/nowhere/leo.seat"))
        self.links = list(links)

    def _sit(self) -> Link:
        return self.links.pop(0) if self.links else super()._sit()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def serve(ends, *links: Link, says: tuple[Frame, ...]) -> list[Frame]:
    """What the host is told by a bridge that it says `says` to before it hangs up."""
    host = Wire(ends[0])
    for frame in says:
        host.put(frame)
    ends[0].shutdown(socket.SHUT_WR)
    Sitter(ends[1], *links).serve()
    return host.take(1.0)


def test_both_ways_are_served_until_the_host_has_hung_up(ends) -> None:
    link = Link(TOLD)
    bridge = Sitter(ends[1], link)
    host = Wire(ends[0])
    host.put(Frame("say", SAID))
    host.put(Frame("call again"))
    bridge._listen()
    bridge._listen()
    ends[0].shutdown(socket.SHUT_WR)

    bridge.serve()

    assert link.did == [SAID, "called again", "closed"]
    assert host.take(1.0) == [Frame("seated"), Frame("told", TOLD)]


def test_a_seat_that_is_not_there_is_a_fault_and_looked_for_again(ends) -> None:
    said = serve(ends, says=(Frame("say", SAID), Frame("say", SAID)))

    assert [frame.word for frame in said] == ["fault", "fault"]
    assert said[0].text.startswith("SeatError: the seat /nowhere/leo.seat cannot be read")


def test_a_link_that_fails_is_let_go_and_another_is_taken(ends) -> None:
    broken, good = Link(fails=True), Link()

    told = serve(ends, broken, good, says=(Frame("say", SAID), Frame("say", SAID)))

    assert told == [Frame("seated"), Frame("fault", text="OSError: gone"), Frame("seated")]
    assert (broken.did, good.did) == (["released"], [SAID, "closed"])
