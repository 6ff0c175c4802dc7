"""The integrity of one journal, segment by segment: what can be said of it without asking any other.

In: the segments of one actor. Out: a verdict on each, with the place of everything that is wrong: heads that are none,
frames that fail their checksum, closing frames that do not fit (count, last step, chain), gaps in the numbers of
steps and messages, predecessors that name another message than the one before. What the journal says of other
journals is gathered for `bus.agreement`. An unfinished write at the end of the last segment is counted, and is no
damage.
"""

import zlib
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from bus.codec import unpack
from bus.core import Cursor, MessageRef, StepPosition
from bus.errors import DecodeError, JournalError
from bus.frame import Fault, Frame, FrameKind
from bus.recording import RecordedMessage, RecordedStep, Recording, messages_of
from bus.recovery import ORIGIN
from bus.segment import SegmentName, SegmentReader
from bus.step import Outgoing, StepRecord, decode_step
from bus.torn import is_torn_frame, is_torn_head

SEQ_BITS: Final = 40
BEGINNING: Final = Cursor(0, 0)
"""Before the first message to a receiver."""

FindingKind = Literal[
    "unreadable", "head", "frame", "closing", "step", "number", "stream", "input", "payload", "content"
]
"""What is wrong: the file, the segment head, a frame, the closing frame, the number of a step, the number of a
message, its predecessor, a recorded input, a payload that is named, the content of a message."""

ContentCheck = Callable[[RecordedMessage], str | None]
"""Says what is wrong with the content of a message; None when nothing is."""


class Finding(NamedTuple):
    """One fault, at its place in a segment."""

    offset: int
    size: int
    kind: FindingKind
    text: str


@dataclass
class SegmentVerdict:
    """What was found in one segment."""

    actor: str
    segment: str
    size_bytes: int = 0
    frames: int = 0
    """Good ones."""
    steps: int = 0
    messages: int = 0
    is_closed: bool = False
    lost_frames: int = 0
    """Frames that the closing frame counts and that are not there."""
    cut_bytes: int = 0
    """An unfinished write at the end, which no one ever saw whole."""
    cut_offset: int | None = None
    findings: list[Finding] = field(default_factory=list)


def key_of(ref: MessageRef | Cursor) -> int:
    """Epoch and seq as one number that sorts."""
    return ref.epoch << SEQ_BITS | ref.seq


class _Last(NamedTuple):
    cursor: Cursor
    losses: int


