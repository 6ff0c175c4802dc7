"""One process of a simulated run: the order of things that `bus.loop` keeps, in virtual time.

In: raw messages, timers that are due. Out: journal frames, then the store's commit, then messages. What is accepted,
how it is numbered, journalled and restored is the bus's own code; here is only the loop around it, which waits by
yielding nanoseconds instead of sleeping. Each touch of journal, store and network is a port call, at which the process
may die. A test holds the order of port calls against that of the real loop.
"""

from collections import deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from bus.core import Actor, Cursor, Input, MessageRef, Started, StepPosition, StoreFullError
from bus.envelope import Place, encode_envelope, envelope_of
from bus.execution import Execution, Step
from bus.frame import FrameKind, frame_buffers
from bus.link import RawMessage
from bus.loop import BATCH_MESSAGES
from bus.payloads import travelling
from bus.readback import Accepted, Readback, RefusedBody
from bus.restoration import Restoration
from bus.segment import SegmentName
from bus.simulation.disk import NO_STEP, Mark, MemoryJournal
from bus.simulation.faults import SECOND_NS, Crash
from bus.simulation.history import MemoryHistory, recall
from bus.simulation.ports import Crashed, Ports, Setting, Written
from bus.simulation.reading import (
    HeldNumbering,
    Journals,
    MemoryIntake,
    MemoryPayloads,
    MemoryReadback,
    MemoryRedelivery,
    ToldLog,
)
from bus.space import DISK_RETRY_S
from bus.step import Numbering, SnapshotRecord, encode_snapshot, encode_step
from schemas.manifest import Seat

DISK_RETRY_NS: Final = int(DISK_RETRY_S * SECOND_NS)

Waits = Generator[int, None, None]
"""Work that waits now and then: each item is a time to wait, nanoseconds."""


class Restored(NamedTuple):
    """What a process has after a restart."""

    cursors: Mapping[str, Cursor]
    divergences: int
    """Steps that came out differently when they were repeated."""
    history: MemoryHistory


class Watcher(Protocol):
    """Who looks on: told of everything that an invariant is about, at the moment when it happens."""

    def refused(self, process: "Process", item: RefusedBody) -> None:
        """A message that was really said has a body that its receiver refuses."""

    def handled(self, process: "Process", event: Input, body: bytes, now_ns: int) -> None:
        """`event` was decided on; `body` is what the journal will hold of it."""

    def written(self, process: "Process", news: list[Written]) -> None:
        """Steps are in the journal of `process`."""

    def committed(self, process: "Process") -> None:
        """The store of `process` has committed."""

    def restored(self, process: "Process", found: "Restored") -> None:
        """`process` has its state again, and has handled nothing yet."""


