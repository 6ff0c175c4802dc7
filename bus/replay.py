"""Replay of one actor: the same inputs, again, through the same core, and every outgoing byte compared.

In: the recording of a run, the seat of one actor, its builder. Out: a `Verdict`: identical, or the first
divergence with the step, the input and the field, or the damage that ends it. The actor is alone: its inputs come
from its peers' journals, its observations from its own. At each recorded process start the actor is built anew,
as it was then. Snapshots in the journal are compared with the state, too.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from bus.core import Actor, Cursor, Input, MessageRef, StepPosition, StoreFullError
from bus.difference import Comparison, Difference
from bus.errors import JournalError, StartError
from bus.execution import Execution, Step
from bus.frame import Fault, Frame, FrameKind
from bus.readback import Accepted, Readback, RefusedBody
from bus.recording import Recording
from bus.seating import book_in
from bus.segment import SegmentName
from bus.step import Numbering, SnapshotRecord, StepRecord, decode_snapshot, decode_step
from bus.torn import is_unfinished
from schemas.errors import OneirosError
from schemas.guests import NO_GUESTS
from schemas.manifest import Seat

COMMIT_STEPS = 64


@dataclass(frozen=True)
class Divergence:
    """The first step that came out differently."""

    epoch: int
    step: int
    input: str
    difference: Difference
    last_agreed: int | None
    """The step before it that was the same; None when there is none."""


@dataclass(frozen=True)
class JournalDamage:
    """What ends a replay before its end."""

    segment: str
    """Empty where the damage is not in the actor's own journal."""
    offset: int
    reason: str
    missing: MessageRef | None = None
    """The input that cannot be read back."""


class Restored(NamedTuple):
    """A snapshot to begin with."""

    position: StepPosition
    record: SnapshotRecord
    guests: object
    """The last observation of guests before it; None when there was none."""


@dataclass
class Verdict:
    """What the replay of one actor showed."""

    actor: str
    steps: int = 0
    messages: int = 0
    snapshots: int = 0
    epochs: int = 0
    recorded_s: float = 0.0
    """From the first replayed step to the last, as recorded."""
    tolerated: int = 0
    started_from: int | None = None
    """The step of the snapshot that it started from; None for the beginning."""
    divergence: Divergence | None = None
    damage: JournalDamage | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def is_identical(self) -> bool:
        """Whether everything was replayed and came out the same."""
        return self.divergence is None and self.damage is None


@dataclass(frozen=True)
class Bounds:
    """How much of a recording is replayed."""

    until: int | None = None
    """The last step to replay."""
    from_snapshot: bool = False
    """Start from the last snapshot that has a step after it."""


