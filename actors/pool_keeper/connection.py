"""How the pool file is opened, held against a second writer, and how its errors are called.

In: a path and how to keep the pool. Out: a connection in WAL mode, a lock, or a `PoolError` in place of an error of
SQLite or of the system. It refuses a file of another program, a file system without a write-ahead log, and a pool that
another process holds.
"""

import errno
import fcntl
import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from actors.pool_keeper import schema
from actors.pool_keeper.errors import PoolDamagedError, PoolError, PoolFullError, PoolHeldError
from schemas.manifest import RunManifest

POOL_FILE: Final = "pool/dream_pool.sqlite"
LOCK_FILE: Final = "pool/dream_pool.lock"

BUSY_MS: Final = 5000
"""How long a commit waits for a foreign program that writes to the pool against all advice."""
MOST_LOGS: Final = 2
"""How many times longer than asked for the log can get before a commit folds all of it, whatever that takes."""
CACHE_KIB: Final = 16384
MIB: Final = 1024 * 1024
PRIVATE: Final = 0o600
"""Mode of the pool file: what a friend says to itself is in it."""

Layout = Literal["segments", "sqlite"]
"""Where large blobs lie: in segment files, or in the rows of the dreams."""


@dataclass(frozen=True)
class StoreSettings:
    """How the pool is kept; from `[pool]` and `[journal]`."""

    run_id: str
    page_size_bytes: int
    checkpoint_bytes: int
    """Size of the write-ahead log at which it is folded into the pool file."""
    is_power_safe: bool
    """True: each commit reaches the disk before it returns."""
    layout: Layout
    """Where blobs of more than `INLINE_BYTES` lie."""
    segment_bytes: int
    """A segment of this size is followed by the next."""
    compact_below: float
    """Share of bytes still in use, of the pool and of a segment, under which space is reclaimed."""

    @classmethod
    def of(cls, manifest: RunManifest) -> "StoreSettings":
        """Those of a run."""
        pool = manifest.settings.pool
        return cls(
            run_id=manifest.run_id,
            page_size_bytes=pool.page_size_bytes,
            checkpoint_bytes=pool.checkpoint_mib * MIB,
            is_power_safe=manifest.settings.journal.fsync == "power",
            layout=pool.blobs,
            segment_bytes=pool.blob_segment_mib * MIB,
            compact_below=pool.compact_below,
        )


def connect(path: Path, settings: StoreSettings) -> sqlite3.Connection:
    """Open the pool file at `path` for writing, or make it. Raises PoolError, sqlite3.Error, OSError."""
    _make_private(path)
    connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    try:
        refuse_others(connection)
        connection.execute(f"PRAGMA page_size = {settings.page_size_bytes}")
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise PoolError(f"{POOL_FILE} cannot use a write-ahead log here (mode {mode}); use a local disk")
        page_size = int(connection.execute("PRAGMA page_size").fetchone()[0])
        connection.execute(f"PRAGMA wal_autocheckpoint = {max(1, MOST_LOGS * settings.checkpoint_bytes // page_size)}")
        connection.execute(f"PRAGMA journal_size_limit = {settings.checkpoint_bytes}")
        connection.execute(f"PRAGMA synchronous = {'FULL' if settings.is_power_safe else 'NORMAL'}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    except BaseException:
        connection.close()
        raise
    return connection


def _make_private(path: Path) -> None:
    """Make the file at `path` if it is not there, and let nobody but its owner read it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    try:
        with suppress(PermissionError):  # of another user's file, who may let us write to it
            os.fchmod(descriptor, PRIVATE)
    finally:
        os.close(descriptor)


def refuse_others(connection: sqlite3.Connection) -> None:
    """Raise PoolDamagedError for a file that is not a dream pool; an empty one may become one."""
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if tables and application != schema.APPLICATION_ID:
        raise PoolDamagedError(f"{POOL_FILE} is a SQLite file of another program; move it away")


def version_of(connection: sqlite3.Connection) -> int:
    """The schema version of an open pool file; 0 for an empty one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def empty_log(connection: sqlite3.Connection) -> bool:
    """Fold the write-ahead log in; False when a full disk, a foreign reader or a fold puts it off. Raises PoolError."""
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        is_busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        reason = named(error)
        if not isinstance(reason, PoolFullError | PoolHeldError):
            raise reason from error
        return False
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    return not is_busy


def hold(path: Path) -> int:
    """Lock the file at `path` against other keepers; its descriptor. Raises PoolHeldError, OSError."""
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


def named(error: sqlite3.Error | OSError) -> PoolError:
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
