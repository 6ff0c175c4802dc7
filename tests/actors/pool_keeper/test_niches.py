"""The dream that is missed least is found without sorting the pool, and is the one that sorting it finds."""

import hashlib
from typing import Any

import numpy as np
import pytest

from actors.pool_keeper import budgeting
from actors.pool_keeper import niches as niches_module
from actors.pool_keeper.columns import Columns, Signature
from actors.pool_keeper.eviction import MOST_AT_ONCE, Budget
from actors.pool_keeper.niches import Niches, Utility, worst_of
from schemas.feedback import FeedbackBatch, FeedbackRecord
from schemas.ids import derived_id
from tests.brute_eviction import first_to_go

BINS = 24
RED = (0.9, 0.1, 0.1)


def signature(generator: np.random.Generator, number: int, colours: list[tuple[float, float, float]]) -> Signature:
    coherence = float(generator.integers(0, 3) / 2 if generator.random() < 0.6 else generator.random())
    colour = colours[int(generator.integers(0, len(colours)))]
    dream_id, sha256 = derived_id("niche", int(generator.integers(0, 2**60))), hashlib.sha256(b"%d" % number).digest()
    ts = int(generator.integers(0, 4))
    return Signature(number, dream_id, ts, *colour, coherence, 1.0 - coherence, "image", dream_id, sha256, 10)


def colours_of(generator: np.random.Generator) -> list[tuple[float, float, float]]:
    """Few or many, on edges of cells and between them, greys among them."""
    kinds = int(generator.choice([1, 2, 6, 40]))
    coarse = generator.choice([0.0, 0.5, 0.52, 0.9, 1.0], (kinds, 3)).tolist()
    fine = generator.random((kinds, 3)).tolist()
    return [tuple(colour) for colour in (coarse if generator.random() < 0.5 else fine)]


