"""Messages as rows of the pool's tables, and back.

In: a DreamEntry with where it came from, or a row. Out: a row, or the facts of a dream. A row that no longer holds
valid facts raises ValueError (pydantic's errors are ones), which the caller reports as damage.
"""

import json
from typing import Final, NamedTuple

from actors.pool_keeper.columns import Signature
from bus.core import MessageRef
from schemas.colour import Rgb
from schemas.dreams import Ancestor, DreamEntry, DreamFacts, Source

_JSON: Final = json.JSONEncoder(separators=(",", ":"))
"""Kept, for making one takes longer than what it is made for."""
Value = str | int | float | bytes | None
Row = tuple[Value, ...]

DREAM_COLUMNS: Final = (
    "sequence", "id", "ts", "chroma_r", "chroma_g", "chroma_b", "coherence", "energy", "spectral_entropy", "source",
    "lineage_root", "generation", "parents", "factoid_ids", "image_id", "ancestry", "profile_id", "tensor_rows",
    "tensor_cols", "tensor_layers", "run_id", "origin_sender", "origin_epoch", "origin_seq", "tensor_sha256",
    "metadata_json", "tensor_blob",
)  # fmt: skip
SIGNATURE_COLUMNS: Final = (
    "sequence", "id", "ts", "chroma_r", "chroma_g", "chroma_b", "coherence", "spectral_entropy", "source",
    "lineage_root", "tensor_sha256", "blob_bytes",
)  # fmt: skip
FACT_COLUMNS: Final = tuple(name for name in DREAM_COLUMNS if name != "tensor_blob")

INSERT_DREAM: Final = f"INSERT INTO dreams VALUES ({', '.join('?' * len(DREAM_COLUMNS))})"  # noqa: S608
INSERT_SIGNATURE: Final = f"INSERT INTO signatures VALUES ({', '.join('?' * len(SIGNATURE_COLUMNS))})"  # noqa: S608
SELECT_SIGNATURES: Final = f"SELECT {', '.join(SIGNATURE_COLUMNS)} FROM signatures ORDER BY sequence"  # noqa: S608
SELECT_FACTS: Final = f"SELECT {', '.join(FACT_COLUMNS)} FROM dreams WHERE sequence = ?"  # noqa: S608
SELECT_TENSOR: Final = (
    "SELECT d.run_id, d.origin_sender, d.origin_epoch, d.origin_seq, d.tensor_rows, d.tensor_cols, d.tensor_layers,"
    " d.tensor_sha256, d.tensor_blob, b.segment, b.offset, b.length"
    " FROM dreams d LEFT JOIN blobs b ON b.sequence = d.sequence WHERE d.sequence = ?"
)
SELECT_TENSORS: Final = SELECT_TENSOR.replace("SELECT ", "SELECT d.id, ", 1).replace("d.sequence = ?", "d.id IN ")
"""Several, by their ids; the marks for these are to follow."""
SELECT_TRACE: Final = (
    "SELECT sequence, tensor_sha256 FROM dreams WHERE id = ?1"
    " UNION ALL SELECT sequence, tensor_sha256 FROM tombstones WHERE id = ?1"
)
"""What is known of an id, also of a dream that was evicted."""
SELECT_KNOWN_FACTS: Final = (
    f"SELECT {', '.join(FACT_COLUMNS)} FROM dreams WHERE id = ?1"  # noqa: S608
    f" UNION ALL SELECT {', '.join(FACT_COLUMNS)} FROM tombstones WHERE id = ?1"
)
SELECT_MEASURES: Final = (
    "SELECT chroma_r, chroma_g, chroma_b, spectral_entropy, source FROM dreams WHERE id = ?1"
    " UNION ALL SELECT chroma_r, chroma_g, chroma_b, spectral_entropy, source FROM tombstones WHERE id = ?1"
)
ADD_UTILITY: Final = (
    "INSERT INTO utilities VALUES (?, 1, ?)"
    " ON CONFLICT(sequence) DO UPDATE SET records = records + 1, total = total + excluded.total"
    " RETURNING records, total"
)
SELECT_PINNED: Final = (
    "SELECT entry_id FROM (SELECT entry_id, is_pinned, max(serial) FROM pins GROUP BY entry_id) WHERE is_pinned"
)
BURY: Final = (
    f"INSERT INTO tombstones SELECT {', '.join(f'd.{name}' for name in FACT_COLUMNS)}, s.blob_bytes, ?, ?, ?"  # noqa: S608
    " FROM dreams d JOIN signatures s ON s.sequence = d.sequence WHERE d.sequence = ?"
)
TAKE_PLACE: Final = "DELETE FROM blobs WHERE sequence = ? RETURNING segment, length"
TAKE_SIGNATURE: Final = "DELETE FROM signatures WHERE sequence = ? RETURNING blob_bytes"
GROW_SEGMENT: Final = (
    "INSERT INTO segments VALUES (?, ?, ?) ON CONFLICT(segment)"
    " DO UPDATE SET bytes = excluded.bytes, live_bytes = live_bytes + excluded.live_bytes"
)
SHRINK_SEGMENT: Final = (
    "INSERT INTO segments VALUES (?, 0, ?) ON CONFLICT(segment)"
    " DO UPDATE SET live_bytes = live_bytes + excluded.live_bytes"
)
SELECT_DEAD_BYTES: Final = (
    "SELECT coalesce(sum(blob_bytes), 0) FROM tombstones"
    " WHERE evicted_at > (SELECT coalesce(max(pool_sequence), 0) FROM compactions)"
)
SELECT_EVICTED_SINCE: Final = (
    "SELECT sequence, blob_bytes FROM tombstones WHERE evicted_at > ? AND sequence <= ? ORDER BY sequence"
)
"""Dreams up to a sequence that left behind a pool sequence."""
COLUMNS_KEY: Final = "columns_file"
"""Of table `meta`: the SHA-256 of the file of columns that the pool file vouches for."""
COUNT_SIGNATURES: Final = (
    "SELECT (SELECT coalesce(max(sequence), 0) FROM signatures) - (SELECT count(*) FROM tombstones)"
)
"""Sequences are given out without gaps, and each is a dream's or a tombstone's."""
PUT_COLUMNS_DIGEST: Final = f"INSERT OR REPLACE INTO meta VALUES ('{COLUMNS_KEY}', ?)"  # noqa: S608 - ours
SELECT_SPARSE_SEGMENTS: Final = (
    "SELECT segment FROM segments WHERE segment < ? AND live_bytes < ? * bytes ORDER BY segment"
)
SELECT_SEGMENT: Final = "SELECT sequence, offset, length FROM blobs WHERE segment = ? ORDER BY offset"
SET_LAST_COMPACTION: Final = "INSERT OR REPLACE INTO meta VALUES ('last_compaction_at_ns', ?)"


