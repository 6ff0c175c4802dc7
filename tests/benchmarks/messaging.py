"""Messages a second and round trips: typed, validated, journalled, through a real link, against raw pyzmq.

In: nothing. Out: one JSON object with medians of alternating runs and their ratios. Run: `make bench BENCH=messaging`.
Exit code 1 when a target is missed. The anchors are pyzmq as its users write it (send, recv_multipart) and
`multiprocessing.Queue`, both with ready-made bytes: nothing typed, nothing checked, nothing on disk.
`curve_to_plain` hides what a lock costs where messages are read from the journal, as tensors are: see `BENCH=locking`.
"""

import json
import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import zmq

from bus.actor_log import ActorLog
from bus.core import Actor, Fired, Input, Outcome, Received, Send, SetTimer, Started
from bus.intake import Intake
from bus.journal import Journal, SegmentLimits
from bus.keys import KeyBook
from bus.link import Inbox, Outlet, make_context
from bus.loop import ActorLoop
from bus.randomness import RandomSource
from bus.recovery import read_history
from bus.refusals import Refusals
from bus.topology import peers_of
from schemas.base import Message
from schemas.dreams import DreamEntry
from schemas.ids import derived_id
from schemas.manifest import Seat
from schemas.retrieval import PoolStats, PoolStatsRequest
from schemas.tensor import encode

SEATS = tuple(
    Seat(instance=role, role=role)  # type: ignore[arg-type] - names of roles
    for role in ("dreamer", "pool-keeper", "learner")
)
PEERS = ("supervisor", *(seat.instance for seat in SEATS))
ROUNDS = 5
SMALL_COUNT, TENSOR_COUNT, TRIPS = 100_000, 1_000, 5_000
BURST = 64
PAIR = ("learner", "pool-keeper")
Locks = KeyBook | None  # the keys of all, made before the processes are; None for a bus without locks


def small(number: int) -> PoolStats:
    """A message of about 200 bytes with its envelope, of numbers that are checked."""
    return PoolStats(
        request=number,
        pool_sequence=123_456,
        dreams_total=123_456,
        coherence_mean=0.512345678901,
        spectral_entropy_mean=0.487654321099,
        last_compaction_at_ns=1_767_225_600_000_000_000,
    )


def tensor_dream() -> DreamEntry:
    """A dream with a raw tensor of 64x64x8x3 f32 as its payload: 393,216 bytes, hashed and packed beforehand."""
    tensor = np.random.default_rng(1).random((64, 64, 8, 3), dtype=np.float32)
    name = derived_id("benchmark", 1)
    return DreamEntry(
        id=name,
        timestamp_ns=1,
        source="random",
        factoid_ids=(),
        image_id=None,
        parents=(),
        lineage_root=name,
        generation=0,
        ancestry=(),
        coherence=0.5,
        energy=0.1,
        chroma_signature=(0.5, 0.5, 0.5),
        spectral_entropy=0.5,
        shape=(64, 64, 8),
        tensor_sha256=encode(tensor)[1],
        metadata_json="{}",
        profile_id=None,
        tensor_blob=tensor.tobytes(),
    )


@dataclass
class Source:
    """Says `count` messages, `burst` in a step."""

    count: int
    burst: int
    make: Callable[[int], Message]
    to: str | None = None
    said: int = 0

    def handle(self, event: Input, now_ns: int) -> Outcome:
        outcome = Outcome()
        if isinstance(event, Started | Fired) and self.said < self.count:
            for _ in range(min(self.burst, self.count - self.said)):
                outcome.sends.append(Send(self.make(self.said), self.to))
                self.said += 1
            outcome.timers.append(SetTimer("more", 0.0))
        return outcome

    def snapshot(self) -> bytes:
        return b""

    def restore(self, data: bytes) -> None:
        raise NotImplementedError("a benchmark is not restarted")

    def figures(self) -> dict[str, int]:
        return {"said": self.said}


@dataclass
class Sink:
    """Counts what arrives; answers requests."""

    seen: int = 0

    def handle(self, event: Input, now_ns: int) -> Outcome:
        outcome = Outcome()
        if isinstance(event, Received):
            self.seen += 1
            if isinstance(event.message, PoolStatsRequest):
                outcome.sends.append(Send(small(event.message.request), to=event.ref.sender))
        return outcome

    def snapshot(self) -> bytes:
        return b""

    def restore(self, data: bytes) -> None:
        raise NotImplementedError("a benchmark is not restarted")

    def figures(self) -> dict[str, int]:
        return {"seen": self.seen}


@dataclass
class Pinger(Source):
    """Asks the next request when the last is answered."""

    def handle(self, event: Input, now_ns: int) -> Outcome:
        outcome = Outcome()
        if isinstance(event, Fired):
            outcome.sends.append(Send(PoolStatsRequest(request=0)))
        elif isinstance(event, Received) and self.said < self.count:
            self.said += 1
            outcome.sends.append(Send(PoolStatsRequest(request=self.said)))
        elif isinstance(event, Started):
            outcome.timers.append(SetTimer("begin", 0.5))
        return outcome


