"""Answers: the same for ever, true to the pool, and never with a damaged tensor."""

import math
import random
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.pool_keeper import retrieving
from bus.codec import encode_body
from bus.core import MessageRef
from schemas.ids import derived_id
from schemas.retrieval import BatchRequest, LearningBatch, PoolStatsRequest, RequestRefused
from schemas.tensor import decode, encode

MODES = ["cosine", "euclidean", "mixed", "composite"]


def pool_file(home: Path) -> Path:
    return home / "pool" / "dream_pool.sqlite"


@pytest.mark.parametrize("unique", [True, False])
def test_an_answer_depends_on_content_and_query_alone(
    open_keeper: Any, dream: Any, query: Any, unique: bool, tmp_path: Path
) -> None:
    # seed 000, section 9: same (query, seed) returns the same ordered set; six insert orders, a restart, two learners
    dreams = [dream(number, tensor_of=number % 17) for number in range(30)]
    answers = []

    for order in range(6):
        random.Random(order).shuffle(dreams)
        home = tmp_path / str(order)
        keeper = open_keeper(home)
        keeper.dream(*dreams)
        asked = [query(mode=m, exploration=0.3, recency_decay=0.02, allow_duplicates=not unique) for m in MODES]
        first = [encode_body(keeper.ask(q, "learner")) for q in asked]
        second = [encode_body(keeper.ask(q, "learner-2")) for q in asked]
        keeper.store.close()
        again = open_keeper(home)
        answers += [first, second, [encode_body(again.ask(q, "learner")) for q in asked]]

    assert all(answer == answers[0] for answer in answers)


def test_an_answer_names_the_pool_sequence_that_it_saw(keeper: Any, dream: Any, query: Any) -> None:
    keeper.dream(dream(1), dream(2))

    before = keeper.ask(query())
    keeper.dream(dream(3))
    after = keeper.ask(query())

    assert (before.pool_sequence, after.pool_sequence) == (2, 3)
    assert len(before.entries) == 2
    assert len(after.entries) == 3


def test_a_dream_can_be_retrieved_before_its_commit(keeper: Any, dream: Any, query: Any) -> None:
    keeper.say(dream(1), "dreamer")

    answer = keeper.say(query()).sends[0].message

    assert [entry.facts.id for entry in answer.entries] == [dream(1).id]


def test_stats_are_those_of_the_returned_dreams(keeper: Any, dream: Any, query: Any) -> None:
    # seed 000, section 3.4
    dreams = [dream(number) for number in range(20)]
    keeper.dream(*dreams)

    answer = keeper.ask(query(k=5))

    facts = [entry.facts for entry in answer.entries]
    pairs = [math.dist(a.chroma_signature, b.chroma_signature) for i, a in enumerate(facts) for b in facts[i + 1 :]]
    assert len(pairs) == 10
    assert answer.stats.mode == "cosine"
    assert answer.stats.avg_coherence == pytest.approx(sum(f.coherence for f in facts) / 5)
    assert answer.stats.avg_entropy == pytest.approx(sum(f.spectral_entropy for f in facts) / 5)
    assert answer.stats.diversity == pytest.approx(sum(pairs) / 10)


def test_empty_and_single_answers_have_finite_stats(keeper: Any, dream: Any, query: Any) -> None:
    empty = keeper.ask(query(mode="mixed"))
    keeper.dream(dream(1))
    single = keeper.ask(query(mode="mixed"))

    assert empty.entries == ()
    assert (empty.stats.avg_coherence, empty.stats.avg_entropy, empty.stats.diversity) == (0.0, 0.0, 0.0)
    assert single.stats.diversity == 0.0
    assert single.stats.avg_coherence == dream(1).coherence


def test_the_retrieval_log_names_both_lists_scores_and_propensities(keeper: Any, dream: Any, query: Any) -> None:
    # seed 000, sections 7 and 14; design, 5.4
    keeper.dream(*(dream(number) for number in range(12)))

    answer = keeper.ask(query(mode="mixed", k=4, exploration=0.25, seed=77))

    (line,) = keeper.log("retrieval")
    assert line["entry_ids"] == [entry.facts.id for entry in answer.entries]
    assert line["scores"] == [entry.score for entry in answer.entries]
    assert line["explored"] == [False, False, False, True]
    assert line["propensities"] == [1.0, 1.0, 1.0, 1 / 9]
    assert len(line["candidates_by_cosine"]) == len(line["candidates_by_coherence"]) == 3
    assert set(line["entry_ids"][:3]) <= {*line["candidates_by_cosine"], *line["candidates_by_coherence"]}
    assert (line["query"]["seed"], line["pool_sequence"], line["learner"]) == (77, 12, "learner")
    assert line["stats"] == answer.stats.model_dump()


