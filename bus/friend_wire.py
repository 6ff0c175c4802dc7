"""Frames between a host and the process that sits for it (bus.friend_bridge), read and written without waiting.

In: words, each with a message or a text. Out: the same at the other end, in order. What does not go at once goes with
the next call. Refused, with a ConnectionError: an end that is closed; with a DecodeError: what is no frame.
"""

import select
import socket
from contextlib import suppress
from struct import Struct
from typing import Final, Literal, NamedTuple

from bus.codec import decode_body, encode_body, pack, unpack
from bus.errors import DecodeError
from schemas.base import Message
from schemas.friend import (
    DialogClose,
    FriendDecline,
    FriendOffer,
    FriendOpen,
    GenerateLine,
    LineGenerated,
    LineObserved,
    ObserveLine,
    OriginTold,
)

Word = Literal["say", "call again", "told", "seated", "fault"]
SIZE: Final = Struct("<I")
READ_BYTES: Final = 65_536
SPOKEN: Final[dict[str, type[Message]]] = {
    cls.kind: cls
    for cls in (
        *(OriginTold, FriendOffer, LineGenerated, LineObserved),
        *(FriendDecline, FriendOpen, GenerateLine, ObserveLine, DialogClose),
    )
}
"""What a host and the friend say to each other."""


class Frame(NamedTuple):
    """One word: to say a message, to call the friend anew, what was told, that a seat was taken, or what failed."""

    word: Word
    message: Message | None = None
    text: str = ""


class Wire:
    """One end of the stream."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._out = bytearray()
        self._in = bytearray()
        self._is_over = False

    def put(self, frame: Frame) -> None:
        """Send `frame`, now or with a later call."""
        kind, body = ("", b"") if frame.message is None else (frame.message.kind, encode_body(frame.message))
        data = pack((frame.word, kind, body, frame.text))
        self._out += SIZE.pack(len(data)) + data
        self._write()

    def take(self, timeout_s: float | None) -> list[Frame]:
        """The frames that came, waiting at most so long for the first; None: until one comes."""
        poll = select.poll()
        poll.register(self._end, select.POLLIN | (select.POLLOUT if self._out else 0))
        if not poll.poll(None if timeout_s is None else max(0.0, timeout_s) * 1000.0):
            return []
        self._write()
        self._read()
        found = self._frames()
        if self._is_over and not found:
            raise ConnectionError("the other end has hung up")
        return found

    def close(self) -> None:
        """Hang up."""
        self._end.close()

    def _write(self) -> None:
        with suppress(BlockingIOError):
            while self._out:
                del self._out[: self._end.send(self._out)]

    def _read(self) -> None:
        with suppress(BlockingIOError):
            while part := self._end.recv(READ_BYTES):
                self._in += part
            self._is_over = True

    def _frames(self) -> list[Frame]:
        found = []
        while len(self._in) >= SIZE.size:
            (size,) = SIZE.unpack_from(self._in)
            if len(self._in) < SIZE.size + size:
                break
            found.append(_frame(bytes(self._in[SIZE.size : SIZE.size + size])))
            del self._in[: SIZE.size + size]
        return found


def _frame(data: bytes) -> Frame:
    match unpack(data):
        case (("say" | "call again" | "told" | "seated" | "fault") as word, str(kind), bytes(body), str(text)):
            if kind and kind not in SPOKEN:
                raise DecodeError("Frame", f"no message is called {kind}")
            return Frame(word, decode_body(SPOKEN[kind], body) if kind else None, text)
    raise DecodeError("Frame", "not a word with a message and a text")
