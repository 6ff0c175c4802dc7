"""How much one actor recorded, without reading all of it.

In: the segments of one actor. Out: counts, from numbers that only grow: steps count through a run, messages through
a process. Of each process only the last segment is walked, header by header, from its last snapshot on; checksums
are the business of `bus.verification`. What is damaged is counted as far as the numbers reach.
"""

import os
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from bus.errors import JournalError
from bus.files import open_to_read
from bus.frame import FRAME_HEADER_BYTES, FrameKind, parse_header
from bus.recording import Recording
from bus.segment import SegmentName, SegmentReader
from bus.step import decode_snapshot, decode_step


class Tally(NamedTuple):
    """What the numbers in a journal say."""

    epochs: int = 0
    segments: int = 0
    steps: int = 0
    messages: int = 0
    size_bytes: int = 0
    last_ns: int | None = None
    """Wall time of the last frame."""


class _Walk(NamedTuple):
    """The frames of a segment that its counts are read from."""

    snapshot: int | None
    steps: tuple[int, ...]
    """Offsets of the steps after the last snapshot."""
    last_step: int
    last_ns: int


def count(recording: Recording, actor: str) -> Tally:
    """The tally of `actor`."""
    tally = Tally()
    for _, group in groupby(recording.segments(actor), key=lambda segment: segment[0].epoch):
        segments = list(group)
        name, path = segments[-1]
        walk = _walk(path)
        tally = Tally(
            epochs=tally.epochs + 1,
            segments=tally.segments + len(segments),
            steps=max(tally.steps, walk.last_step),
            messages=tally.messages + _last_seq(name, path, walk),
            size_bytes=tally.size_bytes + sum(path.lstat().st_size for _, path in segments),
            last_ns=walk.last_ns or tally.last_ns,
        )
    return tally


def _walk(path: Path) -> _Walk:
    """The frames in the segment at `path`; none in what is no segment, or may not be read."""
    try:
        reader = SegmentReader(path)
    except OSError:
        return _Walk(None, (), 0, 0)
    offset, limit, is_readable = reader.first_frame, reader.size(), reader.head_fault is None
    reader.close()
    steps: list[int] = []
    snapshot, last_step, last_ns = None, 0, 0
    descriptor = open_to_read(path)
    try:
        while is_readable and offset + FRAME_HEADER_BYTES <= limit:
            header = parse_header(os.pread(descriptor, FRAME_HEADER_BYTES, offset))
            if header is None or offset + header.size > limit:
                break
            if header.kind == FrameKind.SNAPSHOT:
                snapshot, steps = offset, []
            elif header.kind == FrameKind.STEP:
                steps.append(offset)
            last_step, last_ns = header.step, header.wall_ns
            offset += header.size
    finally:
        os.close(descriptor)
    return _Walk(snapshot, tuple(steps), last_step, last_ns)


def _last_seq(name: SegmentName, path: Path, walk: _Walk) -> int:
    """The number of the last message of the process that wrote this segment last."""
    if not walk.steps and walk.snapshot is None:
        return name.first_seq - 1
    reader = SegmentReader(path)
    try:
        for offset in reversed(walk.steps):
            frame = reader.frame_at(offset)
            outgoing = decode_step(frame).outgoing if frame is not None else ()
            if outgoing:
                return outgoing[-1].seq
        frame = reader.frame_at(walk.snapshot) if walk.snapshot is not None else None
        sent = decode_snapshot(frame).predecessors.values() if frame is not None else ()
        return max((cursor.seq for cursor in sent if cursor.epoch == name.epoch), default=name.first_seq - 1)
    except JournalError:
        return name.first_seq - 1
    finally:
        reader.close()