class Measures(NamedTuple):
    """What feedback on a dream is worth to the bias."""

    colour: Rgb
    entropy: float
    source: Source


class StoredTensor(NamedTuple):
    """A blob as it lies in the pool."""

    run_id: str
    origin: MessageRef
    """The message that holds the blob in the journals of run `run_id`."""
    shape: tuple[int, int, int]
    sha256: bytes
    blob: bytes
    """Or a view of a mapped file."""
    place: tuple[int, int, int] | None = None
    """Segment, offset and length; None for a blob in its row."""
    is_sound: bool = False
    """Whether this process has verified it once."""


def dream_row(entry: DreamEntry, sequence: int, run_id: str, origin: MessageRef, blob: bytes) -> Row:
    """The row of table `dreams`, which holds `blob`; `origin` is the message of run `run_id` that brought it."""
    return (
        sequence,
        entry.id,
        entry.timestamp_ns,
        *entry.chroma_signature,
        entry.coherence,
        entry.energy,
        entry.spectral_entropy,
        entry.source,
        entry.lineage_root,
        entry.generation,
        _pack(entry.parents),
        _pack(entry.factoid_ids),
        entry.image_id,
        _pack([ancestor.model_dump() for ancestor in entry.ancestry]),
        entry.profile_id,
        *entry.shape,
        run_id,
        *origin,
        entry.tensor_sha256,
        entry.metadata_json,
        blob,
    )


def signature_of(entry: DreamEntry, sequence: int) -> Signature:
    """The row of table `signatures`."""
    return Signature(
        sequence,
        entry.id,
        entry.timestamp_ns,
        *entry.chroma_signature,
        entry.coherence,
        entry.spectral_entropy,
        entry.source,
        entry.lineage_root,
        entry.tensor_sha256,
        len(entry.tensor_blob),
    )


def facts_of(row: Row) -> DreamFacts:
    """The facts in a row of `FACT_COLUMNS`. Raises ValueError when they are none."""
    cell = dict(zip(FACT_COLUMNS, row, strict=True))
    return DreamFacts.model_validate(
        {
            "id": cell["id"],
            "timestamp_ns": cell["ts"],
            "source": cell["source"],
            "factoid_ids": tuple(_unpack(cell["factoid_ids"])),
            "image_id": cell["image_id"],
            "parents": tuple(_unpack(cell["parents"])),
            "lineage_root": cell["lineage_root"],
            "generation": cell["generation"],
            "ancestry": tuple(Ancestor.model_validate(ancestor) for ancestor in _unpack(cell["ancestry"])),
            "coherence": cell["coherence"],
            "energy": cell["energy"],
            "chroma_signature": (cell["chroma_r"], cell["chroma_g"], cell["chroma_b"]),
            "spectral_entropy": cell["spectral_entropy"],
            "shape": (cell["tensor_rows"], cell["tensor_cols"], cell["tensor_layers"]),
            "tensor_sha256": cell["tensor_sha256"],
            "metadata_json": cell["metadata_json"],
            "profile_id": cell["profile_id"],
        }
    )


def _pack(value: object) -> str:
    return _JSON.encode(value)


def _unpack(text: Value) -> list[object]:
    value = json.loads(str(text))
    if not isinstance(value, list):
        raise ValueError(f"a list is required, not {text!r}")
    return value
