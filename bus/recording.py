"""A recorded run as it lies on disk: its actors, their segments, their steps and what they said.

In: the journal folder of a run. Out: steps and messages in the order of each actor, with their places, and every
fault. It reads a run that is still being written as well, as far as it is whole. Refuses nothing: what is damaged
is said.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bus.codec import BytesLike, decode_body
from bus.core import Cursor, MessageRef
from bus.errors import DecodeError, JournalError
from bus.frame import Fault, Frame, FrameKind
from bus.payloads import PayloadStore
from bus.recovery import frames_of
from bus.segment import SegmentName, list_segments
from bus.step import Outgoing, StepRecord, decode_step
from bus.stream import Damage
from schemas.base import Message
from schemas.catalogue import CATALOGUE


def _nobody(_size_bytes: int) -> None:
    """Nobody watches the reading."""


class RecordedStep(NamedTuple):
    """One step of one actor."""

    actor: str
    epoch: int
    number: int
    wall_ns: int
    record: StepRecord
    segment: str
    offset: int


class RecordedMessage(NamedTuple):
    """One message as its sender journalled it."""

    ref: MessageRef
    receiver: str
    kind: str
    version: int
    predecessor: Cursor
    wall_ns: int
    cause: MessageRef | None
    """The message whose handling led to this one; None for a timer, a start or an observation."""
    step: int
    outgoing: Outgoing

    @property
    def message_id(self) -> str:
        """`sender/epoch/seq`, as people write it."""
        return "/".join(map(str, self.ref))


def messages_of(step: RecordedStep) -> Iterator[RecordedMessage]:
    """What the actor said in `step`, in order."""
    event = step.record.event
    cause = event if isinstance(event, MessageRef) else None
    for out in step.record.outgoing:
        ref = MessageRef(step.actor, step.epoch, out.seq)
        told = (out.receiver, out.kind, out.version, out.predecessor)
        yield RecordedMessage(ref, *told, step.wall_ns, cause, step.number, out)


@dataclass
class Recording:
    """The journals of one run."""

    folder: Path
    watch: Callable[[int], None] = _nobody
    """Called with the bytes of each frame and fault that was read."""

    def __post_init__(self) -> None:
        self._payloads = PayloadStore(self.folder)

    def actors(self) -> list[str]:
        """The instances that have a journal, by name."""
        return (
            sorted(path.name for path in self.folder.iterdir() if list_segments(path)) if self.folder.is_dir() else []
        )

    def segments(self, actor: str) -> list[tuple[SegmentName, Path]]:
        """The segments of `actor`, oldest first."""
        return list_segments(self.folder / actor)

    def size_bytes(self) -> int:
        """Bytes of all segments of the run now; a file that cannot be asked counts for nothing."""
        size = 0
        for actor in self.actors():
            for _, path in self.segments(actor):
                with suppress(OSError):
                    size += path.stat().st_size
        return size

    def frames(self, actor: str) -> Iterator[tuple[SegmentName, Path, Frame | Fault]]:
        """All frames and faults of `actor`, oldest first."""
        for name, path in self.segments(actor):
            for item in frames_of(path):
                yield name, path, item
                self.watch(item.size if isinstance(item, Fault) else item.end - item.offset)

    def steps(self, actor: str) -> Iterator[RecordedStep | Damage]:
        """All steps of `actor`; a torn tail of its last segment ends them without a word."""
        last = self.segments(actor)[-1:]
        for name, path, item in self.frames(actor):
            if isinstance(item, Fault):
                if not (item.is_torn and last == [(name, path)]):
                    yield Damage(path.name, item.offset, item.size, item.reason)
            elif item.kind is FrameKind.STEP:
                try:
                    record = decode_step(item)
                except JournalError as error:
                    yield Damage(path.name, item.offset, item.end - item.offset, str(error))
                    continue
                yield RecordedStep(actor, name.epoch, item.step, item.wall_ns, record, path.name, item.offset)

    def messages(self, actor: str) -> Iterator[RecordedMessage | Damage]:
        """All messages that `actor` said, in its order."""
        for step in self.steps(actor):
            if isinstance(step, Damage):
                yield step
                continue
            yield from messages_of(step)

    def payloads(self, message: RecordedMessage) -> tuple[BytesLike, ...]:
        """The payloads of `message`, those named by origin included; raises MissingInputError."""
        return self._payloads.complete(message.outgoing)

    def close(self) -> None:
        """Let go of the segment that was opened last."""
        self._payloads.close()

    def decode(self, message: RecordedMessage) -> Message:
        """The message itself; raises DecodeError or MissingInputError."""
        cls = CATALOGUE.get(message.kind)
        if cls is None:
            raise DecodeError(message.kind, "no message of this kind is known")
        return decode_body(cls, message.outgoing.body, self.payloads(message), message.version)
