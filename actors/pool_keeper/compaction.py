"""Evicted dreams leave the tables, and the space of their blobs is reclaimed.

In: sequences to bury, bytes that were freed. Out: tombstones in place of dreams; segments that lost most of their blobs
copied to the end of the pool and deleted, a bounded part with each commit after the one that found it due.

When a compaction is due is a function of the inputs alone, so that a replay finds it at the same step: as soon as the
tensors in the pool are less than a set share of these and those evicted since the last one. What it then does to files
depends on how they lie, and shows in no answer. Copied blobs and the rows that name them are one transaction, and the
old segment is deleted after its commit: killed before, the copy is an uncommitted tail; killed after, the old one is a
file that no row names. A segment that cannot be read whole stays as it is; a full disk puts the rest off to the next
compaction.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate, islice, takewhile
from typing import Final, NamedTuple

from actors.pool_keeper import rows
from actors.pool_keeper.blobs import BlobFiles, Place

LEAST_MOVED_BYTES: Final = 4 * 1024 * 1024
"""A commit moves as much as it adds itself, or this, and at least one blob."""


class Moment(NamedTuple):
    """When something happened."""

    ts_ns: int
    pool_sequence: int
    run_id: str


def bury(connection: sqlite3.Connection, sequences: Sequence[int], moment: tuple[int, int, str]) -> int:
    """Turn dreams into tombstones; the bytes of their blobs. Raises sqlite3.Error."""
    freed = 0
    for sequence in sequences:
        connection.execute(rows.BURY, (*moment, sequence))
        place = connection.execute(rows.TAKE_PLACE, (sequence,)).fetchone()
        if place is not None:
            connection.execute(rows.SHRINK_SEGMENT, (place[0], -place[1]))
        (size,) = connection.execute(rows.TAKE_SIGNATURE, (sequence,)).fetchone()
        freed += size
        for table in ("dreams", "utilities"):
            connection.execute(f"DELETE FROM {table} WHERE sequence = ?", (sequence,))  # noqa: S608
    return freed


class Compaction:
    """Keeps count of what was evicted, and moves what is left of segments."""

    def __init__(self, connection: sqlite3.Connection, blobs: BlobFiles, compact_below: float) -> None:
        """Take up the count where the pool file has it. Raises sqlite3.Error."""
        self._connection = connection
        self._blobs = blobs
        self._compact_below = compact_below
        self._dead_bytes = self._kept_dead_bytes = int(connection.execute(rows.SELECT_DEAD_BYTES).fetchone()[0])
        self._due: list[int] = []
        """Segments that the open transaction found due."""
        self._owed: list[int] = []
        """Segments of which something is still to be moved."""
        self._emptied: list[int] = []
        """Segments that nothing names once the open transaction is committed."""

    def free(self, freed_bytes: int, live_bytes: int, moment: tuple[int, int, str]) -> bool:
        """Count blobs that were evicted; whether a compaction begins. Raises sqlite3.Error."""
        self._dead_bytes += freed_bytes
        if live_bytes >= self._compact_below * (live_bytes + self._dead_bytes):
            return False
        connection, when = self._connection, Moment(*moment)
        row = (None, when.ts_ns, when.pool_sequence, self._dead_bytes, when.run_id)
        connection.execute("INSERT INTO compactions VALUES (?, ?, ?, ?, ?)", row)
        connection.execute(rows.SET_LAST_COMPACTION, (str(when.ts_ns),))
        self._dead_bytes = 0
        limits = (self._blobs.current, self._compact_below)
        self._due = [segment for (segment,) in connection.execute(rows.SELECT_SPARSE_SEGMENTS, limits)]
        return True

    def move_some(self) -> None:
        """Copy about as much of what is owed as the open transaction adds. Raises sqlite3.Error, OSError."""
        room = max(LEAST_MOVED_BYTES, sum(growth.added_bytes for growth in self._blobs.growth())) if self._owed else 0
        while self._owed and room > 0:
            segment = self._owed.pop(0)
            found = [(sequence, Place(segment, *place)) for sequence, *place in self._held(segment)]
            if not self._blobs.holds([place for _, place in found]):
                continue
            part = list(islice(found, _fitting([place.length for _, place in found], room)))
            room -= sum(place.length for _, place in part)
            if self._move(segment, part) and len(part) < len(found):
                self._owed.insert(0, segment)

    def _held(self, segment: int) -> list[tuple[int, int, int]]:
        return self._connection.execute(rows.SELECT_SEGMENT, (segment,)).fetchall()

    def _move(self, segment: int, part: Sequence[tuple[int, Place]]) -> bool:
        """Copy blobs to the end of the pool; False when one cannot be read whole, and none is then moved."""
        read = [(sequence, place, self._blobs.read(place)) for sequence, place in part]
        if any(len(blob) < place.length for _, place, blob in read):
            return False
        moved = [(*self._blobs.append(blob)[:2], sequence) for sequence, _, blob in read]
        self._connection.executemany("UPDATE blobs SET segment = ?, offset = ? WHERE sequence = ?", moved)
        self._connection.execute(rows.SHRINK_SEGMENT, (segment, -sum(place.length for _, place in part)))
        if not self._held(segment):
            self._connection.execute("DELETE FROM segments WHERE segment = ?", (segment,))
            self._emptied.append(segment)
        return True

    def settle(self) -> None:
        """The open transaction is committed."""
        for segment in self._emptied:
            with suppress(OSError):  # it is removed at the next start, as a file that no row names
                self._blobs.remove(segment)
        self._owed += [segment for segment in self._due if segment not in self._owed]
        self._due, self._emptied = [], []
        self._kept_dead_bytes = self._dead_bytes

    def roll_back(self) -> None:
        """Forget what the open transaction did; a move that failed waits for the next compaction."""
        self._due, self._owed, self._emptied = [], [], []
        self._dead_bytes = self._kept_dead_bytes


def _fitting(lengths: Sequence[int], room: int) -> int:
    """How many of the first `lengths` fit into `room`; at least one."""
    return max(1, sum(1 for _ in takewhile(lambda total: total <= room, accumulate(lengths))))
