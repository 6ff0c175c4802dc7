"""What an actor finds in its own journal when it starts again: a torn tail to cut, the last snapshot, steps after it.

In: the folder of the actor's journal in this run. Out: a `History`, from which the host restores the core and handles
the remaining steps anew. A torn tail is cut and counted; damage is counted, reported and skipped, never cut. Only the
segments from the last snapshot on are read, however long the run.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bus.core import Cursor, StepPosition
from bus.errors import JournalError
from bus.frame import Fault, Frame, FrameKind
from bus.segment import HEAD_BYTES, SegmentName, SegmentReader, list_segments
from bus.step import SnapshotRecord, decode_snapshot, decode_step
from bus.stream import Damage
from bus.torn import is_torn_head

ORIGIN: Final = StepPosition(0, 0)
"""Before the first step."""


@dataclass
class History:
    """The journal of one actor up to the end of its last process."""

    folder: Path
    cut_bytes: int = 0
    snapshot: SnapshotRecord | None = None
    snapshot_at: StepPosition = ORIGIN
    last: StepPosition = ORIGIN
    predecessors: dict[str, Cursor] = field(default_factory=dict)
    damages: list[Damage] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether the actor has handled nothing in this run but, at most, its first start."""
        return self.last.step <= 1

    def steps_after(self, position: StepPosition) -> Iterator[tuple[StepPosition, Frame]]:
        """The STEP frames beyond `position`, oldest first."""
        segments = list_segments(self.folder)
        for name, path in segments[_segment_of(segments, position) :]:
            for item in frames_of(path):
                if isinstance(item, Frame) and item.kind is FrameKind.STEP:
                    at = StepPosition(name.epoch, item.step)
                    if at > position:
                        yield at, item


def frames_of(path: Path) -> Iterator[Frame | Fault]:
    """All frames and faults of one segment; an unreadable head is one fault over the whole file."""
    reader = SegmentReader(path)
    try:
        if reader.head_fault is not None:
            yield Fault(0, reader.size(), is_torn=False, reason=reader.head_fault)
            return
        yield from reader.frames(reader.first_frame, reader.size())
    finally:
        reader.close()


def read_history(folder: Path) -> History:
    """Cut the torn tail, then find the last snapshot and where the journal ends."""
    history = History(folder)
    segments = list_segments(folder)
    if segments:
        history.cut_bytes = _cut_torn_tail(segments[-1][1])
        segments = list_segments(folder)
    first = len(segments)
    while first > 0 and history.snapshot is None:
        first -= 1
        _find_snapshot(*segments[first], history)
    for name, path in segments[first:]:
        _read_segment(name, path, history)
    return history


def _cut_torn_tail(path: Path) -> int:
    """Cut what the last process did not finish writing; the number of bytes cut."""
    reader = SegmentReader(path)
    try:
        size, has_head = reader.size(), reader.head_fault is None
    finally:
        reader.close()
    if not has_head and size <= HEAD_BYTES and is_torn_head(path.read_bytes()):
        path.unlink()
        return size
    for item in frames_of(path):
        if isinstance(item, Fault) and item.is_torn and item.offset > 0:
            _cut(path, item.offset)
            return item.size
    return 0


def _cut(path: Path, size: int) -> None:
    """Cut `path` to `size` bytes through a descriptor: a boxed actor may not truncate by path."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.ftruncate(fd, size)
    finally:
        os.close(fd)


def _find_snapshot(name: SegmentName, path: Path, history: History) -> None:
    """Take the last snapshot of a segment; when it is none, an earlier segment has to do."""
    last = None
    for item in frames_of(path):
        if isinstance(item, Frame) and item.kind is FrameKind.SNAPSHOT:
            last = item
    if last is None:
        return
    try:
        history.snapshot = decode_snapshot(last)
    except JournalError as error:
        history.damages.append(_damage(path, last, error))
        return
    history.snapshot_at = history.last = StepPosition(name.epoch, last.step)
    history.predecessors = dict(history.snapshot.predecessors)


def _damage(path: Path, frame: Frame, error: JournalError) -> Damage:
    """A frame that is whole, and does not hold what it should."""
    return Damage(path.name, frame.offset, frame.end - frame.offset, str(error))


def _segment_of(segments: list[tuple[SegmentName, Path]], position: StepPosition) -> int:
    """The last segment that begins at or before `position`; each begins with a snapshot, which names its step."""
    for at in range(len(segments) - 1, 0, -1):
        name, path = segments[at]
        first = next(frames_of(path), None)
        if isinstance(first, Frame) and StepPosition(name.epoch, first.step) <= position:
            return at
    return 0


def _read_segment(name: SegmentName, path: Path, history: History) -> None:
    for item in frames_of(path):
        if isinstance(item, Fault):
            history.damages.append(Damage(path.name, item.offset, item.size, item.reason))
        elif item.kind is FrameKind.STEP:
            at = StepPosition(name.epoch, item.step)
            if history.snapshot is not None and at <= history.snapshot_at:
                continue
            history.last = max(history.last, at)
            try:
                outgoing = decode_step(item).outgoing
            except JournalError as error:
                history.damages.append(_damage(path, item, error))
                continue
            for out in outgoing:
                history.predecessors[out.receiver] = Cursor(name.epoch, out.seq)
