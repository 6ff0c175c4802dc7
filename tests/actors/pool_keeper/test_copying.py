"""Copies of a pool: as it was before a run, whatever came after, and as it is now, to look at."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from actors.pool_keeper.copying import content_digest, furnish
from actors.pool_keeper.errors import PoolError
from actors.pool_keeper.eviction import Budget
from schemas.feedback import FeedbackBatch, FeedbackRecord
from schemas.ids import derived_id
from schemas.retrieval import BatchRequest, PoolStatsRequest

FIRST, SECOND, THIRD = (f"2026010{day}T000000Z-000{day}" for day in (1, 2, 3))
BUDGET = Budget(max_dreams=12)


def live(keeper: Any, dreams: list[Any], query: Any) -> list[Any]:
    """A run: dreams come, a learner asks and says what helped; what the pool answered."""
    answers = []
    for number, entry in enumerate(dreams):
        keeper.say(entry, "dreamer", now_ns=1000 + number)
        if number % 4 == 3:
            asked = query(query_id=derived_id("ask", keeper.store.run_id, number), k=6, exploration=0.3)
            answers.append(keeper.ask(asked))
            found = [entry.facts.id for entry in answers[-1].entries]
            records = tuple(
                FeedbackRecord(
                    query_id=asked.query_id, entry_id=i, utility=0.01 * n - 0.02, contribution=0.5, notes=None
                )
                for n, i in enumerate(found)
            )
            batch_id = derived_id("b", keeper.store.run_id, number)
            answers.append(keeper.ask(FeedbackBatch(batch_id=batch_id, records=records)))
        if number == 2:
            keeper.store.pin(entry.id, True, number)
    answers.append(keeper.ask(PoolStatsRequest(request=1)))
    return answers


def test_a_run_with_evictions_replays_after_later_runs_evicted_more(
    tmp_path: Path, open_keeper: Any, dream: Any, query: Any
) -> None:
    # issue 5: deterministic, a replay gives the same pool content
    home = tmp_path / "home"
    answers: dict[str, list[Any]] = {}
    utilities: dict[str, Any] = {}
    for part, run in enumerate((FIRST, SECOND, THIRD)):
        keeper = open_keeper(home, run=run, budget=BUDGET)
        utilities[run] = keeper.store.utilities()
        answers[run] = live(keeper, [dream(number) for number in range(30 * part, 30 * part + 30)], query)
        keeper.store.close()

    for part, run in enumerate((FIRST, SECOND, THIRD)):
        again = tmp_path / run
        open_keeper(again, run=run).store.close()
        furnish(home, again, run)
        keeper = open_keeper(again, run=run, budget=BUDGET)
        assert keeper.store.utilities() == utilities[run]
        replayed = live(keeper, [dream(number) for number in range(30 * part, 30 * part + 30)], query)
        keeper.store.close()
        assert replayed == answers[run]
        assert content_digest(again, run) == content_digest(home, run)


def test_a_run_in_a_pool_of_version_1_can_still_be_replayed(
    tmp_path: Path, open_keeper: Any, dream: Any, make_version_1: Any, query: Any
) -> None:
    home = tmp_path / "old"
    make_version_1(home, [dream(1), dream(2)])
    open_keeper(tmp_path / "fresh", run=SECOND).store.close()

    furnish(home, tmp_path / "fresh", SECOND)

    keeper = open_keeper(tmp_path / "fresh", run=SECOND)
    assert [entry.facts.id for entry in keeper.ask(query(k=2)).entries]
    assert keeper.store.utilities() == {1: (2, 0.5)}
    assert content_digest(home, FIRST) == content_digest(home, FIRST) != content_digest(home, SECOND)
    with closing(sqlite3.connect(home / "pool" / "dream_pool.sqlite")) as untouched:
        assert untouched.execute("PRAGMA user_version").fetchone() == (1,)


def test_a_damaged_tensor_shows_in_the_digest(open_keeper: Any, large_dream: Any) -> None:
    keeper = open_keeper()
    keeper.dream(large_dream(1))
    keeper.store.close()
    before = content_digest(keeper.home, FIRST)
    path = keeper.home / "pool" / "blobs" / "000001.blob"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    assert content_digest(keeper.home, FIRST) != before


def test_a_snapshot_stays_what_it_was_while_the_pool_lives_on(
    tmp_path: Path, open_keeper: Any, large_dream: Any, query: Any
) -> None:
    # issue 5: VACUUM INTO snapshots on request
    keeper = open_keeper(budget=Budget(max_dreams=8))
    dreams = [large_dream(number) for number in range(8)]
    keeper.dream(*dreams)
    keeper.say(large_dream(8), "dreamer")

    path = keeper.store.snapshot(tmp_path / "snapshot")
    for number in range(8, 60):
        keeper.dream(large_dream(number))

    assert keeper.core.figures()["compactions"] > 0
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM dreams").fetchone() == (8,), "committed dreams alone"
    looked = open_keeper(tmp_path / "snapshot")
    looked.ask(query(k=8))
    answer = looked.ask(BatchRequest(query_id=query().query_id, entry_ids=tuple(entry.id for entry in dreams)))
    assert answer.tensors == tuple(entry.tensor_blob for entry in dreams)


def test_a_snapshot_is_never_put_over_another(tmp_path: Path, open_keeper: Any, dream: Any) -> None:
    keeper = open_keeper()
    keeper.dream(dream(1))
    keeper.store.snapshot(tmp_path / "snapshot")

    with pytest.raises(PoolError):
        keeper.store.snapshot(tmp_path / "snapshot")
