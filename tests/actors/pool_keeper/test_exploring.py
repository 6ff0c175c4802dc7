"""The declared share of an answer that is drawn instead of ranked."""

import hashlib
import math
from typing import Any

import numpy as np
import pytest

from actors.pool_keeper.atlas import Atlas
from actors.pool_keeper.columns import Signature
from actors.pool_keeper.ranking import rank
from schemas.ids import derived_id

RED = (1.0, 0.0, 0.0)


def test_the_seed_decides_the_explored_places_only(columns: Any, query: Any) -> None:
    # design, 5.5
    pool = columns([{"colour": (i / 100, 0.4, 0.3), "coherence": i / 100} for i in range(100)])

    plain = rank(Atlas(pool), query(k=8, seed=1))
    answers = [rank(Atlas(pool), query(k=8, seed=seed, exploration=0.1)) for seed in range(50)]

    assert plain == rank(Atlas(pool), query(k=8, seed=2))
    assert all(answer.rows[:7] == plain.rows[:7] and answer.explored == 1 for answer in answers)
    assert all(answer.propensities == (1.0,) * 7 + (1 / 93,) for answer in answers)
    assert len({answer.rows[7] for answer in answers}) > 25, "different seeds explore different dreams"


def test_exploration_is_uniform_over_the_rest(columns: Any, query: Any) -> None:
    pool = columns([{"colour": (i / 10, 0.4, 0.3)} for i in range(10)])
    counts = np.zeros(10)
    atlas = Atlas(pool)

    for seed in range(3000):
        ranking = rank(atlas, query(k=4, exploration=0.5, seed=seed))
        counts[list(ranking.rows[2:])] += 1
        assert ranking.propensities[2:] == (0.25, 0.25)

    drawn = counts[counts > 0]
    assert len(drawn) == 8
    assert np.all(np.abs(drawn - 750) < 5 * math.sqrt(750 * 0.75)), counts


def test_explored_dreams_keep_the_lineage_rule_and_true_propensities(columns: Any, query: Any) -> None:
    # lineage a takes the ranked place; of the rest b has one dream and c three
    rows = [{"name": f"a{i}", "colour": RED, "root": "a"} for i in range(3)]
    rows += [{"name": "b", "colour": (0.2, 1.0, 0.0), "root": "b"}]
    rows += [{"name": f"c{i}", "colour": (0.1, 1.0, 0.1 * i), "root": "c"} for i in range(3)]
    pool = columns(rows)
    counts: dict[str, int] = {}
    atlas = Atlas(pool)

    for seed in range(2000):
        ranking = rank(atlas, query(k=2, exploration=0.5, query_signature=RED, allow_duplicates=False, seed=seed))
        drawn = rows[ranking.rows[1]]["name"]
        counts[drawn] = counts.get(drawn, 0) + 1
        assert ranking.propensities[1] == pytest.approx(1 / 2 if drawn == "b" else 1 / 6)

    assert sorted(counts) == ["b", "c0", "c1", "c2"]
    assert abs(counts["b"] - 1000) < 5 * math.sqrt(500)


def test_exploration_takes_what_is_left_and_no_more(columns: Any, query: Any) -> None:
    pool = columns([{"colour": (i / 10, 0.4, 0.3)} for i in range(3)])

    ranking = rank(Atlas(pool), query(k=8, exploration=1.0))

    assert sorted(ranking.rows) == [0, 1, 2]
    assert ranking.propensities == (1.0, 1.0, 1.0)
    assert rank(Atlas(columns([])), query(exploration=0.5, mode="mixed", allow_duplicates=False)).rows == ()


def test_the_draw_does_not_depend_on_when_earlier_draws_were_made(columns: Any, query: Any) -> None:
    rows = [{"name": f"dream {7 * i % 50}", "colour": (i / 50, 0.4, 0.3)} for i in range(50)]
    asked = query(k=8, exploration=1.0)
    grown = columns(rows[:5])
    atlas = Atlas(grown)

    for number in range(5, 50):
        rank(atlas, asked)
        grown.extend([_renumbered(columns(rows[number : number + 1]), number, rows[number])])

    assert rank(atlas, asked) == rank(Atlas(columns(rows)), asked)


def _renumbered(single: Any, number: int, row: dict[str, Any]) -> Signature:
    name = row["name"]
    return Signature(
        number + 1,
        single.id_of(0),
        int(single.ts[0]),
        *row["colour"],
        float(single.coherence[0]),
        float(single.entropy[0]),
        "image",
        derived_id(name),
        hashlib.sha256(name.encode()).digest(),
        100,
    )
