"""Which dreams leave: niche by niche, the least missed first, and what stays of them."""

import hashlib
import random
from typing import Any

import numpy as np
import pytest

from actors.pool_keeper.errors import PoolFullError
from actors.pool_keeper.eviction import Budget, Utility, hue_bins, victims
from bus.codec import encode_body
from schemas.colour import hue_bin, to_rgb
from schemas.feedback import FeedbackBatch, FeedbackRecord
from schemas.ids import derived_id
from schemas.retrieval import BatchRequest, PoolStatsRequest

BINS = 24
RED, GREEN, GREY = (0.9, 0.1, 0.1), (0.1, 0.9, 0.1), (0.5, 0.5, 0.5)


def order(columns: Any, utilities: dict[int, Utility] | None = None, pinned: tuple[int, ...] = ()) -> list[int]:
    """Sequences in the order in which they go."""
    return [row + 1 for row in victims(columns, utilities or {}, pinned, BINS)]


def test_bins_are_those_of_one_colour() -> None:
    from actors.pool_keeper.columns import Columns, Signature

    generator = np.random.Generator(np.random.Philox(key=5))
    colours = [tuple(row) for row in generator.random((2000, 3)).tolist()]
    colours += [to_rgb((15.0 * edge, 0.8, 0.7)) for edge in range(25)] + [GREY, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)]
    columns = Columns()
    for number, colour in enumerate(colours, start=1):
        name, sha256 = derived_id("bin", number), hashlib.sha256(str(number).encode()).digest()
        columns.append(Signature(number, name, 1, *colour, 0.5, 0.5, "image", name, sha256, 1))

    assert hue_bins(columns, BINS).tolist() == [hue_bin(colour, BINS) for colour in colours]


def test_the_fullest_niche_gives_first_and_none_dies_out(columns: Any) -> None:
    pool = columns([{"colour": RED}] * 6 + [{"colour": GREEN}] * 2 + [{"colour": GREY}])

    gone = order(pool)

    assert {number <= 6 for number in gone[:4]} == {True}, "until red is down to two"
    assert {7, 8} & set(gone[:6]), "then red and green in turn"
    assert 9 not in gone, "the newest stays"


def test_the_useful_stay_and_nothing_known_is_better_than_harmful(columns: Any) -> None:
    pool = columns([{"colour": RED}] * 4 + [{"colour": GREEN}])
    utilities = {1: Utility(4, 0.4), 2: Utility(4, -0.4), 4: Utility(1, 0.01)}

    assert order(pool, utilities)[:4] == [2, 3, 4, 1]


def test_the_best_of_a_colour_cell_outlives_the_crowd_around_another(columns: Any) -> None:
    crowd, rare = {"colour": RED, "coherence": 0.9}, {"colour": (0.9, 0.3, 0.3), "coherence": 0.1}
    pool = columns([rare, crowd, crowd, crowd, {"colour": GREEN}])

    assert order(pool)[-1] == 2 or order(pool)[-1] == 4
    assert order(pool).index(1) >= 2, "rare, though it is the oldest and the least coherent"


def test_it_is_not_first_in_first_out(columns: Any) -> None:
    coherences = (0.9, 0.2, 0.5, 0.7, 0.6)
    pool = columns([{"colour": RED, "coherence": c, "age_days": 9 - n} for n, c in enumerate(coherences)])

    assert order(pool) == [2, 3, 4, 1]


def test_a_pinned_dream_never_goes(columns: Any) -> None:
    pool = columns([{"colour": RED}] * 5)

    assert sorted(order(pool, pinned=(1, 3))) == [2, 4]


