"""Skimming a journal: who said what to whom, when and why, without reading a single tensor.

In: the journal folder of one actor. Out: its steps in order, as far as they are whole on disk, and every damaged
stretch; reading goes on where it stopped, so that a run is followed while it is written. A frame without payload is
checked like everywhere. The payload of any other frame is passed over, and with it the frame's checksum: such a
message is marked as unchecked, and `PayloadStore.at` checks it when somebody wants to see it. A frame that no frame
follows is checked whatever it holds, so that a wrong length leads nobody astray.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from bus.codec import unpack
from bus.core import MessageRef
from bus.envelope import Place
from bus.errors import JournalError
from bus.files import open_to_read
from bus.frame import FRAME_HEADER_BYTES, MARK, Fault, Frame, FrameHeader, FrameKind, is_intact, parse_header
from bus.segment import HEAD_BYTES, SegmentName, SegmentReader, list_segments
from bus.step import Outgoing, RecordedInput, decode_step
from bus.stream import Damage

WINDOW_BYTES: Final = 16 * 1024
"""Read at once: many small frames, or the part of a large one that is not payload."""
NOTHING: Final = memoryview(b"")


class SkimmedMessage(NamedTuple):
    """A message as its sender journalled it, without its payloads."""

    ref: MessageRef
    receiver: str
    kind: str
    version: int
    wall_ns: int
    step: int
    event: RecordedInput
    """What the sender handled when it said this."""
    body: bytes
    payload_bytes: int
    """What the journal holds beside the body; nothing for a payload that it only names."""
    place: Place
    is_checked: bool
    """Whether the frame passed its checksum."""

    @property
    def message_id(self) -> str:
        """`sender/epoch/seq`, as people write it."""
        return "/".join(map(str, self.ref))

    @property
    def size_bytes(self) -> int:
        """Bytes of the message in its sender's journal."""
        return len(self.body) + self.payload_bytes


class SkimmedStep(NamedTuple):
    """One step of one actor."""

    actor: str
    epoch: int
    number: int
    wall_ns: int
    event: RecordedInput
    refusal: str | None
    messages: tuple[SkimmedMessage, ...]


class _Skimmed(NamedTuple):
    """A frame whose payload was passed over."""

    header: FrameHeader
    body: bytes
    offset: int
    is_checked: bool


