"""What an actor finds in its own journal in memory when it starts again, as `bus.recovery` finds it on disk.

In: the journal of one actor. Out: a `History`: torn tail cut and counted, last snapshot, the steps after it. Damage
is skipped and reported, never cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bus.core import Cursor, StepPosition
from bus.frame import FRAME_HEADER_BYTES, Fault, Frame, FrameKind
from bus.recovery import History
from bus.simulation.disk import MemoryJournal, SegmentFile
from bus.simulation.reading import NOWHERE, MemorySegment
from bus.step import decode_snapshot, decode_step
from bus.stream import Damage


@dataclass
class MemoryHistory(History):
    """The journal of one actor up to the end of its last process."""

    journal: MemoryJournal | None = None

    def steps_after(self, position: StepPosition) -> Iterator[tuple[StepPosition, Frame]]:
        """The STEP frames beyond `position`, oldest first."""
        files = () if self.journal is None else self.journal.files
        for file in files:
            if StepPosition(file.name.epoch, max((mark.step for mark in file.marks), default=0)) <= position:
                continue
            for item in _items(file):
                if isinstance(item, Frame) and item.kind is FrameKind.STEP:
                    at = StepPosition(file.name.epoch, item.step)
                    if at > position:
                        yield at, item


def recall(journal: MemoryJournal) -> MemoryHistory:
    """Cut the torn tail of `journal`, then find the last snapshot and where the journal ends."""
    history = MemoryHistory(NOWHERE, journal=journal)
    if journal.files:
        history.cut_bytes = _cut_torn_tail(journal)
    first = len(journal.files)
    while first > 0 and history.snapshot is None:
        first -= 1
        _find_snapshot(journal.files[first], history)
    for file in journal.files[first:]:
        _read(file, history)
    journal.said = dict(history.predecessors)
    return history


def _items(file: SegmentFile) -> Iterator[Frame | Fault]:
    reader = MemorySegment(file)
    if reader.head_fault is not None:
        yield Fault(0, reader.size(), is_torn=False, reason=reader.head_fault)
        return
    yield from reader.frames(reader.first_frame, reader.size())


def _cut_torn_tail(journal: MemoryJournal) -> int:
    file = journal.files[-1]
    reader, size = MemorySegment(file), len(file.data)
    if reader.head_fault is not None and size <= reader.first_frame + FRAME_HEADER_BYTES:
        journal.files.pop()
        return size
    for item in _items(file):
        if isinstance(item, Fault) and item.is_torn and item.offset > 0:
            del file.data[item.offset :]
            return item.size
    return 0


def _find_snapshot(file: SegmentFile, history: MemoryHistory) -> None:
    last = None
    for item in _items(file):
        if isinstance(item, Frame) and item.kind is FrameKind.SNAPSHOT:
            last = item
    if last is not None:
        history.snapshot = decode_snapshot(last)
        history.snapshot_at = history.last = StepPosition(file.name.epoch, last.step)
        history.predecessors = dict(history.snapshot.predecessors)


def _read(file: SegmentFile, history: MemoryHistory) -> None:
    for item in _items(file):
        if isinstance(item, Fault):
            history.damages.append(Damage(file.path.name, item.offset, item.size, item.reason))
        elif item.kind is FrameKind.STEP:
            at = StepPosition(file.name.epoch, item.step)
            if history.snapshot is not None and at <= history.snapshot_at:
                continue
            history.last = max(history.last, at)
            for out in decode_step(item).outgoing:
                history.predecessors[out.receiver] = Cursor(file.name.epoch, out.seq)
