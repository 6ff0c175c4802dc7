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
from actors.pool_keeper.blobs import BLOB_FOLDER, INLINE_BYTES, BlobFiles, Place
from actors.pool_keeper.column_keeping import WORTH_ROWS, ColumnKeeping
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
from actors.pool_keeper.friend_tables import FriendTables
from actors.pool_keeper.group_sync import FOLDED_PARTS, GroupSync
from actors.pool_keeper.interface_log import InterfaceLog, LogName, LogRecord
from actors.pool_keeper.loading import load_columns
from actors.pool_keeper.lookups import Lookups
from actors.pool_keeper.migration import Tell, migrate_file, silent
from actors.pool_keeper.niches import Niches, Utility
from actors.pool_keeper.progress import PUT_PROGRESS, cursor_rows, number_rows, position_row
from actors.pool_keeper.rows import StoredTensor
from bus.core import Cursor, MessageRef, StepPosition
from schemas.dreams import DreamEntry

LOG_FOLDER: Final = "logs/interface"

UNSEEN_ROWS: Final = 1024
"""New rows are taken into the niches so many at a time, while none is needed of them."""
PAGES: Final = 4
PAGES_OF_NEW: Final = 4
PAGES_OF_EVICTED: Final = 9
"""Pages of a large pool file that a commit, a new dream in it, and an evicted one change."""
QUIET_S: Final = 2.0
"""The write-ahead log is emptied after so long without a commit."""
IDLE_HOLES: Final = 16
BUSY_HOLES: Final = 8
"""Rows move up when more than one in so many is a hole,"""
SMALL_ROWS: Final = 1024
"""and at once where there are no more."""


