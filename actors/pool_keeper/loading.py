"""The columns at start: from the file that remembers them where the pool file vouches for it, else from the tables.

In: an open pool file, the folder beside it. Out: the columns, equal to the tables whichever way was taken, and the
digest of the file that was used. What came into the pool or left it after the file was written is read from the
tables. Raises PoolDamagedError for a signature that is none.

Rows are read in two queries a chunk, of numbers and of one long text, for a million rows of twelve Python objects each
would take longer than all that is done with them.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from actors.pool_keeper import rows
from actors.pool_keeper.column_file import ColumnFileRefusedError, read_columns
from actors.pool_keeper.columns import SOURCE_CODES, Block, Columns
from actors.pool_keeper.errors import PoolDamagedError
from actors.pool_keeper.identities import Keys

CHUNK_ROWS: Final = 32768
KEY_CHARS: Final = 36 + 36 + 32
"""Of an id, of a lineage root, and of half a SHA-256 in hexadecimal digits."""
DASHES: Final = np.array([start + at for start in (0, 36) for at in (8, 13, 18, 23)])
"""Where a key has them."""

_CODES: Final = " ".join(f"WHEN '{name}' THEN {code}" for name, code in SOURCE_CODES.items())
SELECT_NUMBERS: Final = (
    "SELECT chroma_r, chroma_g, chroma_b, coherence, spectral_entropy, ts, sequence,"  # noqa: S608 - our own names
    f" CASE source {_CODES} END FROM signatures WHERE sequence > ? ORDER BY sequence LIMIT ?"
)
SELECT_KEYS: Final = (
    "SELECT count(*), group_concat(id || lineage_root || hex(substr(tensor_sha256, 1, 16)), ''), sum(blob_bytes),"
    " sum(length(tensor_sha256) = 32) FROM"
    " (SELECT id, lineage_root, tensor_sha256, blob_bytes FROM signatures WHERE sequence > ? ORDER BY sequence LIMIT ?)"
)
_NUMBERS: Final = np.dtype([(f"{number}", kind) for number, kind in enumerate(("f8",) * 5 + ("i8",) * 2 + ("i1",))])


class Loaded(NamedTuple):
    """Columns, and where they come from."""

    columns: Columns
    digest: str | None
    """SHA-256 of the file that was used; None where all was read from the tables."""
    remembered: int
    """The last sequence in that file; 0 without one."""


def load_columns(connection: sqlite3.Connection, folder: Path, tell: Callable[[str], None]) -> Loaded:
    """All columns; `tell` hears why a file is not used. Raises PoolDamagedError, sqlite3.Error."""
    columns, digest = Columns(), _vouched(connection)
    if digest is not None:
        try:
            columns = read_columns(folder, digest)
        except (ColumnFileRefusedError, OSError) as error:
            tell(f"pool: columns are read from the tables, for {error}")
            digest = None
    remembered = columns.last_sequence
    _catch_up(connection, columns)
    return Loaded(columns, digest, remembered)


def _vouched(connection: sqlite3.Connection) -> str | None:
    found = connection.execute("SELECT value FROM meta WHERE key = ?", (rows.COLUMNS_KEY,)).fetchone()
    return None if found is None else str(found[0])


def _catch_up(connection: sqlite3.Connection, columns: Columns) -> None:
    """Take in what was evicted and stored after the last row of `columns`."""
    after = columns.last_sequence
    if columns.count:
        gone = connection.execute(rows.SELECT_EVICTED_SINCE, (after, after)).fetchall()
        evicted = np.searchsorted(columns.sequence, [sequence for sequence, _ in gone]).astype(np.int64)
        columns.evict(evicted, sum(size for _, size in gone))
    columns.expect(_rows_to_come(connection))
    while (block := _read(connection, after)) is not None:
        columns.add(block)
        after = columns.last_sequence


def _rows_to_come(connection: sqlite3.Connection) -> int:
    """How many rows there are, or at least can be in a file of this size."""
    pages, page_bytes = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    (count,) = connection.execute(rows.COUNT_SIGNATURES).fetchone()
    return min(int(count), int(pages) * int(page_bytes) // KEY_CHARS)


def _read(connection: sqlite3.Connection, after: int) -> Block | None:
    """The next rows behind sequence `after`."""
    window = (after, CHUNK_ROWS)
    count, text, blob_bytes, hashes = connection.execute(SELECT_KEYS, window).fetchone()
    if not count:
        return None
    try:
        values = np.fromiter(connection.execute(SELECT_NUMBERS, window), dtype=_NUMBERS)
        keys = _keys(text or "", count)
    except (ValueError, TypeError) as error:
        raise PoolDamagedError(f"a signature behind dream {after} holds what is none: {error}") from error
    if len(values) != count or hashes != count:
        raise PoolDamagedError(f"of {count} signatures behind dream {after}, {hashes} have a hash of 32 bytes")
    columns = [values[name] for name in values.dtype.names or ()]
    return Block(columns, keys[:, :2], keys[:, 2:4], keys[:, 4:6], blob_bytes)


def _keys(text: str, count: int) -> Keys:
    """Ids, roots and hashes, shape [count, 6]. Raises ValueError for text that holds others."""
    letters = np.frombuffer(text.encode(), dtype=np.uint8)
    if len(letters) != count * KEY_CHARS or (letters.reshape(count, KEY_CHARS)[:, DASHES] != ord("-")).any():
        raise ValueError("an id or a lineage root is not a UUID")
    return np.frombuffer(bytes.fromhex(text.replace("-", "")), dtype=">u8").reshape(count, 6).astype(np.uint64)
