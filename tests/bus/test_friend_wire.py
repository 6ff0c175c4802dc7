"""Frames on a stream: whole, in order, without waiting; a closed end and a broken frame are refused."""

import socket
from collections.abc import Iterator

import pytest

from bus.errors import DecodeError
from bus.friend_wire import SIZE, Frame, Wire
from schemas.friend import FriendDecline, OriginTold
from schemas.ids import derived_id

TOLD = FriendDecline(ctx_id=derived_id("moment"), reason="dice")
LONG = OriginTold(host_id="leo", bootstrap="x" * 262_144, readme=("y" * 8192,) * 16)

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_frames_come_whole_and_in_order_however_long(ends) -> None:
    here, there = Wire(ends[0]), Wire(ends[1])
    frames = [Frame("say", LONG), Frame("call again"), Frame("fault", text="\u00e4"), Frame("told", TOLD)]
    found: list[Frame] = []

    for frame in frames:
        here.put(frame)
    while len(found) < len(frames):
        found += there.take(1.0)
        here.take(0.0)

    assert found == frames


def test_nothing_is_waited_for_beyond_its_time(ends) -> None:
    assert Wire(ends[0]).take(0.0) == Wire(ends[0]).take(0.001) == []


def test_an_end_that_is_closed_is_refused(ends) -> None:
    ends[1].close()

    with pytest.raises(ConnectionError, match="hung up"):
        Wire(ends[0]).take(1.0)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x94\xa3say\xa7Nothing\xc4\x00\xa0", b"\x91\xa3say"])
def test_what_is_no_frame_is_refused(data, ends) -> None:
    ends[1].send(SIZE.pack(len(data)) + data)

    with pytest.raises(DecodeError):
        Wire(ends[0]).take(1.0)
