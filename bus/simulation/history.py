"""What an actor finds in its own journal in memory when it starts again, as `bus.recovery` finds it on disk.

In: the journal of one actor. Out: a `History`: torn tail cut and counted, last snapshot, the steps after it. Damage
is skipped and reported, never cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bus.core import Cursor, StepPosition
from bus.frame import FRAME_HEADER_BYTES, Fault, Frame, FrameKind
from bus.recovery import History
from bus.segment import SegmentName
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
        for file in () if self.journal is None else self.journal.files:
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
    read: list[tuple[SegmentName, list[Frame | Fault]]] = []
    for file in reversed(tuple(journal.files)):
        items = list(_items(file))
        if file is journal.files[-1]:
            history.cut_bytes = _cut_torn_tail(journal, items)
        read.insert(0, (file.name, items))
        if _find_snapshot(file.name, items, history):
            break
    for name, items in read:
        _read(name, items, history)
    journal.said = dict(history.predecessors)
    return history


def _items(file: SegmentFile) -> Iterator[Frame | Fault]:
    reader = MemorySegment(file)
    if reader.head_fault is not None:
        yield Fault(0, reader.size(), is_torn=False, reason=reader.head_fault)
        return
    yield from reader.frames(reader.first_frame, reader.size())


def _cut_torn_tail(journal: MemoryJournal, items: list[Frame | Fault]) -> int:
    """Cut what follows the last good frame of the last segment, unless it is damage; `items` without it."""
    fault, file = items[-1] if items else None, journal.files[-1]
    if not isinstance(fault, Fault):
        return 0
    if fault.offset == 0 and fault.size <= FRAME_HEADER_BYTES:
        journal.files.pop()
    elif fault.offset > 0 and fault.is_torn:
        del file.data[fault.offset :]
    else:
        return 0
    items.pop()
    return fault.size


def _find_snapshot(name: SegmentName, items: list[Frame | Fault], history: MemoryHistory) -> bool:
    found = (item for item in reversed(items) if isinstance(item, Frame) and item.kind is FrameKind.SNAPSHOT)
    last = next(found, None)
    if last is None:
        return False
    history.snapshot = decode_snapshot(last)
    history.snapshot_at = history.last = StepPosition(name.epoch, last.step)
    history.predecessors = dict(history.snapshot.predecessors)
    return True


def _read(name: SegmentName, items: list[Frame | Fault], history: MemoryHistory) -> None:
    for item in items:
        if isinstance(item, Fault):
            history.damages.append(Damage(name.file_name(), item.offset, item.size, item.reason))
        elif item.kind is FrameKind.STEP:
            at = StepPosition(name.epoch, item.step)
            if history.snapshot is not None and at <= history.snapshot_at:
                continue
            history.last = max(history.last, at)
            for out in decode_step(item).outgoing:
                history.predecessors[out.receiver] = Cursor(name.epoch, out.seq)
