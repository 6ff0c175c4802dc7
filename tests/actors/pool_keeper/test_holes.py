"""A pool with holes answers as one that never held the dreams that left."""

import hashlib
from typing import Any

import numpy as np
import pytest

from actors.pool_keeper import store as store_module
from actors.pool_keeper.atlas import Atlas
from actors.pool_keeper.cells import Grain
from actors.pool_keeper.columns import SOURCES, Columns, Signature
from actors.pool_keeper.eviction import Budget
from actors.pool_keeper.ranking import rank
from bus.codec import encode_body
from schemas.ids import derived_id
from schemas.retrieval import RetrievalQuery
from tests.brute_force import answer

NOW_NS = 1_767_225_600 * 10**9
DAY_NS = 86_400 * 10**9
FINE = Grain(block=4, group=16, smallest=64, largest=256)
POOLS = 150


def pool_of(generator: np.random.Generator, count: int) -> list[Signature]:
    """Dreams with kin, copies and equals."""
    colours = (
        generator.integers(0, 4, (count, 3)) / 4 if generator.random() < 0.5 else generator.random((count, 3))
    ).tolist()
    names = generator.permutation(count).tolist()
    rows = []
    for row in range(count):
        tensor = int(generator.integers(0, count)) if generator.random() < 0.4 else row
        root = int(generator.integers(0, 1 + count // 3))
        coherence = float(generator.integers(0, 5) / 5)
        age = int(generator.integers(0, 4)) * DAY_NS
        sha256 = hashlib.sha256(str(tensor).encode()).digest()
        rows.append(
            Signature(
                row + 1, derived_id("d", names[row]), NOW_NS - age, *colours[row], coherence, 1.0 - coherence,
                SOURCES[row % 4], derived_id("r", root), sha256, 100,
            )
        )  # fmt: skip
    return rows


def query_of(generator: np.random.Generator) -> RetrievalQuery:
    """Any query."""
    return RetrievalQuery(
        query_id=derived_id("query"),
        k=int(generator.choice([1, 3, 8, 400])),
        mode=str(generator.choice(["cosine", "euclidean", "mixed", "composite"])),  # type: ignore[arg-type]
        query_signature=tuple(generator.random(3).tolist()),
        min_coherence=0.5 if generator.random() < 0.2 else None,
        max_entropy=0.7 if generator.random() < 0.2 else None,
        recency_decay=0.5 if generator.random() < 0.5 else None,
        allow_duplicates=bool(generator.random() < 0.4),
        seed=int(generator.integers(0, 2**63)),
        as_of_ns=NOW_NS,
        alpha=0.6,
        exploration=float(generator.choice([0.0, 0.3, 1.0])),
    )


def asked(columns: Columns, atlas: Atlas, query: RetrievalQuery) -> list[object]:
    """The answer, by ids."""
    found = rank(atlas, query)
    lists = [[columns.id_of(row) for row in rows] for rows in (found.rows, found.by_cosine, found.by_coherence)]
    return [*lists, found.scores, found.propensities]


def expected(columns: Columns, query: RetrievalQuery) -> list[object]:
    """The same from a scan of columns without holes."""
    found = answer(columns, query)
    lists = [[columns.id_of(row) for row in rows] for rows in (found.rows, found.by_cosine, found.by_coherence)]
    return [*lists, found.scores, found.propensities]


@pytest.mark.parametrize("seed", range(POOLS))
def test_what_left_is_in_no_answer_and_nothing_else_changes(seed: int) -> None:
    # issue 5: query while evicting; design, 5.5 and 5.6, of the dreams that are left
    generator = np.random.Generator(np.random.Philox(key=seed))
    signatures = pool_of(generator, int(generator.choice([2, 20, 90, 300])))
    columns, left = Columns(), set[int]()
    atlas = Atlas(columns, FINE)
    kept_query = query_of(generator)
    while columns.count < len(signatures):
        columns.extend(signatures[columns.count : columns.count + 1 + int(generator.integers(0, 60))])
        open_rows = np.flatnonzero(columns.present)[:-1]
        gone = np.sort(generator.permutation(open_rows)[: int(generator.integers(0, 1 + len(open_rows) // 2))])
        columns.evict(gone.astype(np.int64), 100 * len(gone))
        left.update(signatures[row].sequence for row in gone.tolist())
        rank(atlas, kept_query)
        rank(atlas, query_of(generator))

    plain = Columns()
    plain.extend([row for row in signatures if row.sequence not in left])
    assert columns.dreams == plain.count
    assert columns.blob_bytes == plain.blob_bytes
    assert columns.means() == plain.means()
    assert columns.by_source() == plain.by_source()
    for query in (kept_query, *(query_of(generator) for _ in range(3))):
        assert asked(columns, atlas, query) == expected(plain, query), (seed, query)


def test_moved_up_rows_are_those_of_a_pool_that_never_had_holes() -> None:
    signatures = pool_of(np.random.Generator(np.random.Philox(key=5)), 200)
    columns, plain = Columns(), Columns()
    columns.extend(signatures)
    gone = np.arange(0, 199, 3, dtype=np.int64)
    columns.evict(gone, 100 * len(gone))
    plain.extend([row for row in signatures if row.sequence - 1 not in set(gone.tolist())])

    columns.squeeze()
    columns.append(signatures[0]._replace(sequence=201))
    plain.append(signatures[0]._replace(sequence=201))

    for name in ("red", "ts", "sequence", "source", "root", "tensor", "ids", "present"):
        assert getattr(columns, name).tolist() == getattr(plain, name).tolist(), name
    assert (columns.holes, columns.blob_bytes, columns.means()) == (0, plain.blob_bytes, plain.means())


def test_an_eviction_that_is_taken_back_leaves_no_trace() -> None:
    signatures = pool_of(np.random.Generator(np.random.Philox(key=6)), 100)
    columns, plain = Columns(), Columns()
    for each in (columns, plain):
        each.extend(signatures[:80])
    columns.means()
    atlas = Atlas(columns, FINE)

    columns.extend(signatures[80:])
    gone = np.array([3, 7, 85], dtype=np.int64)
    columns.evict(gone, 300)
    rank(atlas, query_of(np.random.Generator(np.random.Philox(key=1))))
    columns.take_back_eviction(gone)
    columns.truncate(80, plain.blob_bytes)

    assert (columns.dreams, columns.holes, columns.blob_bytes) == (80, 0, plain.blob_bytes)
    assert columns.means() == plain.means()
    for seed in range(20):
        query = query_of(np.random.Generator(np.random.Philox(key=seed)))
        assert asked(columns, atlas, query) == expected(plain, query), seed


def test_queries_while_dreams_leave_are_answered_as_after_a_restart(
    open_keeper: Any, dream: Any, query: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # issue 5, bad input: query while evicting
    monkeypatch.setattr(store_module, "SMALL_ROWS", 0)
    keeper = open_keeper(budget=Budget(max_dreams=60))
    asked = [
        query(mode=mode, k=12, allow_duplicates=unique, exploration=0.5)
        for mode in ("cosine", "composite", "mixed")
        for unique in (True, False)
    ]
    had_holes = False
    for number in range(0, 120, 8):
        keeper.dream(*(dream(n, tensor_of=n // 3) for n in range(number, number + 8)))
        had_holes |= keeper.store.columns.holes > 0
        answers = [encode_body(keeper.ask(each)) for each in asked]
        keeper.store.close()
        again = open_keeper(keeper.home, budget=Budget(max_dreams=60))
        assert [encode_body(again.ask(each)) for each in asked] == answers, number
        again.store.close()
        keeper = open_keeper(keeper.home, budget=Budget(max_dreams=60))

    assert had_holes


def test_an_eviction_in_the_middle_of_a_batch_is_seen_by_the_next_query_of_it(
    open_keeper: Any, dream: Any, query: Any
) -> None:
    keeper = open_keeper(budget=Budget(max_dreams=10))
    for number in range(40):
        keeper.say(dream(number), "dreamer")
        answer = keeper.say(query(k=64, query_id=derived_id("q", number))).sends[0].message
        assert len(answer.entries) == keeper.core.figures()["dreams_total"] <= 10
    keeper.commit()
