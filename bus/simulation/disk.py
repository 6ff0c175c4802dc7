"""Journals on a disk in memory: what is written, what is synced, and what a power cut leaves.

In: bytes of whole frames, at a virtual time. Out: the same bytes to every reader, at once; after a power cut no less
than what was synced. Policy `process` syncs at most once every `GROUP_SYNC_S`, as `bus.journal` does; under `power`
the writer waits for its sync. The part that was not synced is cut at any byte or reads as zeros.
"""

from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from bus.codec import pack
from bus.core import Cursor, StepPosition
from bus.frame import encode_head
from bus.segment import SegmentName
from bus.step import Outgoing

SYNCS_KEPT: Final = 4
LONG_AGO_NS: Final = -(1 << 62)
NO_STEP: Final = 0
"""Step number of a mark that is no step."""


class GroupSync:
    """When writes reach the disk: one sync at a time, the next no sooner than `interval_ns` after the end of one."""

    def __init__(self, interval_ns: int, takes_ns: int) -> None:
        self._interval_ns = interval_ns
        self._takes_ns = takes_ns
        self._starts = [LONG_AGO_NS]

    @property
    def window_ns(self) -> int:
        """The longest that a write can be without being on the disk."""
        return self._interval_ns + 2 * self._takes_ns

    def request(self, now_ns: int) -> None:
        """Plan the sync that covers a write of `now_ns`; one that has not begun covers it, too."""
        last = self._starts[-1]
        if now_ns > last:
            self._starts.append(max(now_ns, last + self._takes_ns + self._interval_ns))
            del self._starts[:-SYNCS_KEPT]

    def insist(self, begun_ns: int) -> None:
        """A sync that somebody has waited for began at `begun_ns`."""
        insort(self._starts, begun_ns)

    def covered_ns(self, now_ns: int) -> int:
        """Writes up to this time are on the disk."""
        return next((start for start in reversed(self._starts) if start + self._takes_ns <= now_ns), LONG_AGO_NS)


class Mark(NamedTuple):
    """The end of one frame, and when it was written."""

    end: int
    step: int
    at_ns: int


@dataclass
class SegmentFile:
    """One segment."""

    name: SegmentName
    path: Path
    data: bytearray
    marks: list[Mark] = field(default_factory=list)

    def lose_tail(self, covered_ns: int, draws: Random) -> list[Mark]:
        """Cut what is not covered by a sync, at any byte, or leave zeros there; the frames that are gone."""
        fraction, leaves_zeros = draws.random(), draws.random() < 0.5
        kept = 0
        for mark in self.marks:
            if mark.at_ns > covered_ns:
                break
            kept = mark.end
        else:
            return []
        size = len(self.data)
        cut = kept + int(fraction * (size - kept))
        lost = [mark for mark in self.marks if mark.end > cut]
        del self.data[cut:], self.marks[len(self.marks) - len(lost) :]
        if leaves_zeros:
            self.data += bytes(size - cut)
        return lost


class LostFrame(NamedTuple):
    """A frame that a power cut has taken."""

    at: StepPosition
    written_ns: int


HINT_LOST: Final = 0.5
"""How often a power cut takes the file of cursors, which nobody syncs; otherwise it may be ahead of the journal."""
HINT_GONE: Final = 0.1
"""How often it takes it for good: what is written then is seen by nobody."""


class Cut(NamedTuple):
    """What a power cut did to a journal."""

    lost: list[LostFrame]
    """Frames that are gone, oldest first."""
    has_hole: bool
    """Whether something is left that was written after what is gone."""


@dataclass
class MemoryJournal:
    """The segments of one actor; outlives its processes."""

    instance: str
    sync: GroupSync
    files: list[SegmentFile] = field(default_factory=list)
    said: dict[str, Cursor] = field(default_factory=dict)
    """The last message to each receiver that can be read here."""
    heard: dict[str, Cursor] | None = None
    """What the actor shows that it has heard; None before it does, and after a power cut took that."""
    is_mute: bool = False
    """Whether nothing that the actor shows can be seen any more."""
    places: dict[tuple[int, int], tuple[SegmentFile, int]] = field(default_factory=dict)
    """Epoch and seq of a message that came with its payload: where its frame began, unless a power cut took it."""

    def begin_segment(self, name: SegmentName, head: Mapping[str, object], now_ns: int) -> None:
        """Start a segment; refuses, as the file system does, a name that is taken."""
        if any(file.name == name for file in self.files):
            raise FileExistsError(17, "a segment of this name exists", name.file_name())
        data = encode_head(pack(dict(head)))
        self.files.append(SegmentFile(name, Path(name.file_name()), bytearray()))
        self.append(data, (Mark(len(data), NO_STEP, now_ns),), now_ns)

    def append(self, data: bytes, marks: tuple[Mark, ...] | list[Mark], now_ns: int) -> None:
        """Add bytes to the last segment; without marks they are a part of a frame."""
        file = self.files[-1]
        file.data += data
        file.marks.extend(marks)
        self.sync.request(now_ns)

    def note(self, epoch: int, out: Outgoing, offset: int) -> None:
        """`out` is in the frame at `offset` of the last segment."""
        self.said[out.receiver] = Cursor(epoch, out.seq)
        if out.payloads and out.origins[0] is None:
            self.places[epoch, out.seq] = (self.files[-1], offset)

    def size(self) -> int:
        """Bytes of the last segment."""
        return len(self.files[-1].data)

    def file_of(self, name: SegmentName) -> SegmentFile | None:
        """The segment called `name`."""
        return next((file for file in reversed(self.files) if file.name == name), None)

    def cut_power(self, now_ns: int, draws: Random) -> Cut:
        """Lose what no sync has covered."""
        covered, has_hole = self.sync.covered_ns(now_ns), False
        lost: list[LostFrame] = []
        for file in self.files:
            gone = file.lose_tail(covered, draws)
            has_hole |= bool(lost and file.marks)
            at = ((StepPosition(file.name.epoch, mark.step), mark) for mark in gone if mark.step != NO_STEP)
            lost += [LostFrame(position, mark.at_ns) for position, mark in at]
        self.files = [file for file in self.files if file.data]
        fate = draws.random()
        if fate < HINT_LOST:
            self.heard = None
        self.is_mute |= fate < HINT_GONE
        return Cut(lost, has_hole)
