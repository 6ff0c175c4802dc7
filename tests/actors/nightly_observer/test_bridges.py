"""Bridges between chroma bins: weight, neighbours, share, and enough events to say so."""

import numpy as np
import pytest

from actors.nightly_observer.bridges import LINKED, Bridges, find_bridges
from tests.actors.nightly_observer.days import MadeDay, anchors, runtime_settings

SETTINGS = runtime_settings().defrag.bridge


def bridges(made: MadeDay) -> Bridges:
    return find_bridges(made.made(), SETTINGS, 24, 2.0, anchors())


def fires(made: MadeDay) -> bool:
    return any(each.fires for each in bridges(made).findings)


def numbers(made: MadeDay) -> dict[str, float]:
    return dict(bridges(made).findings[0].evidence.numbers)


def between(answers: int, neighbours: int, elsewhere: int = 0) -> MadeDay:
    """One dream of bin 0 in answers with dreams of bin 12; others of bin 0 in answers with others of bin 12."""
    made = MadeDay()
    bridge = made.hue(7.0)
    there = [made.hue(187.0) for _ in range(neighbours)]
    for number in range(answers):
        made.answer(bridge, there[number % neighbours])
    for _ in range(elsewhere):
        made.answer(made.hue(8.0), made.hue(188.0))
    return made


@pytest.mark.parametrize(("answers", "holds"), [(4, True), (3, False)])
def test_a_bridge_has_a_weight_of_four(answers: int, holds: bool) -> None:
    made = between(answers, 2)

    assert numbers(made)["w"] == answers
    assert fires(made) == holds


@pytest.mark.parametrize(("neighbours", "holds"), [(2, True), (1, False)])
def test_a_bridge_reaches_two_dreams(neighbours: int, holds: bool) -> None:
    made = between(8, neighbours)
    made.answer(0, 0)

    assert any(each.fires and each.anchors[0] == _anchor(made, 0) for each in bridges(made).findings) == holds


@pytest.mark.parametrize(("elsewhere", "holds"), [(0, True), (4, True), (20, True), (21, False)])
def test_a_bridge_has_half_of_what_links_its_bins(elsewhere: int, holds: bool) -> None:
    made = between(20, 4, elsewhere)

    shown = numbers(made)

    assert shown["share"] == pytest.approx(20 / (20 + elsewhere), abs=1e-6)
    assert fires(made) == holds


def test_two_answers_at_the_bare_limits_are_a_bridge() -> None:
    made = MadeDay()
    bridge, *there = made.hue(7.0), made.hue(187.0), made.hue(188.0)
    for _ in range(2):
        made.answer(bridge, *there)

    shown = numbers(made)

    assert (shown["w"], shown["k"], shown["share"], shown["events"]) == (4, 2, 1.0, 2)
    assert fires(made)


def test_a_dream_that_is_in_every_answer_holds_no_two_bins_together() -> None:
    made = MadeDay()
    everywhere = made.hue(7.0)
    others = [made.hue(15.0 * number + 22.0) for number in range(20) for _ in range(4)]
    for number in range(40):
        made.answer(everywhere, *(others[(7 * number + 13 * step) % 80] for step in range(7)))

    held = next(each for each in bridges(made).findings if each.anchors[0] == _anchor(made, everywhere))

    shown = dict(held.evidence.numbers)
    assert (shown["w"] >= 4, shown["k"] >= 2, shown["share"]) == (True, True, 1.0)
    assert shown["chance"] > 1.0
    assert not fires(made)


def test_one_answer_is_no_bridge_however_much_it_holds() -> None:
    made = MadeDay()
    made.answer(made.hue(7.0), *(made.hue(187.0) for _ in range(7)))

    shown = numbers(made)

    assert (shown["w"], shown["k"], shown["share"]) == (7, 7, 1.0)
    assert not fires(made)


def test_one_answer_is_no_bridge_however_unlikely_it_is() -> None:
    made = MadeDay()
    alike = [made.hue(97.0) for _ in range(4)]
    for _ in range(400):
        made.answer(*alike)
    made.answer(made.hue(7.0), *(made.hue(187.0) for _ in range(4)))

    shown = numbers(made)

    assert (shown["w"], shown["events"], shown["chance"] < 0.05) == (4, 1, True)
    assert not fires(made)


def test_a_birth_weighs_two_and_a_shared_factoid_one() -> None:
    made = MadeDay()
    child, parent, other = made.hue(7.0), made.hue(187.0), made.hue(188.0)
    made.parents.append((child, parent))
    made.factoids += [(child, 5), (other, 5), (other, 6)]

    shown = next(dict(each.evidence.numbers) for each in bridges(made).findings if each.anchors[0] == _anchor(made, 0))

    assert (shown["w"], shown["k"], shown["events"]) == (3, 2, 2)


def test_answers_of_other_days_link_nothing() -> None:
    made = MadeDay()
    row, other = made.hue(7.0), made.hue(187.0)
    made.answer(row, other, days_ago=0.5)

    assert bridges(made) == Bridges((), 0, False, 0)


def test_three_bridges_are_kept_the_heaviest_first() -> None:
    made = MadeDay()
    for number in range(5):
        bridge = made.hue(15.0 * number + 7.0)
        there = [made.hue(15.0 * number + 187.0) for _ in range(2)]
        for step in range(8 + number):
            made.answer(bridge, there[step % 2])

    found = bridges(made).findings

    assert [each.evidence.value for each in found] == [12.0, 11.0, 10.0]
    assert [each.bins for each in found] == [(4, 16), (3, 15), (2, 14)]


def test_pairs_that_were_together_more_than_twice_are_reference_candidates() -> None:
    made = MadeDay()
    rows = [made.hue(7.0) for _ in range(3)]
    for _ in range(2):
        made.answer(*rows)
    made.answer(rows[0], rows[1])

    assert bridges(made).reference_candidates == 1


def test_a_long_answer_links_its_first_dreams_and_says_so() -> None:
    made = MadeDay()
    rows = [made.hue(7.0) for _ in range(LINKED + 2)]
    for _ in range(3):
        made.answer(*rows)

    found = bridges(made)

    assert found.is_saturated
    assert found.reference_candidates == LINKED * (LINKED - 1) // 2


def test_answers_drawn_by_chance_have_no_bridge_as_a_rule() -> None:
    seen = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        made = MadeDay()
        rows = [made.dream(tuple(rng.random(3).tolist())) for _ in range(500)]
        for _ in range(60):
            made.answer(*(rows[at] for at in rng.choice(500, 8, replace=False)))
        seen += fires(made)

    assert seen <= 2


def _anchor(made: MadeDay, row: int) -> str:
    return anchors().of("dream", made.dreams[row].dream_id)
