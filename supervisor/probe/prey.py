"""The other process of a throw-away world: it holds what may be stolen, listens, and tells what has reached it.

In: one JSON order on its standard input, then empty lines. Out: where its things are, in JSON; then, for each line,
all that it has heard so far. It leaves nothing of itself when its standard input ends, as it does when whoever made
the world dies. Started as `python -m supervisor.probe.prey`, as the leader of a group.
"""

import ctypes
import os
import select
import signal
import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from bus.link import Inbox, make_context
from schemas.base import Record
from supervisor.probe.system_calls import call

PR_SET_PTRACER: Final = 0x59616D61
TURN_S: Final = 0.02
QUIET_TURNS: Final = 3
"""Turns without news after which everything that was sent is taken to have arrived."""
HEARD_BYTES: Final = 256
IPC_CREATE_NEW: Final = 0o3600
IPC_REMOVE: Final = 0
SHARED_BYTES: Final = 4096
LOOPBACK: Final = "127.0.0.1"
SIGNALS: Final = (signal.SIGTERM, signal.SIGUSR1)


class Order(Record):
    """What the prey is told."""

    runtime: str
    socket_path: str
    instance: str
    """Whose inbox it serves."""
    abstract_name: str
    shared_key: int
    shared_file: str
    queue_name: str
    held_file: str
    secret: str
    """What lies in its memory and in what it shares."""


class Lair(Record):
    """Where the things of the prey are."""

    pid: int
    fd: int
    address: int
    tcp_port: int
    udp_port: int
    shared_key: int | None
    shared_file: str | None
    queue_name: str | None


class Heard(Record):
    """All that has reached the prey."""

    words: tuple[str, ...]
    signals: tuple[int, ...]


class Prey:
    """One prey, from its order on."""

    def __init__(self, order: Order, leaving: ExitStack) -> None:
        """Hold and share what `order` says; `leaving` takes it all back."""
        self._words: list[str] = []
        self._signals: list[int] = []
        for number in SIGNALS:
            signal.signal(number, lambda seen, _frame: self._signals.append(seen))
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_long(-1), 0, 0, 0)  # else Yama protects it, and not the box
        self._secret = ctypes.create_string_buffer(order.secret.encode())
        self._held = os.open(order.held_file, os.O_RDWR)
        self._listeners = [
            leaving.enter_context(_listen(socket.AF_UNIX, order.socket_path)),
            leaving.enter_context(_listen(socket.AF_UNIX, f"\0{order.abstract_name}")),
            leaving.enter_context(_listen(socket.AF_INET, (LOOPBACK, 0))),
        ]
        self._datagrams = leaving.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._datagrams.bind((LOOPBACK, 0))
        self._inbox = Inbox(make_context(), Path(order.runtime), order.instance)
        leaving.callback(self._inbox.close)
        self.lair = Lair(
            pid=os.getpid(),
            fd=self._held,
            address=ctypes.addressof(self._secret),
            tcp_port=self._listeners[2].getsockname()[1],
            udp_port=self._datagrams.getsockname()[1],
            shared_key=_share_segment(order, leaving),
            shared_file=_share_file(order, leaving),
            queue_name=_make_queue(order, leaving),
        )

    def serve(self) -> None:
        """Hear until the standard input ends, and answer each line on it."""
        while True:
            if not self._hear():
                continue
            if not os.read(sys.stdin.fileno(), 1):
                return
            quiet = 0
            while quiet < QUIET_TURNS:
                known = len(self._words)
                self._hear()
                quiet = 0 if len(self._words) > known else quiet + 1
            _tell(Heard(words=tuple(self._words), signals=tuple(self._signals)))

    def _hear(self) -> bool:
        """Take in what arrives within one turn; whether something was asked."""
        sources = [*self._listeners, self._datagrams, sys.stdin]
        readable, _, _ = select.select(sources, [], [], TURN_S)
        for listener in self._listeners:
            if listener in readable:
                self._words.append(_listen_to(listener))
        if self._datagrams in readable:
            self._words.append(self._datagrams.recv(HEARD_BYTES).decode(errors="replace"))
        while (arrival := self._inbox.receive()) is not None:
            self._words.append(bytes(arrival.parts[0]).decode(errors="replace"))
        return sys.stdin in readable


def _listen(kind: socket.AddressFamily, address: str | tuple[str, int]) -> socket.socket:
    listener = socket.socket(kind, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen()
    return listener


def _listen_to(listener: socket.socket) -> str:
    visitor, _ = listener.accept()
    with visitor:
        visitor.settimeout(TURN_S)
        with suppress(TimeoutError):
            return visitor.recv(HEARD_BYTES).decode(errors="replace") or "somebody who said nothing"
    return "somebody who said nothing"


def _share_segment(order: Order, leaving: ExitStack) -> int | None:
    try:
        segment = call("shmget", order.shared_key, SHARED_BYTES, IPC_CREATE_NEW)
    except OSError:
        return None
    leaving.callback(call, "shmctl", segment, IPC_REMOVE, None)
    address = call("shmat", segment, 0, 0)
    ctypes.memmove(address, order.secret.encode(), len(order.secret))
    return order.shared_key


def _share_file(order: Order, leaving: ExitStack) -> str | None:
    path = Path(order.shared_file)
    try:
        path.write_text(order.secret)
    except OSError:
        return None
    leaving.callback(path.unlink, missing_ok=True)
    return order.shared_file


def _make_queue(order: Order, leaving: ExitStack) -> str | None:
    name = order.queue_name.encode()
    try:
        os.close(call("mq_open", name, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o600, None))
    except OSError:
        return None
    leaving.callback(call, "mq_unlink", name)
    return order.queue_name


def _tell(record: Record) -> None:
    os.write(sys.stdout.fileno(), record.model_dump_json().encode() + b"\n")


def main() -> None:
    """Be the prey until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(sys.stdin.fileno(), 1) or b"\n"
    with ExitStack() as leaving:
        prey = Prey(Order.model_validate_json(line), leaving)
        _tell(prey.lair)
        prey.serve()


if __name__ == "__main__":
    main()
