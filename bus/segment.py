"""Reading one segment file: frame by frame, checked, from any offset, on one snapshot of its size.

In: a path and an offset. Out: frames and faults. A reader of a growing file works on one size snapshot, so that a
frame being written is not taken for damage (dossier of reliability, section 3, trap 3); what cannot be checked is
never handed out.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from bus.codec import unpack
from bus.errors import DecodeError, JournalError
from bus.frame import (
    FRAME_HEADER_BYTES,
    MARK,
    Fault,
    Frame,
    FrameHeader,
    FrameKind,
    decode_head,
    is_intact,
    parse_header,
)

WINDOW_BYTES: Final = 1024 * 1024
HEAD_BYTES: Final = 64 * 1024


class SegmentName(NamedTuple):
    """What a segment's file name says: the epoch, and the number of the first message sent from it."""

    epoch: int
    first_seq: int

    def file_name(self) -> str:
        """`eEPOCH-sSEQ.seg`, in an order that sorts."""
        return f"e{self.epoch:06d}-s{self.first_seq:012d}.seg"

    @classmethod
    def parse(cls, path: Path) -> "SegmentName | None":
        """The name of `path`, or None when it is no segment."""
        stem = path.name
        if len(stem) != 25 or not stem.endswith(".seg") or stem[0] != "e" or stem[7:9] != "-s":
            return None
        epoch, seq = stem[1:7], stem[9:21]
        return cls(int(epoch), int(seq)) if epoch.isdigit() and seq.isdigit() else None


def list_segments(folder: Path) -> list[tuple[SegmentName, Path]]:
    """The segments in `folder`, oldest first; empty when there is no such folder."""
    if not folder.is_dir():
        return []
    named = ((SegmentName.parse(path), path) for path in folder.iterdir())
    return sorted((name, path) for name, path in named if name is not None)


class SegmentReader:
    """One open segment file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.head: dict[str, Any] = {}
        self.first_frame = 0
        self.head_fault: str | None = None
        self.read_head()

    def read_head(self) -> None:
        """Read the segment head (again): `head_fault` says what is wrong with it, None when nothing is."""
        answer = decode_head(os.pread(self._fd, HEAD_BYTES, 0))
        if isinstance(answer, str):
            self.head_fault = answer
            return
        try:
            self.head = dict(unpack(answer[0]))
        except (DecodeError, TypeError, ValueError) as error:
            self.head_fault = f"unreadable segment head ({error})"
            return
        self.first_frame = answer[1]
        self.head_fault = None

    def size(self) -> int:
        """Bytes of the file now."""
        return os.fstat(self._fd).st_size

    def frame_at(self, offset: int) -> Frame | None:
        """The frame that begins at `offset`, or None when there is no intact one."""
        head = os.pread(self._fd, FRAME_HEADER_BYTES, offset)
        header = parse_header(head) if len(head) == FRAME_HEADER_BYTES else None
        if header is None:
            return None
        body = os.pread(self._fd, header.body_bytes, offset + FRAME_HEADER_BYTES)
        payload = os.pread(self._fd, header.payload_bytes, offset + FRAME_HEADER_BYTES + header.body_bytes)
        return _intact(header, body, memoryview(payload), offset)

    def bodies(self, start: int, limit: int) -> Iterator[tuple[int, int, bytes]]:
        """Offset, end and body of the frames from `start`: to find one, not to use it.

        Payloads are not read and checksums not checked. Bytes that cannot be a frame are passed over.
        """
        offset = start
        while offset + FRAME_HEADER_BYTES <= limit:
            header = parse_header(os.pread(self._fd, FRAME_HEADER_BYTES, offset))
            if header is None or offset + header.size > limit:
                fault = self._fault(offset, limit)
                if fault.is_torn:
                    return
                offset += fault.size
                continue
            body = os.pread(self._fd, header.body_bytes, offset + FRAME_HEADER_BYTES)
            yield offset, offset + header.size, body if header.payload_bytes else b""
            offset += header.size

    def frames(self, start: int, limit: int) -> Iterator[Frame | Fault]:
        """Frames from offset `start` up to `limit`, a size snapshot; a fault stands where bytes are no frame."""
        if self.head_fault is not None:
            raise JournalError(f"{self.path.name}: {self.head_fault}")
        window, base, offset = b"", start, start
        while offset < limit:
            if offset + FRAME_HEADER_BYTES > base + len(window):
                window, base = self._window(offset, limit, WINDOW_BYTES), offset
            found = parse_header(window, offset - base) if len(window) - (offset - base) >= FRAME_HEADER_BYTES else None
            if found is not None and offset + found.size <= limit:
                if offset + found.size > base + len(window):
                    window, base = self._window(offset, limit, max(found.size, WINDOW_BYTES)), offset
                frame = _checked(found, window, offset - base, offset)
                if frame is not None:
                    yield frame
                    offset += found.size
                    continue
            fault = self._fault(offset, limit)
            yield fault
            offset += fault.size

    def _window(self, offset: int, limit: int, size: int) -> bytes:
        return os.pread(self._fd, min(size, limit - offset), offset)

    def _fault(self, offset: int, limit: int) -> Fault:
        """The extent of the bad bytes at `offset`: to the next good frame, or to `limit` when there is none."""
        data = self._window(offset, limit, limit - offset)
        at = data.find(MARK, 1)
        while at != -1 and at + FRAME_HEADER_BYTES <= len(data):
            header = parse_header(data, at)
            if header is not None and at + header.size <= len(data) and _checked(header, data, at, 0) is not None:
                return Fault(offset, at, is_torn=False, reason="bytes fail their checksum before a good frame")
            at = data.find(MARK, at + 1)
        return Fault(offset, limit - offset, is_torn=True, reason="no whole frame to the end of the file")

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


_KINDS: Final = {int(kind): kind for kind in FrameKind}


def _checked(header: FrameHeader, window: bytes, at: int, offset: int) -> Frame | None:
    start = at + FRAME_HEADER_BYTES
    middle = start + header.body_bytes
    return _intact(header, window[start:middle], memoryview(window)[middle : middle + header.payload_bytes], offset)


def _intact(header: FrameHeader, body: bytes, payload: memoryview, offset: int) -> Frame | None:
    if not is_intact(header, body, payload):
        return None
    return Frame(_KINDS[header.kind], header.step, header.wall_ns, body, payload, offset, header.checksum)
