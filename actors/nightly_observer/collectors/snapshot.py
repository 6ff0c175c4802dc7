"""The snapshot of the pool that a night looks at, opened such that nothing beside it changes.

In: one SQLite file that the pool-keeper made, opened with `mode=ro&immutable=1`; which dreams were stored in the day.
Out: the columns of the pool at the end of the day, feedback of earlier times, bounds, and tensors on request. Rows that
came later, or left before, are passed over; rows with values out of range are counted. A file that is absent, damaged
or lacks a table is named. No file is written, no `-wal` or `-shm` made.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from actors.nightly_observer.collectors.interface_logs import FeedbackRows, Stored
from actors.nightly_observer.collectors.pool_rows import Cells, PoolRows, Seen
from actors.nightly_observer.collectors.span import Span, Troubles
from actors.nightly_observer.collectors.tensor_reading import SnapshotTensors
from actors.nightly_observer.day import ABSENT, SNAPSHOT, UNREADABLE, Integers, NoTensors, Tensors

READ_AT_ONCE: Final = 4096
HAS_TENSORS: Final = "SELECT 1 FROM sqlite_master WHERE name = 'tensors'"
NUMBERS: Final = ("chroma_r", "chroma_g", "chroma_b", "coherence", "spectral_entropy")
COLUMNS: Final = ("sequence", "id", "ts", *NUMBERS, "parents", "factoid_ids", "tensor_sha256", "blob_bytes")
LINEAGE: Final = (
    "CASE WHEN parents <> '[]' AND json_valid(metadata_json)"
    " THEN json_extract(metadata_json, '$.seed', '$.episode', '$.seeded') END"
)


class Snapshot:
    """One open snapshot."""

    def __init__(self, path: Path, troubles: Troubles) -> None:
        self._troubles = troubles
        self._connection: sqlite3.Connection | None = None
        if not path.is_file():
            troubles.add(SNAPSHOT, ABSENT)
            return
        try:
            self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
            self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error:
            self._fail()

    def _fail(self) -> None:
        self._troubles.add(SNAPSHOT, UNREADABLE)
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def committed_bytes(self) -> dict[str, int]:
        """How far each interface log was committed; nothing for a log that the snapshot does not name."""
        found = self._rows("SELECT name, committed_bytes FROM interface_logs", "interface_logs")
        return {name: size for name, size in found if isinstance(name, str) and isinstance(size, int)}

    def see(self, span: Span, stored: Stored) -> Seen:
        """The dreams of the pool at the end of the day."""
        rows = PoolRows(span, stored, self._troubles)
        for cells in self._dreams():
            rows.take(cells)
        sequences, pool, row_of, bounds = rows.gathered(self._pinned(span.to_ns))
        bounds = bounds._replace(compactions_ns=self._compactions(span.to_ns))
        return Seen(pool, row_of, bounds, self._tensors(sequences))

    def take_feedback(self, rows: Mapping[str, int], before_ns: int, into: FeedbackRows) -> None:
        """Add the feedback that was given before a time."""
        names = ("entry_id", "query_id", "learner", "utility", "contribution")
        sql = f"SELECT ts, {', '.join(names)} FROM feedback WHERE ts < {int(before_ns)} ORDER BY rowid"  # noqa: S608
        for ts_ns, *cells in self._rows(sql, "feedback"):
            if not isinstance(ts_ns, int) or not into.take(rows, ts_ns, dict(zip(names, cells, strict=True))):
                self._troubles.add(SNAPSHOT, "feedback of another form")

    def _dreams(self) -> Iterator[Cells]:
        for table, evicted in (("dreams", "NULL"), ("tombstones", "evicted_ts")):
            sql = f"SELECT {', '.join(COLUMNS)}, {LINEAGE}, {evicted} FROM {table}"  # noqa: S608
            yield from self._rows(sql, table)

    def _pinned(self, to_ns: int) -> set[str]:
        sql = f"SELECT entry_id, is_pinned FROM pins WHERE ts < {int(to_ns)} ORDER BY serial"  # noqa: S608 - a number
        last = {entry: is_pinned for entry, is_pinned in self._rows(sql, "pins") if isinstance(entry, str)}
        return {entry for entry, is_pinned in last.items() if is_pinned}

    def _compactions(self, to_ns: int) -> tuple[int, ...]:
        sql = f"SELECT ts FROM compactions WHERE ts < {int(to_ns)} ORDER BY ts"  # noqa: S608 - a number
        return tuple(ts_ns for (ts_ns,) in self._rows(sql, "compactions") if isinstance(ts_ns, int))

    def _tensors(self, sequences: Integers) -> Tensors:
        if self._connection is None or not list(self._rows(HAS_TENSORS, "sqlite_master")):
            return NoTensors()
        return SnapshotTensors(self._blob, sequences)

    def _blob(self, sequence: int) -> bytes | None:
        """A tensor as it is stored."""
        found = list(self._rows(f"SELECT blob FROM tensors WHERE sequence = {int(sequence)}", "tensors"))  # noqa: S608
        return found[0][0] if found and isinstance(found[0][0], bytes) else None

    def _rows(self, sql: str, table: str) -> Iterator[Cells]:
        if self._connection is None:
            return
        try:
            cursor = self._connection.execute(sql)
            while some := cursor.fetchmany(READ_AT_ONCE):
                yield from some
        except sqlite3.OperationalError as error:
            is_lacking = "no such" in str(error) and table != "dreams"
            self._troubles.add(SNAPSHOT, f"table {table} is lacking" if is_lacking else UNREADABLE)
        except (sqlite3.DatabaseError, UnicodeDecodeError, OverflowError):
            self._troubles.add(SNAPSHOT, UNREADABLE)
