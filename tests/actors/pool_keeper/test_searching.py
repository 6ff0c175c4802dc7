"""Searching with bounds gives what scoring and sorting everything gives, bit for bit."""

import hashlib
from typing import Any

import numpy as np
import pytest

from actors.pool_keeper.atlas import Atlas
from actors.pool_keeper.cells import ORDERS, Cells, Grain
from actors.pool_keeper.columns import Columns, Signature
from actors.pool_keeper.ranking import Ranking, rank
from actors.pool_keeper.scoring import Measure, Scoring
from schemas.ids import derived_id
from schemas.retrieval import RetrievalQuery
from tests.brute_force import Answer, answer

DAY_NS = 86_400 * 10**9
NOW_NS = 1_767_225_600 * 10**9
FINE = Grain(block=4, group=16, smallest=64, largest=256)
"""So that a few hundred dreams have segments of every size, and a tail."""
POOLS = 120


def pool_of(generator: np.random.Generator, count: int) -> list[Signature]:
    """Dreams with kin, copies and equals; their colours lie everywhere, in clusters, on a grid, or are often black."""
    coarse = generator.integers(0, 4, (count, 3)) / 4
    centres = generator.random((5, 3))[generator.integers(0, 5, count)]
    colours = [
        generator.random((count, 3)),
        np.clip(centres + 0.03 * generator.standard_normal((count, 3)), 0.0, 1.0),
        coarse,
        np.where(generator.random((count, 1)) < 0.3, 0.0, coarse) * generator.choice([1.0, 1e-161], (count, 1)),
    ][generator.integers(0, 4)].tolist()
    coherence = generator.random(count) if generator.random() < 0.5 else generator.integers(0, 5, count) / 5
    entropy = 1.0 - coherence if generator.random() < 0.7 else generator.random(count)
    ages = (
        np.sort(generator.random(count) * 30)[::-1] if generator.random() < 0.5 else generator.integers(-2, 30, count)
    )
    roots = generator.integers(0, max(1, int(count * generator.choice([0.01, 0.3, 1.0]))), count)
    is_copy = generator.random(count) < generator.choice([0.0, 0.3])
    tensors = np.where(is_copy, generator.integers(0, count, count), np.arange(count))
    names = generator.permutation(count).tolist()
    coherences, entropies = coherence.tolist(), entropy.tolist()
    return [
        Signature(
            row + 1, derived_id("d", names[row]), NOW_NS - int(ages[row] * DAY_NS), *colours[row], coherences[row],
            entropies[row], "image", derived_id("d", int(roots[row])), hashlib.sha256(tensors[row]).digest(), 100,
        )
        for row in range(count)
    ]  # fmt: skip


def query_of(generator: np.random.Generator) -> RetrievalQuery:
    """Any query."""

    def maybe(*values: float) -> float | None:
        return None if generator.random() < 0.5 else float(generator.choice(values))

    grid = (generator.integers(0, 3, 3) / 2).tolist()
    return RetrievalQuery(
        query_id=derived_id("query"),
        k=int(generator.choice([1, 2, 8, 9, 64, 300])),
        mode=generator.choice(["cosine", "euclidean", "mixed", "composite"]),  # type: ignore[arg-type]
        query_signature=tuple(generator.random(3).tolist() if generator.random() < 0.6 else grid),
        min_coherence=maybe(0.2, 0.5, 0.95),
        max_entropy=maybe(0.8, 0.5, 0.02),
        recency_decay=maybe(0.0, 0.02, 0.5, 30.0, 1e300),
        allow_duplicates=bool(generator.random() < 0.4),
        seed=int(generator.integers(0, 2**63)),
        as_of_ns=NOW_NS + int(generator.integers(-5, 5)) * DAY_NS,
        alpha=float(generator.choice([0.0, 0.6, 1.0])),
        exploration=float(generator.choice([0.0, 0.0, 0.1, 0.5, 1.0])),
    )


def as_answer(ranking: Ranking) -> Answer:
    return Answer(ranking.rows, ranking.scores, ranking.propensities, ranking.by_cosine, ranking.by_coherence)


