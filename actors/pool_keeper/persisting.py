"""A dream enters the pool: verified, stored once, logged (seed 000, sections 2, 4 and 9).

In: a DreamEntry. Out: a row and a line in persist.jsonl; nobody is answered, for the dreamer is never acknowledged.
Refused: a blob whose tensor is not the declared one, an id that the pool knows with another tensor, coherence that is
not 1 - spectral_entropy, coherence under a numeric gate, metadata without schema_version, a lineage that contradicts
itself. The same id with the same tensor is a repeated delivery, also of an evicted dream: counted, nothing else.
"""

import json
from dataclasses import dataclass
from typing import Final

from actors.pool_keeper.rows import facts_of
from actors.pool_keeper.store import PoolStore
from bus.core import MessageRef, Note, Outcome
from schemas.dreams import DreamEntry, DreamFacts
from schemas.errors import TensorRefusedError
from schemas.tensor import decode, raw_size

COHERENCE_TOLERANCE: Final = 1e-6


@dataclass(frozen=True)
class Step:
    """What the handling of one message may know beside the message."""

    ref: MessageRef
    now_ns: int


def persist(store: PoolStore, gate: float | None, entry: DreamEntry, step: Step) -> Outcome:
    """Store `entry`. `gate` is the least coherence, inclusive; None leaves the gate to the dreamer."""
    known = store.trace(entry.id)
    if known is not None and known[1] == entry.tensor_sha256:
        store.count("duplicates")
        store.log("persist", _line("duplicate", entry, step) | {"sequence": known[0]})
        return Outcome()
    reason = "the id belongs to another tensor in the pool" if known is not None else _fault(store, gate, entry)
    if reason is not None:
        store.count("refused_dreams")
        store.log("persist", _line("refused", entry, step) | {"reason": reason})
        return Outcome(refusal=f"DreamEntry {entry.id} from {step.ref.sender}: {reason}")
    sequence = store.add_dream(entry, step.ref)
    store.log("persist", _line("stored", entry, step) | {"sequence": sequence})
    return Outcome(notes=[Note("debug", f"stored dream {entry.id} as {sequence}, coherence {entry.coherence:.3f}")])


def _fault(store: PoolStore, gate: float | None, entry: DreamEntry) -> str | None:
    return _value_fault(gate, entry) or _metadata_fault(entry) or _lineage_fault(store, entry) or _tensor_fault(entry)


def _value_fault(gate: float | None, entry: DreamEntry) -> str | None:
    if abs(entry.coherence - (1.0 - entry.spectral_entropy)) > COHERENCE_TOLERANCE:
        return f"coherence {entry.coherence} is not 1 - spectral_entropy {entry.spectral_entropy}"
    if gate is not None and entry.coherence < gate:
        return f"coherence {entry.coherence} is under the pool's threshold {gate}"
    return None


def _metadata_fault(entry: DreamEntry) -> str | None:
    metadata = _metadata(entry)
    if metadata is None:
        return "metadata_json is not a JSON object"
    version = metadata.get("schema_version")
    if isinstance(version, bool) or not isinstance(version, int | str):
        return f"metadata_json needs a schema_version, found {version!r}"
    return None


def _lineage_fault(store: PoolStore, entry: DreamEntry) -> str | None:
    if not entry.parents:
        if entry.lineage_root != entry.id or entry.generation != 0:
            return (
                f"without parents it is its own root in generation 0, not of {entry.lineage_root} in {entry.generation}"
            )
        return None
    if len(set(entry.parents)) < len(entry.parents) or entry.id in entry.parents:
        return "parents repeat, or name the dream itself"
    parents = [_facts(store, parent) for parent in entry.parents]
    first = parents[0]
    if first is not None and entry.lineage_root != first.lineage_root:
        return f"lineage_root {entry.lineage_root} is not its first parent's, {first.lineage_root}"
    least = 1 + max((parent.generation for parent in parents if parent is not None), default=0)
    if entry.generation < least or (None not in parents and entry.generation > least):
        return f"generation {entry.generation} contradicts the parents, {least} follows from them"
    return None


def _tensor_fault(entry: DreamEntry) -> str | None:
    try:
        decode(entry.tensor_blob, entry.shape, entry.tensor_sha256)
    except TensorRefusedError as error:
        return error.reason
    return None


def _metadata(entry: DreamEntry) -> dict[str, object] | None:
    try:
        value = json.loads(entry.metadata_json)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _facts(store: PoolStore, dream_id: str) -> DreamFacts | None:
    row = store.known_facts_row(dream_id)
    try:
        return None if row is None else facts_of(row)
    except ValueError:
        return None


def _line(event: str, entry: DreamEntry, step: Step) -> dict[str, object]:
    metadata = _metadata(entry) or {}
    seed = metadata.get("seed")
    return {
        "event": event,
        "ts_ns": step.now_ns,
        "sender": step.ref.sender,
        "epoch": step.ref.epoch,
        "seq": step.ref.seq,
        "id": entry.id,
        "timestamp_ns": entry.timestamp_ns,
        "source": entry.source,
        "lineage_root": entry.lineage_root,
        "profile_id": entry.profile_id,
        "seed": seed if isinstance(seed, int | str) else None,
        "coherence": entry.coherence,
        "spectral_entropy": entry.spectral_entropy,
        "energy": entry.energy,
        "chroma_signature": entry.chroma_signature,
        "tensor_sha256": entry.tensor_sha256.hex(),
        "raw_bytes": raw_size(entry.shape),
        "blob_bytes": len(entry.tensor_blob),
    }
