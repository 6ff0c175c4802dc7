"""The dream pool on disk: a SQLite file, segments of blobs beside it, one writer, and the interface logs.

In: rows to add, dreams to evict and lookups, inside one open transaction; then `commit`, which writes the blobs, the
logs, the position, the cursors and the data as one: blobs lie in their segment before the row that names them is
committed. Out: rows, and columns that always equal the tables. It refuses a second writer, a newer file and a damaged
one. Nothing is durable before `commit`; when anything fails, all since the last commit is taken back, in the file, in
the segments, in the logs and in memory, and a `PoolError` says why. Reading with another program while this one runs
is welcome.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from actors.pool_keeper import rows, schema
from actors.pool_keeper.atlas import Atlas
from actors.pool_keeper.blobs import BLOB_FOLDER, INLINE_BYTES, BlobFiles, tensor_of
from actors.pool_keeper.columns import Columns, Integers
from actors.pool_keeper.compaction import Compaction, bury
from actors.pool_keeper.connection import (
    LOCK_FILE,
    POOL_FILE,
    StoreSettings,
    connect,
    empty_log,
    hold,
    named,
    version_of,
)
from actors.pool_keeper.copying import snapshot
from actors.pool_keeper.errors import PoolDamagedError, PoolError
from actors.pool_keeper.eviction import Utility
from actors.pool_keeper.group_sync import FOLDED_PARTS, GroupSync
from actors.pool_keeper.interface_log import InterfaceLog, LogName, LogRecord
from actors.pool_keeper.migration import Tell, migrate_file, silent
from actors.pool_keeper.rows import Measures, Row, StoredTensor
from bus.core import Cursor, MessageRef, StepPosition
from schemas.dreams import DreamEntry

LOG_FOLDER: Final = "logs/interface"

PUT_PROGRESS: Final = "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?)"
LOAD_ROWS: Final = 16384
"""Signatures read at a time at start, so that start needs little memory beside the columns."""
QUIET_S: Final = 2.0
"""The write-ahead log is emptied after so long without a commit."""


class PoolStore:
    """The open pool. `bus.core.DurableState` for the host, rows for the core."""

    def __init__(
        self,
        home: Path,
        settings: StoreSettings,
        clock: Callable[[], float] = time.monotonic,
        tell: Tell = silent,
    ) -> None:
        """Open or make the pool under `home`, migrating an older one, of which `tell` hears. Raises PoolError.

        `clock` (seconds) only decides when upkeep is due.
        """
        self._home = home
        self.columns = Columns()
        self.atlas = Atlas(self.columns)
        self._settings = settings
        self._clock = clock
        self._is_open = True
        self._pending_bytes = 0
        self._mark()
        self._last_commit_s = clock()
        self._tallies: dict[str, int] = {}
        self._changed: dict[str, int] = {}
        self._cursors: dict[str, Cursor] = {}
        self._position: StepPosition | None = None
        try:
            (home / POOL_FILE).parent.mkdir(parents=True, exist_ok=True)
            self._lock = hold(home / LOCK_FILE)
        except OSError as error:
            raise named(error) from error
        try:
            migrate_file(home, settings.layout, settings.segment_bytes, tell)
            self._open()
        except (sqlite3.Error, OSError) as error:
            self._abandon()
            raise named(error) from error
        except PoolError:
            self._abandon()
            raise

    # -- the host's side: bus.core.DurableState --

    def position(self) -> StepPosition | None:
        """The last committed step of this run."""
        return self._position

    def cursors(self) -> Mapping[str, Cursor]:
        """The committed cursors of this run, by sender."""
        return dict(self._cursors)

    def commit(self, position: StepPosition, cursors: Mapping[str, Cursor]) -> None:
        """Blobs, log lines, then one COMMIT of data, position, cursors and lengths. Raises PoolError, rolled back."""
        with self._writing() as connection:
            self._compaction.move_one()
            connection.executemany(rows.GROW_SEGMENT, self._blobs.growth())
            if self._settings.is_power_safe:
                self._blobs.sync()
            grown = self._log.write()
            connection.executemany(PUT_PROGRESS, self._progress(position, cursors, grown))
            connection.execute("COMMIT")
        self._log.settle(grown)
        self._blobs.settle()
        self._compaction.settle()
        self._position = position
        self._cursors.update(cursors)
        self._tallies.update(self._changed)
        self._changed.clear()
        logged_bytes = 4 * self._settings.page_size_bytes + self._inline_bytes
        self._pending_bytes += logged_bytes
        self._mark()
        self._last_commit_s = self._clock()
        self._group_sync.request(logged_bytes, self._blobs.current)

    def maintain(self) -> None:
        """Fold the write-ahead log into the pool file and empty it when nothing is going on."""
        is_quiet = self._clock() - self._last_commit_s >= QUIET_S
        if is_quiet and self._pending_bytes and not self._connection.in_transaction and empty_log(self._connection):
            self._pending_bytes = 0

    def close(self) -> None:
        """Release the pool; what was not committed is dropped. Closing twice does nothing more."""
        if self._is_open:
            self._is_open = False
            self._roll_back()
            self._abandon()

    # -- the core's side --

    @property
    def run_id(self) -> str:
        """The run that this store serves."""
        return self._settings.run_id

    @property
    def repairs(self) -> tuple[str, ...]:
        """What was found and mended in the logs and the segments at start, in words."""
        return (*self._log.repairs, *self._blobs.repairs)

    def log(self, name: LogName, record: LogRecord) -> None:
        """Add a line to an interface log, with the next commit; it names the run as well."""
        self._log.append(name, {**record, "run_id": self.run_id})

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a tally, with the next commit."""
        self._changed[name] = self.tally(name) + amount

    def tally(self, name: str) -> int:
        """A count since the pool was made."""
        return self._changed.get(name, self._tallies.get(name, 0))

    def add_dream(self, entry: DreamEntry, origin: MessageRef) -> int:
        """Store a dream; its sequence. `origin` is the message of this run that holds the blob."""
        sequence = self.columns.last_sequence + 1
        signature = rows.signature_of(entry, sequence)
        with self._writing() as connection:
            inline = self._put_blob(sequence, entry.tensor_blob)
            connection.execute(rows.INSERT_DREAM, rows.dream_row(entry, sequence, self.run_id, origin, inline))
            connection.execute(rows.INSERT_SIGNATURE, signature)
            if entry.parents:
                lineage = [(parent, entry.id) for parent in dict.fromkeys(entry.parents)]
                connection.executemany("INSERT INTO lineage VALUES (?, ?)", lineage)
        self.columns.append(signature)
        return sequence

    def evict(self, evicted: Integers, now_ns: int) -> bool:
        """Take rows of the columns out of the pool, never the last; their facts stay. Whether a compaction begins."""
        sequences, at = self.columns.sequence[evicted].tolist(), self.columns.last_sequence
        with self._writing() as connection:
            freed = bury(connection, sequences, (now_ns, at, self.run_id))
            self._has_evicted = True
            self.columns.remove(evicted, freed)
            return self._compaction.free(freed, self.columns.blob_bytes, (now_ns, at, self.run_id))

    def blob_bytes_of(self, sequence: int) -> int:
        """Size of a stored blob."""
        found = self.row("SELECT blob_bytes FROM signatures WHERE sequence = ?", sequence)
        return 0 if found is None else int(str(found[0]))

    def pin(self, entry_id: str, is_pinned: bool, now_ns: int) -> None:
        """From now on the dream is never evicted, or may be again."""
        self.insert("pins", (None, entry_id, int(is_pinned), now_ns, self.run_id))

    def pinned(self) -> list[int]:
        """Sequences of the stored dreams that are pinned."""
        with self._reading() as connection:
            return [sequence for (sequence,) in connection.execute(rows.SELECT_PINNED)]

    def add_utility(self, sequence: int, utility: float) -> None:
        """Count one feedback record on a stored dream."""
        with self._writing() as connection:
            connection.execute(rows.ADD_UTILITY, (sequence, utility))

    def utilities(self) -> dict[int, Utility]:
        """The feedback on every stored dream that has some, by sequence."""
        with self._reading() as connection:
            found = connection.execute("SELECT sequence, records, total FROM utilities ORDER BY sequence")
            return {sequence: Utility(records, total) for sequence, records, total in found}

    def trace(self, dream_id: str) -> tuple[int, bytes] | None:
        """Sequence and tensor hash of a dream that is or was in the pool."""
        with self._reading() as connection:
            found: tuple[int, bytes] | None = connection.execute(rows.SELECT_TRACE, (dream_id,)).fetchone()
        return found

    def known_facts_row(self, dream_id: str) -> Row | None:
        """The row of `rows.FACT_COLUMNS` of a dream that is or was in the pool."""
        return self.row(rows.SELECT_KNOWN_FACTS, dream_id)

    def sequence_of(self, dream_id: str) -> int | None:
        """The sequence of a dream, or None when the pool does not hold it."""
        found = self.row("SELECT sequence FROM dreams WHERE id = ?", dream_id)
        return None if found is None else int(str(found[0]))

    def facts_row(self, sequence: int) -> Row | None:
        """The row of `rows.FACT_COLUMNS` of a dream."""
        return self.row(rows.SELECT_FACTS, sequence)

    def tensor(self, sequence: int) -> StoredTensor | None:
        """The blob of a dream as it lies on the disk; verifying is the caller's part."""
        with self._reading() as connection:
            found = connection.execute(rows.SELECT_TENSOR, (sequence,)).fetchone()
            return None if found is None else tensor_of(self._blobs.folder, found)

    def measures_of(self, dream_id: str) -> Measures:
        """Colour, entropy and source of a dream that is or was in the pool."""
        with self._reading() as connection:
            *colour, entropy, source = connection.execute(rows.SELECT_MEASURES, (dream_id,)).fetchone()
        return Measures((colour[0], colour[1], colour[2]), entropy, source)

    def answers(self, query_id: str, learner: str) -> list[str]:
        """Entry ids of every answer that `learner` got to `query_id`, one text of ids for each answer."""
        sql = "SELECT entry_ids FROM retrievals WHERE query_id = ? AND learner = ? ORDER BY serial"
        with self._reading() as connection:
            return [text for (text,) in connection.execute(sql, (query_id, learner))]

    def row(self, sql: str, *parameters: rows.Value) -> Row | None:
        """The first row of a query."""
        with self._reading() as connection:
            found: Row | None = connection.execute(sql, parameters).fetchone()
        return found

    def snapshot(self, target: Path) -> Path:
        """Put what is committed into the new folder `target`, blobs as links; its pool file. Raises PoolError."""
        try:
            return snapshot(self._home, target)
        except (sqlite3.Error, OSError) as error:
            raise named(error) from error

    def insert(self, table: str, values: Sequence[rows.Value]) -> None:
        """Add one row to a table named in `schema.TABLES`."""
        with self._writing() as connection:
            connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608

    # -- inside --

    def _progress(
        self, position: StepPosition, cursors: Mapping[str, Cursor], grown: Mapping[LogName, int]
    ) -> Iterator[Row]:
        """Rows of `progress` that a commit changes."""
        run_id = self._settings.run_id
        yield ("position", run_id, "", *position)
        for sender, at in cursors.items():
            if self._cursors.get(sender) != at:
                yield ("cursor", run_id, sender, *at)
        yield from _numbers("log", grown)
        yield from _numbers("tally", self._changed)

    def _open(self) -> None:
        home, settings = self._home, self._settings
        self._connection = connect(home / POOL_FILE, settings)
        self._log = self._open_log(home / LOG_FOLDER)
        self._blobs = self._open_blobs(home / BLOB_FOLDER)
        self._compaction = Compaction(self._connection, self._blobs, settings.compact_below)
        self._load()
        wal = home / f"{POOL_FILE}-wal"
        self._pending_bytes = wal.stat().st_size
        synced = None if settings.is_power_safe else wal
        fold_bytes = settings.checkpoint_bytes // FOLDED_PARTS
        folding = connect(home / POOL_FILE, settings)
        self._group_sync = GroupSync(synced, self._blobs.sync_segment, folding, fold_bytes)

    def _open_log(self, folder: Path) -> InterfaceLog:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        version = version_of(connection)
        schema.migrate(connection, version)
        if not version:
            connection.execute("INSERT INTO meta VALUES ('layout', ?)", (self._settings.layout,))
        committed = dict(connection.execute("SELECT name, committed_bytes FROM interface_logs"))
        log = InterfaceLog(folder, committed if version else None, self._settings.is_power_safe)
        if log.lengths != committed:
            connection.executemany(PUT_PROGRESS, _numbers("log", log.lengths))
        connection.execute("COMMIT")
        return log

    def _open_blobs(self, folder: Path) -> BlobFiles:
        known = dict(self._connection.execute("SELECT segment, bytes FROM segments"))
        return BlobFiles(folder, known, self._settings.segment_bytes, self._settings.is_power_safe)

    def _put_blob(self, sequence: int, blob: bytes) -> bytes:
        """Append `blob` to a segment, or leave it to its row: what the row is to hold."""
        if self._settings.layout == "sqlite" or len(blob) <= INLINE_BYTES:
            self._inline_bytes += len(blob)
            return blob
        place = self._blobs.append(blob)
        self._connection.execute("INSERT INTO blobs VALUES (?, ?, ?, ?)", (sequence, *place))
        return b""

    def _load(self) -> None:
        connection, run = self._connection, (self._settings.run_id,)
        self._load_columns()
        last = connection.execute("SELECT max(sequence) FROM dreams").fetchone()[0] or 0
        if last != self.columns.last_sequence:
            raise PoolDamagedError(f"pool file holds dreams up to {last}, signatures to {self.columns.last_sequence}")
        self._tallies = dict(connection.execute("SELECT name, value FROM tallies"))
        found = connection.execute("SELECT epoch, step FROM positions WHERE run_id = ?", run).fetchone()
        self._position = StepPosition(*found) if found else None
        cursors = connection.execute("SELECT sender, epoch, seq FROM cursors WHERE run_id = ?", run)
        self._cursors = {sender: Cursor(epoch, seq) for sender, epoch, seq in cursors}
        self._mark()

    def _load_columns(self) -> None:
        signatures = self._connection.execute(rows.SELECT_SIGNATURES)
        while chunk := signatures.fetchmany(LOAD_ROWS):
            self.columns.extend(chunk)

    def _mark(self) -> None:
        """What is in memory now is committed."""
        self._committed_rows = self.columns.count
        self._committed_blob_bytes = self.columns.blob_bytes
        self._has_evicted = False
        self._inline_bytes = 0

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection
        except (sqlite3.Error, OSError) as error:
            self._roll_back()
            raise named(error) from error

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection
        except (sqlite3.Error, OSError) as error:
            self._roll_back()
            raise named(error) from error

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
        if self._has_evicted:
            self.columns.truncate(0, 0)
            with suppress(sqlite3.Error):
                self._load_columns()
        self.columns.truncate(self._committed_rows, self._committed_blob_bytes)
        self._has_evicted = False
        self._inline_bytes = 0
        self._changed.clear()
        self._log.roll_back()
        self._blobs.roll_back()
        self._compaction.roll_back()

    def _abandon(self) -> None:
        for part in ("_group_sync", "_blobs", "_log", "_connection"):
            if hasattr(self, part):
                getattr(self, part).close()
        os.close(self._lock)


def _numbers(kind: str, numbers: Mapping[str, int] | Mapping[LogName, int]) -> Iterator[Row]:
    return ((kind, "", name, 0, number) for name, number in numbers.items())
