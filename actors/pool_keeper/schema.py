"""The tables of the dream pool and how an older file becomes today's (seed 000, sections 7 and 9).

In: an open connection inside a transaction. Out: the tables of `VERSION`. A file from a newer program is refused.

Columns of seed 000 keep their names; `ts` is whole nanoseconds since the Unix epoch, UTC. The blob is last in its
row, so that reading anything else never walks its overflow pages; a blob in a segment file is empty there and has its
place in `blobs`. `signatures` is the seed's "index table for signatures": the columns that ranking needs, packed
tightly, from which memory is filled at start without touching one blob. A dream that was evicted leaves `dreams` and
`signatures` for `tombstones`, where its facts stay for its descendants, for late feedback and for replays.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from actors.pool_keeper.errors import PoolVersionError
from actors.pool_keeper.friend_schema import DDL


class Executor(Protocol):
    """What runs one SQL statement."""

    def execute(self, sql: str, /) -> object:
        """Run `sql`."""


Migration = Callable[[Executor], None]

APPLICATION_ID: Final = 0x4F4E4952
"""Marks a SQLite file as a dream pool."""

TABLES: Final = (
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE dreams(
        sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, ts INTEGER NOT NULL,
        chroma_r REAL NOT NULL, chroma_g REAL NOT NULL, chroma_b REAL NOT NULL,
        coherence REAL NOT NULL, energy REAL NOT NULL, spectral_entropy REAL NOT NULL,
        source TEXT NOT NULL, lineage_root TEXT NOT NULL, generation INTEGER NOT NULL, parents TEXT NOT NULL,
        factoid_ids TEXT NOT NULL, image_id TEXT, ancestry TEXT NOT NULL, profile_id TEXT,
        tensor_rows INTEGER NOT NULL, tensor_cols INTEGER NOT NULL, tensor_layers INTEGER NOT NULL,
        run_id TEXT NOT NULL, origin_sender TEXT NOT NULL, origin_epoch INTEGER NOT NULL, origin_seq INTEGER NOT NULL,
        tensor_sha256 BLOB NOT NULL, metadata_json TEXT NOT NULL, tensor_blob BLOB NOT NULL)""",
    "CREATE INDEX dreams_by_coherence ON dreams(coherence DESC)",
    "CREATE INDEX dreams_by_ts ON dreams(ts DESC)",
    "CREATE INDEX dreams_by_chroma ON dreams(chroma_r, chroma_g, chroma_b)",
    """CREATE TABLE signatures(
        sequence INTEGER PRIMARY KEY, id TEXT NOT NULL, ts INTEGER NOT NULL,
        chroma_r REAL NOT NULL, chroma_g REAL NOT NULL, chroma_b REAL NOT NULL,
        coherence REAL NOT NULL, spectral_entropy REAL NOT NULL,
        source TEXT NOT NULL, lineage_root TEXT NOT NULL, tensor_sha256 BLOB NOT NULL, blob_bytes INTEGER NOT NULL)""",
    """CREATE TABLE lineage(parent_id TEXT NOT NULL, child_id TEXT NOT NULL,
        PRIMARY KEY(parent_id, child_id)) WITHOUT ROWID""",
    """CREATE TABLE retrievals(
        serial INTEGER PRIMARY KEY, query_id TEXT NOT NULL, learner TEXT NOT NULL, ts INTEGER NOT NULL,
        pool_sequence INTEGER NOT NULL, entry_ids TEXT NOT NULL, run_id TEXT NOT NULL)""",
    "CREATE INDEX retrievals_by_query ON retrievals(query_id, learner)",
    """CREATE TABLE feedback(
        entry_id TEXT NOT NULL, query_id TEXT NOT NULL, utility REAL NOT NULL, contribution REAL NOT NULL,
        ts INTEGER NOT NULL, learner TEXT NOT NULL, batch_id TEXT NOT NULL, notes TEXT, run_id TEXT NOT NULL,
        UNIQUE(query_id, entry_id, learner))""",
    """CREATE TABLE bias_profiles(
        profile_id TEXT PRIMARY KEY, ts INTEGER NOT NULL, updated_at INTEGER NOT NULL, run_id TEXT NOT NULL,
        profile_json TEXT NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE epochs(
        serial INTEGER PRIMARY KEY, run_id TEXT NOT NULL, learner TEXT NOT NULL, epoch INTEGER NOT NULL,
        ts INTEGER NOT NULL, report_json TEXT NOT NULL)""",
    """CREATE TABLE progress(kind TEXT NOT NULL, run_id TEXT NOT NULL, name TEXT NOT NULL,
        epoch INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY(kind, run_id, name)) WITHOUT ROWID""",
    """CREATE VIEW positions AS
        SELECT run_id, epoch, number AS step FROM progress WHERE kind = 'position'""",
    """CREATE VIEW cursors AS
        SELECT run_id, name AS sender, epoch, number AS seq FROM progress WHERE kind = 'cursor'""",
    """CREATE VIEW interface_logs AS
        SELECT name, number AS committed_bytes FROM progress WHERE kind = 'log' AND run_id = ''""",
    """CREATE VIEW tallies AS
        SELECT name, number AS value FROM progress WHERE kind = 'tally' AND run_id = ''""",
)
"""Version 1."""


