"""Messages as rows of the pool's tables, and back.

In: a DreamEntry with where it came from, or a row. Out: a row, or the facts of a dream. A row that no longer holds
valid facts raises ValueError (pydantic's errors are ones), which the caller reports as damage.
"""

import json
from typing import Final, NamedTuple

from actors.pool_keeper.columns import Signature
from bus.core import MessageRef
from schemas.dreams import Ancestor, DreamEntry, DreamFacts

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
    "SELECT run_id, origin_sender, origin_epoch, origin_seq, tensor_rows, tensor_cols, tensor_layers, tensor_sha256,"
    " tensor_blob FROM dreams WHERE sequence = ?"
)


class StoredTensor(NamedTuple):
    """A blob as it lies in the pool, not yet verified."""

    run_id: str
    origin: MessageRef
    """The message that holds the blob in the journals of run `run_id`."""
    shape: tuple[int, int, int]
    sha256: bytes
    blob: bytes


def dream_row(entry: DreamEntry, sequence: int, run_id: str, origin: MessageRef) -> Row:
    """The row of table `dreams`; `origin` is the message of run `run_id` that holds the blob."""
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
        entry.tensor_blob,
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
    return json.dumps(value, separators=(",", ":"))


def _unpack(text: Value) -> list[object]:
    value = json.loads(str(text))
    if not isinstance(value, list):
        raise ValueError(f"a list is required, not {text!r}")
    return value
