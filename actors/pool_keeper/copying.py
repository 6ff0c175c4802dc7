"""Pools made from a pool: a snapshot to look at, the state before a run; and what a run put in, as a digest.

In: homes with a pool, whether a keeper has it open or not. Out: a copy, or a SHA-256. A pool of an older version is
read from a copy that is migrated aside. The source is never written, and reading it holds up no keeper. A blob that a
later run evicted is taken from the journal of the run that brought it; where that was pruned the dream comes back
without one. Refused: a source that was written by a newer program.
"""

import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from actors.pool_keeper import friend_schema, rows, schema
from actors.pool_keeper.blobs import BLOB_FOLDER, Place, read_blob, segment_path, tensor_of
from actors.pool_keeper.connection import POOL_FILE, named, version_of
from actors.pool_keeper.errors import PoolError, PoolVersionError
from actors.pool_keeper.friend_tables import furnish_personas
from actors.pool_keeper.rows import StoredTensor
from bus.core import MessageRef, StepPosition
from bus.errors import MissingInputError
from bus.payloads import PayloadStore
from schemas.errors import TensorRefusedError
from schemas.tensor import decompress

FACTS: Final = ", ".join(rows.FACT_COLUMNS)
SIGNATURE: Final = ", ".join(rows.SIGNATURE_COLUMNS)
CONTENT: Final = (
    f"SELECT {FACTS}, NULL FROM dreams WHERE run_id = ?1"  # noqa: S608
    f" UNION ALL SELECT {FACTS}, iif(evicted_run_id = ?1, evicted_at, NULL) FROM tombstones WHERE run_id = ?1"
    " ORDER BY sequence",
    "SELECT sequence, evicted_at, evicted_ts FROM tombstones WHERE evicted_run_id = ? ORDER BY sequence",
    "SELECT query_id, learner, ts, pool_sequence, entry_ids FROM retrievals WHERE run_id = ? ORDER BY serial",
    "SELECT * FROM feedback WHERE run_id = ? ORDER BY learner, query_id, entry_id",
    "SELECT * FROM bias_profiles WHERE run_id = ? ORDER BY profile_id",
    "SELECT run_id, learner, epoch, ts, report_json FROM epochs WHERE run_id = ? ORDER BY serial",
    "SELECT entry_id, is_pinned, ts FROM pins WHERE run_id = ? ORDER BY serial",
    "SELECT ts, pool_sequence, dead_bytes FROM compactions WHERE run_id = ? ORDER BY serial",
    friend_schema.CONTENT,
)
"""What a run did to the pool, in an order that does not depend on the file, as no later run changes it."""
BEFORE: Final = (
    f"INSERT INTO dreams SELECT {FACTS}, tensor_blob FROM source.dreams WHERE run_id < ?1",  # noqa: S608
    f"INSERT INTO dreams SELECT {FACTS}, x'' FROM source.tombstones WHERE run_id < ?1 AND evicted_run_id >= ?1",  # noqa: S608
    f"INSERT INTO signatures SELECT {SIGNATURE} FROM source.signatures"  # noqa: S608
    " WHERE sequence IN (SELECT sequence FROM source.dreams WHERE run_id < ?1)",
    f"INSERT INTO signatures SELECT {SIGNATURE} FROM source.tombstones"  # noqa: S608
    " WHERE run_id < ?1 AND evicted_run_id >= ?1",
    "INSERT INTO tombstones SELECT * FROM source.tombstones WHERE evicted_run_id < ?1",
    "INSERT INTO feedback SELECT * FROM source.feedback WHERE run_id < ?1 ORDER BY rowid",
    "INSERT INTO pins SELECT * FROM source.pins WHERE run_id < ?1 ORDER BY serial",
    "INSERT INTO compactions SELECT * FROM source.compactions WHERE run_id < ?1 ORDER BY serial",
    "INSERT INTO meta SELECT 'last_compaction_at_ns', CAST(ts AS TEXT) FROM compactions ORDER BY serial DESC LIMIT 1",
    schema.FILL_UTILITIES,
    friend_schema.BEFORE,
)
"""What the pool held before a run, as far as a decision can depend on it. Runs are named by their start."""


class Stored(NamedTuple):
    """What a pool holds of one run."""

    until: StepPosition | None
    """Its last step; None for none."""
    sha256: str
    """`content_digest`."""


def furnish(source: Path, target: Path, run_id: str) -> None:
    """Fill the empty, closed pool under the home `target` with what `source` held before `run_id`. Raises PoolError."""
    with _readable():
        if (source / POOL_FILE).is_file():
            _copy_before(source, target, run_id)