@dataclass
class Process:
    """One process start of one actor."""

    seat: Seat
    seats: tuple[Seat, ...]
    epoch: int
    build: Callable[[], Actor]
    ports: Ports
    watcher: Watcher
    journals: Journals
    setting: Setting
    rules: "Rules"
    inbox: deque[RawMessage] = field(default_factory=deque)
    due: list[Input] = field(default_factory=list)
    """Timers that have run out, and answers of the world."""
    timers: dict[str, int] = field(default_factory=dict)
    """Number of the event that each pending timer waits for."""
    working: Waits | None = None
    """What the process is in the middle of."""
    is_stalled: bool = False
    is_looking_back: bool = False
    """Whether a look into the journals is planned."""
    step: int = 0

    def __post_init__(self) -> None:
        self.journal: MemoryJournal = self.journals[self.seat.instance]
        self.log = ToldLog(self.seat.instance, self.ports.complain)
        self.intake = self.rules.intake(self.seat, self.seats, self.journals, self.log)
        self.batch: list[tuple[Step, int, int]] = []
        self._unwritten: list[Written] = []
        self._call = self.ports.call
        self._marks: list[tuple[int, int]] = []
        self._pending: list[bytes | memoryview] = []
        self._pending_bytes = 0
        self._since_snapshot = 0
        self._first_seq = 1
        self.is_rewound = False
        self.numbering = Numbering(self.epoch)
        self.execution = self._new_execution()
        self.redelivery = MemoryRedelivery(self.seat, self.seats, self.journals)

    @property
    def is_free(self) -> bool:
        """Whether the process can take up something."""
        return self.working is None and not self.is_stalled

    @property
    def has_work(self) -> bool:
        """Whether something waits for it."""
        return bool(self.inbox or self.due or self.intake.has_backlog)

    def resume(self) -> Waits:
        """Restore the state, open a segment; it catches up as it turns."""
        self._call()
        history = recall(self.journal)
        self.numbering = self.execution.numbering = self.rules.numbering(self.epoch, history, self.journals)
        yield from self._restore(history)
        self.numbering.predecessors = dict(history.predecessors)
        self.step = history.last.step
        yield from self._begin_segment()
        yield from self._handle(Started(self.epoch))
        if history.is_empty:
            for observation in self.execution.actor.observations:
                yield from self._handle(observation)
        yield from self._finish_batch()
        self._show_cursors()
        self.intake.look_back_everywhere()
        self.ports.announce_start()

    def turn(self) -> Waits:
        """One turn: a batch of messages, a bit of backlog, the timers that are due."""
        inbox, intake = self.inbox, self.intake
        count = 0
        while inbox and count < BATCH_MESSAGES:
            self._call()
            count += 1
            accepted = intake.offer(inbox.popleft())
            if isinstance(accepted, RefusedBody):
                self.watcher.refused(self, accepted)
            elif accepted is not None and not self._try_to_handle(accepted):
                yield from self._handle_after_all(accepted)
        if intake.has_backlog:
            yield from self._take(intake.backlog(BATCH_MESSAGES))
        while self.due:
            yield from self._handle(self.due.pop(0))
        self.is_rewound = False
        if self._pending:
            yield from self._finish_batch()

    def look_back(self) -> None:
        """Look for news in the journals of those who have said more than was heard."""
        for sender in self.intake.streams:
            said = self.journals[sender].said.get(self.seat.instance)
            if said is not None and said != self.intake.cursors.get(sender):
                self.intake.look_back(sender)
        for receiver, envelope, body, payloads in self.redelivery.due(self.numbering.predecessors):
            self.ports.send_again(receiver, [encode_envelope(envelope), body, *payloads])

    def _show_cursors(self) -> None:
        self.journal.heard = dict(self.intake.cursors)

    def end(self) -> None:
        """The process is gone; what its store had not committed goes with it."""
        self.working = None
        store = self.execution.actor.store
        if store is not None:
            store.close()

    def _new_execution(self) -> Execution:
        return Execution(self.build(), self.seat, self.seats, self.numbering)

    def _restore(self, history: MemoryHistory) -> Waits:
        """Bring the actor to the end of `history`, as often as it takes until its store has room."""
        while True:
            try:
                self._repeat(history)
                return
            except StoreFullError:
                yield from self._rebuild()

    def _rebuild(self) -> Waits:
        yield DISK_RETRY_NS
        if self.execution.actor.store is not None:
            self.execution.actor.store.close()
        self.execution = self._new_execution()

    def _repeat(self, history: MemoryHistory) -> None:
        repeating = Execution(self.execution.actor, self.seat, self.seats, Numbering(self.epoch))
        readback = MemoryReadback(self.seat, self.seats, self.journals)
        restoration = Restoration(repeating, readback, self.log)
        restoration.run(history, lambda step, at: self._finish_repeated(step, at, readback))
        self.intake.restore(readback.cursors)
        readback.close()
        self.watcher.restored(self, Restored(readback.cursors, restoration.divergences, history))

    def _finish_repeated(self, step: Step, at: StepPosition, readback: Readback) -> None:
        self._commit_store(at, readback.cursors)
        self._tell(step)

    def _take(self, items: list[Accepted]) -> Waits:
        for item in items:
            if isinstance(item, RefusedBody):
                self.watcher.refused(self, item)
            elif not self._try_to_handle(item):
                yield from self._handle_after_all(item)

    def _try_to_handle(self, event: Input) -> bool:
        """Handle `event`; False when the store was too full for it."""
        self._call()
        now_ns = self.ports.wall_ns()
        try:
            step = self.execution.handle(event, now_ns)
        except StoreFullError:
            return False
        self.watcher.handled(self, event, self._keep(step, now_ns), now_ns)
        return True

    def _handle(self, event: Input) -> Waits:
        if not self._try_to_handle(event):
            yield from self._handle_after_all(event)

    def _handle_after_all(self, event: Input) -> Waits:
        """Handle `event`, for which the store was too full."""
        yield from self.start_over()
        while not self._try_to_handle(event):
            yield from self.start_over()

    def _keep(self, step: Step, now_ns: int) -> bytes:
        self.step += 1
        event = step.record.event
        if self.is_rewound and isinstance(event, MessageRef):
            self.intake.cursors[event.sender] = Cursor(event.epoch, event.seq)
        body, payloads = encode_step(step.record)
        offset = self._add(FrameKind.STEP, now_ns, body, payloads)
        if step.record.outgoing or step.outcome.has_consequences:
            self.batch.append((step, now_ns, offset))
        self._unwritten.append(Written(step, self.step, offset, self._marks[-1][0]))
        return body

    def _add(self, kind: FrameKind, now_ns: int, body: bytes, payloads: tuple[bytes | memoryview, ...] = ()) -> int:
        offset = self.journal.size() + self._pending_bytes
        buffers, size, _ = frame_buffers(kind, self.step, now_ns, body, payloads)
        self._pending.extend(buffers)
        self._pending_bytes += size
        self._marks.append((offset + size, self.step if kind is FrameKind.STEP else NO_STEP))
        return offset

    def _finish_batch(self) -> Waits:
        """Journal, commit, then let everything of the batch out."""
        if not self._pending:
            return
        self._since_snapshot += len(self._unwritten)
        yield from self._flush()
        if not self._try_to_commit():
            yield from self.start_over()
        self._show_cursors()
        batch, self.batch = self.batch, []
        for step, now_ns, offset in batch:
            if step.record.outgoing:
                self._send(step, now_ns, offset)
            self._tell(step)
            for ask in step.outcome.asks:
                self.ports.ask(ask)
        if self._since_snapshot >= self.setting.snapshot_steps:
            yield from self._snapshot()
        if self.journal.size() >= self.setting.segment_bytes:
            yield from self._rotate()

    def _flush(self) -> Waits:
        while not self.ports.takes_writes():
            yield DISK_RETRY_NS
        self._write()
        yield from self.wait_for_sync()
        self._call()

    def wait_for_sync(self) -> Waits:
        """Under policy `power`, let the disk take what was written."""
        if self.setting.is_power_safe:
            yield self.setting.sync_ns

    def _write(self) -> None:
        """Write what is gathered, at once; killed in the middle, a part of it."""
        data = b"".join(self._pending)
        try:
            self._call()
        except Crashed as crash:
            if isinstance(crash.fault, Crash):
                self._write_part(data[: int(crash.fault.tear * len(data))])
            raise
        self._append(data, self._marks, self._unwritten)
        self._pending, self._pending_bytes, self._marks, self._unwritten = [], 0, [], []

    def _write_part(self, data: bytes) -> None:
        """What the whole frames in `data` say is said, though nobody is left to send it."""
        end = self.journal.size() + len(data)
        marks = [mark for mark in self._marks if mark[0] <= end]
        self._append(data, marks, [written for written in self._unwritten if written.end <= end])

    def _append(self, data: bytes, marks: list[tuple[int, int]], news: list[Written]) -> None:
        journal, now_ns = self.journal, self.ports.now_ns()
        journal.append(data, [Mark(end, step, now_ns) for end, step in marks], now_ns)
        for step, _, offset, _ in news:
            for out in step.record.outgoing:
                journal.note(self.epoch, out, offset)
                self.ports.announce(out.receiver)
        self.watcher.written(self, news)

    def _try_to_commit(self) -> bool:
        """Commit the batch; False when the store was too full for it."""
        try:
            self._commit_store(StepPosition(self.epoch, self.step), self.intake.cursors)
        except StoreFullError:
            return False
        return True

    def _commit_store(self, at: StepPosition, cursors: Mapping[str, Cursor]) -> None:
        store = self.execution.actor.store
        if store is not None:
            self._call()
            store.commit(at, cursors)
            self._call()
            self.watcher.committed(self)

    def start_over(self) -> Waits:
        """Go back to the last commit and repeat what the journal holds beyond it; inputs in hand stay there."""
        if self._pending:
            yield from self._flush()
        self.is_rewound = True
        yield from self._rebuild()
        yield from self._restore(recall(self.journal))

    def _send(self, step: Step, now_ns: int, offset: int) -> None:
        place = Place(self.epoch, self._first_seq, offset)
        for out in step.record.outgoing:
            self._call()
            envelope = envelope_of(step.record.event, out, self.seat.instance, place, now_ns)
            self.ports.send(out, [encode_envelope(envelope), out.body, *travelling(out.payloads)])

    def _tell(self, step: Step) -> None:
        for timer in step.outcome.timers:
            self.ports.set_timer(timer.name, timer.delay_s)

    def _snapshot(self) -> Waits:
        state = self.execution.actor.core.snapshot()
        record = SnapshotRecord(state, self.intake.cursors, self.numbering.predecessors)
        self._add(FrameKind.SNAPSHOT, self.ports.wall_ns(), encode_snapshot(record))
        yield from self._flush()
        self._since_snapshot = 0

    def _begin_segment(self) -> Waits:
        self._call()
        while not self.ports.takes_writes():
            yield DISK_RETRY_NS
        yield from self.settle()
        self._first_seq = self.numbering.last_seq + 1
        name = SegmentName(self.epoch, self._first_seq)
        self.journal.begin_segment(name, {"actor": self.seat.instance, "epoch": self.epoch}, self.ports.now_ns())
        yield from self.wait_for_sync()
        yield from self._snapshot()

    def settle(self) -> Waits:
        """Have the segments before a new one synced, so that a power cut can take nothing but the end of a journal."""
        if self.journal.files and not self.setting.is_power_safe:
            begun_ns = self.ports.now_ns()
            yield self.setting.sync_ns
            self.journal.sync.insist(begun_ns)

    def _rotate(self) -> Waits:
        """Go on in a new segment, unless nothing was sent from this one: segments are named by what they send."""
        if self.numbering.last_seq >= self._first_seq:
            self._add(FrameKind.CLOSE, self.ports.wall_ns(), b"")
            yield from self._flush()
            yield from self._begin_segment()


@dataclass(frozen=True)
class Rules:
    """The rules of the protocol that a run is held to; a test that plants a bug brings others."""

    intake: Callable[[Seat, tuple[Seat, ...], Journals, ToldLog], MemoryIntake] = MemoryIntake
    next_epoch: Callable[[int], int] = lambda last: last + 1
    numbering: Callable[[int, MemoryHistory, Journals], Numbering] = lambda epoch, _, journals: HeldNumbering(
        epoch, MemoryPayloads(journals)
    )
    process: Callable[..., Process] = Process
