"""What an actor has heard, as its own journal tells it, for its senders: while its file of cursors says nothing.

In: the folder of its journal. Out: its cursors, from the last snapshot and the steps after it, once everything up to
the end was read: a bit at each look, and only what is new. Nothing is repaired, payloads are passed over. What cannot
be read tells nothing; what is told is a hint, like the file.
"""

from itertools import islice
from pathlib import Path
from typing import Final

from bus.core import Cursor, MessageRef
from bus.errors import JournalError
from bus.frame import Frame, FrameHeader, FrameKind
from bus.segment import MOST_NAMES, SegmentName, SegmentReader, list_segments
from bus.step import decode_snapshot, decode_step

FRAMES_AT_ONCE: Final = 10_000
"""Read at one look."""
NO_PAYLOAD: Final = memoryview(b"")


class JournalledCursors:
    """Reads forward through the last segment of one journal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = SegmentName(0, 0)
        self._offset = 0
        self._cursors: dict[str, Cursor] | None = None

    def look(self) -> dict[str, Cursor] | None:
        """The cursors at the end of the journal; None while the end is not reached, or nothing is known."""
        try:
            last = self.last_segment()
            if last is None:
                return None
            reader = self.open_segment(*last)
        except OSError:
            return None
        try:
            return self._read(last[0], reader)
        except OSError:
            return None
        finally:
            reader.close()

    def last_segment(self) -> tuple[SegmentName, Path] | None:
        """The segment that is being written."""
        return max(list_segments(self._folder, most=MOST_NAMES), default=None)

    def open_segment(self, name: SegmentName, path: Path) -> SegmentReader:  # noqa: ARG002 - another knows it by name
        """A reader of that segment. Raises OSError."""
        return SegmentReader(path)

    def _read(self, name: SegmentName, reader: SegmentReader) -> dict[str, Cursor] | None:
        if reader.head_fault is not None:
            return None
        if name != self._name:
            self._name, self._offset, self._cursors = name, reader.first_frame, None
        passed = 0
        for header, offset in islice(reader.headers(self._offset, reader.size()), FRAMES_AT_ONCE):
            passed += 1
            self._take(reader, header, offset)
            self._offset = offset + header.size
        return None if self._cursors is None or passed == FRAMES_AT_ONCE else dict(self._cursors)

    def _take(self, reader: SegmentReader, header: FrameHeader, offset: int) -> None:
        if header.kind not in (FrameKind.STEP, FrameKind.SNAPSHOT):
            return
        body = reader.body_at(header, offset)
        frame = Frame(FrameKind(header.kind), header.step, header.wall_ns, body, NO_PAYLOAD, offset, header.checksum)
        try:
            if frame.kind is FrameKind.SNAPSHOT:
                self._cursors = decode_snapshot(frame).cursors
                return
            event = decode_step(frame, header.payload_bytes).event
        except JournalError:
            return
        if self._cursors is not None and isinstance(event, MessageRef):
            self._cursors[event.sender] = Cursor(event.epoch, event.seq)
