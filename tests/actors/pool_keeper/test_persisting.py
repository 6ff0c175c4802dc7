"""What enters the pool, and what does not."""

import hashlib
import json
import math
from typing import Any

import numpy as np
import pytest

from schemas.dreams import Ancestor
from schemas.ids import derived_id
from schemas.retrieval import BatchRequest
from schemas.tensor import decode, encode


def test_a_tensor_comes_back_bit_for_bit(keeper: Any, dream: Any, query: Any) -> None:
    # seed 000, section 11: round trip lossless, hash matches
    tensor = np.linspace(0, 1, 5 * 3 * 2 * 3, dtype=np.float32).reshape(5, 3, 2, 3)
    blob, sha256 = encode(tensor)
    entry = dream(1, tensor_blob=blob, tensor_sha256=sha256, shape=(5, 3, 2))
    keeper.dream(entry)

    keeper.ask(query())
    batch = keeper.ask(BatchRequest(query_id=query().query_id, entry_ids=(entry.id,)))

    assert batch.entry_ids == (entry.id,)
    assert hashlib.sha256(decode(batch.tensors[0], batch.shapes[0], sha256).tobytes()).digest() == sha256
    assert np.array_equal(decode(batch.tensors[0], batch.shapes[0], sha256), tensor)
    assert batch.tensors[0] == blob


def test_every_fact_survives(keeper: Any, open_keeper: Any, dream: Any, query: Any) -> None:
    # seed 000, section 3.2: also the fields that section 7 has no column for
    root = dream(1)
    child = dream(
        2,
        parents=(root.id, derived_id("unknown parent")),
        lineage_root=root.id,
        generation=3,
        factoid_ids=(derived_id("f", 1), derived_id("f", 2)),
        image_id=derived_id("i"),
        profile_id=derived_id("p"),
        energy=0.1 + 0.2,
        ancestry=(Ancestor(source="image", ancestor_id=derived_id("i"), share=1 / 3, split="train"),),
        metadata_json='{"schema_version": 1, "note": "\\u00fc\\ud83c\\udf19"}',
    )
    keeper.dream(root, child)
    keeper.store.close()

    entries = open_keeper().ask(query(k=2)).entries

    expected = {d.id: d.model_dump(exclude={"tensor_blob"}) for d in (root, child)}
    assert {entry.facts.id: entry.facts.model_dump() for entry in entries} == expected


def test_tables_carry_the_names_of_the_seed(keeper: Any, dream: Any) -> None:
    # seed 000, section 7
    root = dream(1)
    keeper.dream(root, dream(2, parents=(root.id,), lineage_root=root.id, generation=1))

    columns = "id, ts, chroma_r, chroma_g, chroma_b, coherence, energy, spectral_entropy, tensor_sha256, metadata_json"
    row = keeper.store.row(f"SELECT {columns}, tensor_blob FROM dreams WHERE id = ?", root.id)

    assert row == (
        root.id,
        root.timestamp_ns,
        *root.chroma_signature,
        root.coherence,
        root.energy,
        root.spectral_entropy,
        root.tensor_sha256,
        root.metadata_json,
        root.tensor_blob,
    )
    assert keeper.store.row("SELECT parent_id, child_id FROM lineage") == (root.id, dream(2).id)


def test_a_received_memoryview_is_stored_like_bytes(keeper: Any, dream: Any, query: Any) -> None:
    entry = dream(1)
    keeper.dream(entry.model_copy(update={"tensor_blob": memoryview(entry.tensor_blob)}))

    keeper.ask(query())

    assert keeper.ask(BatchRequest(query_id=query().query_id, entry_ids=(entry.id,))).tensors == (entry.tensor_blob,)