def test_an_answer_too_large_for_the_bus_is_refused_with_its_size(keeper: Any, dream: Any, query: Any) -> None:
    metadata = '{"schema_version": 1, "text": "' + "x" * 65_000 + '"}'
    keeper.dream(*(dream(number, metadata_json=metadata) for number in range(61)))

    outcome = keeper.say(query(k=61))

    assert isinstance(outcome.sends[0].message, RequestRefused)
    assert "ask for fewer" in (outcome.refusal or "")
    assert len(keeper.say(query(k=50)).sends[0].message.entries) == 50


def test_the_size_of_an_entry_is_never_underestimated(keeper: Any, dream: Any, query: Any) -> None:
    ids = tuple(derived_id(number) for number in range(64))
    many = {"parents": ids[:8], "factoid_ids": ids, "image_id": ids[0], "profile_id": ids[1]}
    full = dream(1, generation=1, lineage_root=ids[2], ancestry=dream(1).ancestry * 64, **many)
    for entry in (full, dream(2)):
        keeper.dream(entry)

    answer = keeper.ask(query())

    assert len(encode_body(answer)) < sum(retrieving.encoded_bytes(entry.facts) for entry in answer.entries)


def test_a_batch_refers_to_dreams_of_this_run_and_carries_those_of_older_ones(
    open_keeper: Any, dream: Any, query: Any
) -> None:
    old = open_keeper(run="20250101T000000Z-0001")
    old.dream(dream(1))
    old.store.close()
    keeper = open_keeper()
    keeper.dream(dream(2))
    keeper.ask(query())

    send = keeper.say(BatchRequest(query_id=query().query_id, entry_ids=(dream(1).id, dream(2).id))).sends[0]

    assert send.message.entry_ids == (dream(1).id, dream(2).id)
    assert send.payload_origins == (None, MessageRef("dreamer", 1, 1))
    assert send.to == "learner"


def test_ids_that_cannot_be_served_are_skipped_with_the_reason(keeper: Any, dream: Any, query: Any) -> None:
    keeper.dream(dream(1, chroma_signature=(0.2, 0.5, 0.7)), dream(2, chroma_signature=(1.0, 0.0, 0.0)))
    keeper.ask(query(k=1))
    ids = (derived_id("nobody"), dream(2).id, dream(1).id, dream(1).id)

    batch = keeper.ask(BatchRequest(query_id=query().query_id, entry_ids=ids))

    assert batch.entry_ids == (dream(1).id,)
    assert [(skip.entry_id, skip.reason) for skip in batch.skipped] == [
        (ids[0], "the pool holds no such dream"),
        (ids[1], "not in the answer to this query"),
        (ids[3], "asked for twice"),
    ]


def test_a_batch_for_a_query_of_nobody_or_of_another_learner_is_refused(keeper: Any, dream: Any, query: Any) -> None:
    keeper.dream(dream(1))
    keeper.ask(query(), "learner")
    request = BatchRequest(query_id=query().query_id, entry_ids=(dream(1).id,))

    foreign = keeper.say(request, "learner-2")
    unknown = keeper.say(request.model_copy(update={"query_id": derived_id("never")}), "learner")

    for outcome in (foreign, unknown):
        reply = outcome.sends[0].message
        assert isinstance(reply, RequestRefused)
        assert (reply.request_kind, reply.request_epoch) == ("BatchRequest", 1)
        assert "never asked" in reply.reason
        assert reply.reason in (outcome.refusal or "")
    assert foreign.sends[0].to == "learner-2"


def test_a_batch_stops_before_it_grows_too_large(keeper: Any, dream: Any, query: Any) -> None:
    zeros = np.zeros((512, 512, 8, 3), dtype=np.float32)
    zeros[...] = np.random.Generator(np.random.Philox(key=1)).random((512, 512, 8, 3), dtype=np.float32)
    big = [_large(dream, number, zeros) for number in range(3)]
    keeper.dream(*big)
    keeper.ask(query())

    batch = keeper.ask(BatchRequest(query_id=query().query_id, entry_ids=tuple(entry.id for entry in big)))

    assert sum(map(len, batch.tensors)) <= retrieving.MAX_BATCH_BYTES
    assert len(batch.entry_ids) + len(batch.skipped) == 3
    assert "batch is full" in batch.skipped[0].reason


def _large(dream: Any, number: int, tensor: Any) -> Any:
    tensor[0, 0, 0, 0] = number / 10
    blob, sha256 = encode(tensor)
    return dream(number, tensor_blob=blob, tensor_sha256=sha256, shape=(512, 512, 8))