def make_loop(home: Path, runtime: Path, instance: str, core: object, locks: Locks, store: object = None) -> ActorLoop:
    """The loop of a real actor around `core` and, where there is one, its `store`."""
    ring = None if locks is None else locks.ring(instance, SEATS)
    seat = next(seat for seat in SEATS if seat.instance == instance)
    context = make_context()
    refusals = Refusals(home / "refusals", instance)
    history = read_history(home / "journal" / instance)
    loop = ActorLoop(
        seat=seat,
        seats=SEATS,
        home=home,
        epoch=1,
        build=lambda: Actor(core, RandomSource(1, 1, instance), store),  # type: ignore[arg-type] - have their shapes
        inbox=Inbox(context, runtime, instance, ring=ring),
        outlet=Outlet(context, runtime, [other for other in peers_of(seat.role) if other in PEERS], ring=ring),
        intake=Intake(seat, SEATS, home / "journal", refusals, ActorLog(instance)),
        journal=Journal(history.folder, {}, 1, "process", SegmentLimits(1 << 26, 1 << 62)),
        refusals=refusals,
        log=ActorLog(instance),
    )
    loop.resume(history)
    return loop


def be_sink(home: Path, runtime: Path, role: str, count: int, locks: Locks, pipe: Connection) -> None:
    """The receiving process: reports messages a second, from the first to the last."""
    sink = Sink()
    loop = make_loop(home, runtime, role, sink, locks)
    pipe.send("ready")
    began = 0.0
    while sink.seen < count:
        loop.inbox.wait(loop.patience_ms())
        loop.turn()
        if sink.seen and not began:
            began, first = time.perf_counter(), sink.seen
    pipe.send(((count - first) / (time.perf_counter() - began), loop.intake.recovered))


def be_source(home: Path, runtime: Path, role: str, source: Source, locks: Locks, pipe: Connection) -> None:
    """The sending process; it stays until the other side is done."""
    loop = make_loop(home, runtime, role, source, locks)
    began = time.perf_counter()
    while not pipe.poll(0):
        loop.inbox.wait(loop.patience_ms())
        loop.turn()
        if isinstance(source, Pinger) and source.said >= source.count:
            break
    pipe.send(time.perf_counter() - began)


def one_way(sender: str, source: Source, locks: Locks) -> tuple[float, float]:
    """Messages a second of the whole path, and the share of them that came by way of the journal."""
    home, runtime = Path(tempfile.mkdtemp(dir=Path.cwd(), prefix=".bench-")), Path(tempfile.mkdtemp(prefix="one-"))
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()
    stop, stopped = fork.Pipe()
    sink = fork.Process(target=be_sink, args=(home, runtime, source.to, source.count, locks, there))
    sink.start()
    here.recv()
    process = fork.Process(target=be_source, args=(home, runtime, sender, source, locks, stopped))
    process.start()
    rate, recovered = here.recv()
    stop.send("done")
    for each in (sink, process):
        each.join()
    shutil.rmtree(home)
    shutil.rmtree(runtime)
    return rate, recovered / source.count


def round_trip(locks: Locks) -> float:
    """Seconds of one request and its answer, both journalled."""
    home, runtime = Path(tempfile.mkdtemp(dir=Path.cwd(), prefix=".bench-")), Path(tempfile.mkdtemp(prefix="one-"))
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()
    sink = fork.Process(target=be_sink, args=(home, runtime, PAIR[1], TRIPS + 1, locks, there))
    sink.start()
    here.recv()
    _, pipe = fork.Pipe()
    source = fork.Process(target=be_source, args=(home, runtime, PAIR[0], Pinger(TRIPS, 1, small), locks, pipe))
    source.start()
    rate, _ = here.recv()
    for process in (sink, source):
        process.join()
    shutil.rmtree(home)
    shutil.rmtree(runtime)
    return float(1.0 / rate)


def be_raw_sink(address: str, count: int, is_small: bool, pipe: Connection) -> None:
    """The anchor's receiver: a ROUTER that takes ready-made bytes."""
    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    socket.bind(address)
    pipe.send("ready")
    for number in range(count):
        socket.recv_multipart(copy=is_small)
        if number == 0:
            began = time.perf_counter()
    pipe.send((count - 1) / (time.perf_counter() - began))
    context.destroy(linger=0)


def be_queue_sink(queue: "multiprocessing.Queue[bytes]", count: int, pipe: Connection) -> None:
    """The peer's receiver: an unjournalled queue of the standard library."""
    pipe.send("ready")
    for number in range(count):
        queue.get()
        if number == 0:
            began = time.perf_counter()
    pipe.send((count - 1) / (time.perf_counter() - began))


def queue(count: int, data: bytes) -> float:
    """Messages a second of multiprocessing.Queue with ready-made bytes."""
    fork = multiprocessing.get_context("fork")
    pipe: multiprocessing.Queue[bytes] = fork.Queue()
    here, there = fork.Pipe()
    sink = fork.Process(target=be_queue_sink, args=(pipe, count, there))
    sink.start()
    here.recv()
    for _ in range(count):
        pipe.put(data)
    rate = here.recv()
    sink.join()
    return float(rate)


