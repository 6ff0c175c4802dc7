"""A simulated process touches journal, store and network in the order of the real loop."""

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bus.actor_log import ActorLog
from bus.core import Actor, Cursor, Fired, StepPosition, StoreFullError
from bus.doorkeeper import Refusal
from bus.envelope import Place, encode_envelope, envelope_of
from bus.execution import Execution, Step
from bus.frame import FrameKind, frame_buffers
from bus.intake import Intake
from bus.journal import Journal, SegmentLimits
from bus.link import Arrival
from bus.loop import ActorLoop
from bus.randomness import RandomSource
from bus.recovery import read_history
from bus.refusals import Refusals
from bus.segment import SegmentName
from bus.simulation.disk import GroupSync, Mark, MemoryJournal
from bus.simulation.light_actors import LightLearner
from bus.simulation.ports import Setting
from bus.simulation.process import Process, Rules
from bus.step import Numbering, encode_step
from tests.bus.conftest import SEATS, Answerer

KEEPER = next(seat for seat in SEATS if seat.role == "pool-keeper")
LEARNER = next(seat for seat in SEATS if seat.role == "learner")
Diary = list[str]


class Store:
    """A durable state that notes its commits; the first `failures` of them find no room."""

    def __init__(self, diary: Diary, failures: int) -> None:
        self.diary = diary
        self.failures = failures
        self.kept: tuple[StepPosition | None, Mapping[str, Cursor]] = (None, {})

    def position(self) -> StepPosition | None:
        return self.kept[0]

    def cursors(self) -> Mapping[str, Cursor]:
        return self.kept[1]

    def commit(self, position: StepPosition, cursors: Mapping[str, Cursor]) -> None:
        if self.failures and position.step > 1:
            self.failures -= 1
            self.diary.append("no room to commit")
            raise StoreFullError("no room")
        self.diary.append(f"commit {position.step}, learner at {cursors.get('learner', Cursor(0, 0)).seq}")
        self.kept = (position, dict(cursors))

    def maintain(self) -> None: ...

    def close(self) -> None:
        self.diary.append("close")


def said_by_the_learner() -> list[Step]:
    """Three steps, each of which asks the keeper something."""
    actor = Actor(LightLearner(1.0), RandomSource(1, 1, "learner"))
    execution = Execution(actor, LEARNER, SEATS, Numbering(1))
    return [execution.handle(Fired("poll"), 0) for _ in range(3)]


def frames_of_the_learner() -> list[tuple[int, bytes]]:
    """Number and body of the frames in which the learner journalled them."""
    return [(number, encode_step(step.record)[0]) for number, step in enumerate(said_by_the_learner(), 1)]


def questions() -> list[list[bytes]]:
    """What arrives at the keeper."""
    records = [step.record for step in said_by_the_learner()]
    outs = [(record.event, out) for record in records for out in record.outgoing]
    return [[encode_envelope(envelope_of(event, out, "learner", Place(1, 1, 0), 0)), out.body] for event, out in outs]


def keeper(diary: Diary, failures: int) -> Callable[[], Actor]:
    store = Store(diary, failures)
    return lambda: Actor(Answerer(), RandomSource(1, 1, "pool-keeper"), store=store)


class NotingJournal(Journal):
    """The real journal, noting what reaches the disk."""

    diary: Diary

    def begin_segment(self, first_seq: int, wall_ns: int) -> None:
        self.diary.append("segment")
        super().begin_segment(first_seq, wall_ns)

    def flush(self) -> None:
        if self.has_pending:
            self.diary.append("write")
        super().flush()


class Line:
    """An inbox and an outlet without a socket."""

    def __init__(self, diary: Diary) -> None:
        self.diary = diary
        self.waiting: deque[list[bytes]] = deque()
        self.sent = self.dropped = 0

    def receive(self) -> Arrival | None:
        return Arrival(self.waiting.popleft(), None) if self.waiting else None

    def take_refusals(self) -> list[Refusal]:
        return []

    def has_more(self) -> bool:
        return bool(self.waiting)

    def send(self, receiver: str, *_: object) -> bool:
        if receiver != "supervisor":
            self.diary.append(f"send to {receiver}")
        return True

    def close(self, linger_ms: int = 0) -> None: ...


