"""The dream pool on disk: one SQLite file, one writer, and the interface logs that go with it.

In: rows to add and lookups, inside one open transaction; then `commit`, which writes the logs, the position, the
cursors and the data as one. Out: rows, and columns that always equal the tables. It refuses a second writer, a newer
file and a damaged one. Nothing is durable before `commit`; when anything fails, all since the last commit is taken
back, in the file, in the logs and in memory, and a `PoolError` says why. Reading with another program while this one
runs is welcome.
"""

import errno
import fcntl
import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from actors.pool_keeper import rows, schema
from actors.pool_keeper.atlas import Atlas
from actors.pool_keeper.columns import Columns
from actors.pool_keeper.errors import PoolDamagedError, PoolError, PoolFullError, PoolHeldError
from actors.pool_keeper.group_sync import FOLDED_PARTS, GroupSync
from actors.pool_keeper.interface_log import InterfaceLog, LogName, LogRecord
from actors.pool_keeper.rows import Row, StoredTensor
from bus.core import Cursor, MessageRef, StepPosition
from schemas.dreams import DreamEntry

POOL_FILE: Final = "pool/dream_pool.sqlite"
LOCK_FILE: Final = "pool/dream_pool.lock"
LOG_FOLDER: Final = "logs/interface"

BUSY_MS: Final = 5000
"""How long a commit waits for a foreign program that writes to the pool against all advice."""
CACHE_KIB: Final = 8192
PUT_PROGRESS: Final = "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?)"
LOAD_ROWS: Final = 16384
"""Signatures read at a time at start, so that start needs little memory beside the columns."""
CONTENT: Final = (
    "SELECT * FROM dreams WHERE run_id = ? ORDER BY sequence",
    "SELECT query_id, learner, ts, pool_sequence, entry_ids FROM retrievals WHERE run_id = ? ORDER BY serial",
    "SELECT * FROM feedback WHERE run_id = ? ORDER BY learner, query_id, entry_id",
    "SELECT * FROM bias_profiles WHERE run_id = ? ORDER BY profile_id",
    "SELECT run_id, learner, epoch, ts, report_json FROM epochs WHERE run_id = ? ORDER BY serial",
)
"""What a run put into the pool, in an order that does not depend on the file."""
QUIET_S: Final = 2.0
"""The write-ahead log is emptied after so long without a commit."""


@dataclass(frozen=True)
class StoreSettings:
    """How the pool is kept; from `[pool]` and `[journal]`."""

    run_id: str
    page_size_bytes: int
    checkpoint_bytes: int
    """Size of the write-ahead log at which it is folded into the pool file."""
    is_power_safe: bool
    """True: each commit reaches the disk before it returns."""


