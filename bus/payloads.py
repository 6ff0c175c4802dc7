"""Payloads read from the journals: large ones do not travel at all, and some journals name a payload instead of
holding it.

In: the place of a message, or the identity of one. Out: the bytes of its payload, checked. A tensor is in the
page cache when its sender has journalled it; reading it there costs a fraction of passing it through a socket. A
payload that a journal names by its first message is found by scanning that sender's segment once and remembering
offsets.

A receiver that checks such a payload itself, against the hash in the message that names it, gets it as a view of the
mapped segment: neither copied nor checked here.
"""

from array import array
from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import Final

from bus.codec import BytesLike, unpack
from bus.core import MessageRef
from bus.envelope import Place
from bus.errors import DecodeError, JournalError, MissingInputError
from bus.frame import FRAME_HEADER_BYTES, Frame, FrameKind, parse_header
from bus.mapping import MappedFiles
from bus.segment import MOST_NAMES, SegmentName, SegmentReader, list_segments
from bus.step import MAX_BODY_BYTES, MAX_SEQ, Outgoing, decode_step

LEFT_BEHIND_BYTES: Final = 64 * 1024
"""Payloads of a message of this size and more stay in its sender's journal."""


MOST_VIEWS: Final = 1024
"""So many views are kept at a time."""


class _SegmentIndex:
    """Which frame of one segment holds the payload of which message; sixteen bytes a message."""

    def __init__(self, start: int) -> None:
        self.scanned = start
        self._seqs = array("q")
        self._offsets = array("q")

    def extend(self, reader: SegmentReader) -> None:
        """Take in the frames that were written since the last time."""
        for offset, end, body in reader.bodies(self.scanned, reader.size()):
            self.scanned = end
            for seq in _seqs_with_payload(body) if body else ():
                self._seqs.append(seq)
                self._offsets.append(offset)

    def offset_of(self, seq: int) -> int | None:
        """Where the frame begins that holds the payload of message `seq`, if this segment has it."""
        at = bisect_left(self._seqs, seq)
        return self._offsets[at] if at < len(self._seqs) and self._seqs[at] == seq else None


def _seqs_with_payload(body: bytes) -> list[int]:
    """The messages in the body of a step that have a payload there; what is no such body has none."""
    if len(body) > MAX_BODY_BYTES:
        return []
    try:
        _, _, rows, _ = unpack(body)
        return [row[3] for row in rows if row[7] and type(row[7][0]) is int and 0 < row[3] <= MAX_SEQ]
    except (DecodeError, ValueError, TypeError, LookupError):
        return []


def _segment_for(ref: MessageRef, held: list[tuple[SegmentName, Path]]) -> Path | None:
    """Of the segments `held`, oldest first, the one that the message is in if it is in any."""
    at = bisect_right(held, SegmentName(ref.epoch, ref.seq), key=lambda entry: entry[0])
    return held[at - 1][1] if at and held[at - 1][0].epoch == ref.epoch else None


def travelling(payloads: tuple[BytesLike, ...]) -> tuple[BytesLike, ...]:
    """What goes through the socket: all payloads, or none when together they are better read from the journal."""
    return payloads if sum(map(len, payloads)) < LEFT_BEHIND_BYTES else ()