def real_diary(folder: Path, failures: int, monkeypatch: pytest.MonkeyPatch) -> Diary:
    monkeypatch.setattr("bus.space.DISK_RETRY_S", 0.0)
    diary: Diary = []
    learner = Journal(folder / "run" / "learner", {}, 1, "power", SegmentLimits(1 << 20, 1 << 60))
    learner.begin_segment(1, 0)
    for number, body in frames_of_the_learner():
        learner.add(FrameKind.STEP, number, 0, body)
    learner.flush()
    learner.close()
    line, log = Line(diary), ActorLog("pool-keeper")
    journal = NotingJournal(folder / "run" / "pool-keeper", {}, 1, "process", SegmentLimits(1 << 20, 1 << 60))
    journal.diary = diary
    refusals = Refusals(folder / "refusals", "pool-keeper")
    intake = Intake(KEEPER, SEATS, folder / "run", refusals, log)
    build = keeper(diary, failures)
    loop = ActorLoop(KEEPER, SEATS, folder, 1, build, line, line, intake, journal, refusals, log)
    loop.resume(read_history(journal.folder))
    loop.turn()
    line.waiting.extend(questions())
    loop.turn()
    loop.close(0)
    return diary


class NotingMemoryJournal(MemoryJournal):
    """A journal in memory, noting what reaches the disk."""

    diary: Diary

    def begin_segment(self, *arguments: object) -> None:
        self.diary.append("segment")
        super().begin_segment(*arguments)
        self.diary.pop()

    def append(self, *arguments: object) -> None:
        self.diary.append("write")
        super().append(*arguments)


class Desk:
    """Ports and watcher of a simulated process: time stands still, nobody dies, nobody minds."""

    def __init__(self, diary: Diary) -> None:
        self.diary = diary

    def wall_ns(self) -> int:
        return 0

    now_ns = wall_ns

    def takes_writes(self) -> bool:
        return True

    def send(self, out: object, parts: object) -> None:
        self.diary.append(f"send to {out.receiver}")

    def send_again(self, receiver: str, _: object) -> None:
        self.diary.append(f"send again to {receiver}")

    def ignore(self, *_: object) -> None: ...

    announce = announce_start = set_timer = complain = call = ignore
    refused = handled = written = committed = restored = ignore


def simulated_diary(failures: int) -> Diary:
    diary: Diary = []
    journals = {seat.instance: MemoryJournal(seat.instance, GroupSync(1, 1)) for seat in SEATS}
    journal = journals["pool-keeper"] = NotingMemoryJournal("pool-keeper", GroupSync(1, 1))
    journal.diary = diary
    journals["learner"].begin_segment(SegmentName(1, 1), {}, 0)
    for number, body in frames_of_the_learner():
        data = b"".join(frame_buffers(FrameKind.STEP, number, 0, body)[0])
        journals["learner"].append(data, (Mark(journals["learner"].size() + len(data), number, 0),), 0)
    setting = Setting(
        is_power_safe=False, sync_ns=1, latency_ns=1, look_back_ns=1, snapshot_steps=1000, segment_bytes=1 << 20
    )
    desk = Desk(diary)
    process = Process(KEEPER, SEATS, 1, keeper(diary, failures), desk, desk, journals, setting, Rules())
    list(process.resume())
    list(process.turn())
    process.inbox.extend(questions())
    list(process.turn())
    process.end()
    return diary


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_a_simulated_process_does_what_the_real_loop_does_in_the_same_order(tmp_path, monkeypatch, failures):
    real = real_diary(tmp_path, failures, monkeypatch)
    simulated_one = simulated_diary(failures)

    assert simulated_one == real
    assert real.index("commit 4, learner at 3") < real.index("send to learner")
    assert real.count("send to learner") == 3
    assert real.count("no room to commit") == failures
