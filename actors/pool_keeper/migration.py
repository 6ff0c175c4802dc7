"""An older pool file becomes today's, or its blobs move into segments or out of them, on a copy that then replaces it.

In: a home whose pool nobody else holds, and the layout that its settings ask for. Out: a pool file of today's version
in that layout; the file of an older version stays beside it as `dream_pool.sqlite.vN.bak`. Until the one rename that
puts the copy in place the old file is untouched: killed before it, the next start begins anew, after it all is done.
Refused: a file of a newer program, and a file that another program has open, for its write-ahead log would be lost; a
disk without room for the copy, before it is begun or, when it fills up meanwhile, with what was copied removed.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from actors.pool_keeper import schema
from actors.pool_keeper.blobs import BLOB_FOLDER, INLINE_BYTES, SUFFIX, BlobFiles, Place
from actors.pool_keeper.connection import MIB, POOL_FILE, Layout, named, refuse_others, version_of
from actors.pool_keeper.errors import PoolError, PoolFullError, PoolHeldError, PoolVersionError
from actors.pool_keeper.rows import GROW_SEGMENT
from bus.files import sync_folder

Tell = Callable[[str], None]

STEP_BYTES: Final = 256 * 1024 * 1024
"""Between two lines of progress."""
PATIENCE_S: Final = 1.0
"""How long a foreign program may read on before the pool is held for migrating."""
COPY_SUFFIX: Final = ".new"
UNMOVED: Final = "the pool is as it was: free space on the disk of the home folder and start again"


def silent(_: str) -> None:
    """Say nothing of progress."""


def migrate_file(home: Path, layout: Layout, segment_bytes: int, tell: Tell) -> None:
    """Bring the pool under `home` up to date, if it has one. Raises PoolError, sqlite3.Error, OSError."""
    path = home / POOL_FILE
    copy = path.with_name(path.name + COPY_SUFFIX)
    _remove(copy)
    if not path.exists() or not path.stat().st_size:
        return
    with closing(sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)) as old:
        refuse_others(old)
        version = version_of(old)
        if version > schema.VERSION:
            raise PoolVersionError(version, schema.VERSION)
        if version == 0 or (version == schema.VERSION and layout_of(old) == layout):
            return
        tell(f"pool: migrating version {version} to {schema.VERSION}, blobs to {layout}, on a copy")
        _settle_log(old)
        _check_room(home, path, needs_twice=layout_of(old) != layout)
        try:
            _copy(old, copy, tell)
            with closing(sqlite3.connect(copy, isolation_level=None)) as new:
                new.execute("PRAGMA journal_mode = OFF")
                _lift(new, version)
                _lay_out(new, home, layout, segment_bytes, tell)
        except (sqlite3.Error, OSError) as error:
            _remove(copy)
            raise _unmoved(error) from error
    _swap(path, copy, None if version == schema.VERSION else version)
    tell(f"pool: version {schema.VERSION}, blobs in {layout}, is in place")


def layout_of(connection: sqlite3.Connection) -> str:
    """The layout of an open pool file; one of version 1 has all blobs in its rows."""
    found = connection.execute("SELECT value FROM meta WHERE key = 'layout'").fetchone()
    return "sqlite" if found is None else str(found[0])


def _check_room(home: Path, path: Path, *, needs_twice: bool) -> None:
    """Raise PoolFullError when the copy, and the blobs beside it where they move, cannot fit."""
    blobs = sum(segment.stat().st_size for segment in (home / BLOB_FOLDER).glob(f"*{SUFFIX}"))
    needed = path.stat().st_size + ((blobs or path.stat().st_size) if needs_twice else 0)
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise PoolFullError(
            f"{POOL_FILE} is to be migrated on a copy, which needs {-(-needed // MIB)} MiB, and {free // MIB} MiB are "
            f"free; {UNMOVED}"
        )


def _unmoved(error: sqlite3.Error | OSError) -> PoolError:
    """What went wrong, and that nothing is lost."""
    reason = named(error)
    return type(reason)(f"{reason}; {UNMOVED}") if isinstance(reason, PoolFullError) else reason


def _remove(copy: Path) -> None:
    """Delete a copy that is not whole, and what SQLite keeps beside it."""
    for leftover in copy.parent.glob(f"{copy.name}*"):
        leftover.unlink()


def _settle_log(connection: sqlite3.Connection) -> None:
    """Fold the write-ahead log in; it must then be empty, for it does not move with the file."""
    is_busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_busy:
        raise PoolHeldError(f"{POOL_FILE} is to be migrated and another program reads it; close that and start again")


def _copy(old: sqlite3.Connection, path: Path, tell: Tell) -> None:
    page_size = int(old.execute("PRAGMA page_size").fetchone()[0])

    def report(_: int, remaining: int, total: int) -> None:
        if remaining:
            tell(f"pool: copied {total - remaining} of {total} pages")

    with closing(sqlite3.connect(path)) as new:
        old.backup(new, pages=max(1, STEP_BYTES // page_size), progress=report)


def _lift(connection: sqlite3.Connection, version: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    schema.migrate(connection, version)
    connection.execute("COMMIT")


def _lay_out(connection: sqlite3.Connection, home: Path, layout: Layout, segment_bytes: int, tell: Tell) -> None:
    """Move blobs to where `layout` has them; segments that were left behind go at the next opening."""
    if layout_of(connection) == layout:
        return
    known = dict(connection.execute("SELECT segment, bytes FROM segments"))
    blobs = BlobFiles(home / BLOB_FOLDER, known, segment_bytes)
    move = _into_segments if layout == "segments" else _into_rows
    connection.execute("BEGIN IMMEDIATE")
    done = told = 0
    try:
        for size in move(connection, blobs):
            done += size
            if done - told >= STEP_BYTES:
                told = done
                tell(f"pool: moved {done} bytes of blobs to {layout}")
        blobs.sync()
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('layout', ?)", (layout,))
        connection.execute("COMMIT")
        if layout == "segments":
            connection.execute("VACUUM")
    except (sqlite3.Error, OSError):
        blobs.roll_back()
        raise
    finally:
        blobs.close()


def _into_segments(connection: sqlite3.Connection, blobs: BlobFiles) -> Iterator[int]:
    """Move every large blob out of its row; yields sizes."""
    large = connection.execute("SELECT sequence FROM signatures WHERE blob_bytes > ?", (INLINE_BYTES,)).fetchall()
    for (sequence,) in large:
        (blob,) = connection.execute("SELECT tensor_blob FROM dreams WHERE sequence = ?", (sequence,)).fetchone()
        if blob:
            place = blobs.append(blob)
            connection.execute("INSERT INTO blobs VALUES (?, ?, ?, ?)", (sequence, *place))
            connection.execute("UPDATE dreams SET tensor_blob = x'' WHERE sequence = ?", (sequence,))
        yield len(blob)
    connection.executemany(GROW_SEGMENT, blobs.growth())


def _into_rows(connection: sqlite3.Connection, blobs: BlobFiles) -> Iterator[int]:
    """Move every blob into its row as it can be read; yields sizes."""
    for sequence, *place in connection.execute("SELECT sequence, segment, offset, length FROM blobs").fetchall():
        blob = blobs.read(Place(*place))
        connection.execute("UPDATE dreams SET tensor_blob = ? WHERE sequence = ?", (blob, sequence))
        yield len(blob)
    connection.execute("DELETE FROM blobs")
    connection.execute("DELETE FROM segments")


def _swap(path: Path, copy: Path, old_version: int | None) -> None:
    """Put `copy` in the place of `path`, which stays as a backup if it is of an older version."""
    descriptor = os.open(copy, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if old_version is not None:
        backup = path.with_name(f"{path.name}.v{old_version}.bak")
        backup.unlink(missing_ok=True)
        os.link(path, backup)
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
        copy.with_name(copy.name + ending).unlink(missing_ok=True)
    os.replace(copy, path)
    sync_folder(path.parent)