class PoolStore(Lookups):
    """The open pool. `bus.core.DurableState` for the host, rows for the core."""

    def __init__(
        self,
        home: Path,
        settings: StoreSettings,
        clock: Callable[[], float] = time.monotonic,
        tell: Tell = silent,
        worth_rows: int = WORTH_ROWS,
    ) -> None:
        """Open or make the pool under `home`, migrating an older one, of which `tell` hears. Raises PoolError.

        `clock` (seconds) only decides when upkeep is due, `worth_rows` when the columns are written to their file.
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
        self._niches: Niches | None = None
        self._position: StepPosition | None = None
        try:
            (home / POOL_FILE).parent.mkdir(parents=True, exist_ok=True)
            self._lock = hold(home / LOCK_FILE)
        except OSError as error:
            raise named(error) from error
        try:
            migrate_file(home, settings.layout, settings.segment_bytes, tell)
            self._open(tell, worth_rows)
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
        """Blobs, log lines, then one COMMIT of data, position, cursors and lengths. Raises PoolError, rolled back.

        Before the first effect of a run nothing is: its steps are repeated from its journal, and a run that only looks
        leaves the pool as it was, to the last byte.
        """
        if self._position is None and not (self._connection.in_transaction or self._log.has_lines or self._changed):
            return
        with self._writing() as connection:
            self._vouch()
            self._compaction.move_some()
            connection.executemany(rows.GROW_SEGMENT, self._blobs.growth())
            if self._settings.is_power_safe:
                self._blobs.sync()
            grown = self._log.write()
            connection.execute(PUT_PROGRESS, position_row(self.run_id, position))
            connection.executemany(PUT_PROGRESS, cursor_rows(self.run_id, cursors, self._cursors))
            connection.executemany(PUT_PROGRESS, number_rows("log", grown))
            connection.executemany(PUT_PROGRESS, number_rows("tally", self._changed))
            logged_bytes = self._logged_pages() * self._settings.page_size_bytes + self._inline_bytes
            connection.execute("COMMIT")
        self._log.settle(grown)
        self._blobs.settle()
        self._compaction.settle()
        self._keeping.settle()
        self._position = position
        self._cursors.update(cursors)
        self._tallies.update(self._changed)
        self._changed.clear()
        self._pending_bytes += logged_bytes
        self._mark()
        self._keep_columns(is_idle=False)
        self._last_commit_s = self._clock()
        self._group_sync.request(logged_bytes, self._blobs.current)
        if self._group_sync.is_rest_due:
            with suppress(sqlite3.Error):  # then the log stays long, and a later commit tries again
                self._group_sync.fold(self._connection)

    def maintain(self) -> None:
        """When nothing is going on, keep the columns, and fold the write-ahead log into the pool file and empty it."""
        if self._clock() - self._last_commit_s < QUIET_S or self._connection.in_transaction:
            return
        self._keep_columns(is_idle=True)
        if self._keeping.finished() is not None:
            self._vouch_alone()
        if self._pending_bytes and empty_log(self._connection):
            self._pending_bytes = 0

    def close(self) -> None:
        """Release the pool; what was not committed is dropped. Closing twice does nothing more."""
        if self._is_open:
            self._is_open = False
            self._roll_back()
            with suppress(PoolError):  # then the next start reads the tables
                if self._keeping.end(self.columns) is not None:
                    self._vouch_alone()
            self._abandon()

    # -- the core's side --

    @property
    def run_id(self) -> str:
        """The run that this store serves."""
        return self._settings.run_id

    @property
    def friends(self) -> FriendTables:
        """The personas and dialogues of friends, within the open transaction."""
        return FriendTables(self._writing, self.run_id)

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
            self._evicted.append(evicted)
            self.columns.evict(evicted, freed)
            return self._compaction.free(freed, self.columns.blob_bytes, (now_ns, at, self.run_id))

    def niches(self, bins: int) -> Niches:
        """What is asked for the dream that is missed least; the hue bins are the same every time."""
        if self._niches is None or not self._niches.is_valid:
            self._niches = Niches(self.columns, bins, self.utilities(), self.pinned())
        if self._niches.unseen >= UNSEEN_ROWS:
            self._niches.catch_up()
        return self._niches

    def pin(self, entry_id: str, is_pinned: bool, now_ns: int) -> None:
        """From now on the dream is never evicted, or may be again."""
        self.insert("pins", (None, entry_id, int(is_pinned), now_ns, self.run_id))
        if self._niches is not None:
            self._niches.pin(entry_id, is_pinned)

    def tensors(self, dream_ids: Sequence[str]) -> dict[str, StoredTensor]:
        """The blobs of those that are stored: as views when they were found sound before, else as they lie on disk."""
        with self._reading() as connection:
            sql = f"{rows.SELECT_TENSORS}({', '.join('?' * len(dream_ids))})"
            found = connection.execute(sql, dream_ids).fetchall()
            return dict(zip((row[0] for row in found), self._blobs.tensors(row[1:] for row in found), strict=True))

    def call_sound(self, tensor: StoredTensor) -> None:
        """The blob of `tensor` is what its hash says; it need not be verified again in this process."""
        if tensor.place is not None:
            self._blobs.call_sound(Place(*tensor.place))

    def add_utility(self, sequence: int, utility: float) -> None:
        """Count one feedback record on a stored dream."""
        with self._writing() as connection:
            found = connection.execute(rows.ADD_UTILITY, (sequence, utility)).fetchone()
        if self._niches is not None and self._niches.is_valid:
            self._niches.judge(sequence, Utility(*found))

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

    def _logged_pages(self) -> int:
        """About as many pages as a commit writes: a new dream and an evicted one touch some of every index."""
        added, evicted = self.columns.count - self._committed_rows, sum(map(len, self._evicted))
        (there,) = self._connection.execute("PRAGMA page_count").fetchone()
        return min(PAGES + PAGES_OF_NEW * added + PAGES_OF_EVICTED * evicted, int(there))

    def _open(self, tell: Tell, worth_rows: int) -> None:
        home, settings = self._home, self._settings
        self._connection = connect(home / POOL_FILE, settings)
        self._log = self._open_log(home / LOG_FOLDER)
        self._blobs = self._open_blobs(home / BLOB_FOLDER)
        self._compaction = Compaction(self._connection, self._blobs, settings.compact_below)
        self._load(tell, worth_rows)
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
        schema.add_indices(connection)
        if not version:
            connection.execute("INSERT INTO meta VALUES ('layout', ?)", (self._settings.layout,))
        committed = dict(connection.execute("SELECT name, committed_bytes FROM interface_logs"))
        log = InterfaceLog(folder, committed if version else None, self._settings.is_power_safe)
        if log.lengths != committed:
            connection.executemany(PUT_PROGRESS, number_rows("log", log.lengths))
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

    def _load(self, tell: Tell, worth_rows: int) -> None:
        connection, run = self._connection, (self._settings.run_id,)
        folder = (self._home / POOL_FILE).parent
        self.columns, digest, sequence = load_columns(connection, folder, tell)
        self.atlas = Atlas(self.columns)
        self._keeping = ColumnKeeping(folder, digest, sequence, worth_rows)
        last = connection.execute("SELECT max(sequence) FROM dreams").fetchone()[0] or 0
        if last != self.columns.last_sequence:
            raise PoolDamagedError(f"pool file holds dreams up to {last}, signatures to {self.columns.last_sequence}")
        self._tallies = dict(connection.execute("SELECT name, value FROM tallies"))
        found = connection.execute("SELECT epoch, step FROM positions WHERE run_id = ?", run).fetchone()
        self._position = StepPosition(*found) if found else None
        cursors = connection.execute("SELECT sender, epoch, seq FROM cursors WHERE run_id = ?", run)
        self._cursors = {sender: Cursor(epoch, seq) for sender, epoch, seq in cursors}
        self._mark()

    def _keep_columns(self, *, is_idle: bool) -> None:
        """Move rows up when there are many holes, and write the columns to their file, when it is due."""
        columns, parts = self.columns, IDLE_HOLES if is_idle else BUSY_HOLES
        if columns.holes and (columns.count <= SMALL_ROWS or columns.holes > columns.count // parts):
            self.columns.squeeze()
            self._mark()
        self._keeping.begin(self.columns, is_idle)

    def _vouch(self) -> None:
        """Name the file of columns that was written, in the open transaction. Raises sqlite3.Error."""
        digest = self._keeping.vouch()
        if digest is not None:
            self._connection.execute(rows.PUT_COLUMNS_DIGEST, (digest,))

    def _vouch_alone(self) -> None:
        """The same in a transaction of its own. Raises PoolError."""
        with self._writing() as connection:
            self._vouch()
            connection.execute("COMMIT")
        self._keeping.settle()

    def _mark(self) -> None:
        """What is in memory now is committed."""
        self._committed_rows = self.columns.count
        self._committed_blob_bytes = self.columns.blob_bytes
        self._evicted: list[Integers] = []
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

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
        self._niches = None
        for evicted in self._evicted:
            self.columns.take_back_eviction(evicted)
        self.columns.truncate(self._committed_rows, self._committed_blob_bytes)
        self._evicted = []
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