class Replay:
    """Replays one actor of one run."""

    def __init__(
        self,
        recording: Recording,
        seat: Seat,
        seats: tuple[Seat, ...],
        build: Callable[[], Actor],
        ulp_tolerance: int = 0,
    ) -> None:
        self._recording = recording
        self._seat = seat
        self._seats = seats
        self._build = build
        self._readback = Readback(seat, seats, recording.folder)
        self._comparison = Comparison(ulp_tolerance)
        self._execution: Execution | None = None
        self._epoch = 0
        self._uncommitted = 0
        self._last_agreed: int | None = None
        self._awaited: MessageRef | None = None
        """The input that is being read back."""
        self.verdict = Verdict(seat.instance)

    def run(self, bounds: Bounds, progress: Callable[[int], None] = lambda _: None) -> Verdict:
        """Replay within `bounds`; `progress` is told the number of each step.

        Raises StartError when the actor cannot be built here, StoreFullError when its store has no room.
        """
        verdict, first_ns = self.verdict, None
        try:
            begin = self._begin(bounds)
            for name, item in self._frames(begin):
                position = StepPosition(name.epoch, item.step)
                if bounds.until is not None and position.step > bounds.until:
                    break
                if item.kind is FrameKind.STEP and position > begin:
                    first_ns = item.wall_ns if first_ns is None else first_ns
                    verdict.recorded_s = (item.wall_ns - first_ns) / 1e9
                    self._step(decode_step(item), position, item.wall_ns)
                    progress(position.step)
                elif item.kind is FrameKind.SNAPSHOT and position >= begin and self._execution is not None:
                    self._compare_state(item, position)
                if not verdict.is_identical:
                    break
            self._commit(StepPosition(self._epoch, verdict.steps))
        except (StartError, StoreFullError):
            raise
        except JournalError as error:
            verdict.damage = JournalDamage("", 0, str(error), self._awaited)
        except OneirosError as error:
            verdict.notes.append(f"ended by {type(error).__name__}: {error}")
            verdict.divergence = self._ended(error)
        finally:
            verdict.tolerated = self._comparison.tolerated
            self.close()
        return verdict

    def close(self) -> None:
        """Release the store and the journals."""
        if self._execution is not None and self._execution.actor.store is not None:
            self._execution.actor.store.close()
        self._readback.close()

    def _frames(self, begin: StepPosition) -> Iterator[tuple[SegmentName, Frame]]:
        """All frames that the actor has written by now; stops at damage, and at an unfinished write without a word.

        What it takes in later may stand beyond the place to which the journals of others are read.
        """
        segments = self._recording.segments(self._seat.instance)
        sizes = {path: path.stat().st_size for _, path in segments}
        for name, path, item in self._recording.frames(self._seat.instance):
            if name.epoch < begin.epoch:
                continue
            if item.offset >= sizes.get(path, 0):
                return
            if isinstance(item, Fault):
                if (name, path) != segments[-1] or not is_unfinished(item, path):
                    self.verdict.damage = JournalDamage(path.name, item.offset, item.reason)
                return
            yield name, item

    def _begin(self, bounds: Bounds) -> StepPosition:
        """Where to start: the beginning, or a snapshot that the actor is restored from."""
        start = StepPosition(0, 0)
        if not bounds.from_snapshot:
            return start
        found = self._last_useful_snapshot(bounds.until)
        if found is None:
            self.verdict.notes.append("no snapshot has a step after it: replayed from the beginning")
            return start
        position, record, guests = found
        execution = self._start_process(position.epoch)
        if execution.actor.store is not None:
            self.verdict.notes.append("the store is part of the state: replayed from the beginning")
            return start
        execution.actor.core.restore(record.state)
        execution.numbering.predecessors = dict(record.predecessors)
        if (book := book_in(guests)) is not None:
            execution.seat_guests(book)
            self._readback.observe(guests)
        self._readback.start_after(record.cursors)
        self.verdict.started_from = position.step
        return position

    def _last_useful_snapshot(self, until: int | None) -> Restored | None:
        candidate: tuple[StepPosition, Frame, object] | None = None
        found, guests = candidate, None
        for name, _, item in self._recording.frames(self._seat.instance):
            if isinstance(item, Fault) or (until is not None and item.step > until):
                continue
            if item.kind is FrameKind.SNAPSHOT:
                candidate = (StepPosition(name.epoch, item.step), item, guests)
            elif item.kind is FrameKind.STEP:
                found = candidate
                event = decode_step(item).event
                guests = guests if book_in(event) is None else event
        return None if found is None else Restored(found[0], decode_snapshot(found[1]), found[2])

    def _start_process(self, epoch: int) -> Execution:
        """What happened at each process start: a fresh actor takes over the state."""
        before = self._execution
        state = before.actor.core.snapshot() if before is not None else None
        predecessors = before.numbering.predecessors if before is not None else {}
        if before is not None and before.actor.store is not None:
            before.actor.store.close()
        numbering = Numbering(epoch)
        numbering.predecessors = dict(predecessors)
        guests = before.book if before is not None else NO_GUESTS
        self._execution = Execution(self._build(), self._seat, self._seats, numbering, guests)
        if state is not None:
            self._execution.actor.core.restore(state)
        self._epoch = epoch
        self.verdict.epochs += 1
        return self._execution

    def _step(self, record: StepRecord, position: StepPosition, wall_ns: int) -> None:
        execution = self._execution
        if execution is None or position.epoch != self._epoch:
            self._commit(StepPosition(self._epoch, position.step - 1))
            execution = self._start_process(position.epoch)
        numbering = execution.numbering
        if record.outgoing and numbering.last_seq == 0:
            numbering.last_seq = record.outgoing[0].seq - 1
        event, step = self._handle(execution, record, wall_ns)
        self.verdict.steps = position.step
        self.verdict.messages += len(record.outgoing)
        difference = self._comparison.first(record, step.record)
        if difference is not None:
            self.verdict.divergence = Divergence(position.epoch, position.step, event, difference, self._last_agreed)
            return
        self._last_agreed = position.step
        self._uncommitted += 1
        if self._uncommitted >= COMMIT_STEPS:
            self._commit(position)

    def _handle(self, execution: Execution, record: StepRecord, wall_ns: int) -> tuple[str, Step]:
        if not isinstance(record.event, MessageRef):
            self._readback.observe(record.event)
            return repr(record.event)[:200], execution.handle(record.event, wall_ns)
        self._awaited = record.event
        accepted = self._recall(execution, record.event, record)
        self._awaited = None
        name = "/".join(map(str, record.event))
        if isinstance(accepted, RefusedBody):
            return f"{accepted.kind} {name}", execution.refuse(record.event, accepted.reason)
        event: Input = accepted
        return f"{accepted.message.kind} {name}", execution.handle(event, wall_ns)

    def _recall(self, execution: Execution, ref: MessageRef, record: StepRecord) -> Accepted:
        """The message `ref`: from its sender's journal, of a guest as its receiver kept it."""
        if not execution.is_guest(ref.sender):
            return self._readback.read(ref)
        if record.heard is None and record.refusal is not None:
            self._readback.cursors[ref.sender] = Cursor(ref.epoch, ref.seq)
            return RefusedBody(ref, "", record.refusal)
        return self._readback.recall(ref, record.heard)

    def _commit(self, position: StepPosition) -> None:
        if self._execution is not None and self._execution.actor.store is not None and self._uncommitted:
            self._execution.actor.store.commit(position, self._readback.cursors)
        self._uncommitted = 0

    def _compare_state(self, frame: Frame, position: StepPosition) -> None:
        if position.epoch != self._epoch or self._execution is None:
            return
        self.verdict.snapshots += 1
        recorded, replayed = decode_snapshot(frame).state, self._execution.actor.core.snapshot()
        if recorded != replayed and not self._comparison.ulp_tolerance:
            difference = Difference("", "state", _digest(recorded), _digest(replayed), None)
            self.verdict.divergence = Divergence(
                position.epoch, position.step, "snapshot", difference, self._last_agreed
            )

    def _ended(self, error: OneirosError) -> Divergence:
        difference = Difference("", "error", "none", f"{type(error).__name__}: {error}", None)
        return Divergence(self._epoch, self.verdict.steps + 1, "unknown", difference, self._last_agreed)


def _digest(state: bytes) -> str:
    return f"{len(state)} bytes, sha256 {hashlib.sha256(state).hexdigest()[:16]}"
