"""Tensors are verified once by the keeper's process, and then handed as views of the mapped segments."""

import os
from typing import Any

import pytest

from actors.pool_keeper import retrieving
from actors.pool_keeper.eviction import Budget
from actors.pool_keeper.store import PoolStore
from schemas.ids import derived_id
from schemas.retrieval import BatchRequest, LearningBatch

QUERY_ID = derived_id("query", 1)


def batch(keeper: Any, *dreams: Any) -> LearningBatch:
    """What `keeper` hands of `dreams`."""
    found = keeper.ask(BatchRequest(query_id=QUERY_ID, entry_ids=tuple(dream.id for dream in dreams)))
    assert isinstance(found, LearningBatch)
    return found


@pytest.fixture
def asked(keeper: Any, large_dream: Any, query: Any) -> Any:
    """A keeper of six large dreams that has answered a query with them."""
    keeper.dreams = [large_dream(number) for number in range(6)]
    keeper.dream(*keeper.dreams)
    keeper.ask(query(k=6))
    return keeper


def test_a_tensor_is_verified_the_first_time_and_then_handed_as_a_view(
    asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # issue 5: handles, not bytes
    verified: list[bytes] = []
    decode = retrieving.decode
    monkeypatch.setattr(
        retrieving, "decode", lambda blob, shape, sha256: verified.append(sha256) or decode(blob, shape, sha256)
    )

    first, second = batch(asked, *asked.dreams), batch(asked, *asked.dreams)

    assert first.tensors == second.tensors == tuple(dream.tensor_blob for dream in asked.dreams)
    assert verified == [dream.tensor_sha256 for dream in asked.dreams]
    assert all(isinstance(tensor, memoryview) for tensor in second.tensors)


def test_each_process_verifies_for_itself(asked: Any, open_keeper: Any, query: Any) -> None:
    batch(asked, *asked.dreams)
    asked.store.close()
    path = asked.home / "pool" / "blobs" / "000001.blob"
    data = bytearray(path.read_bytes())
    data[len(asked.dreams[0].tensor_blob) // 2] ^= 1
    path.write_bytes(data)
    again = open_keeper()
    again.ask(query(k=6))

    found = batch(again, *asked.dreams)

    assert found.entry_ids == tuple(dream.id for dream in asked.dreams[1:])
    assert again.core.figures()["corrupt_rows"] == 1


def test_a_view_outlives_the_compaction_of_its_segment(open_keeper: Any, large_dream: Any, query: Any) -> None:
    keeper = open_keeper(budget=Budget(max_dreams=8))
    keeper.dream(*(large_dream(number) for number in range(6)))
    keeper.ask(query(k=6))
    first = [large_dream(number) for number in range(6)]
    batch(keeper, *first)
    views = batch(keeper, *first).tensors

    for number in range(6, 60):
        keeper.dream(large_dream(number))

    assert not (keeper.home / "pool" / "blobs" / "000001.blob").exists(), "it was moved and deleted"
    assert views == tuple(dream.tensor_blob for dream in first)


def test_a_segment_that_somebody_cut_is_told_and_hurts_nobody(asked: Any) -> None:
    batch(asked, *asked.dreams)
    path = asked.home / "pool" / "blobs" / "000001.blob"
    os.truncate(path, len(asked.dreams[0].tensor_blob) + 10)

    found = batch(asked, *asked.dreams)

    assert found.entry_ids == (asked.dreams[0].id,)
    assert len(found.skipped) == 5


def test_a_place_that_is_taken_back_is_verified_anew(asked: Any, large_dream: Any) -> None:
    store: PoolStore = asked.store
    asked.say(large_dream(7), "dreamer")
    dream_id = large_dream(7).id
    tensor = store.tensors([dream_id])[dream_id]
    store.call_sound(tensor)
    assert store.tensors([dream_id])[dream_id].is_sound
    store._roll_back()

    asked.say(large_dream(7), "dreamer")
    other = store.tensors([dream_id])[dream_id]

    assert other.place == tensor.place
    assert not other.is_sound
