"""The process that sits in a host's seat, so that the host itself has no socket, no key and no thread of a link.

In: a seat (`python -m bus.friend_bridge SEAT`), frames of the host on descriptor 0. Out: each message that the host
says, journalled and sent; what the friend says to the seat; what failed, in words. A seat that cannot be taken is
looked for again with the next message. It ends when the host has hung up, however that came about. Nothing is printed.
"""

import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from bus.friend_wire import Frame, Wire
from bus.guest_link import GuestLink
from bus.seat_offer import TakenSeat

LISTEN_S: Final = 0.5
"""Between two signs of life of a seat in which nothing happens."""


class Bridge:
    """A wire to the host, and a link to the run while there is one."""

    def __init__(self, wire: Wire, descriptor: int, seat: Path) -> None:
        self._wire = wire
        self._descriptor = descriptor
        self._seat = seat
        self._link: GuestLink | None = None

    def serve(self) -> None:
        """Until the host has hung up."""
        try:
            while True:
                self._listen()
        except ConnectionError:
            self._leave(in_order=True)

    def _listen(self) -> None:
        link = self._link
        if link is not None:
            try:
                for heard in link.hear(LISTEN_S):
                    self._wire.put(Frame("told", heard.message))
                link.beat()
            except Exception as error:
                self._fail(error)
        for frame in self._wire.take(None if self._link is None else 0.0):
            self._obey(frame)

    def _obey(self, frame: Frame) -> None:
        try:
            if self._link is None:
                self._link = self._sit()
                self._wire.put(Frame("seated"))
            if frame.word == "call again":
                self._link.call_again()
            elif frame.message is not None:
                self._link.say(frame.message, frame.message.kind)
        except Exception as error:
            self._fail(error)

    def _sit(self) -> GuestLink:
        taken = TakenSeat(self._seat)
        try:
            link = GuestLink(taken)
        except Exception:
            taken.close()
            raise
        link.wake_on(self._descriptor)
        return link

    def _fail(self, error: Exception) -> None:
        """Let the link go, and tell why; that the host itself is gone ends everything."""
        self._leave(in_order=False)
        self._wire.put(Frame("fault", text=f"{type(error).__name__}: {error}"))

    def _leave(self, *, in_order: bool) -> None:
        link, self._link = self._link, None
        if link is not None:
            with suppress(Exception):
                link.close() if in_order else link.release()


def main(arguments: Sequence[str]) -> int:
    """Serve the host on descriptor 0."""
    end = socket.socket(fileno=0)
    Bridge(Wire(end), end.fileno(), Path(arguments[0])).serve()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