def test_the_order_does_not_depend_on_the_order_of_arrival(columns: Any) -> None:
    seed = random.randrange(10**9)
    draws = random.Random(seed)
    rows = [
        {"colour": draws.choice((RED, GREEN, GREY)), "coherence": draws.choice((0.3, 0.5)), "name": f"dream {n}"}
        for n in range(40)
    ]
    last = {"colour": GREY, "name": "last"}
    shuffled = draws.sample(rows, len(rows))

    first, second = columns([*rows, last]), columns([*shuffled, last])

    named = [[pool.id_of(row) for row in victims(pool, {}, (), BINS)] for pool in (first, second)]
    assert named[0] == named[1], f"seed {seed}"


@pytest.mark.parametrize(
    ("budget", "dreams", "size", "is_kept"),
    [
        (Budget(), 10**9, 10**15, True),
        (Budget(max_dreams=10), 10, 0, True),
        (Budget(max_dreams=10), 11, 0, False),
        (Budget(max_bytes=100), 1, 100, True),
        (Budget(max_bytes=100), 1, 101, False),
    ],
)
def test_a_budget_of_nothing_is_no_limit(budget: Budget, dreams: int, size: int, is_kept: bool) -> None:
    assert budget.is_kept(dreams, size) == is_kept


def test_a_pool_over_its_budget_makes_room(open_keeper: Any, dream: Any) -> None:
    # issue 5: budgets in rows and bytes
    keeper = open_keeper(budget=Budget(max_dreams=128))
    keeper.dream(*(dream(number) for number in range(129)))

    figures = keeper.core.figures()
    assert figures["dreams_total"] == 126, "a sixty-fourth of the budget is room"
    assert figures["evicted"] == 3
    assert figures["pool_sequence"] == 129
    evicted = [line for line in keeper.log("persist") if line["event"] == "evicted"]
    assert len(evicted) == 3
    assert keeper.store.row("SELECT count(*) FROM tombstones") == (3,)
    assert keeper.store.row("SELECT count(*) FROM signatures") == (126,)


def test_a_budget_in_bytes_is_kept(open_keeper: Any, dream: Any) -> None:
    size = len(dream(1).tensor_blob)
    keeper = open_keeper(budget=Budget(max_bytes=20 * size))

    for number in range(60):
        keeper.dream(dream(number))
        assert keeper.store.columns.blob_bytes <= 20 * size

    assert keeper.core.figures()["dreams_total"] >= 17


def test_all_pinned_is_over_budget_and_the_dream_is_still_taken(open_keeper: Any, dream: Any) -> None:
    keeper = open_keeper(budget=Budget(max_dreams=3))
    for number in range(5):
        keeper.store.pin(dream(number).id, True, 1)
    keeper.dream(*(dream(number) for number in range(5)))

    assert keeper.core.figures()["dreams_total"] == 5
    assert keeper.core.figures()["over_budget"] == 2

    keeper.store.pin(dream(1).id, False, 2)
    keeper.dream(dream(5))
    assert keeper.store.sequence_of(dream(1).id) is None, "unpinned"


def test_answers_after_an_eviction_are_those_of_a_pool_that_never_had_them(
    open_keeper: Any, dream: Any, query: Any, tmp_path: Any
) -> None:
    small = open_keeper(budget=Budget(max_dreams=40))
    small.dream(*(dream(number) for number in range(100)))
    kept = {small.store.columns.id_of(row) for row in range(small.store.columns.count)}
    plain = open_keeper(tmp_path / "plain")
    plain.dream(*(dream(number) for number in range(100) if dream(number).id in kept))

    for mode in ("cosine", "euclidean", "mixed", "composite"):
        for unique in (True, False):
            asked = query(mode=mode, k=12, allow_duplicates=unique, exploration=0.0)
            one, other = small.ask(asked).entries, plain.ask(asked).entries
            assert [(e.facts.id, e.score) for e in one] == [(e.facts.id, e.score) for e in other]


