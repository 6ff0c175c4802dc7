"""A copy of the pool for a night: the columns of all dreams, what was said of them, and the newest tensors.

In: the home of a keeper, a file that is not there yet, the most bytes of tensors. Out: one SQLite file with the tables
of `TABLES`, as they were at one moment; the pool is only read, and its keeper goes on meanwhile. Nothing of the friend,
no note of a learner and no text of a fact is in it. Raises sqlite3.Error, OSError.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from actors.pool_keeper import rows
from actors.pool_keeper.blobs import BLOB_FOLDER, Place, read_blob
from actors.pool_keeper.connection import POOL_FILE

VERSION: Final = "night_snapshot.v1"
PAGE_BYTES: Final = 16_384
KEPT_FACTS: Final = tuple(name for name in rows.FACT_COLUMNS if name != "ancestry")
_FACTS: Final = ", ".join(KEPT_FACTS)
_DREAM_FACTS: Final = ", ".join(f"d.{name}" for name in KEPT_FACTS)

TABLES: Final = {
    "dreams": (
        f"SELECT {_DREAM_FACTS}, s.blob_bytes FROM source.dreams d JOIN source.signatures s"  # noqa: S608 - ours
        " ON s.sequence = d.sequence ORDER BY d.sequence"
    ),
    "tombstones": (
        f"SELECT {_FACTS}, blob_bytes, evicted_ts, evicted_at, evicted_run_id"  # noqa: S608 - ours
        " FROM source.tombstones ORDER BY sequence"
    ),
    "lineage": "SELECT parent_id, child_id FROM source.lineage",
    "retrievals": (
        "SELECT serial, query_id, learner, ts, pool_sequence, entry_ids, run_id FROM source.retrievals ORDER BY serial"
    ),
    "feedback": (
        "SELECT entry_id, query_id, utility, contribution, ts, learner, batch_id, run_id"
        " FROM source.feedback ORDER BY rowid"
    ),
    "pins": "SELECT serial, entry_id, is_pinned, ts FROM source.pins ORDER BY serial",
    "compactions": "SELECT serial, ts, pool_sequence, dead_bytes FROM source.compactions ORDER BY serial",
    "bias_profiles": "SELECT profile_id, ts, updated_at, run_id, profile_json FROM source.bias_profiles",
    "tallies": "SELECT name, value FROM source.tallies",
    "interface_logs": "SELECT name, committed_bytes FROM source.interface_logs",
}
"""Table -> what is in it; columns are named as in the pool."""
SELECT_NEWEST: Final = (
    "SELECT d.sequence, d.tensor_blob, b.segment, b.offset, b.length FROM source.dreams d"
    " LEFT JOIN source.blobs b ON b.sequence = d.sequence ORDER BY d.sequence DESC"
)
TENSORS: Final = "CREATE TABLE tensors(sequence INTEGER PRIMARY KEY, blob BLOB NOT NULL)"
"""Blobs as the pool holds them: the raw buffer under zstd (`schemas.tensor.decompress`)."""


class Copied(NamedTuple):
    """What is in a copy."""

    pool_sequence: int
    dreams: int
    tensors: int


def copy_pool(home: Path, target: Path, tensor_bytes: int, begun: Callable[[sqlite3.Connection], None]) -> Copied:
    """Make the file `target`; `begun` is given the connection, by which another thread may interrupt it."""
    with closing(sqlite3.connect(target, isolation_level=None)) as connection:
        begun(connection)
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = OFF")  # a copy that is not finished is removed
        connection.execute("PRAGMA synchronous = OFF")  # and one that is, synced as a whole
        connection.execute("ATTACH DATABASE ? AS source", (f"{(home / POOL_FILE).absolute().as_uri()}?mode=ro",))
        connection.execute("BEGIN")
        for table, sql in TABLES.items():
            connection.execute(f"CREATE TABLE {table} AS {sql}")
        connection.execute(TENSORS)
        tensors = _copy_tensors(connection, home / BLOB_FOLDER, tensor_bytes)
        found = connection.execute("SELECT coalesce(max(sequence), 0), count(*) FROM dreams").fetchone()
        connection.execute("CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
        connection.execute("INSERT INTO meta VALUES ('version', ?)", (VERSION,))
        connection.execute("COMMIT")
        connection.execute("DETACH DATABASE source")
    return Copied(int(found[0]), int(found[1]), tensors)


def _copy_tensors(connection: sqlite3.Connection, folder: Path, left: int) -> int:
    """Copy the newest tensors until `left` bytes are full; how many."""
    copied = 0
    for sequence, inline, segment, offset, length in connection.execute(SELECT_NEWEST):
        blob = inline if segment is None else read_blob(folder, Place(segment, offset, length))
        if not blob:
            continue  # lost already, which the keeper reports at each start
        left -= len(blob)
        if left < 0:
            break
        connection.execute("INSERT INTO tensors VALUES (?, ?)", (sequence, blob))
        copied += 1
    return copied
