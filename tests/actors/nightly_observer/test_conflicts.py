"""Conflicts of feedback: in a bin, over the pool, on one dream, against the nights before; repeats go first."""

import numpy as np
import pytest

from actors.nightly_observer.conflicts import Conflicts, find_conflicts
from schemas.dream_seeds import Finding
from tests.actors.nightly_observer.days import MadeDay, anchors, runtime_settings

SETTINGS = runtime_settings().defrag.conflict


def conflicts(made: MadeDay, first: list[int] | None = None) -> Conflicts:
    day = made.made()
    leaders = np.arange(len(day.pool)) if first is None else np.array(first, dtype=np.int64)
    return find_conflicts(day, leaders, SETTINGS, 7, anchors())


def of(made: MadeDay, formula: str) -> list[Finding]:
    return [each for each in conflicts(made).findings if each.evidence.formula == formula]


def fired(made: MadeDay) -> list[str]:
    return [each.evidence.formula for each in conflicts(made).findings if each.fires]


def with_bins(positive: int, negative: int, agreeing: int = 4) -> MadeDay:
    """A bin with feedback of both signs among bins that agree."""
    made = MadeDay()
    for sign, count in ((1.0, positive), (-1.0, negative)):
        for _ in range(count):
            made.say(made.hue(7.0), sign)
    for number in range(agreeing):
        for step in range(10):
            made.say(made.hue(15.0 * (number + 2) + 7.0), 0.9 + 0.01 * step)
    return made


@pytest.mark.parametrize(
    ("positive", "negative", "fires"), [(5, 3, True), (4, 4, True), (3, 5, True), (6, 2, False), (4, 3, False)]
)
def test_a_bin_is_in_conflict_with_eight_records_and_three_of_each_sign(
    positive: int, negative: int, fires: bool
) -> None:
    assert ("conflict.bin_mix" in fired(with_bins(positive, negative))) == fires


@pytest.mark.parametrize(("negative", "fires"), [(4, True), (3, False)])
def test_a_bin_is_mixed_from_two_fifths_on(negative: int, fires: bool) -> None:
    made = with_bins(20 - negative, negative)

    mixed = next(each for each in of(made, "conflict.bin_mix") if each.bins == (0,))

    assert mixed.evidence.value == pytest.approx(2 * negative / 20, abs=1e-6)
    assert mixed.fires == fires


def test_a_bin_like_all_others_is_no_conflict_of_its_own() -> None:
    made = MadeDay()
    for number, negative in enumerate((5, 4, 5, 3, 4)):
        for step in range(20):
            made.say(made.hue(15.0 * number + 7.0), -1.0 if step < negative else 1.0 + 0.01 * step)

    assert "conflict.bin_mix" not in fired(made)


def test_a_pool_that_is_mixed_everywhere_is_one_conflict() -> None:
    made = MadeDay()
    for number in range(6):
        for step in range(10):
            made.say(made.hue(15.0 * number + 7.0), 1.0 if step % 2 else -1.0)

    assert fired(made) == ["conflict.pool_mix"]
    assert of(made, "conflict.pool_mix")[0].bins == (0, 1, 2, 3, 4, 5)


def test_five_mixed_bins_are_not_the_whole_pool() -> None:
    made = MadeDay()
    for number in range(5):
        for step in range(10):
            made.say(made.hue(15.0 * number + 7.0), 1.0 if step % 2 else -1.0)

    assert fired(made) == ["conflict.bin_mix"] * 5


def test_noise_around_zero_is_no_conflict() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        made = MadeDay()
        for number in range(24):
            for _ in range(20):
                made.say(made.hue(15.0 * number + 7.0), float(rng.normal()))

        assert fired(made) == [], f"seed {seed}"


def test_what_a_learner_says_twice_of_the_same_is_counted_once() -> None:
    made = MadeDay()
    row, copy, other = made.hue(7.0), made.hue(7.5), made.hue(8.0)
    made.say(row, 1.0, query=1)
    made.say(copy, 0.5, query=1)
    made.say(other, 0.5, query=1)
    made.say(row, 1.0, query=1, learner=2)

    told = conflicts(made, [0, 0, 2])

    assert (told.records, told.repeated) == (4, 1)


def test_equal_numbers_on_copies_of_a_dream_are_repeats_whatever_the_query() -> None:
    made = MadeDay()
    row, copy = made.hue(7.0), made.hue(7.5)
    for each, query in ((row, 1), (copy, 2), (copy, 3)):
        made.say(each, 1.0 if query < 3 else -1.0, query=query)
    made.told = [(*told[:3], 0.5, *told[4:]) for told in made.told]

    assert conflicts(made, [0, 0]).repeated == 1


@pytest.mark.parametrize(("dreams", "fires"), [(1, False), (2, True)])
def test_dreams_with_both_signs_are_a_conflict_where_the_night_agrees_otherwise(dreams: int, fires: bool) -> None:
    made = MadeDay()
    for number in range(60):
        made.say(made.hue(6.0 * number + 1.0), 1.0 + 0.001 * number)
    for row in range(dreams):
        made.say(row, -1.0)

    assert ("conflict.both_signs" in fired(made)) == fires


def test_dreams_with_both_signs_are_none_where_signs_are_chance() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        made = MadeDay()
        rows = [made.hue(3.6 * number) for number in range(100)]
        for row in rows:
            for _ in range(3):
                made.say(row, float(rng.normal()))

        assert "conflict.both_signs" not in fired(made), f"seed {seed}"


@pytest.mark.parametrize(("before", "fires"), [(-1.0, True), (1.0, False), (5.0, False)])
def test_a_bin_whose_mean_changed_its_sign_has_flipped(before: float, fires: bool) -> None:
    made = MadeDay()
    row = made.hue(7.0, 8.0)
    for step in range(10):
        made.say(row, 1.0 + 0.1 * step)
        made.say(row, before - 0.1 * step if before < 0 else before + 0.1 * step, days_ago=2.5)

    assert ("conflict.bin_flip" in fired(made)) == fires


def test_feedback_of_more_than_a_week_ago_is_no_history() -> None:
    made = MadeDay()
    row = made.hue(7.0, 9.0)
    for step in range(10):
        made.say(row, 1.0 + 0.1 * step)
        made.say(row, -1.0 - 0.1 * step, days_ago=7.5)

    assert of(made, "conflict.bin_flip") == []


def test_a_day_without_feedback_has_no_conflict() -> None:
    made = MadeDay()
    made.hue(7.0)

    assert conflicts(made) == Conflicts((), 0, 0)


def test_the_first_anchor_of_a_conflict_is_that_of_its_bin() -> None:
    mixed = next(each for each in of(with_bins(5, 5), "conflict.bin_mix") if each.fires)

    assert mixed.anchors[0] == anchors().of("bin", "0")
    assert len(mixed.anchors) == 8
