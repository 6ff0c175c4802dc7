"""The dream pool read from outside, while its keeper writes or when nobody does.

In: the home of a pool, filters, ids. Out: dreams with their facts and what learners said of them, lineage, figures,
tensors as they lie in the pool. It writes nothing and holds up nobody: a reading is one snapshot of the file for as
long as its connection lives. Refused: a home without a pool, a file from a newer program or of another one, an id that
names no dream or several.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, NamedTuple, Self

from actors.pool_keeper import rows, schema
from actors.pool_keeper.blobs import BLOB_FOLDER, tensor_of
from actors.pool_keeper.errors import PoolDamagedError, PoolError, PoolVersionError
from actors.pool_keeper.rows import Row, StoredTensor, Value
from bus.core import Cursor
from schemas.colour import Rgb, hue_bin
from schemas.dreams import DreamFacts, Source

POOL_FILE: Final = "pool/dream_pool.sqlite"
PATIENCE_S: Final = 5.0

Order = Literal["newest", "coherence", "utility"]
ORDERS: Final[dict[Order, str]] = {
    "newest": "sequence DESC",
    "coherence": "coherence DESC, sequence DESC",
    "utility": "utility DESC NULLS LAST, sequence DESC",
}
WORTH: Final = "(SELECT entry_id, count(*) AS given, avg(utility) AS utility FROM feedback GROUP BY entry_id)"
JUDGEMENTS: Final = f"SELECT * FROM {WORTH}"  # noqa: S608 - a text of ours
JUDGED: Final = f"SELECT count(*), coalesce(sum(given), 0), coalesce(sum(utility > 0), 0) FROM {WORTH}"  # noqa: S608
PINNED: Final = (
    "SELECT entry_id FROM (SELECT entry_id, is_pinned, max(serial) FROM pins GROUP BY entry_id)"
    " WHERE is_pinned AND entry_id IN (SELECT id FROM dreams)"
)
DESCENT: Final = (
    "SELECT lineage_root, generation FROM dreams WHERE id = ?1"
    " UNION ALL SELECT lineage_root, generation FROM tombstones WHERE id = ?1"
)
LINE_COLUMNS: Final = (
    "sequence, id, ts, source, chroma_r, chroma_g, chroma_b, coherence, spectral_entropy, generation, run_id,"
    " coalesce(given, 0) AS given, utility"
)


class PoolMissingError(PoolError):
    """The home has no pool."""

    is_permanent = True


class DreamUnknownError(PoolError):
    """No dream of the pool, or more than one, is meant by what was given."""


@dataclass(frozen=True)
class DreamFilter:
    """Which dreams are meant; None leaves a condition out."""

    source: Source | None = None
    bin: int | None = None
    """Hue bin; `chroma_bins` stands for the greys."""
    chroma_bins: int = 24
    min_coherence: float | None = None
    is_helpful: bool = False
    """Only dreams whose mean utility is above 0."""
    is_pinned: bool = False
    run_id: str | None = None


class DreamLine(NamedTuple):
    """A dream in a list."""

    sequence: int
    id: str
    timestamp_ns: int
    source: Source
    colour: Rgb
    coherence: float
    spectral_entropy: float
    generation: int
    run_id: str
    feedback: int
    """Records of feedback."""
    utility: float | None
    """Their mean; None without any."""


class Listed(NamedTuple):
    """A page of dreams."""

    total: int
    """Dreams that the filter lets through."""
    dreams: tuple[DreamLine, ...]


class PoolReader:
    """One snapshot of the pool of a home. Used as a context."""

    def __init__(self, home: Path) -> None:
        """Open the pool under `home`. Raises PoolError."""
        path = home / POOL_FILE
        self.home = home
        self._blobs = home / BLOB_FOLDER
        if not path.is_file():
            raise PoolMissingError(f"{home} has no dream pool: {POOL_FILE} is not there")
        try:
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE_S, isolation_level=None
            )
            self._check()
            self._connection.execute("BEGIN")
        except sqlite3.Error as error:
            raise PoolDamagedError(f"{path} cannot be read: {error}; keep the file aside") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def list_dreams(self, wanted: DreamFilter, order: Order, limit: int, offset: int) -> Listed:
        """A page of the dreams that pass `wanted`."""
        where, parameters = self._condition(wanted)
        body = f"FROM dreams LEFT JOIN {WORTH} ON entry_id = id {where}"
        total = int(str(self._all(f"SELECT count(*) {body}", *parameters)[0][0]))
        sql = f"SELECT {LINE_COLUMNS} {body} ORDER BY {ORDERS[order]} LIMIT ? OFFSET ?"
        return Listed(total, tuple(_line(row) for row in self._all(sql, *parameters, limit, offset)))

    def count(self) -> int:
        """How many dreams there are."""
        return int(str(self._all("SELECT count(*) FROM signatures")[0][0]))

    def holds(self, sequence: int) -> bool:
        """Whether the dream of this number is in the pool."""
        return bool(self._all("SELECT 1 FROM dreams WHERE sequence = ?", sequence))

    def find(self, text: str) -> DreamLine:
        """The dream of which `text` is the id, a beginning of it, or the sequence. Raises DreamUnknownError."""
        column, value = ("sequence", text) if text.isdigit() and len(text) < 8 else ("id", text)
        found = self._lines(f"{column} = ?", value)
        if not found and text and all(letter in "0123456789abcdef-" for letter in text):
            found = self._lines("id >= ? AND id < ?", text, text + "g")
        if len(found) == 1:
            return found[0]
        among = ", ".join(line.id for line in found[:3])
        raise DreamUnknownError(
            f"several dreams begin with {text!r}: {among}; give more of the id"
            if found
            else f"the pool holds no dream {text!r}"
        )

    def lines_of(self, ids: Sequence[str]) -> dict[str, DreamLine]:
        """Those of `ids` that the pool holds."""
        found = (line for dream_id in dict.fromkeys(ids) for line in self._lines("id = ?", dream_id))
        return {line.id: line for line in found}

    def facts(self, sequence: int) -> DreamFacts:
        """The facts of a dream. Raises PoolDamagedError when its row holds none."""
        found = self._all(rows.SELECT_FACTS, sequence)
        try:
            return rows.facts_of(found[0])
        except (ValueError, IndexError) as error:
            raise PoolDamagedError(f"the row of dream {sequence} is damaged: {error}") from error

    def sequences(self, wanted: DreamFilter) -> list[tuple[int, str]]:
        """Sequence and id of every dream that passes `wanted`, those of one shape together, each oldest first."""
        where, parameters = self._condition(wanted)
        body = f"FROM dreams LEFT JOIN {WORTH} ON entry_id = id {where}"
        sql = f"SELECT sequence, id {body} ORDER BY tensor_rows, tensor_cols, tensor_layers, sequence"
        return [(int(str(sequence)), str(dream_id)) for sequence, dream_id in self._all(sql, *parameters)]

    def tensor(self, sequence: int) -> StoredTensor:
        """The tensor of a dream as it lies in the pool, not yet verified. Raises PoolDamagedError."""
        try:
            found = self._connection.execute(rows.SELECT_TENSOR, (sequence,)).fetchone()
            if found is not None:
                return tensor_of(self._blobs, found)
        except (sqlite3.Error, OSError) as error:
            raise PoolDamagedError(f"the tensor of dream {sequence} cannot be read: {error}") from error
        raise PoolDamagedError(f"the pool holds no tensor of dream {sequence}")

    def worth(self) -> dict[str, tuple[int, float]]:
        """Records of feedback and their mean utility, for every dream that has any."""
        return {str(i): (int(str(given)), float(str(mean))) for i, given, mean in self._all(JUDGEMENTS)}

    def blob_bytes(self, sequence: int) -> int:
        """Size of the tensor of a dream as it is stored."""
        return int(str(self._all("SELECT blob_bytes FROM signatures WHERE sequence = ?", sequence)[0][0]))

    @cached_property
    def pinned(self) -> frozenset[str]:
        """Ids of the dreams that are never evicted."""
        return frozenset(str(dream_id) for (dream_id,) in self._all(PINNED))

    def cursor(self, run_id: str, sender: str = "supervisor") -> Cursor:
        """The last message of `sender` in a run whose effect the pool holds."""
        found = self._all("SELECT epoch, seq FROM cursors WHERE run_id = ? AND sender = ?", run_id, sender)
        return Cursor(*(int(str(number)) for number in found[0])) if found else Cursor(0, 0)

    def ids_by_hash(self) -> dict[bytes, str]:
        """The oldest dream of every tensor in the pool, by the tensor's SHA-256."""
        sql = "SELECT tensor_sha256, id FROM signatures ORDER BY sequence DESC"
        return dict(self._connection.execute(sql).fetchall())

    def ids(self) -> set[str]:
        """Ids of all dreams that the pool holds or has evicted."""
        sql = "SELECT id FROM signatures UNION ALL SELECT id FROM tombstones"
        return {dream_id for (dream_id,) in self._connection.execute(sql)}

    def is_evicted(self, dream_id: str) -> bool:
        """Whether the pool held the dream once."""
        return bool(self._all("SELECT 1 FROM tombstones WHERE id = ?", dream_id))

    def descent(self, dream_id: str) -> tuple[str, int] | None:
        """Lineage root and generation of a dream; None when the pool never held it."""
        found = self._all(DESCENT, dream_id)
        return (str(found[0][0]), int(str(found[0][1]))) if found else None

    def parents(self, dream_id: str) -> list[str]:
        """Ids of the parents of a dream, in the pool or not."""
        return [str(parent) for (parent,) in self._all("SELECT parent_id FROM lineage WHERE child_id = ?", dream_id)]

    def children(self, dream_id: str) -> list[str]:
        """Ids of the dreams that were seeded from it."""
        return [str(child) for (child,) in self._all("SELECT child_id FROM lineage WHERE parent_id = ?", dream_id)]

    def figures(self) -> dict[str, int | float | None]:
        """The pool in numbers."""
        sql = (
            "SELECT count(*), coalesce(max(sequence), 0), avg(coherence), avg(spectral_entropy), sum(blob_bytes),"
            " count(DISTINCT lineage_root), count(DISTINCT tensor_sha256) FROM signatures"
        )
        names = ("dreams", "pool_sequence", "coherence_mean", "entropy_mean", "blob_bytes", "lineages", "tensors")
        found = dict(zip(names, self._all(sql)[0], strict=True))
        judged = self._all(JUDGED)[0]
        found |= dict(zip(("judged", "feedback", "helpful"), judged, strict=True))
        found["retrievals"] = self._all("SELECT count(*) FROM retrievals")[0][0]
        found["profiles"] = self._all("SELECT count(*) FROM bias_profiles")[0][0]
        found["epochs"] = self._all("SELECT count(*) FROM epochs")[0][0]
        found["evicted"] = self._all("SELECT count(*) FROM tombstones")[0][0]
        stored = self._all("SELECT count(*), coalesce(sum(bytes), 0), coalesce(sum(live_bytes), 0) FROM segments")[0]
        found |= dict(zip(("segments", "segment_bytes", "live_segment_bytes"), stored, strict=True))
        compacted = self._all("SELECT max(ts) FROM compactions")
        found["last_compaction_at_ns"] = compacted[0][0]
        return {name: value if isinstance(value, int | float) else None for name, value in found.items()}

    def counts_by(self, what: Literal["source", "run_id"]) -> dict[str, int]:
        """Dreams by their source, or by their run."""
        sql = f"SELECT {what}, count(*) FROM dreams GROUP BY {what} ORDER BY {what}"  # noqa: S608 - one of two words
        return {str(name): int(str(count)) for name, count in self._all(sql)}

    def colours(self) -> Iterator[Rgb]:
        """The colour of every dream."""
        yield from self._connection.execute("SELECT chroma_r, chroma_g, chroma_b FROM signatures")

    def tallies(self) -> dict[str, int]:
        """What the keeper has counted since the pool was made."""
        return {
            str(name): int(str(value)) for name, value in self._all("SELECT name, value FROM tallies ORDER BY name")
        }

    def version(self) -> int:
        """The version of the file."""
        return int(str(self._all("PRAGMA user_version")[0][0]))

    def faults(self) -> list[str]:
        """What SQLite finds wrong with the file; empty when it is whole."""
        try:
            found = [str(text) for (text,) in self._connection.execute("PRAGMA quick_check")]
        except sqlite3.Error as error:
            return [str(error)]
        return [] if found == ["ok"] else found

    def unsigned(self) -> list[tuple[int, str]]:
        """Sequence and id of dreams whose row and whose signature do not agree."""
        sql = (
            "SELECT d.sequence, d.id FROM dreams d LEFT JOIN signatures s ON s.sequence = d.sequence"
            " WHERE s.id IS NOT d.id OR s.tensor_sha256 IS NOT d.tensor_sha256 OR s.ts IS NOT d.ts"
            " OR s.coherence IS NOT d.coherence OR s.chroma_r IS NOT d.chroma_r OR s.chroma_g IS NOT d.chroma_g"
            " OR s.chroma_b IS NOT d.chroma_b"
        )
        return [(int(str(sequence)), str(dream_id)) for sequence, dream_id in self._all(sql)]

    def _check(self) -> None:
        application = int(str(self._all("PRAGMA application_id")[0][0]))
        if application != schema.APPLICATION_ID:
            raise PoolDamagedError(f"{POOL_FILE} is no dream pool; keep the file aside")
        if self.version() > schema.VERSION:
            raise PoolVersionError(self.version(), schema.VERSION)
        if self.version() < schema.VERSION:
            raise PoolError(f"{POOL_FILE} has version {self.version()}; the next `supervisor up` makes it today's")

    def _condition(self, wanted: DreamFilter) -> tuple[str, list[Value]]:
        conditions: dict[str, Value] = {
            "source = ?": wanted.source,
            "coherence >= ?": wanted.min_coherence,
            "run_id = ?": wanted.run_id,
            "hue_bin(chroma_r, chroma_g, chroma_b) = ?": wanted.bin,
        }
        given = {text: value for text, value in conditions.items() if value is not None}
        if wanted.bin is not None:
            binned = partial(_hue_bin, wanted.chroma_bins)
            self._connection.create_function("hue_bin", 3, binned, deterministic=True)
        marks = {"utility > 0": wanted.is_helpful, f"id IN ({PINNED})": wanted.is_pinned}
        texts = [*given, *(text for text, is_wanted in marks.items() if is_wanted)]
        return (f"WHERE {' AND '.join(texts)}" if texts else ""), list(given.values())

    def _lines(self, condition: str, *parameters: Value) -> list[DreamLine]:
        worth = "(SELECT count(*) AS given, avg(utility) AS utility FROM feedback WHERE entry_id = ?)"
        sql = f"SELECT sequence, id FROM dreams WHERE {condition} ORDER BY sequence LIMIT 4"  # noqa: S608 - a text of ours
        columns = f"SELECT {LINE_COLUMNS} FROM dreams, {worth} WHERE sequence = ?"  # noqa: S608 - as above
        return [_line(self._all(columns, dream_id, sequence)[0]) for sequence, dream_id in self._all(sql, *parameters)]

    def _all(self, sql: str, *parameters: Value) -> list[Row]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise PoolDamagedError(f"{POOL_FILE}: {error}; `supervisor pool verify` checks all of it") from error


def _hue_bin(bins: int, red: float, green: float, blue: float) -> int:
    return hue_bin((red, green, blue), bins)


def _line(row: Row) -> DreamLine:
    sequence, dream_id, ts, source, red, green, blue, *rest = row
    line: DreamLine = DreamLine._make((sequence, dream_id, ts, source, (red, green, blue), *rest))
    return line