def create(connection: Executor) -> None:
    """Make version 1 in an empty file."""
    for statement in TABLES:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


FILL_UTILITIES: Final = """INSERT INTO utilities
    SELECT d.sequence, 1, f.utility FROM feedback f JOIN dreams d ON d.id = f.entry_id
    WHERE true ORDER BY f.rowid
    ON CONFLICT(sequence) DO UPDATE SET records = records + 1, total = total + excluded.total"""
"""In the order in which feedback came, as it is counted when it comes: so the sums have the same bits."""
ADDED_IN_2: Final = (
    """CREATE TABLE blobs(
        sequence INTEGER PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL)""",
    "CREATE INDEX blobs_by_segment ON blobs(segment)",
    "CREATE TABLE segments(segment INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, live_bytes INTEGER NOT NULL)",
    """CREATE TABLE tombstones(
        sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, ts INTEGER NOT NULL,
        chroma_r REAL NOT NULL, chroma_g REAL NOT NULL, chroma_b REAL NOT NULL,
        coherence REAL NOT NULL, energy REAL NOT NULL, spectral_entropy REAL NOT NULL,
        source TEXT NOT NULL, lineage_root TEXT NOT NULL, generation INTEGER NOT NULL, parents TEXT NOT NULL,
        factoid_ids TEXT NOT NULL, image_id TEXT, ancestry TEXT NOT NULL, profile_id TEXT,
        tensor_rows INTEGER NOT NULL, tensor_cols INTEGER NOT NULL, tensor_layers INTEGER NOT NULL,
        run_id TEXT NOT NULL, origin_sender TEXT NOT NULL, origin_epoch INTEGER NOT NULL, origin_seq INTEGER NOT NULL,
        tensor_sha256 BLOB NOT NULL, metadata_json TEXT NOT NULL, blob_bytes INTEGER NOT NULL,
        evicted_ts INTEGER NOT NULL, evicted_at INTEGER NOT NULL, evicted_run_id TEXT NOT NULL)""",
    "CREATE TABLE utilities(sequence INTEGER PRIMARY KEY, records INTEGER NOT NULL, total REAL NOT NULL)",
    """CREATE TABLE pins(
        serial INTEGER PRIMARY KEY, entry_id TEXT NOT NULL, is_pinned INTEGER NOT NULL, ts INTEGER NOT NULL,
        run_id TEXT NOT NULL)""",
    """CREATE TABLE compactions(
        serial INTEGER PRIMARY KEY, ts INTEGER NOT NULL, pool_sequence INTEGER NOT NULL, dead_bytes INTEGER NOT NULL,
        run_id TEXT NOT NULL)""",
    FILL_UTILITIES,
)
"""Segment files, eviction, pins. `evicted_at` is the pool sequence at which a dream went."""


def add_storage(connection: Executor) -> None:
    """Version 1 becomes 2: where blobs lie, and what eviction needs and leaves. No row moves."""
    for statement in ADDED_IN_2:
        connection.execute(statement)


INDICES: Final = ("CREATE INDEX IF NOT EXISTS tombstones_by_eviction ON tombstones(evicted_at)",)
"""Made where they are missing: a file with them has no other version, for older programs read and write it as well."""


def add_indices(connection: Executor) -> None:
    """Make what of `INDICES` is missing."""
    for statement in INDICES:
        connection.execute(statement)


def add_friend(connection: Executor) -> None:
    """Version 2 becomes 3: what is kept of friends. No row moves."""
    for statement in DDL:
        connection.execute(statement)


MIGRATIONS: Final[tuple[Migration, ...]] = (create, add_storage, add_friend)
"""Entry n lifts version n to n + 1; an empty file has version 0."""

VERSION: Final = len(MIGRATIONS)


def migrate(connection: Executor, version: int, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Lift a file of `version` to the last version of `migrations`; raises PoolVersionError for a newer file."""
    known = len(migrations)
    if version > known:
        raise PoolVersionError(version, known)
    for lift in migrations[version:]:
        lift(connection)
    if version < known:
        connection.execute(f"PRAGMA user_version = {known}")
        connection.execute(f"INSERT OR REPLACE INTO meta VALUES ('schema_version', '{known}')")  # noqa: S608