def test_answers_after_an_eviction_are_those_after_a_restart(open_keeper: Any, dream: Any, query: Any) -> None:
    keeper = open_keeper(budget=Budget(max_dreams=40))
    keeper.dream(*(dream(number) for number in range(100)))
    asked = [query(k=12, exploration=0.5, allow_duplicates=unique) for unique in (True, False)]
    before = [encode_body(keeper.ask(each)) for each in asked]
    keeper.store.close()

    again = open_keeper(budget=Budget(max_dreams=40))

    assert [encode_body(again.ask(each)) for each in asked] == before


def test_an_evicted_dream_leaves_its_facts_and_takes_late_feedback(open_keeper: Any, dream: Any, query: Any) -> None:
    # issue 5, bad input: query while evicting
    keeper = open_keeper(budget=Budget(max_dreams=4))
    keeper.dream(*(dream(number, chroma_signature=RED) for number in range(4)))
    answered = [entry.facts.id for entry in keeper.ask(query(k=4)).entries]
    keeper.dream(*(dream(number, chroma_signature=RED) for number in range(4, 7)))
    gone = next(entry for entry in answered if keeper.store.sequence_of(entry) is None)
    record = FeedbackRecord(query_id=query().query_id, entry_id=gone, utility=0.1, contribution=0.2, notes=None)

    batch = keeper.ask(BatchRequest(query_id=query().query_id, entry_ids=(gone,)))
    receipt = keeper.ask(FeedbackBatch(batch_id=derived_id("late"), records=(record,)))

    assert [skip.entry_id for skip in batch.skipped] == [gone]
    assert "evicted" in batch.skipped[0].reason
    assert receipt.stored == 1
    assert keeper.store.utilities() == {}, "feedback on what is gone evicts nothing"


def test_an_evicted_dream_is_not_taken_twice_and_remains_a_parent(open_keeper: Any, dream: Any) -> None:
    keeper = open_keeper(budget=Budget(max_dreams=4))
    keeper.dream(*(dream(number, chroma_signature=RED) for number in range(5)))
    (gone,) = [number for number in range(5) if keeper.store.sequence_of(dream(number).id) is None]

    repeated = keeper.say(dream(gone, chroma_signature=RED), "dreamer")
    child = dream(9, parents=(dream(gone).id,), lineage_root=derived_id("wrong"), generation=1)
    refused = keeper.say(child, "dreamer")
    keeper.commit()

    assert repeated.refusal is None
    assert keeper.core.figures()["duplicates"] == 1
    assert "lineage_root" in (refused.refusal or "")


def test_a_rolled_back_eviction_never_was(open_keeper: Any, dream: Any, query: Any) -> None:
    keeper = open_keeper(budget=Budget(max_dreams=20))
    keeper.dream(*(dream(number) for number in range(20)))
    before = [entry.facts.id for entry in keeper.ask(query(k=20)).entries]
    keeper.say(dream(20), "dreamer")
    assert sorted(_ids(keeper)) != sorted(before)
    keeper.store.row("PRAGMA max_page_count = 1")

    def fill() -> None:
        for number in range(21, 200):
            keeper.say(dream(number), "dreamer")

    with pytest.raises(PoolFullError, match="full"):
        fill()

    assert _ids(keeper) == [dream(number).id for number in range(20)]
    assert [entry.facts.id for entry in keeper.ask(query(k=20)).entries] == before
    assert keeper.core.figures()["evicted"] == 0


def _ids(keeper: Any) -> list[str]:
    return [keeper.store.columns.id_of(row) for row in range(keeper.store.columns.count)]


def test_the_time_of_the_last_compaction_is_that_of_the_input(open_keeper: Any, dream: Any) -> None:
    keeper = open_keeper(budget=Budget(max_dreams=8))
    for number in range(30):
        keeper.say(dream(number), "dreamer", now_ns=1000 + number)
        keeper.commit()

    stats = keeper.ask(PoolStatsRequest(request=1))

    compactions = keeper.store.row("SELECT count(*), max(ts) FROM compactions")
    assert compactions[0] >= 1
    assert stats.last_compaction_at_ns == compactions[1]
    assert keeper.core.figures()["compactions"] == compactions[0]