class PayloadStore:
    """Reads the payloads of the messages of one run."""

    def __init__(self, run_folder: Path, checks_named: bool = True) -> None:
        """`checks_named`: payloads that a journal names are checked here; else the receiver checks them."""
        self._run_folder = run_folder
        self._checks_named = checks_named
        self._mapped = MappedFiles()
        self._views: dict[MessageRef, BytesLike] = {}
        self._segments: dict[str, list[tuple[SegmentName, Path]]] = {}
        self._indices: dict[Path, _SegmentIndex] = {}
        self._reader: SegmentReader | None = None

    def at(self, sender: str, place: Place, seq: int) -> tuple[BytesLike, ...]:
        """The payloads of message `seq` of `sender` in the frame at `place`; raises MissingInputError."""
        path = self._run_folder / sender / SegmentName(place.epoch, place.segment_seq).file_name()
        return self.complete(self._message(path, place.offset, MessageRef(sender, place.epoch, seq)))

    def complete(self, out: Outgoing) -> tuple[BytesLike, ...]:
        """All payloads of `out`, those included that its journal only names; raises MissingInputError."""
        if not any(out.origins):
            return out.payloads
        return tuple(
            payload if origin is None else self.resolve(origin)
            for payload, origin in zip(out.payloads, out.origins, strict=True)
        )

    def resolve(self, ref: MessageRef) -> BytesLike:
        """The first payload of message `ref`; raises MissingInputError when no journal holds it whole."""
        if ref in self._views:
            return self._views[ref]
        try:
            path, offset = self._frame_of(ref)
        except OSError as error:
            raise MissingInputError("/".join(map(str, ref)), str(error)) from error
        out = self._message(path, offset, ref) if self._checks_named else self._mapped_message(path, offset, ref)
        if not out.origins or out.origins[0] is not None:
            raise MissingInputError("/".join(map(str, ref)), f"its frame at {offset} of {path.name} holds no payload")
        if not self._checks_named:
            self._remember(ref, out.payloads[0])
        return out.payloads[0]

    def _remember(self, ref: MessageRef, view: BytesLike) -> None:
        """Dreams that help come again and again."""
        if len(self._views) >= MOST_VIEWS:
            self._views.clear()
        self._views[ref] = view

    def _frame_of(self, ref: MessageRef) -> tuple[Path, int]:
        """The segment that holds the payload of `ref`, and where its frame begins."""
        known = self._known_frame(ref)
        if known is not None:
            return known
        is_instance = Path(ref.sender).name == ref.sender
        held = list_segments(self._run_folder / ref.sender, most=MOST_NAMES) if is_instance else []
        self._segments[ref.sender] = held
        path = _segment_for(ref, held)
        if path is not None:
            reader = self._open(path)
            self._indices.setdefault(path, _SegmentIndex(reader.first_frame)).extend(reader)
        known = self._known_frame(ref)
        if known is None:
            raise MissingInputError("/".join(map(str, ref)), f"no frame of {ref.sender} holds its payload")
        return known

    def _known_frame(self, ref: MessageRef) -> tuple[Path, int] | None:
        """The same as far as it was looked up before."""
        path = _segment_for(ref, self._segments.get(ref.sender, []))
        index = self._indices.get(path) if path is not None else None
        offset = None if index is None else index.offset_of(ref.seq)
        return None if path is None or offset is None else (path, offset)

    def _message(self, path: Path, offset: int, ref: MessageRef) -> Outgoing:
        try:
            frame = self._open(path).frame_at(offset)
            for out in decode_step(frame).outgoing if frame is not None else ():
                if out.seq == ref.seq:
                    return out
        except (OSError, JournalError) as error:
            raise MissingInputError("/".join(map(str, ref)), str(error)) from error
        raise MissingInputError("/".join(map(str, ref)), f"no intact frame at {offset} of {path.name}")

    def _mapped_message(self, path: Path, offset: int, ref: MessageRef) -> Outgoing:
        """The same with payloads as views, unchecked; what holds no such message is refused as well."""
        try:
            start = offset + FRAME_HEADER_BYTES
            view, name = self._mapped.view, str(path)
            header = parse_header(view(name, offset, start))
            if header is None:
                raise ValueError("no frame begins there")
            middle = start + header.body_bytes
            body, payload = bytes(view(name, start, middle)), view(name, middle, offset + header.size)
            step = (FrameKind.STEP, header.step, header.wall_ns, body, payload, offset, header.checksum)
            for out in decode_step(Frame(*step)).outgoing:
                if out.seq == ref.seq:
                    return out
        except (OSError, JournalError, ValueError) as error:
            raise MissingInputError("/".join(map(str, ref)), str(error)) from error
        raise MissingInputError("/".join(map(str, ref)), f"no frame at {offset} of {path.name} holds it")

    def _open(self, path: Path) -> SegmentReader:
        if self._reader is None or self._reader.path != path:
            self.close()
            self._reader = SegmentReader(path)
        return self._reader

    def close(self) -> None:
        """Let go of all segments."""
        self._mapped.close()
        self._views.clear()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
