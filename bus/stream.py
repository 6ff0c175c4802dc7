"""A sender's journal, read as the stream of messages to one receiver.

In: the folder of the sender's journal and the receiver's cursor. Out: the messages after that cursor, in order, with
their payloads, and a word about every damaged stretch. This is how nothing is lost though the sockets may drop: a
receiver reads here on a gap, at start and when idle (design, section 3). Damaged bytes are never handed out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from bus.codec import BytesLike
from bus.core import Cursor, MessageRef
from bus.envelope import Place
from bus.errors import JournalError, MissingInputError
from bus.frame import Fault, FrameKind
from bus.payloads import PayloadStore
from bus.segment import MOST_NAMES, SegmentName, SegmentReader, list_segments
from bus.step import StepRecord, decode_step

PASSED_AT_ONCE: Final = 1000
"""Frames and segments that are passed over before the reader gets to do something else."""


class Journalled(NamedTuple):
    """A message read back from its sender's journal."""

    ref: MessageRef
    predecessor: Cursor
    kind: str
    version: int
    body: bytes
    payloads: tuple[BytesLike, ...]
    wall_ns: int
    cause: MessageRef | None
    """The message whose handling led to this one; None for a timer, a start or an observation."""


class Damage(NamedTuple):
    """A stretch of a journal that cannot be read."""

    segment: str
    offset: int
    size: int
    reason: str


class Pause(NamedTuple):
    """Nothing so far, and there is more to read."""

    passed: int


Found = Journalled | Damage | Pause


class SenderStream:
    """Reads forward through one sender's journal; keeps its place, so that looking again for news is cheap."""

    def __init__(self, run_folder: Path, sender: str, receiver: str, payloads: PayloadStore) -> None:
        self._folder = run_folder / sender
        self._sender = sender
        self._receiver = receiver
        self._receiver_text = receiver.encode()
        self._payloads = payloads
        self._reader: SegmentReader | None = None
        self._name = SegmentName(0, 0)
        self._offset = 0
        self._skip: Place | None = None
        self._ahead: list[tuple[SegmentName, Path]] = []
        """Segments that were seen beyond the open one, the next last."""
        self._passed = 0
        self._complaint = ""

    def skip_to(self, place: Place) -> None:
        """Start the next reading no earlier than `place`: all before it is known to be accepted."""
        self._skip = place

    def after(self, cursor: Cursor) -> Iterator[Found]:
        """Every message to the receiver beyond `cursor` that is whole on disk now, oldest first.

        What cannot be opened or read is said once; the next reading tries again.
        """
        try:
            yield from self._after(cursor)
        except OSError as error:
            self._ahead.clear()
            if str(error) != self._complaint:
                self._complaint = str(error)
                yield Damage(self._name.file_name(), self._offset, 0, self._complaint)

    def _after(self, cursor: Cursor) -> Iterator[Found]:
        self._advance()
        if self._reader is None:
            self._seek(cursor)
        while self._reader is not None:
            following = self._following()
            yield from self._news(self._reader, cursor, is_ended=following is not None)
            if following is None:
                return
            self._open(*following)

    def close(self) -> None:
        """Let go of the open segment; the next reading seeks anew."""
        self._skip = None
        self._ahead.clear()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _advance(self) -> None:
        """Go to the place that the last accepted message named, unless reading has come further."""
        place, self._skip = self._skip, None
        if place is None or (*self._name, self._offset) >= place:
            return
        name = SegmentName(place.epoch, place.segment_seq)
        if self._reader is None or name != self._name:
            path = self._folder / name.file_name()
            if not path.exists():
                return
            self._open(name, path)
        self._offset = max(place.offset, self._offset)

    def _seek(self, cursor: Cursor) -> None:
        """Open the last segment that can hold the message after `cursor`."""
        segments = list_segments(self._folder, most=MOST_NAMES)
        if segments:
            wanted = SegmentName(cursor.epoch, cursor.seq + 1)
            self._open(*segments[max((i for i, (name, _) in enumerate(segments) if name <= wanted), default=0)])

    def _open(self, name: SegmentName, path: Path) -> None:
        reader = SegmentReader(path)
        if self._reader is not None:
            self._reader.close()
        self._reader, self._name = reader, name
        self._offset = reader.first_frame

    def _following(self) -> tuple[SegmentName, Path] | None:
        """The segment after the open one. Looked up before reading: a segment that has a successor grows no more."""
        while self._ahead and self._ahead[-1][0] <= self._name:
            self._ahead.pop()
        if not self._ahead:
            self._ahead = list_segments(self._folder, self._name, MOST_NAMES)[::-1]
        return self._ahead[-1] if self._ahead else None

    def _news(self, reader: SegmentReader, cursor: Cursor, *, is_ended: bool) -> Iterator[Found]:
        yield from self._pass()
        if reader.head_fault is not None:
            reader.read_head()
            self._offset = reader.first_frame
        limit = reader.size()
        if reader.head_fault is not None:
            if is_ended and limit:
                yield Damage(reader.path.name, 0, limit, reader.head_fault)
            return
        if limit <= self._offset:
            return
        for item in reader.frames(self._offset, limit):
            if isinstance(item, Fault):
                if item.is_torn and not is_ended:
                    return
                self._offset = item.offset + item.size
                yield Damage(reader.path.name, item.offset, item.size, item.reason)
                continue
            self._offset = item.end
            if item.kind is not FrameKind.STEP or self._receiver_text not in item.body:
                yield from self._pass()
                continue
            try:
                step = decode_step(item)
            except JournalError as error:
                yield Damage(reader.path.name, item.offset, item.end - item.offset, str(error))
                continue
            yield from self._messages(step, item.wall_ns, cursor)

    def _pass(self) -> Iterator[Pause]:
        """A frame or a segment is passed over."""
        self._passed += 1
        if self._passed >= PASSED_AT_ONCE:
            yield Pause(self._passed)
            self._passed = 0

    def _messages(self, step: StepRecord, wall_ns: int, cursor: Cursor) -> Iterator[Found]:
        epoch, receiver = self._name.epoch, self._receiver
        cause = step.event if type(step.event) is MessageRef else None
        for out in step.outgoing:
            if out.receiver != receiver or (epoch, out.seq) <= cursor:
                continue
            payloads = out.payloads
            if payloads:
                try:
                    payloads = self._payloads.complete(out)
                except MissingInputError as error:
                    yield Damage(self._name.file_name(), self._offset, 0, str(error))
                    continue
            ref = MessageRef(self._sender, epoch, out.seq)
            yield Journalled(ref, out.predecessor, out.kind, out.version, out.body, payloads, wall_ns, cause)