def test_sixty_four_flipped_bits_are_never_served(open_keeper: Any, dream: Any, query: Any) -> None:
    # seed 000, section 9: verify tensor_sha256 on deserialize, reject on mismatch
    keeper = open_keeper()
    dreams = [dream(number) for number in range(64)]
    keeper.dream(*dreams)
    keeper.store.close()
    chance = random.Random(1)
    with sqlite3.connect(pool_file(keeper.home)) as outside:
        for entry in dreams:
            blob = bytearray(entry.tensor_blob)
            blob[chance.randrange(len(blob))] ^= 1 << chance.randrange(8)
            outside.execute("UPDATE dreams SET tensor_blob = ? WHERE id = ?", (bytes(blob), entry.id))
    outside.close()
    keeper = open_keeper()
    keeper.ask(query(k=64))

    outcome = keeper.say(BatchRequest(query_id=query().query_id, entry_ids=tuple(entry.id for entry in dreams)))

    batch = outcome.sends[0].message
    truth = {entry.id: entry for entry in dreams}
    for served, sha256, blob, shape in zip(
        batch.entry_ids, batch.tensor_sha256s, batch.tensors, batch.shapes, strict=True
    ):
        assert np.array_equal(
            decode(blob, shape, sha256), decode(truth[served].tensor_blob, shape, truth[served].tensor_sha256)
        )
    assert len(batch.skipped) + len(batch.entry_ids) == 64
    assert len(batch.skipped) > 55, "a flip in a zstd header bit that nobody reads may leave the tensor as it was"
    assert keeper.core.figures()["corrupt_rows"] == len(batch.skipped)
    assert sum(note.level == "error" for note in outcome.notes) == len(batch.skipped)


def test_one_damaged_tensor_leaves_the_others_aligned(open_keeper: Any, dream: Any, query: Any) -> None:
    # seed 000, section 3.5
    keeper = open_keeper()
    dreams = [dream(number) for number in range(8)]
    keeper.dream(*dreams)
    keeper.store.close()
    with sqlite3.connect(pool_file(keeper.home)) as outside:
        outside.execute("UPDATE dreams SET tensor_blob = ? WHERE id = ?", (dreams[4].tensor_blob, dreams[3].id))
    outside.close()
    keeper = open_keeper()
    keeper.ask(query())

    batch = keeper.ask(BatchRequest(query_id=query().query_id, entry_ids=tuple(entry.id for entry in dreams)))

    assert isinstance(batch, LearningBatch)
    kept = [entry for entry in dreams if entry is not dreams[3]]
    assert batch.entry_ids == tuple(entry.id for entry in kept)
    assert batch.tensors == tuple(entry.tensor_blob for entry in kept)
    assert [skip.entry_id for skip in batch.skipped] == [dreams[3].id]


def test_a_row_with_damaged_facts_is_left_out_and_reported(open_keeper: Any, dream: Any, query: Any) -> None:
    keeper = open_keeper()
    keeper.dream(dream(1), dream(2))
    keeper.store.close()
    with sqlite3.connect(pool_file(keeper.home)) as outside:
        outside.execute("UPDATE dreams SET parents = '[', energy = -1 WHERE id = ?", (dream(1).id,))
    outside.close()
    keeper = open_keeper()

    outcome = keeper.say(query())

    assert [entry.facts.id for entry in outcome.sends[0].message.entries] == [dream(2).id]
    assert [note.level for note in outcome.notes] == ["error"]


def test_pool_stats_agree_with_the_log_and_survive_compaction(open_keeper: Any, dream: Any, query: Any) -> None:
    # seed 000, section 4: pool_stats
    keeper = open_keeper()
    keeper.dream(*(dream(number) for number in range(15)))
    before = encode_body(keeper.ask(query(exploration=0.3)))
    stored = [line for line in keeper.log("persist") if line["event"] == "stored"]
    keeper.store.close()
    outside = sqlite3.connect(pool_file(keeper.home))
    outside.execute("VACUUM")
    outside.close()
    keeper = open_keeper()

    stats = keeper.ask(PoolStatsRequest(request=9))

    assert (stats.request, stats.dreams_total, stats.pool_sequence) == (9, 15, 15)
    assert stats.coherence_mean == math.fsum(line["coherence"] for line in stored) / 15
    assert stats.spectral_entropy_mean == math.fsum(line["spectral_entropy"] for line in stored) / 15
    assert stats.last_compaction_at_ns is None
    assert encode_body(keeper.ask(query(exploration=0.3))) == before