def be_raw_echo(address: str, count: int, pipe: Connection) -> None:
    """The anchor's peer for round trips."""
    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    socket.bind(address)
    pipe.send("ready")
    for _ in range(count):
        identity = socket.recv()
        data = socket.recv()
        socket.send(identity, zmq.SNDMORE)
        socket.send(data)
    pipe.recv()
    context.destroy(linger=0)


def raw(count: int, data: bytes) -> float:
    """Messages a second of raw pyzmq DEALER -> ROUTER over ipc."""
    folder = Path(tempfile.mkdtemp(prefix="one-"))
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()
    sink = fork.Process(target=be_raw_sink, args=(f"ipc://{folder}/raw", count, len(data) < 65536, there))
    sink.start()
    here.recv()
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.connect(f"ipc://{folder}/raw")
    copy = len(data) < 65536
    for _ in range(count):
        socket.send(data, copy=copy)
    rate = here.recv()
    sink.join()
    context.destroy(linger=0)
    shutil.rmtree(folder)
    return float(rate)


def raw_round_trip() -> float:
    """Seconds of a raw request and its echo."""
    folder = Path(tempfile.mkdtemp(prefix="one-"))
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()
    echo = fork.Process(target=be_raw_echo, args=(f"ipc://{folder}/raw", TRIPS, there))
    echo.start()
    here.recv()
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.connect(f"ipc://{folder}/raw")
    began = time.perf_counter()
    for _ in range(TRIPS):
        socket.send(b"x" * 200)
        socket.recv()
    seconds = (time.perf_counter() - began) / TRIPS
    here.send("done")
    echo.join()
    context.destroy(linger=0)
    shutil.rmtree(folder)
    return seconds


def measure() -> dict[str, float]:
    """Medians of alternating runs, by name."""
    dream, book = tensor_dream(), KeyBook()
    for seat in SEATS:
        book.ring(seat.instance, SEATS)
    figures: dict[str, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        figures["raw_small"].append(raw(SMALL_COUNT, b"x" * 200))
        figures["queue_small"].append(queue(SMALL_COUNT, b"x" * 200))
        figures["raw_tensor"].append(raw(TENSOR_COUNT, bytes(393_216)))
        figures["raw_trip"].append(raw_round_trip())
        for end, locks in (("", None), ("_locked", book)):
            rate, share = one_way("pool-keeper", Source(SMALL_COUNT, BURST, small, "learner"), locks)
            figures["small" + end].append(rate)
            figures["by_journal" + end].append(share)
            rate, _ = one_way("dreamer", Source(TENSOR_COUNT, 1, lambda _: dream, "pool-keeper"), locks)
            figures["tensor" + end].append(rate)
            figures["trip" + end].append(round_trip(locks))
    return {name: statistics.median(values) for name, values in figures.items()}


def main() -> int:
    """Print one JSON object; 1 when a target is missed."""
    median = measure()
    names = ("small", "tensor", "trip")
    small_ratio, tensor_ratio, trip_ratio = (round(median[name] / median[f"raw_{name}"], 3) for name in names)
    targets = {
        "small_ratio_to_raw": {"figure": small_ratio, "at_least": 0.25, "ok": small_ratio >= 0.25},
        "tensor_ratio_to_raw": {"figure": tensor_ratio, "at_least": 0.5, "ok": tensor_ratio >= 0.5},
        "round_trip_ratio_to_raw": {"figure": trip_ratio, "at_most": 1.5, "ok": trip_ratio <= 1.5},
    }
    figures = {
        "small_per_s": round(median["small"]),
        "raw_small_per_s": round(median["raw_small"]),
        "queue_small_per_s": round(median["queue_small"]),
        "small_ratio_to_multiprocessing_queue": round(median["small"] / median["queue_small"], 3),
        "small_share_by_journal": round(median["by_journal"], 3),
        "tensor_per_s": round(median["tensor"]),
        "raw_tensor_per_s": round(median["raw_tensor"]),
        "round_trip_us": round(median["trip"] * 1e6, 1),
        "raw_round_trip_us": round(median["raw_trip"] * 1e6, 1),
        "small_share_by_journal_with_curve": round(median["by_journal_locked"], 3),
        "round_trip_us_with_curve": round(median["trip_locked"] * 1e6, 1),
        **{f"{n}_per_s_with_curve": round(median[f"{n}_locked"]) for n in ("small", "tensor")},
        **{f"{n}_curve_to_plain": round(median[f"{n}_locked"] / median[n], 3) for n in names},
    }
    print(json.dumps({**figures, "targets": targets}, indent=1))
    return int(not all(target["ok"] for target in targets.values()))


if __name__ == "__main__":
    ActorLog.write = lambda *_, **__: None  # type: ignore[method-assign,assignment] - the figures alone
    raise SystemExit(main())
