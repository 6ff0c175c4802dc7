"""Journals in memory, read by the bus's own readers: only where the bytes come from is another.

In: the journals of a simulated disk. Out: the streams, the payloads and the intake of `bus`, reading there. What is
a good frame, a torn tail or damage, and what is accepted in which order, is decided by the code of a real process.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from bus.actor_log import ActorLog
from bus.codec import BytesLike
from bus.core import Cursor, MessageRef
from bus.envelope import Place
from bus.errors import JournalError, MissingInputError
from bus.frame import FRAME_HEADER_BYTES, Frame, decode_head, parse_header
from bus.intake import Intake
from bus.journalled_cursors import JournalledCursors
from bus.payloads import PayloadStore
from bus.readback import Readback
from bus.redelivery import NOTHING, Redelivery, boxed_receivers
from bus.refusals import Refusals
from bus.segment import SegmentName, SegmentReader
from bus.simulation.disk import MemoryJournal, SegmentFile
from bus.step import Numbering, Outgoing, decode_step
from bus.stream import SenderStream
from schemas.base import Message
from schemas.manifest import Seat

NOWHERE: Final = Path("/dev/null/simulation")
"""A folder that cannot be: nothing of a simulation touches a file."""

Journals = Mapping[str, MemoryJournal]
"""The journals of all actors, by instance."""


class MemorySegment(SegmentReader):
    """A segment in memory, read as a file is."""

    def __init__(self, file: SegmentFile) -> None:
        self.path = file.path
        self._data = file.data
        self._fd = -1
        self.head = {}
        self.first_frame = 0
        self.head_fault = None
        self.read_head()

    def read_head(self) -> None:
        """Find where the frames begin, or what is wrong with the head."""
        answer = decode_head(bytes(self._data[:512]))
        if isinstance(answer, str):
            self.head_fault = answer
            return
        self.first_frame = answer[1]
        self.head_fault = None

    def size(self) -> int:
        """Bytes of the segment now."""
        return len(self._data)

    def frame_at(self, offset: int) -> Frame | None:
        """The frame that begins at `offset`, or None when there is no intact one."""
        head = self._window(offset, self.size(), FRAME_HEADER_BYTES)
        header = parse_header(head) if len(head) == FRAME_HEADER_BYTES else None
        if header is None or offset + header.size > self.size():
            return None
        found = next(self.frames(offset, offset + header.size), None)
        return found if isinstance(found, Frame) else None

    def _window(self, offset: int, limit: int, size: int) -> bytes:
        with memoryview(self._data) as view:
            return bytes(view[offset : offset + min(size, limit - offset)])


class MemoryStream(SenderStream):
    """The messages of one sender to one receiver."""

    def __init__(self, journal: MemoryJournal, receiver: str, payloads: PayloadStore) -> None:
        super().__init__(NOWHERE, journal.instance, receiver, payloads)
        self._journal = journal

    def _has(self, name: SegmentName) -> bool:
        return self._journal.file_of(name) is not None

    def _advance(self) -> None:
        place, self._skip = self._skip, None
        if place is None or (*self._name, self._offset) >= place:
            return
        name = SegmentName(place.epoch, place.segment_seq)
        if self._reader is None or name != self._name:
            if not self._has(name):
                return
            self._open(name, NOWHERE)
        self._offset = max(place.offset, self._offset)

    def _seek(self, cursor: tuple[int, int]) -> None:
        names = [file.name for file in self._journal.files]
        if names:
            wanted = SegmentName(cursor[0], cursor[1] + 1)
            at = max((i for i, name in enumerate(names) if name <= wanted), default=0)
            self._open(names[at], NOWHERE)

    def _open(self, name: SegmentName, path: Path) -> None:  # noqa: ARG002 - the signature is the base's
        file = self._journal.file_of(name)
        if file is None:
            raise JournalError(f"segment {name.file_name()} is gone")
        self._reader, self._name = MemorySegment(file), name
        self._offset = self._reader.first_frame

    def _following(self) -> tuple[SegmentName, Path] | None:
        files = self._journal.files
        if not files or files[-1].name <= self._name:
            return None
        return next((file.name, file.path) for file in files if file.name > self._name)


class MemoryPayloads(PayloadStore):
    """Payloads that a journal names by the message that holds them."""

    def __init__(self, journals: Journals) -> None:
        super().__init__(NOWHERE)
        self._journals = journals

    def at(self, sender: str, place: Place, seq: int) -> tuple[BytesLike, ...]:
        """The payloads of message `seq` of `sender` in the frame at `place`; raises MissingInputError."""
        file = self._journals[sender].file_of(SegmentName(place.epoch, place.segment_seq))
        frame = None if file is None else MemorySegment(file).frame_at(place.offset)
        for out in () if frame is None else decode_step(frame).outgoing:
            if out.seq == seq:
                return self.complete(out)
        raise MissingInputError(f"{sender}/{place.epoch}/{seq}", f"no intact frame at {place.offset}")

    def resolve(self, ref: MessageRef) -> BytesLike:
        """The first payload of message `ref`; raises MissingInputError."""
        file, offset = self._journals[ref.sender].places.get((ref.epoch, ref.seq), (None, 0))
        frame = None if file is None else MemorySegment(file).frame_at(offset)
        for out in () if frame is None else decode_step(frame).outgoing:
            if out.seq == ref.seq:
                return out.payloads[0]
        raise MissingInputError("/".join(map(str, ref)), f"no frame of {ref.sender} holds its payload")

    def holds(self, ref: MessageRef) -> bool:
        """Whether the payload of message `ref` can be read."""
        try:
            self.resolve(ref)
        except MissingInputError:
            return False
        return True


class HeldNumbering(Numbering):
    """Names the origin of a payload only while a journal holds it; a power cut may have taken it."""

    def __init__(self, epoch: int, payloads: MemoryPayloads) -> None:
        super().__init__(epoch)
        self._payloads = payloads

    def outgoing(self, receiver: str, message: Message, origins: tuple[MessageRef | None, ...] = ()) -> Outgoing:
        """`message` as the next one to `receiver`."""
        if origins:
            origins = tuple(ref if ref is not None and self._payloads.holds(ref) else None for ref in origins)
        return super().outgoing(receiver, message, origins)


class CountedRefusals(Refusals):
    """Refusals that are counted and not written."""

    def __init__(self) -> None:
        self.count = 0
        self.last = None

    def add(self, sender: str, kind: str, reason: str, holder: str | None = None) -> None:  # noqa: ARG002 - as there
        """Count a refusal."""
        self.count += 1
        self.last = f"{kind} from {sender}: {reason}"

    def close(self) -> None:
        """Nothing is open."""


class ToldLog(ActorLog):
    """A log that hands on what is worth a word: warnings and errors."""

    def __init__(self, instance: str, tell: Callable[[str, str], None]) -> None:
        super().__init__(instance)
        self._tell = tell

    def write(self, level: str, event: str, **fields: str | float | int | None) -> None:  # noqa: ARG002 - as the base
        """Hand on an error."""
        if level == "error":
            self._tell(self._instance, event)


class MemoryIntake(Intake):
    """The intake of a real process over journals in memory."""

    def __init__(self, seat: Seat, seats: tuple[Seat, ...], journals: Journals, log: ActorLog) -> None:
        super().__init__(seat, seats, NOWHERE, CountedRefusals(), log)
        self._payloads = MemoryPayloads(journals)
        heard = (name for name in self.streams if name in journals)  # nobody simulates the supervisor
        self.streams = {name: MemoryStream(journals[name], seat.instance, self._payloads) for name in heard}

    @property
    def refused(self) -> int:
        """How many messages were refused."""
        return self._refusals.count


class MemoryJournalledCursors(JournalledCursors):
    """The cursors that a journal in memory tells."""

    def __init__(self, journal: MemoryJournal) -> None:
        super().__init__(NOWHERE)
        self._journal = journal

    def last_segment(self) -> tuple[SegmentName, Path] | None:
        """The segment that is being written."""
        return max(((file.name, file.path) for file in self._journal.files), default=None)

    def open_segment(self, name: SegmentName, path: Path) -> SegmentReader:
        """A reader of that segment."""
        file = self._journal.file_of(name)
        if file is None:
            raise FileNotFoundError(2, "no such segment", str(path))
        return MemorySegment(file)


class MemoryRedelivery(Redelivery):
    """The redelivery of a real process over journals in memory."""

    def __init__(self, seat: Seat, seats: tuple[Seat, ...], journals: Journals) -> None:
        super().__init__(NOWHERE, seat.instance, boxed_receivers(seat, seats))
        self._journals = journals

    def stream_to(self, receiver: str) -> SenderStream:
        """What this sender has said to `receiver`."""
        return MemoryStream(self._journals[self.sender], receiver, MemoryPayloads(self._journals))

    def journal_of(self, receiver: str) -> JournalledCursors:
        """What the journal of `receiver` tells of what it has heard."""
        return MemoryJournalledCursors(self._journals[receiver])

    def heard_by(self, receiver: str) -> Cursor | None:
        """The last message that `receiver` has heard from this sender; None when that cannot be seen."""
        heard = None if self._journals[receiver].is_mute else self._journals[receiver].heard
        return None if heard is None else heard.get(self.sender, NOTHING)


class MemoryReadback(Readback):
    """The readback of a real process over journals in memory."""

    def __init__(self, seat: Seat, seats: tuple[Seat, ...], journals: Journals) -> None:
        super().__init__(seat, seats, NOWHERE)
        self._payloads = MemoryPayloads(journals)
        heard = (name for name in self._streams if name in journals)
        self._streams = {name: MemoryStream(journals[name], seat.instance, self._payloads) for name in heard}