def test_a_repeated_delivery_counts_once(keeper: Any, dream: Any) -> None:
    keeper.dream(dream(1))

    outcome = keeper.say(dream(1), "dreamer")
    keeper.commit()

    assert outcome.refusal is None
    assert keeper.core.figures()["dreams_total"] == 1
    assert keeper.core.figures()["duplicates"] == 1
    assert [line["event"] for line in keeper.log("persist")] == ["stored", "duplicate"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tensor_of": 2}, "another tensor"),
        ({"number": 3, "tensor_sha256": bytes(32)}, "sha256"),
        ({"number": 3, "tensor_blob": b"not zstd"}, "zstd"),
        ({"number": 3, "shape": (4, 4, 3)}, "raw bytes"),
        ({"number": 3, "shape": (1024, 1024, 64)}, "limit"),
        ({"number": 3, "spectral_entropy": 0.123}, "spectral_entropy"),
        ({"number": 3, "metadata_json": "["}, "JSON object"),
        ({"number": 3, "metadata_json": "[1]"}, "JSON object"),
        ({"number": 3, "metadata_json": "[" * 60_000}, "JSON object"),
        ({"number": 3, "metadata_json": "{}"}, "schema_version"),
        ({"number": 3, "lineage_root": derived_id("other")}, "own root"),
        ({"number": 3, "generation": 1}, "own root"),
        ({"number": 3, "parents": (derived_id("dream", 3),), "generation": 1}, "itself"),
        ({"number": 3, "parents": (derived_id("dream", 1),) * 2, "generation": 1}, "repeat"),
        ({"number": 3, "parents": (derived_id("dream", 1),), "generation": 1}, "lineage_root"),
        (
            {"number": 3, "parents": (derived_id("dream", 1),), "lineage_root": derived_id("dream", 1)},
            "generation 0",
        ),
        ({"number": 3, "coherence": math.nextafter(0.25, 0.0)}, "threshold 0.25"),
    ],
)
def test_a_dream_that_contradicts_itself_is_refused_and_named(
    open_keeper: Any, dream: Any, changes: dict[str, Any], reason: str
) -> None:
    # seed 000, section 9: verify tensor_sha256, reject on mismatch
    keeper = open_keeper(gate=0.25)
    keeper.dream(dream(1, coherence=0.5))
    changes = dict(changes)
    refused = dream(changes.pop("number", 1), **({"coherence": 0.5} | changes))

    outcome = keeper.say(refused, "dreamer")
    keeper.commit()

    assert outcome.refusal is not None
    assert refused.id in outcome.refusal
    assert reason in outcome.refusal
    assert outcome.sends == [], "the dreamer is never acknowledged"
    assert keeper.core.figures()["dreams_total"] == 1
    assert keeper.core.figures()["refused_dreams"] == 1
    line = keeper.log("persist")[-1]
    assert (line["event"], line["id"]) == ("refused", refused.id)
    assert reason in line["reason"]


def test_a_numeric_gate_is_inclusive_and_a_calibrated_one_is_the_dreamers(open_keeper: Any, dream: Any) -> None:
    # seed 000, section 2: stores DreamEntry if coherence >= threshold
    gated = open_keeper(gate=0.75)
    gated.dream(dream(1, coherence=0.75))

    gated.store.close()
    open_keeper(gate=None).dream(dream(2, coherence=0.0))


def test_a_persist_line_names_sender_seed_hash_and_sizes(keeper: Any, dream: Any) -> None:
    # seed 000, section 14: verifiable artifacts (content hash and sizes), timestamps and seeds
    entry = dream(7)
    keeper.dream(entry)

    (line,) = keeper.log("persist")

    assert line["tensor_sha256"] == entry.tensor_sha256.hex()
    assert (line["raw_bytes"], line["blob_bytes"]) == (4 * 4 * 2 * 3 * 4, len(entry.tensor_blob))
    assert (line["sender"], line["epoch"], line["seq"], line["seed"]) == ("dreamer", 1, 1, 7)
    assert line["ts_ns"] > 0
    assert json.dumps(line)


def test_a_root_of_an_unknown_parent_is_taken_on_trust(keeper: Any, dream: Any) -> None:
    keeper.dream(dream(1, parents=(derived_id("gone"),), lineage_root=derived_id("gone too"), generation=5))

    assert keeper.core.figures()["dreams_total"] == 1
