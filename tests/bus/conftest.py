"""Fakes for the bus: a manifest, a talker and a listener."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from bus.actor_log import ActorLog
from bus.core import Actor, Fired, Input, Outcome, Received, Send, SetTimer, Started
from bus.intake import Intake
from bus.journal import Journal, SegmentLimits
from bus.link import Inbox, Outlet, make_context
from bus.loop import ActorLoop
from bus.randomness import RandomSource
from bus.recovery import read_history
from bus.refusals import Refusals
from schemas.dreams import DreamEntry
from schemas.ids import derived_id
from schemas.manifest import Seat
from schemas.retrieval import PoolStats, PoolStatsRequest
from schemas.tensor import encode

PATIENCE_TURNS = 400

SEATS = (
    Seat(instance="dreamer", role="dreamer"),
    Seat(instance="pool-keeper", role="pool-keeper"),
    Seat(instance="learner", role="learner"),
    Seat(instance="bias-synthesizer", role="bias-synthesizer"),
)


@dataclass
class Talker:
    """A learner's shape: asks for pool statistics again and again, and keeps the answers."""

    burst: int = 1
    asked: int = 0
    answers: list[int] = field(default_factory=list)

    def handle(self, event: Input, now_ns: int) -> Outcome:
        outcome = Outcome()
        match event:
            case Started():
                outcome.timers.append(SetTimer("ask", 0.0))
            case Fired():
                for _ in range(self.burst):
                    self.asked += 1
                    outcome.sends.append(Send(PoolStatsRequest(request=self.asked)))
                outcome.timers.append(SetTimer("ask", 0.001))
            case Received(message=PoolStats(request=request)):
                self.answers.append(request)
        return outcome

    def snapshot(self) -> bytes:
        return f"{self.asked};{','.join(map(str, self.answers))}".encode()

    def restore(self, data: bytes) -> None:
        asked, answers = data.decode().split(";")
        self.asked = int(asked)
        self.answers = [int(answer) for answer in answers.split(",") if answer]

    def figures(self) -> dict[str, int]:
        return {"asked": self.asked, "answers": len(self.answers)}


@dataclass
class Answerer:
    """A keeper's shape: answers every request."""

    seen: list[int] = field(default_factory=list)

    def handle(self, event: Input, now_ns: int) -> Outcome:
        if not isinstance(event, Received):
            return Outcome()
        assert isinstance(event.message, PoolStatsRequest)
        self.seen.append(event.message.request)
        reply = PoolStats(
            request=event.message.request,
            pool_sequence=len(self.seen),
            dreams_total=0,
            coherence_mean=0.0,
            spectral_entropy_mean=0.0,
            last_compaction_at_ns=None,
        )
        return Outcome(sends=[Send(reply, to=event.ref.sender)])

    def snapshot(self) -> bytes:
        return ",".join(map(str, self.seen)).encode()

    def restore(self, data: bytes) -> None:
        self.seen = [int(entry) for entry in data.decode().split(",") if entry]

    def figures(self) -> dict[str, int]:
        return {"seen": len(self.seen)}


class Stage:
    """A runtime folder, a run folder and the loops that play in them."""

    def __init__(self, home: Path, seats: tuple[Seat, ...]) -> None:
        self.home = home
        self.seats = seats
        self.runtime = Path(tempfile.mkdtemp(prefix="oneiros-"))
        self.run_folder = home / "journal" / "run"
        self.context = make_context()
        self.loops: list[ActorLoop] = []

    def enter(self, instance: str, build: Callable[[], Actor], epoch: int = 1) -> ActorLoop:
        seat = next(seat for seat in self.seats if seat.instance == instance)
        log = ActorLog(instance)
        refusals = Refusals(self.home / "logs" / "refusals", instance)
        history = read_history(self.run_folder / instance)
        loop = ActorLoop(
            seat=seat,
            seats=self.seats,
            home=self.home,
            epoch=epoch,
            build=build,
            inbox=Inbox(self.context, self.runtime, instance),
            outlet=Outlet(self.context, self.runtime, [s.instance for s in self.seats] + ["supervisor"]),
            intake=Intake(seat, self.seats, self.run_folder, refusals, log),
            journal=Journal(history.folder, {}, epoch, "process", SegmentLimits(1 << 20, 1 << 60)),
            refusals=refusals,
            log=log,
        )
        loop.resume(history)
        self.loops.append(loop)
        return loop

    def kill(self, loop: ActorLoop) -> None:
        """Leave without an ordered stop: nothing more is written."""
        self.loops.remove(loop)
        loop.close(0)

    def play(self, until: Callable[[], bool]) -> None:
        for _ in range(PATIENCE_TURNS):
            for loop in self.loops:
                loop.inbox.wait(1)
                loop.turn()
            if until():
                return
        raise AssertionError("it did not come to that")

    def close(self) -> None:
        for loop in list(self.loops):
            self.kill(loop)
        self.context.destroy(linger=0)
        shutil.rmtree(self.runtime)


@pytest.fixture
def stage(tmp_path: Path, seats: tuple[Seat, ...]) -> Iterator[Stage]:
    stage = Stage(tmp_path, seats)
    yield stage
    stage.close()


@pytest.fixture
def seats() -> tuple[Seat, ...]:
    return SEATS


@pytest.fixture
def talker() -> Callable[[], Actor]:
    return lambda: Actor(Talker(), RandomSource(1, 1, "learner"))


@pytest.fixture
def answerer() -> Callable[[], Actor]:
    return lambda: Actor(Answerer(), RandomSource(1, 1, "pool-keeper"))


@pytest.fixture
def some_id() -> str:
    return derived_id("test", 1)


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    return tmp_path / "journal" / "20260101T000000Z-0001"


@pytest.fixture
def dream(some_id: str) -> DreamEntry:
    """A small dream whose measures are made up and whose tensor is real."""
    tensor = np.random.default_rng(7).random((4, 4, 2, 3), dtype=np.float32)
    blob, digest = encode(tensor)
    return DreamEntry(
        id=some_id,
        timestamp_ns=1,
        source="random",
        factoid_ids=(),
        image_id=None,
        parents=(),
        lineage_root=some_id,
        generation=0,
        ancestry=(),
        coherence=0.5,
        energy=0.1,
        chroma_signature=(0.5, 0.5, 0.5),
        spectral_entropy=0.5,
        shape=(4, 4, 2),
        tensor_sha256=digest,
        metadata_json='{"schema_version": 1}',
        profile_id=None,
        tensor_blob=blob,
    )