@dataclass
class JournalCheck:
    """Reads one journal from end to end."""

    recording: Recording
    actor: str
    check_content: ContentCheck | None = None
    verdicts: list[SegmentVerdict] = field(default_factory=list)
    said: dict[str, "array[int]"] = field(default_factory=dict)
    """For each receiver the messages to it, in order, as `key_of` has them."""
    taken: dict[str, "array[int]"] = field(default_factory=dict)
    """For each sender the messages that were handled, in order."""
    named: dict[str, "array[int]"] = field(default_factory=dict)
    """For each sender the messages whose payload is named instead of stored."""
    holding: "array[int]" = field(default_factory=lambda: array("Q"))
    """The messages whose payload is stored here."""
    is_readable: bool = True
    """Whether every file could be opened."""
    losses: int = 0
    """Stretches that could not be read."""
    last_key: int = 0
    """The last message said."""

    def __post_init__(self) -> None:
        self._epoch = 0
        self._at = ORIGIN
        self._is_step_sure = True
        self._seq = 0
        self._is_seq_sure = True
        self._last_to: dict[str, _Last] = {}
        self._chain = 0
        self._last_frame_step = 0
        self._verdict = SegmentVerdict(self.actor, "")

    def run(self) -> "JournalCheck":
        """Check every segment, oldest first."""
        segments = self.recording.segments(self.actor)
        for name, path in segments:
            before = self._verdict
            self._verdict = SegmentVerdict(self.actor, path.name)
            self.verdicts.append(self._verdict)
            if name.epoch == self._epoch and not before.is_closed and not before.findings:
                text = f"no closing frame, though {path.name} follows in the same process"
                before.findings.append(Finding(before.size_bytes, 0, "closing", text))
                self._lose()
            try:
                self._segment(name, path, is_last=path == segments[-1][1])
            except OSError as error:
                self._find(0, self._verdict.size_bytes, "unreadable", error.strerror or str(error))
                self.is_readable = False
                self._lose()
            self._epoch = name.epoch
        return self

    def _find(self, offset: int, size: int, kind: FindingKind, text: str) -> None:
        self._verdict.findings.append(Finding(offset, size, kind, text))

    def _lose(self) -> None:
        """What follows cannot be measured by what came before."""
        self.losses += 1
        self._is_step_sure = self._is_seq_sure = False

    def _segment(self, name: SegmentName, path: Path, *, is_last: bool) -> None:
        reader = SegmentReader(path)
        try:
            limit = self._verdict.size_bytes = reader.size()
            if reader.head_fault is not None:
                self._fault(Fault(0, limit, is_torn=is_last, reason=reader.head_fault), path)
                return
            self._begin(name, reader.head)
            for item in reader.frames(reader.first_frame, limit):
                if isinstance(item, Fault):
                    self._fault(item._replace(is_torn=item.is_torn and is_last), path)
                    self.recording.watch(item.size)
                else:
                    self._frame(name, item)
                    self.recording.watch(item.end - item.offset)
        finally:
            reader.close()

    def _fault(self, fault: Fault, path: Path) -> None:
        verdict = self._verdict
        if fault.is_torn and not verdict.is_closed:
            with path.open("rb") as file:
                file.seek(fault.offset)
                data = file.read(fault.size)
            if is_torn_frame(data) if fault.offset else is_torn_head(data):
                verdict.cut_offset, verdict.cut_bytes = fault.offset, fault.size
                return
        self._find(fault.offset, fault.size, "frame" if fault.offset else "head", fault.reason)
        self._lose()

    def _begin(self, name: SegmentName, head: Mapping[str, Any]) -> None:
        run = self.recording.folder.name
        told = {"actor": self.actor, "run": run, "epoch": name.epoch, "first_seq": name.first_seq}
        for fact, expected in told.items():
            if head.get(fact, expected) != expected:
                self._find(0, 0, "head", f"its {fact} is {head[fact]!r}, its place says {expected!r}")
        if name.epoch != self._epoch:
            self._begin_process(head)
        if name.first_seq != self._seq + 1 and self._is_seq_sure:
            self._find(0, 0, "number", f"begins with message {name.first_seq}; message {self._seq} is the last before")
            self._lose()
        self._seq, self._is_seq_sure = name.first_seq - 1, True
        self._chain = self._last_frame_step = 0

    def _begin_process(self, head: Mapping[str, Any]) -> None:
        """The first segment of a process names the step that the one before ended with."""
        self._seq, self._is_seq_sure = 0, True
        before = head.get("predecessor")
        if not isinstance(before, tuple) or len(before) != len(ORIGIN):
            return
        if before != self._at and (self._is_step_sure or before < self._at):
            text = f"goes on after step {before[1]} of process start {before[0]}, but the journal has"
            self._find(0, 0, "step", f"{text} {self._at.step} of {self._at.epoch} there")
            self.losses += 1
        self._at, self._is_step_sure = StepPosition(*before), True

    def _frame(self, name: SegmentName, frame: Frame) -> None:
        verdict = self._verdict
        if verdict.is_closed:
            self._find(frame.offset, frame.end - frame.offset, "closing", "a frame after the closing frame")
        match frame.kind:
            case FrameKind.CLOSE:
                self._close(frame)
            case FrameKind.STEP | FrameKind.SNAPSHOT:
                self._count_step(name, frame)
            case FrameKind.NOTE:
                pass
        if frame.kind is FrameKind.STEP:
            self._step(name, frame)
        verdict.frames += 1
        self._chain = zlib.crc32(frame.checksum.to_bytes(4, "little"), self._chain)
        self._last_frame_step = frame.step

    def _close(self, frame: Frame) -> None:
        verdict = self._verdict
        verdict.is_closed = True
        found = {"frames": verdict.frames, "last_step": self._last_frame_step, "chain": self._chain}
        try:
            told = dict(unpack(frame.body))
        except (DecodeError, TypeError, ValueError) as error:
            self._find(frame.offset, frame.end - frame.offset, "closing", f"an unreadable closing frame ({error})")
            return
        verdict.lost_frames = max(0, told.get("frames", 0) - verdict.frames)
        if told != found and not any(finding.kind == "frame" for finding in verdict.findings):
            facts = "; ".join(f"{fact} is {told.get(fact)}, found {found[fact]}" for fact in found)
            self._find(frame.offset, frame.end - frame.offset, "closing", f"the closing frame does not fit: {facts}")

    def _count_step(self, name: SegmentName, frame: Frame) -> None:
        expected = self._at.step + (frame.kind is FrameKind.STEP)
        if frame.step != expected and (self._is_step_sure or frame.step < expected):
            text = f"step {frame.step} stands where {expected} is due"
            self._find(frame.offset, frame.end - frame.offset, "step", text)
            self._lose()
        self._at, self._is_step_sure = StepPosition(name.epoch, frame.step), True

    def _step(self, name: SegmentName, frame: Frame) -> None:
        verdict = self._verdict
        try:
            record = decode_step(frame)
        except JournalError as error:
            self._find(frame.offset, frame.end - frame.offset, "frame", str(error))
            self._lose()
            return
        verdict.steps += 1
        verdict.messages += len(record.outgoing)
        if isinstance(record.event, MessageRef):
            self.taken.setdefault(record.event.sender, array("Q")).append(key_of(record.event))
        for out in record.outgoing:
            self._message(name, frame, out)
        if self.check_content is not None:
            self._contents(name, frame, record)

    def _message(self, name: SegmentName, frame: Frame, out: Outgoing) -> None:
        size = frame.end - frame.offset
        if out.seq != self._seq + 1 and (self._is_seq_sure or out.seq <= self._seq):
            self._find(frame.offset, size, "number", f"message {out.seq} stands where {self._seq + 1} is due")
        self._seq, self._is_seq_sure = out.seq, True
        last = self._last_to.get(out.receiver, _Last(BEGINNING, 0))
        if out.predecessor != last.cursor and (last.losses == self.losses or out.predecessor <= last.cursor):
            text = f"message {out.seq} to {out.receiver} names {tuple(out.predecessor)} as the one before it"
            self._find(frame.offset, size, "stream", f"{text}; the one before it is {tuple(last.cursor)}")
        at = Cursor(name.epoch, out.seq)
        self._last_to[out.receiver] = _Last(at, self.losses)
        self.last_key = key_of(at)
        self.said.setdefault(out.receiver, array("Q")).append(self.last_key)
        if out.origins and out.origins[0] is None:
            self.holding.append(self.last_key)
        for origin in out.origins:
            if origin is not None:
                self.named.setdefault(origin.sender, array("Q")).append(key_of(origin))

    def _contents(self, name: SegmentName, frame: Frame, record: StepRecord) -> None:
        place = (self._verdict.segment, frame.offset)
        step = RecordedStep(self.actor, name.epoch, frame.step, frame.wall_ns, record, *place)
        for message in messages_of(step):
            wrong = self.check_content(message) if self.check_content is not None else None
            if wrong is not None:
                text = f"{message.kind} {message.message_id}: {wrong}"
                self._find(frame.offset, frame.end - frame.offset, "content", text)