def grown(signatures: list[Signature], atlas: Atlas, generator: np.random.Generator) -> None:
    """Fill the pool of `atlas` in pieces, asking in between and taking rows back now and then."""
    columns = atlas.columns
    while columns.count < len(signatures):
        columns.extend(signatures[columns.count : columns.count + int(generator.integers(1, 2 + len(signatures) // 3))])
        rank(atlas, query_of(generator))
        if generator.random() < 0.2:
            columns.truncate(int(generator.integers(0, columns.count)), 0)


@pytest.mark.parametrize("seed", range(POOLS))
def test_every_answer_is_that_of_the_whole_scan(seed: int) -> None:
    # design, 5.5: a function of query, seed and pool sequence; issue: every mode, filter, decay, k, exploration
    generator = np.random.Generator(np.random.Philox(key=seed))
    columns = Columns()
    atlas = Atlas(columns, FINE)
    grown(pool_of(generator, int(generator.choice([0, 1, 30, 300, 700]))), atlas, generator)

    for _ in range(8):
        asked = query_of(generator)
        assert as_answer(rank(atlas, asked)) == answer(columns, asked), (seed, asked)


@pytest.mark.parametrize("seed", range(4))
def test_the_answer_is_that_of_the_whole_scan_in_segments_of_full_size(seed: int) -> None:
    generator = np.random.Generator(np.random.Philox(key=1000 + seed))
    columns = Columns()
    columns.extend(pool_of(generator, 13_000))
    atlas = Atlas(columns)

    for _ in range(6):
        asked = query_of(generator)
        assert as_answer(rank(atlas, asked)) == answer(columns, asked), (seed, asked)


@pytest.mark.parametrize("seed", range(10))
def test_nothing_that_was_taken_back_is_found(seed: int) -> None:
    generator = np.random.Generator(np.random.Philox(key=3000 + seed))
    columns = Columns()
    atlas = Atlas(columns, FINE)
    for kept in (100, 0):
        columns.extend(pool_of(generator, 400)[columns.count :])
        for _ in range(20):
            rank(atlas, query_of(generator))
        columns.truncate(kept, 0)
    columns.extend(pool_of(generator, 400))

    for _ in range(8):
        asked = query_of(generator)
        assert as_answer(rank(atlas, asked)) == answer(columns, asked), (seed, asked)


@pytest.mark.parametrize("measure", ["coherence", "cosine", "composite", "euclidean"])
@pytest.mark.parametrize("seed", range(12))
def test_no_bound_is_below_a_score(measure: Measure, seed: int) -> None:
    generator = np.random.Generator(np.random.Philox(key=2000 + seed))
    columns = Columns()
    columns.extend(pool_of(generator, 512))
    cells = Cells(columns, ORDERS[measure], FINE)
    cells.cover()
    numbers = np.arange(512 // FINE.block)

    for _ in range(20):
        scoring = Scoring.of(query_of(generator), measure, decays=True)
        scores = scoring.scores(columns, cells.rows_of(numbers))

        assert np.all(cells.bounds(cells.blocks(numbers), scoring) >= scores.reshape(-1, FINE.block).max(axis=1))
        assert np.all(cells.bounds(cells.groups(), scoring) >= scores.reshape(-1, FINE.group).max(axis=1))


@pytest.fixture(scope="module")
def large() -> Atlas:
    """131,072 dreams of thirty days."""
    generator = np.random.Generator(np.random.Philox(key=5))
    count = 1 << 17
    coherence = (0.5 + 0.5 * generator.random(count)).tolist()
    ids = [f"{row:08x}-0000-5000-8000-{row:012x}" for row in range(count)]
    columns = Columns()
    columns.extend(
        Signature(
            row + 1, ids[row], NOW_NS - (count - row) * 20 * 10**9, *colour, coherence[row], 1.0 - coherence[row],
            "image", ids[row], hashlib.sha256(b"%d" % row).digest(), 100,
        )
        for row, colour in enumerate(generator.random((count, 3)).tolist())
    )  # fmt: skip
    return Atlas(columns)


@pytest.mark.parametrize(
    ("mode", "share"), [("composite", 0.03), ("mixed", 0.06), ("cosine", 0.03), ("euclidean", 0.03)]
)
def test_few_rows_are_scored(large: Atlas, query: Any, mode: str, share: float) -> None:
    generator = np.random.Generator(np.random.Philox(key=6))
    asked = [
        query(
            mode=mode, query_signature=tuple(generator.random(3).tolist()), recency_decay=0.48, allow_duplicates=False
        )
        for _ in range(25)
    ]

    touched = [rank(large, each).touched for each in asked]

    assert np.median(touched) <= share * large.columns.count


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "cosine", "query_signature": (0.0, 0.0, 0.0)},
        {"mode": "composite", "recency_decay": 1e300},
        {"mode": "composite", "min_coherence": 1.0, "max_entropy": 0.0},
    ],
)
def test_a_query_that_tells_nothing_apart_does_not_score_everything(large: Atlas, query: Any, changes: Any) -> None:
    touched = rank(large, query(**changes)).touched

    assert touched <= 0.1 * large.columns.count


def test_memory_is_at_most_150_bytes_a_dream(large: Atlas, query: Any) -> None:
    columns = large.columns
    atlas = Atlas(columns)

    rank(atlas, query(mode="composite", exploration=0.1, allow_duplicates=False, min_coherence=0.7))

    assert (atlas.size_bytes + columns.size_bytes) / columns.count <= 150


def test_a_new_dream_is_found_at_once(large: Atlas, query: Any) -> None:
    columns = large.columns
    count = columns.count
    asked = query(mode="cosine", query_signature=(0.125, 0.5, 0.25), recency_decay=1.0)
    before = rank(large, asked)
    new = Signature(
        count + 1, derived_id("new"), NOW_NS, 0.25, 1.0, 0.5, 0.9, 0.1, "image", derived_id("new"), bytes(32), 100
    )

    columns.extend([new])
    during = rank(large, asked)
    columns.truncate(count, 0)

    assert (during.rows[0], during.scores[0]) == (count, 1.0)
    assert rank(large, asked) == before
