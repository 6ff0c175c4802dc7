"""Payloads read from the journals: large ones do not travel at all, and some journals name a payload instead of
holding it.

In: the place of a message, or the identity of one. Out: the bytes of its payload, checked. A tensor is in the
page cache when its sender has journalled it; reading it there costs a fraction of passing it through a socket. A
payload that a journal names by its first message is found by scanning that sender's segment once and remembering
offsets.
"""

import os
from pathlib import Path
from typing import Final, NamedTuple

from bus.codec import BytesLike
from bus.core import MessageRef
from bus.envelope import Place
from bus.errors import JournalError, MissingInputError
from bus.frame import Fault, Frame, FrameKind
from bus.segment import SegmentName, SegmentReader, list_segments
from bus.step import Outgoing, decode_step

LEFT_BEHIND_BYTES: Final = 64 * 1024
"""Payloads of a message of this size and more stay in its sender's journal."""


class _Held(NamedTuple):
    path: Path
    offset: int
    size: int


def travelling(payloads: tuple[BytesLike, ...]) -> tuple[BytesLike, ...]:
    """What goes through the socket: all payloads, or none when together they are better read from the journal."""
    return payloads if sum(map(len, payloads)) < LEFT_BEHIND_BYTES else ()


class PayloadStore:
    """Finds the first payload of any message of one run."""

    def __init__(self, run_folder: Path) -> None:
        self._run_folder = run_folder
        self._places: dict[MessageRef, _Held] = {}
        self._scanned: dict[Path, int] = {}
        self._reader: SegmentReader | None = None

    def at(self, sender: str, place: Place, seq: int) -> tuple[BytesLike, ...]:
        """The payloads of message `seq` of `sender` in the frame at `place`; raises MissingInputError."""
        name = SegmentName(place.epoch, place.segment_seq)
        path = self._run_folder / sender / name.file_name()
        try:
            if self._reader is None or self._reader.path != path:
                self.close()
                self._reader = SegmentReader(path)
            frame = self._reader.frame_at(place.offset)
            for out in decode_step(frame).outgoing if frame is not None else ():
                if out.seq == seq:
                    return self.complete(out)
        except (OSError, JournalError) as error:
            raise MissingInputError(f"{sender}/{place.epoch}/{seq}", str(error)) from error
        raise MissingInputError(f"{sender}/{place.epoch}/{seq}", f"no intact frame at {place.offset} of {path.name}")

    def complete(self, out: Outgoing) -> tuple[BytesLike, ...]:
        """All payloads of `out`, those included that its journal only names; raises MissingInputError."""
        if not any(out.origins):
            return out.payloads
        return tuple(
            payload if origin is None else self.resolve(origin)
            for payload, origin in zip(out.payloads, out.origins, strict=True)
        )

    def close(self) -> None:
        """Let go of the open segment."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def resolve(self, ref: MessageRef) -> bytes:
        """The first payload of message `ref`; raises MissingInputError when no journal holds it whole."""
        place = self._places.get(ref) or self._scan_for(ref)
        if place is None:
            raise MissingInputError("/".join(map(str, ref)), f"no whole frame of {ref.sender} holds its payload")
        fd = os.open(place.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(fd, place.size, place.offset)
        finally:
            os.close(fd)

    def _scan_for(self, ref: MessageRef) -> _Held | None:
        segments = list_segments(self._run_folder / ref.sender)
        wanted = SegmentName(ref.epoch, ref.seq)
        held = [path for name, path in segments if name <= wanted]
        if held:
            self._scan(held[-1], ref.sender)
        return self._places.get(ref)

    def _scan(self, path: Path, sender: str) -> None:
        reader = SegmentReader(path)
        try:
            start = self._scanned.get(path, reader.first_frame)
            for item in reader.frames(start, reader.size()):
                if isinstance(item, Fault):
                    continue
                self._scanned[path] = item.end
                if item.kind is FrameKind.STEP and len(item.payload):
                    self._remember(item, path, sender)
        finally:
            reader.close()

    def _remember(self, frame: Frame, path: Path, sender: str) -> None:
        name = SegmentName.parse(path)
        if name is None:
            return
        at = frame.payload_offset
        for out in decode_step(frame).outgoing:
            held = out.stored_payloads()
            if held and out.origins[0] is None:
                self._places[MessageRef(sender, name.epoch, out.seq)] = _Held(path, at, len(held[0]))
            at += sum(map(len, held))
