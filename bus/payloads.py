"""Payloads that a journal names instead of holding: found again in the journal of the actor that first sent them.

In: the identity of a message of the run. Out: the bytes of its payload. Each segment is scanned once and its payloads
remembered by offset, so that the next look-up is one read.
"""

import os
from pathlib import Path
from typing import NamedTuple

from bus.core import MessageRef
from bus.errors import MissingInputError
from bus.frame import FRAME_HEADER_BYTES, Fault, Frame, FrameKind
from bus.segment import SegmentName, SegmentReader, list_segments
from bus.step import decode_step


class _Place(NamedTuple):
    path: Path
    offset: int
    size: int


class PayloadStore:
    """Finds the first payload of any message of one run."""

    def __init__(self, run_folder: Path) -> None:
        self._run_folder = run_folder
        self._places: dict[MessageRef, _Place] = {}
        self._scanned: dict[Path, int] = {}

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

    def _scan_for(self, ref: MessageRef) -> _Place | None:
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
                self._scanned[path] = item.offset + FRAME_HEADER_BYTES + len(item.body) + len(item.payload)
                if item.kind is FrameKind.STEP and len(item.payload):
                    self._remember(item, path, sender)
        finally:
            reader.close()

    def _remember(self, frame: Frame, path: Path, sender: str) -> None:
        name = SegmentName.parse(path)
        if name is None:
            return
        at = frame.offset + FRAME_HEADER_BYTES + len(frame.body)
        for out in decode_step(frame).outgoing:
            held = out.stored_payloads()
            if held and out.origins[0] is None:
                self._places[MessageRef(sender, name.epoch, out.seq)] = _Place(path, at, len(held[0]))
            at += sum(map(len, held))
