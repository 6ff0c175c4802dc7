"""What the lock of an inbox (CURVE) costs: the same link with keys and without, for both sizes of message.

In: nothing. Out: one JSON object with medians of alternating runs, their ratios and their spread. Run: `make bench
BENCH=locking`. Real inboxes and outlets in two processes, and nothing else: nothing typed, nothing journalled. The
receiver answers each `window` of messages, so that none is dropped and every one crosses the socket; a window of one
is a round trip. No target: a dreamer says a few dreams a second, and the lock is on by default.
"""

import json
import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import zmq

from bus.keys import KeyBook, KeyRing
from bus.link import Inbox, Outlet, make_context
from schemas.manifest import Seat

SEATS = (Seat(instance="learner", role="learner"), Seat(instance="pool-keeper", role="pool-keeper"))
SENDER, RECEIVER = "learner", "pool-keeper"
ROUNDS = 7
STARTS = 20
PATIENCE_MS = 10_000
ENVELOPE, BODY = b"e" * 70, b"b" * 130


class Load(NamedTuple):
    """What is sent in one run."""

    count: int
    window: int
    payload: bytes = b""


LOADS = {
    "small": Load(40_000, 20),
    "tensor": Load(1_000, 8, bytes(393_216)),
    "round_trip": Load(5_000, 1),
}


class LostError(Exception):
    """A message did not arrive: the figures would say nothing."""


class End:
    """One process of the pair."""

    def __init__(self, runtime: Path, instance: str, peer: str, ring: KeyRing | None) -> None:
        self.context = make_context()
        self.inbox = Inbox(self.context, runtime, instance, ring=ring)
        self.outlet = Outlet(self.context, runtime, [peer], awaited=[peer], ring=ring)
        self.peer = peer

    def catch_up(self) -> None:
        """Let the socket see that its queue has been read: it looks only once a millisecond by itself."""
        if not self.outlet._sockets[self.peer].poll(PATIENCE_MS, zmq.POLLOUT):
            raise LostError(f"{self.peer} does not read")

    def say(self, payload: bytes = b"") -> None:
        """Send one message."""
        if not self.outlet.send(self.peer, ENVELOPE, BODY, (payload,) if payload else ()):
            raise LostError(f"{self.peer} does not take a message")

    def hear(self) -> None:
        """Wait for one message."""
        while (arrival := self.inbox.receive()) is None:
            if not self.inbox.has_more():
                self.inbox.wait(PATIENCE_MS)
        del arrival

    def close(self) -> None:
        """Close the sockets."""
        self.inbox.close()
        self.outlet.close(PATIENCE_MS)
        self.context.term()


def be_receiver(runtime: Path, ring: KeyRing | None, load: Load, pipe: Connection) -> None:
    """Take in everything and answer each window."""
    end = End(runtime, RECEIVER, SENDER, ring)
    pipe.send("ready")
    for _ in range(1 + load.count // load.window):
        for _ in range(load.window):
            end.hear()
        end.catch_up()
        end.say()
    end.close()


def seconds_each(load: Load, book: KeyBook | None) -> float:
    """Seconds of a message, from when the first window is answered."""
    runtime = Path(tempfile.mkdtemp(prefix="one-"))
    rings = [None if book is None else book.ring(instance, SEATS) for instance in (SENDER, RECEIVER)]
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()
    receiver = fork.Process(target=be_receiver, args=(runtime, rings[1], load, there), daemon=True)
    receiver.start()
    here.recv()
    end = End(runtime, SENDER, RECEIVER, rings[0])
    windows = load.count // load.window
    for window in range(1 + windows):
        if window == 1:
            began = time.perf_counter()
        end.catch_up()
        for _ in range(load.window):
            end.say(load.payload)
        end.hear()
    seconds = time.perf_counter() - began
    receiver.join()
    end.close()
    shutil.rmtree(runtime)
    return seconds / (windows * load.window)


def first_message(book: KeyBook | None) -> float:
    """Seconds from the making of an inbox to the first message in it: the median of `STARTS` starts."""
    runtime = Path(tempfile.mkdtemp(prefix="one-"))
    rings = [None if book is None else book.ring(instance, SEATS) for instance in (SENDER, RECEIVER)]
    seconds = []
    for _ in range(STARTS):
        contexts = make_context(), make_context()
        began = time.perf_counter()
        inbox = Inbox(contexts[0], runtime, RECEIVER, ring=rings[1])
        outlet = Outlet(contexts[1], runtime, [RECEIVER], awaited=[RECEIVER], ring=rings[0])
        outlet.send(RECEIVER, ENVELOPE, BODY)
        inbox.wait(PATIENCE_MS)
        seconds.append(time.perf_counter() - began)
        if inbox.receive() is None:
            raise LostError(f"no message within {PATIENCE_MS} ms")
        inbox.close()
        outlet.close()
        for context in contexts:
            context.term()
    shutil.rmtree(runtime)
    return statistics.median(seconds)


def measure() -> dict[str, dict[str, list[float]]]:
    """Microseconds, by what is measured and whether it is locked."""
    book = KeyBook()
    figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(ROUNDS):
        for lock, keys in (("plain", None), ("curve", book)):
            for name, load in LOADS.items():
                figures[name][lock].append(seconds_each(load, keys) * 1e6)
            figures["first_message"][lock].append(first_message(keys) * 1e6)
    return figures


def main() -> int:
    """Print one JSON object."""
    table = {}
    for name, by_lock in measure().items():
        plain, curve = statistics.median(by_lock["plain"]), statistics.median(by_lock["curve"])
        table[name] = {
            "plain_us": round(plain, 2),
            "curve_us": round(curve, 2),
            "plain_us_from_to": [round(min(by_lock["plain"]), 2), round(max(by_lock["plain"]), 2)],
            "curve_us_from_to": [round(min(by_lock["curve"]), 2), round(max(by_lock["curve"]), 2)],
            "speed_ratio": round(plain / curve, 3),
        }
    print(json.dumps(table, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