class PoolStore:
    """The open pool. `bus.core.DurableState` for the host, rows for the core."""

    def __init__(self, home: Path, settings: StoreSettings, clock: Callable[[], float] = time.monotonic) -> None:
        """Open or make the pool under `home`. `clock` (seconds) only decides when upkeep is due. Raises PoolError."""
        self.columns = Columns()
        self.atlas = Atlas(self.columns)
        self._settings = settings
        self._clock = clock
        self._is_open = True
        self._committed_rows = 0
        self._committed_blob_bytes = 0
        self._last_commit_s = clock()
        self._tallies: dict[str, int] = {}
        self._changed: dict[str, int] = {}
        self._cursors: dict[str, Cursor] = {}
        self._position: StepPosition | None = None
        try:
            (home / POOL_FILE).parent.mkdir(parents=True, exist_ok=True)
            self._lock = _hold(home / LOCK_FILE)
        except OSError as error:
            raise _named(error) from error
        try:
            self._connection = _connect(home / POOL_FILE, settings)
            self._log = self._open_log(home / LOG_FOLDER)
            self._load()
            wal = home / f"{POOL_FILE}-wal"
            self._pending_bytes = wal.stat().st_size
            self._folding = _connect(home / POOL_FILE, settings)
            synced = None if settings.is_power_safe else wal
            self._group_sync = GroupSync(synced, self._fold, settings.checkpoint_bytes // FOLDED_PARTS)
        except (sqlite3.Error, OSError) as error:
            self._abandon()
            raise _named(error) from error
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
        """Log lines, then one COMMIT of data, `position`, `cursors` and log lengths. Raises PoolError, rolled back."""
        with self._writing() as connection:
            grown = self._log.write()
            connection.executemany(PUT_PROGRESS, self._progress(position, cursors, grown))
            connection.execute("COMMIT")
        self._log.settle(grown)
        self._position = position
        self._cursors.update(cursors)
        self._tallies.update(self._changed)
        self._changed.clear()
        logged_bytes = 4 * self._settings.page_size_bytes + self.columns.blob_bytes - self._committed_blob_bytes
        self._pending_bytes += logged_bytes
        self._committed_rows = self.columns.count
        self._committed_blob_bytes = self.columns.blob_bytes
        self._last_commit_s = self._clock()
        self._group_sync.request(logged_bytes)

    def maintain(self) -> None:
        """Fold the write-ahead log into the pool file and empty it when nothing is going on."""
        is_quiet = self._clock() - self._last_commit_s >= QUIET_S
        if is_quiet and self._pending_bytes and not self._connection.in_transaction:
            self._empty_log()

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
        """What was found and mended in the logs at start, in words."""
        cut = [
            f"{name}.jsonl: cut {size} bytes that were never committed" for name, size in self._log.cut_bytes.items()
        ]
        lost = [
            f"{name}.jsonl: {size} committed bytes are missing; the log goes on from its present end"
            for name, size in self._log.missing_bytes.items()
        ]
        return (*cut, *lost)

    def log(self, name: LogName, record: LogRecord) -> None:
        """Add a line to an interface log, with the next commit."""
        self._log.append(name, record)

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
            connection.execute(rows.INSERT_DREAM, rows.dream_row(entry, sequence, self.run_id, origin))
            connection.execute(rows.INSERT_SIGNATURE, signature)
            lineage = [(parent, entry.id) for parent in dict.fromkeys(entry.parents)]
            connection.executemany("INSERT INTO lineage VALUES (?, ?)", lineage)
        self.columns.extend([signature])
        return sequence

    def sequence_of(self, dream_id: str) -> int | None:
        """The sequence of a dream, or None when the pool does not hold it."""
        found = self.row("SELECT sequence FROM dreams WHERE id = ?", dream_id)
        return None if found is None else int(str(found[0]))

    def facts_row(self, sequence: int) -> Row | None:
        """The row of `rows.FACT_COLUMNS` of a dream."""
        return self.row(rows.SELECT_FACTS, sequence)

    def tensor(self, sequence: int) -> StoredTensor | None:
        """The blob of a dream as it lies in the file; verifying is the caller's part."""
        with self._reading() as connection:
            found = connection.execute(rows.SELECT_TENSOR, (sequence,)).fetchone()
        if found is None:
            return None
        run_id, sender, epoch, seq, n_rows, n_cols, n_layers, sha256, blob = found
        return StoredTensor(run_id, MessageRef(sender, epoch, seq), (n_rows, n_cols, n_layers), sha256, blob)

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

    def _open_log(self, folder: Path) -> InterfaceLog:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        schema.migrate(connection, version)
        committed = dict(connection.execute("SELECT name, committed_bytes FROM interface_logs"))
        log = InterfaceLog(folder, committed if version else None, self._settings.is_power_safe)
        if log.lengths != committed:
            connection.executemany(PUT_PROGRESS, _numbers("log", log.lengths))
        connection.execute("COMMIT")
        return log

    def _load(self) -> None:
        connection, run = self._connection, (self._settings.run_id,)
        signatures = connection.execute(rows.SELECT_SIGNATURES)
        while chunk := signatures.fetchmany(LOAD_ROWS):
            self.columns.extend(chunk)
        last = connection.execute("SELECT max(sequence) FROM dreams").fetchone()[0] or 0
        if last != self.columns.last_sequence:
            raise PoolDamagedError(f"pool file holds dreams up to {last}, signatures to {self.columns.last_sequence}")
        self._tallies = dict(connection.execute("SELECT name, value FROM tallies"))
        found = connection.execute("SELECT epoch, step FROM positions WHERE run_id = ?", run).fetchone()
        self._position = StepPosition(*found) if found else None
        cursors = connection.execute("SELECT sender, epoch, seq FROM cursors WHERE run_id = ?", run)
        self._cursors = {sender: Cursor(epoch, seq) for sender, epoch, seq in cursors}
        self._committed_rows = self.columns.count
        self._committed_blob_bytes = self.columns.blob_bytes

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection
        except (sqlite3.Error, OSError) as error:
            self._roll_back()
            raise _named(error) from error

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection
        except sqlite3.Error as error:
            self._roll_back()
            raise _named(error) from error

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
        self.columns.truncate(self._committed_rows, self._committed_blob_bytes)
        self._changed.clear()
        self._log.roll_back()

    def _fold(self) -> None:
        """Fold into the pool file what is committed, while commits go on; what fails here is left to them."""
        with suppress(sqlite3.Error):
            self._folding.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def _empty_log(self) -> None:
        """Fold the log in; a full disk, a foreign reader or `_fold` puts it off to the next time."""
        connection = self._connection
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            is_busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError as error:
            reason = _named(error)
            if not isinstance(reason, PoolFullError | PoolHeldError):
                raise reason from error
            return
        finally:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        if not is_busy:
            self._pending_bytes = 0

    def _abandon(self) -> None:
        for part in ("_group_sync", "_folding", "_log", "_connection"):
            if hasattr(self, part):
                getattr(self, part).close()
        os.close(self._lock)


def furnish(source: Path, target: Path, settings: StoreSettings) -> None:
    """Make a pool under the home `target` that holds what `source` held before the run of `settings`.

    Runs are named by their start, so that earlier ones sort before. A source without a pool gives an empty one.
    """
    PoolStore(target, settings).close()
    if not (source / POOL_FILE).is_file():
        return
    with closing(sqlite3.connect(target / POOL_FILE, isolation_level=None)) as connection:
        connection.execute("ATTACH DATABASE ? AS source", (f"file:{source / POOL_FILE}?mode=ro",))
        before = "SELECT sequence FROM source.dreams WHERE run_id < ?"
        connection.execute("BEGIN")
        for table in ("dreams", "signatures"):
            copy = f"INSERT INTO {table} SELECT * FROM source.{table} WHERE sequence IN ({before})"  # noqa: S608
            connection.execute(copy, (settings.run_id,))
        connection.execute("COMMIT")


def content_digest(home: Path, run_id: str) -> str:
    """SHA-256 over all that a run put into the pool under `home`, whatever the file looks like; blobs by content."""
    digest = hashlib.sha256()
    with closing(sqlite3.connect(f"file:{home / POOL_FILE}?mode=ro", uri=True)) as connection:
        for sql in CONTENT:
            for row in connection.execute(sql, (run_id,)):
                digest.update(repr(row).encode())
    return digest.hexdigest()


def _numbers(kind: str, numbers: Mapping[str, int] | Mapping[LogName, int]) -> Iterator[Row]:
    return ((kind, "", name, 0, number) for name, number in numbers.items())


def _connect(path: Path, settings: StoreSettings) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    try:
        application = int(connection.execute("PRAGMA application_id").fetchone()[0])
        tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
        if tables and application != schema.APPLICATION_ID:
            raise PoolDamagedError(f"{POOL_FILE} is a SQLite file of another program; move it away")
        connection.execute(f"PRAGMA page_size = {settings.page_size_bytes}")
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise PoolError(f"{POOL_FILE} cannot use a write-ahead log here (mode {mode}); use a local disk")
        page_size = int(connection.execute("PRAGMA page_size").fetchone()[0])
        connection.execute(f"PRAGMA wal_autocheckpoint = {max(1, settings.checkpoint_bytes // page_size)}")
        connection.execute(f"PRAGMA journal_size_limit = {settings.checkpoint_bytes}")
        connection.execute(f"PRAGMA synchronous = {'FULL' if settings.is_power_safe else 'NORMAL'}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    except BaseException:
        connection.close()
        raise
    return connection


def _hold(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise PoolHeldError(f"{POOL_FILE} is held by process {holder or 'unknown'}; one keeper writes it") from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _named(error: sqlite3.Error | OSError) -> PoolError:
    """The pool's own error for one of SQLite or of the system."""
    if isinstance(error, OSError):
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return PoolFullError(f"disk is full ({error}); free space") if is_full else PoolError(f"pool: {error}")
    code = getattr(error, "sqlite_errorcode", None)
    match code & 0xFF if isinstance(code, int) else None:
        case sqlite3.SQLITE_FULL:
            return PoolFullError(f"{POOL_FILE}: {error}; free space on the disk of the home folder")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return PoolHeldError(f"{POOL_FILE}: {error}; another program writes to it")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return PoolDamagedError(f"{POOL_FILE}: {error}; keep the file aside and start with a new one")
        case _:
            return PoolError(f"{POOL_FILE}: {error}")