def _copy_before(source: Path, target: Path, run_id: str) -> None:
    with closing(sqlite3.connect(target / POOL_FILE, isolation_level=None)) as connection, _current(source) as path:
        connection.execute("ATTACH DATABASE ? AS source", (f"{path.absolute().as_uri()}?mode=ro",))
        connection.execute("BEGIN")
        for statement in BEFORE:
            connection.execute(statement, (run_id,) if "?1" in statement else ())
        furnish_personas(connection, run_id)
        empty = connection.execute("SELECT sequence FROM dreams WHERE length(tensor_blob) = 0").fetchall()
        for (sequence,) in empty:
            connection.execute(
                "UPDATE dreams SET tensor_blob = ? WHERE sequence = ?",
                (_blob_of(connection, source, sequence), sequence),
            )
        connection.execute("COMMIT")


def content_digest(home: Path, run_id: str) -> str:
    """SHA-256 over all that a run did to the pool under `home`, whatever the files look like; tensors by content.

    A tensor that is there counts as what it really is, one that a later run evicted as what its row says. Raises
    PoolError.
    """
    digest = hashlib.sha256()
    with _readable(), _current(home) as path, closing(_reader(path)) as connection:
        for sql in CONTENT:
            for row in connection.execute(sql, (run_id,)):
                digest.update(repr(row).encode())
        kept = connection.execute("SELECT sequence FROM dreams WHERE run_id = ? ORDER BY sequence", (run_id,))
        for (sequence,) in kept.fetchall():
            found = connection.execute(rows.SELECT_TENSOR, (sequence,)).fetchone()
            if not _is_whole(tensor_of(home / BLOB_FOLDER, found)):
                digest.update(f"damaged {sequence}".encode())
    return digest.hexdigest()


def describe_stored(home: Path, run_id: str) -> Stored:
    """What the pool under `home` holds of a run. Raises PoolError."""
    with _readable():
        if not (home / POOL_FILE).is_file():
            raise PoolError(f"{home / POOL_FILE} is not there")
        with _current(home) as path, closing(_reader(path)) as connection:
            found = connection.execute("SELECT epoch, step FROM positions WHERE run_id = ?", (run_id,)).fetchone()
    return Stored(None if found is None else StepPosition(*found), content_digest(home, run_id))


def snapshot(home: Path, target: Path) -> Path:
    """Put the committed pool under `home` into the folder `target`, which must not be there; its pool file.

    Segments are linked, not copied: their committed bytes never change. Across file systems they are copied. Call it in
    the keeper, or while none runs: nothing else may compact meanwhile. Raises sqlite3.Error, OSError.
    """
    path, blobs = target / POOL_FILE, target / BLOB_FOLDER
    blobs.mkdir(parents=True)
    with closing(_reader(home / POOL_FILE)) as connection:
        connection.execute("VACUUM INTO ?", (str(path),))
    with closing(_reader(path)) as connection:
        segments = [segment for (segment,) in connection.execute("SELECT segment FROM segments ORDER BY segment")]
    for segment in segments:
        _link(segment_path(home / BLOB_FOLDER, segment), segment_path(blobs, segment))
    return path


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        return  # the tensors in it are lost already, which the keeper reports at each start
    except OSError:
        shutil.copyfile(source, target)


def _reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


@contextmanager
def _readable() -> Iterator[None]:
    """Raises PoolError for a pool that cannot be read."""
    try:
        yield
    except sqlite3.Error as error:
        raise named(error) from error
    except OSError as error:
        raise PoolError(f"{error.filename or POOL_FILE}: {error.strerror or error}") from error


@contextmanager
def _current(home: Path) -> Iterator[Path]:
    """The pool file of `home`, or a migrated copy of an older one. Raises PoolVersionError."""
    path = home / POOL_FILE
    with closing(_reader(path)) as connection:
        version = version_of(connection)
        if version > schema.VERSION:
            raise PoolVersionError(version, schema.VERSION)
        if version == schema.VERSION:
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="oneiros-pool-") as scratch:
            lifted = Path(scratch) / path.name
            with closing(sqlite3.connect(lifted, isolation_level=None)) as copy:
                connection.backup(copy)
                schema.migrate(copy, version)
            yield lifted


def _blob_of(connection: sqlite3.Connection, source: Path, sequence: int) -> bytes:
    """The blob of a dream whose row has none: from its segment, else from the journal of its run, else nothing."""
    place = connection.execute(
        "SELECT segment, offset, length FROM source.blobs WHERE sequence = ?", (sequence,)
    ).fetchone()
    if place is not None:
        return read_blob(source / BLOB_FOLDER, Place(*place))
    origin = "SELECT run_id, origin_sender, origin_epoch, origin_seq FROM dreams WHERE sequence = ?"
    run_id, *ref = connection.execute(origin, (sequence,)).fetchone()
    payloads = PayloadStore(source / "journal" / run_id)
    try:
        return bytes(payloads.resolve(MessageRef(*ref)))
    except MissingInputError:
        return b""
    finally:
        payloads.close()


def _is_whole(tensor: StoredTensor) -> bool:
    """Whether a blob is its tensor."""
    try:
        return hashlib.sha256(decompress(tensor.blob, tensor.shape)).digest() == tensor.sha256
    except TensorRefusedError:
        return False
