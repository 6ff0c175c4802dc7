"""What an actor finds in its own journal when it starts again: the torn tail to cut, the last snapshot, the steps after
it.

In: the folder of the actor's journal in this run. Out: a `History`, from which the host restores the core and handles
the remaining steps anew. A torn tail is cut and counted; damage is counted, reported and skipped, never cut.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bus.core import Cursor, StepPosition
from bus.frame import FRAME_HEADER_BYTES, Fault, Frame, FrameKind
from bus.segment import SegmentName, SegmentReader, list_segments
from bus.step import SnapshotRecord, decode_snapshot, decode_step
from bus.stream import Damage

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
        """Whether the actor has never handled anything in this run."""
        return self.last == ORIGIN

    def steps_after(self, position: StepPosition) -> Iterator[tuple[StepPosition, Frame]]:
        """The STEP frames beyond `position`, oldest first."""
        for name, path in list_segments(self.folder):
            for item in _frames(path):
                if isinstance(item, Frame) and item.kind is FrameKind.STEP:
                    at = StepPosition(name.epoch, item.step)
                    if at > position:
                        yield at, item


def _frames(path: Path) -> Iterator[Frame | Fault]:
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
    first = _last_segment_with_snapshot(segments, history)
    for name, path in segments[first:]:
        _read_segment(name, path, history)
    return history


def _cut_torn_tail(path: Path) -> int:
    """Cut what the last process did not finish writing; the number of bytes cut."""
    reader = SegmentReader(path)
    try:
        size = reader.size()
        if reader.head_fault is not None and size <= reader.first_frame + FRAME_HEADER_BYTES:
            path.unlink()
            return size
        torn = [item for item in _frames(path) if isinstance(item, Fault) and item.is_torn]
    finally:
        reader.close()
    if torn and torn[-1].offset + torn[-1].size >= size and torn[-1].offset > 0:
        os.truncate(path, torn[-1].offset)
        return torn[-1].size
    return 0


def _last_segment_with_snapshot(segments: list[tuple[SegmentName, Path]], history: History) -> int:
    for at in range(len(segments) - 1, -1, -1):
        name, path = segments[at]
        found = [item for item in _frames(path) if isinstance(item, Frame) and item.kind is FrameKind.SNAPSHOT]
        if found:
            history.snapshot = decode_snapshot(found[-1])
            history.snapshot_at = history.last = StepPosition(name.epoch, found[-1].step)
            history.predecessors = dict(history.snapshot.predecessors)
            return at
    return 0


def _read_segment(name: SegmentName, path: Path, history: History) -> None:
    for item in _frames(path):
        if isinstance(item, Fault):
            history.damages.append(Damage(path.name, item.offset, item.size, item.reason))
        elif item.kind is FrameKind.STEP:
            at = StepPosition(name.epoch, item.step)
            if at.step <= history.snapshot_at.step and history.snapshot is not None:
                continue
            history.last = max(history.last, at)
            for out in decode_step(item).outgoing:
                history.predecessors[out.receiver] = Cursor(name.epoch, out.seq)