@pytest.mark.parametrize("seed", range(40))
def test_each_choice_is_that_of_a_full_sort_while_dreams_feedback_and_pins_come(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # issue 5: eviction by niche (bin x novelty x utility), never first in, first out, never a pinned dream
    monkeypatch.setattr(niches_module, "FIRST_WORST", 3)
    monkeypatch.setattr(niches_module, "MOST_CELLS", 5)
    generator = np.random.Generator(np.random.Philox(key=seed))
    colours = colours_of(generator)
    columns, utilities, pinned, gone = Columns(), dict[int, Utility](), set[int](), set[int]()
    niches = Niches(columns, BINS, {}, ())

    for _ in range(12):
        for _ in range(int(generator.integers(1, 9))):
            columns.append(signature(generator, columns.count + 1, colours))
        here = [row for row in range(columns.count) if row not in gone]
        for row in generator.choice(here, int(generator.integers(0, len(here)))).tolist():
            before = utilities.get(row + 1, Utility(0, 0.0))
            utility = Utility(before.records + 1, before.total + float(generator.choice([-1.0, -0.25, 0.0, 0.5])))
            utilities[row + 1] = utility
            niches.judge(row + 1, utility)
        for row in generator.choice(here, int(generator.integers(0, 3))).tolist():
            pinned ^= {row + 1}
            niches.pin(columns.id_of(row), row + 1 in pinned)
        for _ in range(int(generator.integers(0, 9))):
            expected = first_to_go(
                columns, {s: u for s, u in utilities.items() if s - 1 not in gone}, pinned, BINS, gone
            )
            assert niches.choose() == expected, f"seed {seed}, {len(gone)} gone"
            if expected is None:
                break
            niches.drop(expected)
            gone.add(expected)


def test_what_is_made_anew_chooses_as_what_went_along() -> None:
    generator = np.random.Generator(np.random.Philox(key=77))
    columns, colours = Columns(), [tuple(row) for row in generator.random((30, 3)).tolist()]
    utilities = {number: Utility(2, float(generator.choice([-1.0, 0.3]))) for number in range(1, 200, 3)}
    columns.extend([signature(generator, number, colours) for number in range(1, 301)])
    along = Niches(columns, BINS, utilities, ())
    for _ in range(60):
        row = along.choose()
        assert row is not None
        along.drop(row)
        columns.evict(np.array([row], dtype=np.int64), 10)
        utilities.pop(row + 1, None)

    anew = Niches(columns, BINS, utilities, ())

    for _ in range(60):
        assert along.choose() == anew.choose()
        for each in (along, anew):
            each.drop(each.choose())  # type: ignore[arg-type] - there are enough


def test_the_worst_are_found_among_many_that_are_equal() -> None:
    first, second = np.array([1, 0, 1, 0, 1, 1]), np.array([5, 9, 5, 9, 3, 5])
    measures = (lambda rows: first[rows], lambda rows: second[rows])

    assert sorted(worst_of(np.arange(6), measures, 3).tolist()) == [1, 3, 4]
    assert sorted(worst_of(np.arange(6), measures, 4).tolist())[:2] == [0, 1], "and more where all are equal"
    assert sorted(worst_of(np.arange(6), measures, 99).tolist()) == [0, 1, 2, 3, 4, 5]


def test_a_choice_looks_into_few_cells_of_a_large_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    # issue 5: bounded work for each dream that leaves; no clock
    generator = np.random.Generator(np.random.Philox(key=3))
    columns = Columns()
    colours = [tuple(row) for row in generator.random((20_000, 3)).tolist()]
    columns.extend([signature(generator, number, colours[number - 1 : number]) for number in range(1, 20_001)])
    niches = Niches(columns, BINS, {}, ())
    sorted_rows = []
    monkeypatch.setattr(
        niches_module, "worst_of", lambda rows, *rest: sorted_rows.append(len(rows)) or worst_of(rows, *rest)
    )

    for _ in range(200):
        row = niches.choose()
        assert row is not None
        niches.drop(row)

    assert sum(sorted_rows) < 2 * columns.count, "sorting the pool each time would be 200 times as many"


def test_feedback_and_pins_after_the_first_eviction_are_seen(open_keeper: Any, dream: Any, query: Any) -> None:
    keeper = open_keeper(budget=Budget(max_dreams=40))
    keeper.dream(*(dream(number, chroma_signature=RED) for number in range(41)))
    assert keeper.core.figures()["evicted"] == 1
    asked = query(query_signature=RED, k=40)
    answer = keeper.ask(asked)
    kept, harmful = answer.entries[0].facts.id, answer.entries[1].facts.id
    keeper.store.pin(kept, True, 1)
    records = (FeedbackRecord(entry_id=harmful, query_id=asked.query_id, utility=-0.9, contribution=0.5, notes=None),)
    keeper.ask(FeedbackBatch(batch_id=derived_id("b"), records=records))

    keeper.dream(dream(41, chroma_signature=RED))

    assert keeper.store.sequence_of(harmful) is None
    for number in range(42, 82):
        keeper.dream(dream(number, chroma_signature=RED))
    assert keeper.store.sequence_of(kept) is not None


def test_a_far_smaller_budget_is_reached_step_by_step(open_keeper: Any, dream: Any) -> None:
    # issue 5: bounded work for each dream that comes
    keeper = open_keeper()
    keeper.dream(*(dream(number) for number in range(2 * MOST_AT_ONCE)))
    keeper.store.close()
    keeper = open_keeper(budget=Budget(max_dreams=100))

    keeper.dream(dream(2 * MOST_AT_ONCE))
    first = keeper.core.figures()
    keeper.dream(dream(2 * MOST_AT_ONCE + 1))

    assert first["evicted"] == MOST_AT_ONCE
    assert first["over_budget"] == 1
    assert keeper.core.figures()["dreams_total"] <= 100


def test_room_is_made_for_a_few_dreams_only(open_keeper: Any, dream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgeting, "MOST_ROOM", 1)
    keeper = open_keeper(budget=Budget(max_dreams=256))

    keeper.dream(*(dream(number) for number in range(257)))

    assert keeper.core.figures()["evicted"] == 2, "a sixty-fourth of the budget would be four more"
