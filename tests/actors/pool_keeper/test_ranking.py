"""Ranking on hand-made pools, and against a slow oracle in plain python."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.pool_keeper.atlas import Atlas
from actors.pool_keeper.columns import Columns, ExactSum, Signature
from actors.pool_keeper.ranking import Ranking, rank
from actors.pool_keeper.scoring import exponential
from schemas.ids import derived_id
from schemas.retrieval import RetrievalQuery

DAY_NS = 86_400 * 10**9
RED = (1.0, 0.0, 0.0)


def names(columns: Columns, ranking: Ranking, rows: list[dict[str, Any]]) -> list[str]:
    return [rows[row]["name"] for row in ranking.rows]


def test_cosine_ranks_by_direction_and_ignores_brightness(columns: Any, query: Any) -> None:
    # seed 000, section 5: cosine maximises directional similarity
    rows = [
        {"name": "orthogonal", "colour": (0.0, 0.5, 0.0)},
        {"name": "dark but right", "colour": (0.125, 0.0, 0.0)},
        {"name": "bright but off", "colour": (1.0, 0.5, 0.0)},
    ]
    pool = columns(rows)

    ranking = rank(Atlas(pool), query(mode="cosine", query_signature=RED))

    assert names(pool, ranking, rows) == ["dark but right", "bright but off", "orthogonal"]
    assert ranking.scores == (1.0, 1.0 / math.sqrt(1.25), 0.0)


@pytest.mark.parametrize("mode", ["cosine", "mixed", "composite", "euclidean"])
def test_black_queries_and_black_dreams_score_finitely(columns: Any, query: Any, mode: str) -> None:
    pool = columns([{"colour": (0.0, 0.0, 0.0)}, {"colour": (0.5, 0.5, 0.5), "age_days": 1}])

    black_query = rank(Atlas(pool), query(mode=mode, query_signature=(0.0, 0.0, 0.0)))
    white_query = rank(Atlas(pool), query(mode=mode, query_signature=(1.0, 1.0, 1.0)))

    assert all(map(math.isfinite, black_query.scores + white_query.scores))
    if mode == "cosine":
        assert black_query.scores == (0.0, 0.0)
        assert black_query.rows == (0, 1), "equals are ordered newer first"


def test_euclidean_ranks_by_distance(columns: Any, query: Any) -> None:
    # seed 000, section 5: euclidean minimises absolute distance
    rows = [
        {"name": "far", "colour": (0.0, 1.0, 0.0)},
        {"name": "same", "colour": (0.5, 0.0, 0.0)},
        {"name": "near", "colour": (0.75, 0.0, 0.0)},
    ]
    pool = columns(rows)

    ranking = rank(Atlas(pool), query(mode="euclidean", query_signature=(0.5, 0.0, 0.0)))

    assert names(pool, ranking, rows) == ["same", "near", "far"]
    assert ranking.scores[:2] == (1.0, 1.0 / 1.25)


def test_decay_never_rewards_age_in_euclidean_mode(columns: Any, query: Any) -> None:
    # design, 5.3: score = w / (1 + distance)
    rows = [
        {"name": "old", "colour": (0.0, 1.0, 0.0), "age_days": 100},
        {"name": "new", "colour": (0.0, 1.0, 0.0), "age_days": 1},
    ]
    pool = columns(rows)

    ranking = rank(Atlas(pool), query(mode="euclidean", query_signature=RED, recency_decay=0.5))

    assert names(pool, ranking, rows) == ["new", "old"]


def test_mixed_is_half_cosine_top_and_half_coherence_top(columns: Any, query: Any) -> None:
    # seed 000, sections 5 and 11: cosine top-K united with coherence top-M; x has the best composite and is in neither
    rows = [
        {"name": "hue 1", "colour": (1.0, 0.0, 0.0), "coherence": 0.1},
        {"name": "hue 2", "colour": (1.0, 0.01, 0.0), "coherence": 0.1},
        {"name": "x", "colour": (1.0, 0.1, 0.0), "coherence": 0.8},
        {"name": "calm 1", "colour": (0.0, 1.0, 0.0), "coherence": 0.95},
        {"name": "calm 2", "colour": (0.0, 1.0, 0.0), "coherence": 0.9},
    ]
    pool = columns(rows)

    ranking = rank(Atlas(pool), query(mode="mixed", k=2, query_signature=RED))
    composite = rank(Atlas(pool), query(mode="composite", k=2, query_signature=RED))

    assert sorted(names(pool, ranking, rows)) == ["calm 1", "hue 1"]
    assert [rows[row]["name"] for row in ranking.by_cosine] == ["hue 1", "hue 2"]
    assert [rows[row]["name"] for row in ranking.by_coherence] == ["calm 1", "calm 2"]
    assert list(ranking.scores) == sorted(ranking.scores, reverse=True), "ordered by the composite score"
    assert names(pool, composite, rows)[0] == "x"


def test_mixed_gives_the_odd_place_to_cosine(columns: Any, query: Any) -> None:
    rows = [{"name": f"hue {i}", "colour": (1.0, i / 100, 0.0), "coherence": 0.1} for i in range(4)]
    rows += [{"name": f"calm {i}", "colour": (0.0, 1.0, 0.0), "coherence": 0.9 - i / 100} for i in range(4)]
    pool = columns(rows)

    ranking = rank(Atlas(pool), query(mode="mixed", k=3, query_signature=RED))

    assert sorted(names(pool, ranking, rows)) == ["calm 0", "hue 0", "hue 1"]


def test_mixed_counts_a_dream_of_both_lists_once_and_fills_its_place(columns: Any, query: Any) -> None:
    rows = [
        {"name": "both", "colour": (1.0, 0.0, 0.0), "coherence": 0.9},
        {"name": "hue", "colour": (1.0, 0.1, 0.0), "coherence": 0.1},
        {"name": "calm", "colour": (0.0, 1.0, 0.0), "coherence": 0.8},
        {"name": "nothing", "colour": (0.0, 1.0, 0.0), "coherence": 0.0},
    ]
    pool = columns(rows)

    ranking = rank(Atlas(pool), query(mode="mixed", k=2, query_signature=RED))
    whole = rank(Atlas(pool), query(mode="mixed", k=4, query_signature=RED))

    assert sorted(names(pool, ranking, rows)) == ["both", "calm"]
    assert sorted(names(pool, whole, rows)) == ["both", "calm", "hue", "nothing"]


@pytest.mark.parametrize("mode", ["cosine", "composite", "mixed", "euclidean"])
def test_recency_decay_flips_a_ranking(columns: Any, query: Any, mode: str) -> None:
    # seed 000, section 11: recency decay changes ranking in a controlled fixture
    rows = [
        {"name": "better, old", "colour": (1.0, 0.0, 0.0), "coherence": 0.6, "age_days": 40},
        {"name": "worse, new", "colour": (1.0, 0.3, 0.0), "coherence": 0.5, "age_days": 1},
    ]
    pool = columns(rows)

    plain = rank(Atlas(pool), query(mode=mode, query_signature=RED, recency_decay=None))
    decayed = rank(Atlas(pool), query(mode=mode, query_signature=RED, recency_decay=0.02))

    assert names(pool, plain, rows) == ["better, old", "worse, new"]
    assert names(pool, decayed, rows) == ["worse, new", "better, old"]


def test_decay_is_per_day_and_age_counts_from_the_query(columns: Any, query: Any) -> None:
    pool = columns([{"colour": RED, "age_days": 3}])
    asked = query(mode="cosine", query_signature=RED, recency_decay=0.02)

    later = asked.model_copy(update={"as_of_ns": asked.as_of_ns + 2 * DAY_NS})
    before = asked.model_copy(update={"as_of_ns": asked.as_of_ns - 30 * DAY_NS})

    assert rank(Atlas(pool), asked).scores[0] == pytest.approx(math.exp(-0.06), rel=1e-15)
    assert rank(Atlas(pool), later).scores[0] == pytest.approx(math.exp(-0.10), rel=1e-15)
    assert rank(Atlas(pool), before).scores[0] == 1.0, "a dream from after as_of has age 0"


@pytest.mark.parametrize("mode", ["cosine", "composite", "mixed", "euclidean"])
def test_no_decay_is_the_same_as_zero_decay(columns: Any, query: Any, mode: str) -> None:
    pool = columns([{"colour": (i / 9, 0.3, 1 - i / 9), "coherence": i / 10, "age_days": i} for i in range(9)])

    assert rank(Atlas(pool), query(mode=mode, recency_decay=None)) == rank(
        Atlas(pool), query(mode=mode, recency_decay=0.0)
    )


def test_an_enormous_decay_leaves_ties_and_no_error(columns: Any, query: Any) -> None:
    pool = columns([{"colour": RED, "age_days": age} for age in (9, 3, 6)])

    ranking = rank(Atlas(pool), query(query_signature=RED, recency_decay=1e308))

    assert ranking.rows == (1, 2, 0)
    assert ranking.scores == (0.0, 0.0, 0.0)


def test_filters_are_inclusive_and_come_before_ranking(columns: Any, query: Any) -> None:
    # seed 000, section 3.3: five far dreams pass, a thousand near ones do not; all five come back
    rows = [{"name": f"near {i}", "colour": RED, "coherence": math.nextafter(0.7, 0.0)} for i in range(1000)]
    rows += [{"name": f"far {i}", "colour": (0.1, 1.0, 0.0), "coherence": 0.7} for i in range(5)]
    pool = columns(rows)

    ranking = rank(Atlas(pool), query(k=5, query_signature=RED, min_coherence=0.7))
    by_entropy = rank(Atlas(pool), query(k=5, query_signature=RED, max_entropy=1.0 - 0.7))

    assert sorted(names(pool, ranking, rows)) == [f"far {i}" for i in range(5)]
    assert sorted(names(pool, by_entropy, rows)) == [f"far {i}" for i in range(5)]


@pytest.mark.parametrize("mode", ["cosine", "composite", "mixed", "euclidean"])
def test_one_dream_of_a_lineage_and_k_is_still_filled(columns: Any, query: Any, mode: str) -> None:
    # seed 000, section 3.3: allow_duplicates = false means unique dream lineage
    rows = [{"name": f"kin {i}", "colour": RED, "coherence": 0.9, "root": "family"} for i in range(300)]
    rows += [{"name": f"other {i}", "colour": (0.5, 0.5, i / 10), "coherence": 0.2} for i in range(5)]
    pool = columns(rows)

    unique = names(pool, rank(Atlas(pool), query(mode=mode, k=4, query_signature=RED, allow_duplicates=False)), rows)
    free = names(pool, rank(Atlas(pool), query(mode=mode, k=4, query_signature=RED, allow_duplicates=True)), rows)

    assert len(unique) == 4
    assert sum(name.startswith("kin") for name in unique) == 1
    assert sum(name.startswith("kin") for name in free) == 4


def test_one_dream_of_a_tensor(columns: Any, query: Any) -> None:
    rows = [{"name": f"copy {i}", "colour": RED, "tensor": "same"} for i in range(3)]
    rows += [{"name": "another", "colour": (0.0, 1.0, 0.0)}]
    pool = columns(rows)

    unique = rank(Atlas(pool), query(query_signature=RED, allow_duplicates=False))

    assert len(unique.rows) == 2
    assert len(rank(Atlas(pool), query(query_signature=RED)).rows) == 4


def test_equals_are_ordered_newer_first_then_by_lower_id(columns: Any, query: Any) -> None:
    # design, 5.5
    ids = sorted(derived_id("tie", i) for i in range(40))
    rows = [{"name": str(i), "id": ids[i], "colour": RED, "age_days": i % 4} for i in (7 * j % 40 for j in range(40))]
    pool = columns(rows)

    ranking = rank(Atlas(pool), query(k=12, query_signature=RED))

    expected = sorted(range(40), key=lambda i: (i % 4, i))[:12]
    assert [int(name) for name in names(pool, ranking, rows)] == expected


def test_our_exponential_agrees_with_the_c_library() -> None:
    generator = np.random.Generator(np.random.Philox(key=3))
    exponents = -np.concatenate(
        [generator.random(20_000), generator.random(20_000) * 50, generator.random(2_000) * 700]
    )

    ours = exponential(exponents)

    reference = np.array([math.exp(x) for x in exponents.tolist()])
    normal = reference > 1e-300
    assert np.max(np.abs(ours - reference)[normal] / np.spacing(reference[normal])) <= 2.0, "units in the last place"
    assert exponential(np.array([0.0, -0.0, -745.0, -746.0, -1e300])).tolist() == [1.0, 1.0, 5e-324, 0.0, 0.0]


def test_means_equal_an_exact_recomputation(columns: Any) -> None:
    generator = np.random.Generator(np.random.Philox(key=5))
    values = [0.1, 1e-300, 1.0, *generator.random(500).tolist()]
    pool = columns([{"colour": RED, "coherence": value} for value in values])
    total = ExactSum()
    for value in reversed(values):
        total.add(value)

    assert pool.means()[0] == math.fsum(values) / len(values)
    assert total.total == math.fsum(values)

    pool.truncate(200, 200 * 100)

    assert pool.means()[0] == math.fsum(values[:200]) / 200


GRID = st.sampled_from([0.0, 0.25, 0.5, 1.0])
ROW = st.fixed_dictionaries(
    {
        "colour": st.tuples(GRID, GRID, GRID),
        "coherence": st.sampled_from([0.0, 0.3, 0.5, 0.9]),
        "age_days": st.sampled_from([-1, 0, 2, 30]),
        "root": st.sampled_from(["a", "b", "c", "d", "e"]),
        "tensor": st.sampled_from(["t", "u", "v", "w", "x", "y"]),
    }
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    rows=st.lists(ROW, max_size=24),
    mode=st.sampled_from(["cosine", "euclidean", "mixed", "composite"]),
    k=st.integers(1, 9),
    colour=st.tuples(GRID, GRID, GRID),
    min_coherence=st.sampled_from([None, 0.3]),
    max_entropy=st.sampled_from([None, 0.5]),
    decay=st.sampled_from([None, 0.0, 0.02]),
    unique=st.booleans(),
)
def test_ranking_equals_a_slow_oracle(
    rows: list[dict[str, Any]],
    mode: str,
    k: int,
    colour: tuple[float, float, float],
    min_coherence: float | None,
    max_entropy: float | None,
    decay: float | None,
    unique: bool,
) -> None:
    pool = _columns_of(rows)
    asked = RetrievalQuery(
        query_id=derived_id("query"),
        k=k,
        mode=mode,  # type: ignore[arg-type]
        query_signature=colour,
        min_coherence=min_coherence,
        max_entropy=max_entropy,
        recency_decay=decay,
        allow_duplicates=not unique,
        seed=1,
        as_of_ns=_NOW_NS,
        alpha=0.6,
        exploration=0.0,
    )

    ranking = rank(Atlas(pool), asked)

    assert list(ranking.rows) == _oracle(pool, rows, asked)


_NOW_NS = 1_767_225_600 * 10**9


def _columns_of(rows: list[dict[str, Any]]) -> Columns:
    pool = Columns()
    pool.extend(
        Signature(
            number + 1,
            derived_id("oracle", number),
            _NOW_NS - row["age_days"] * DAY_NS,
            *row["colour"],
            row["coherence"],
            1.0 - row["coherence"],
            "image",
            derived_id(row["root"]),
            row["tensor"].encode() * 32,
            1,
        )
        for number, row in enumerate(rows)
    )
    return pool


def _oracle(pool: Columns, rows: list[dict[str, Any]], asked: RetrievalQuery) -> list[int]:
    """Seed 000, section 5 and design 5.3 to 5.6, one dream at a time."""
    q = asked.query_signature

    def cosine(i: int) -> float:
        s = rows[i]["colour"]
        scale = math.sqrt(s[0] * s[0] + s[1] * s[1] + s[2] * s[2]) * math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2])
        return min((s[0] * q[0] + s[1] * q[1] + s[2] * q[2]) / scale, 1.0) if scale else 0.0

    def weight(i: int) -> float:
        age = max(rows[i]["age_days"], 0)
        return float(exponential(np.array([-(asked.recency_decay or 0.0) * age]))[0])

    def final(i: int) -> float:
        s = rows[i]["colour"]
        match asked.mode:
            case "cosine":
                return weight(i) * cosine(i)
            case "euclidean":
                x, y, z = s[0] - q[0], s[1] - q[1], s[2] - q[2]
                return weight(i) / (1.0 + math.sqrt(x * x + y * y + z * z))
            case _:
                return weight(i) * (asked.alpha * cosine(i) + (1.0 - asked.alpha) * rows[i]["coherence"])

    def ordered(key: Any, some: list[int]) -> list[int]:
        return sorted(some, key=lambda i: (-key(i), rows[i]["age_days"], derived_id("oracle", i)))

    def distinct(order: list[int], count: int, taken: list[int]) -> list[int]:
        picks = list(taken)
        for i in order:
            clash = [j for j in picks if j == i or (not asked.allow_duplicates and _same(rows[i], rows[j]))]
            if not clash and len(picks) < len(taken) + count:
                picks.append(i)
        return picks

    passing = [
        i
        for i, row in enumerate(rows)
        if (asked.min_coherence is None or row["coherence"] >= asked.min_coherence)
        and (asked.max_entropy is None or 1.0 - row["coherence"] <= asked.max_entropy)
    ]
    if asked.mode != "mixed":
        return distinct(ordered(final, passing), asked.k, [])
    all_by_cosine = ordered(cosine, passing)
    by_cosine = distinct(all_by_cosine, asked.k, [])
    by_coherence = distinct(ordered(lambda i: rows[i]["coherence"], passing), asked.k, [])
    picks = distinct(by_cosine, math.ceil(asked.k / 2), [])
    picks = distinct(by_coherence, asked.k // 2, picks)
    picks = distinct(by_cosine, asked.k - len(picks), picks)
    picks = distinct(all_by_cosine, asked.k - len(picks), picks)
    return ordered(final, picks)


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one["root"] == other["root"] or one["tensor"] == other["tensor"])