class JournalSkim:
    """Reads forward through the journal of one actor."""

    def __init__(self, folder: Path, actor: str) -> None:
        self.actor = actor
        self.read_bytes = 0
        """Bytes of segments that were passed so far."""
        self._folder = folder / actor
        self._name = SegmentName(0, 0)
        self._path = folder
        self._fd = -1
        self._reader: SegmentReader | None = None
        self._offset = 0
        self._window, self._base = b"", 0
        self._complaint = ""

    def start_at(self, wall_ns: int) -> None:
        """Start with the segment that was being written at `wall_ns`: all before it is older."""
        chosen = None
        for name, path in reversed(list_segments(self._folder)):
            chosen = (name, path)
            if begun_ns(path) <= wall_ns:
                break
        if chosen is not None:
            self._open(*chosen)

    def start_at_end(self) -> None:
        """Pass over everything that is there now."""
        segments = list_segments(self._folder)
        if segments:
            self._open(*segments[-1])
            for frame in self._frames(is_ended=False):
                if isinstance(frame, _Skimmed):
                    self._offset = frame.offset + frame.header.size

    def news(self) -> Iterator[SkimmedStep | Damage]:
        """The steps that are whole on disk and were not read yet, oldest first.

        What cannot be opened or read is said once; the next reading tries again.
        """
        try:
            yield from self._news()
        except OSError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                yield Damage(self._path.name, self._offset, 0, self._complaint)

    def _news(self) -> Iterator[SkimmedStep | Damage]:
        if self._reader is None:
            segments = list_segments(self._folder)
            if not segments:
                return
            self._open(*segments[0])
        while True:
            following = self._following()
            yield from self._steps(is_ended=following is not None)
            if following is None:
                return
            self._open(*following)

    def close(self) -> None:
        """Let go of the open segment."""
        if self._reader is not None:
            self._reader.close()
            os.close(self._fd)
            self._reader, self._fd = None, -1

    def _open(self, name: SegmentName, path: Path) -> None:
        reader, fd = SegmentReader(path), open_to_read(path)
        self.close()
        self._reader, self._fd, self._name, self._path = reader, fd, name, path
        self._offset = self._reader.first_frame
        self._window, self._base = b"", 0

    def _following(self) -> tuple[SegmentName, Path] | None:
        """The segment after the open one. Looked up before reading: a segment that has a successor grows no more."""
        return next(((name, path) for name, path in list_segments(self._folder) if name > self._name), None)

    def _steps(self, *, is_ended: bool) -> Iterator[SkimmedStep | Damage]:
        for item in self._frames(is_ended=is_ended):
            if isinstance(item, Damage):
                yield item
                continue
            self.read_bytes += item.offset + item.header.size - self._offset
            self._offset = item.offset + item.header.size
            if item.header.kind == FrameKind.STEP:
                yield self._step(item)

    def _frames(self, *, is_ended: bool) -> Iterator[_Skimmed | Damage]:
        """Frames and damage from the present offset on; a torn tail is waited for unless the segment is ended."""
        reader = self._reader
        if reader is None:
            return
        if not self._has_head(reader):
            size = reader.size()
            if size > self._offset and (is_ended or self._holds_frame(size)):
                self._offset = size
                yield Damage(self._path.name, 0, size, reader.head_fault or "no segment head")
            return
        limit = reader.size()
        offset = self._offset
        while offset < limit:
            found: _Skimmed | Fault = self._skim(offset, limit) or _checked(reader, offset, limit)
            if isinstance(found, Fault):
                if found.is_torn and not is_ended:
                    return
                self._offset = offset = found.offset + found.size
                yield Damage(self._path.name, found.offset, found.size, found.reason)
                continue
            offset = found.offset + found.header.size
            yield found

    def _has_head(self, reader: SegmentReader) -> bool:
        if reader.head_fault is not None:
            reader.read_head()
            if reader.head_fault is None:
                self._offset = reader.first_frame
        return reader.head_fault is None

    def _holds_frame(self, limit: int) -> bool:
        """Whether something like a frame stands near the beginning: then the head is damaged, not just unwritten."""
        data = os.pread(self._fd, min(HEAD_BYTES, limit), 0)
        at = data.find(MARK)
        while at != -1 and at + FRAME_HEADER_BYTES <= len(data):
            header = parse_header(data, at)
            if header is not None and at + header.size <= limit:
                return True
            at = data.find(MARK, at + 1)
        return False

    def _skim(self, offset: int, limit: int) -> _Skimmed | None:
        """The frame at `offset`; None when there is reason to look at it closely."""
        if offset + FRAME_HEADER_BYTES > limit:
            return None
        header = parse_header(self._bytes(offset, FRAME_HEADER_BYTES, limit))
        end = offset + header.size if header is not None else limit + 1
        if header is None or end > limit:
            return None
        body = b""
        if header.kind == FrameKind.STEP:
            body = self._bytes(offset + FRAME_HEADER_BYTES, header.body_bytes, limit)
        if header.kind == FrameKind.STEP and not header.payload_bytes:
            return _Skimmed(header, body, offset, is_checked=True) if is_intact(header, body, NOTHING) else None
        if limit - end >= FRAME_HEADER_BYTES and parse_header(self._bytes(end, FRAME_HEADER_BYTES, limit)) is None:
            return None
        return _Skimmed(header, body, offset, is_checked=False)

    def _bytes(self, at: int, size: int, limit: int) -> bytes:
        if not self._base <= at <= at + size <= self._base + len(self._window):
            self._window, self._base = os.pread(self._fd, min(max(size, WINDOW_BYTES), limit - at), at), at
        return self._window[at - self._base : at - self._base + size]

    def _step(self, item: _Skimmed) -> SkimmedStep | Damage:
        header = item.header
        frame = Frame(FrameKind.STEP, header.step, header.wall_ns, item.body, NOTHING, item.offset, header.checksum)
        try:
            record = decode_step(frame, header.payload_bytes)
            sizes = _payload_sizes(item.body) if header.payload_bytes else ()
        except JournalError as error:
            return Damage(self._path.name, item.offset, header.size, str(error))
        place = Place(self._name.epoch, self._name.first_seq, item.offset)
        messages = []
        for at, out in enumerate(record.outgoing):
            size = sizes[at] if sizes else 0
            messages.append(self._message(out, size, place, item, record.event))
        return SkimmedStep(
            self.actor, place.epoch, header.step, header.wall_ns, record.event, record.refusal, tuple(messages)
        )

    def _message(
        self, out: Outgoing, payload_bytes: int, place: Place, item: _Skimmed, event: RecordedInput
    ) -> SkimmedMessage:
        ref = MessageRef(self.actor, place.epoch, out.seq)
        header = item.header
        told = (out.receiver, out.kind, out.version, header.wall_ns, header.step, event, out.body, payload_bytes)
        return SkimmedMessage(ref, *told, place, item.is_checked)


def begun_ns(path: Path) -> int:
    """When a segment was begun; 0 when its head does not say."""
    try:
        reader = SegmentReader(path)
    except OSError:
        return 0
    try:
        begun = reader.head.get("wall_ns", 0)
        return begun if isinstance(begun, int) else 0
    finally:
        reader.close()


def _checked(reader: SegmentReader, offset: int, limit: int) -> _Skimmed | Fault:
    """What stands at `offset`, by its checksum."""
    found = next(iter(reader.frames(offset, limit)))
    if isinstance(found, Fault):
        return found
    header = FrameHeader(found.kind, len(found.body), len(found.payload), found.checksum, found.step, found.wall_ns)
    return _Skimmed(header, found.body, offset, is_checked=True)


def _payload_sizes(body: bytes) -> tuple[int, ...]:
    """For each message of a step the payload bytes that its frame holds."""
    _, _, rows, _ = unpack(body)
    return tuple(sum(size for size in held if isinstance(size, int)) for *_, held in rows)
