"""Reading one segment file: frame by frame, checked, from any offset, on one snapshot of its size.

In: a path and an offset. Out: frames and faults. A reader of a growing file works on one size snapshot, so that a
frame being written is not taken for damage (dossier of reliability, section 3, trap 3); what cannot be checked is
never handed out.
"""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from bus.codec import unpack
from bus.errors import DecodeError, JournalError
from bus.files import open_to_read
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
MOST_NAMES: Final = 50_000
"""In the folder of another's journal; more are not looked through while an actor runs."""
MOST_CHECKED: Final = 8
"""How many times the bytes after a fault are checked for a good frame: more false beginnings are put there."""


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


def list_segments(
    folder: Path, after: SegmentName | None = None, most: int | None = None
) -> list[tuple[SegmentName, Path]]:
    """The segments in `folder`, or those beyond `after`, oldest first; empty when there is no such folder.

    Raises OSError when there are more than `most` names to look through.
    """
    known = "" if after is None else after.file_name()
    found = []
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number == most:
                    raise OSError(errno.EFBIG, f"more than {most} names are in a journal", str(folder))
                if entry.name > known:
                    found.append(folder / entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    named = ((SegmentName.parse(path), path) for path in found)
    return sorted((name, path) for name, path in named if name is not None)


class SegmentReader:
    """One open segment file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = open_to_read(path)
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
        """Offset, end and body of the frames from `start`, no body without payload: to find one, not to use it.

        Payloads are not read and checksums not checked. Bytes that cannot be a frame are passed over.
        """
        for header, offset in self.headers(start, limit):
            yield offset, offset + header.size, self.body_at(header, offset) if header.payload_bytes else b""

    def headers(self, start: int, limit: int) -> Iterator[tuple[FrameHeader, int]]:
        """The heads of the frames from `start`, unchecked, and where they begin; what cannot be one is passed over."""
        offset = start
        while offset + FRAME_HEADER_BYTES <= limit:
            header = parse_header(self._window(offset, limit, FRAME_HEADER_BYTES))
            if header is None or offset + header.size > limit:
                fault = self._fault(offset, limit)
                if fault.is_torn:
                    return
                offset += fault.size
                continue
            yield header, offset
            offset += header.size

    def body_at(self, header: FrameHeader, offset: int) -> bytes:
        """The body of the frame at `offset` whose head is `header`, unchecked."""
        start = offset + FRAME_HEADER_BYTES
        return self._window(start, start + header.body_bytes, header.body_bytes)

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
        left = MOST_CHECKED * len(data)
        at = data.find(MARK, 1)
        while at != -1 and at + FRAME_HEADER_BYTES <= len(data):
            header = parse_header(data, at)
            if header is not None and at + header.size <= len(data):
                if _checked(header, data, at, 0) is not None:
                    return Fault(offset, at, is_torn=False, reason="bytes fail their checksum before a good frame")
                left -= header.size
                if left < 0:
                    reason = "bytes fail their checksum, and too many of them look like frames"
                    return Fault(offset, limit - offset, is_torn=False, reason=reason)
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
