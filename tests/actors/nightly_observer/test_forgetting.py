"""How influence moves: each factor, what is guarded, and reasons that are always looked for."""

import math

import numpy as np
import pytest

from actors.nightly_observer.forgetting import Guarding, change_of, look
from schemas.dream_seeds import ForgetfulnessHealth
from tests.actors.nightly_observer.days import MadeDay, anchors, guard_day, runtime_settings

SETTINGS = runtime_settings()


def health(made: MadeDay, clustered: int | None = None) -> ForgetfulnessHealth:
    guarding = Guarding(SETTINGS.defrag.guard_overuse, 7, anchors())
    return look(made.made(), SETTINGS.forgetting, guarding, clustered)


def with_spread(made: MadeDay, deviation: float = 1.0) -> None:
    """Feedback on a dream of the night whose median absolute deviation is `deviation` / 1.4826."""
    other = made.dream()
    for sign in (-1.0, 1.0) * 20:
        made.say(other, sign * deviation / 1.4826)


def test_a_dream_that_nobody_judged_fades_by_its_age_alone() -> None:
    made = MadeDay()
    made.dream(days_ago=10.0)

    told = health(made)

    wanted = 0.5 * (math.exp(-0.02 * 11.0) - math.exp(-0.02 * 10.0))
    assert told.delta_abs_max == pytest.approx(-wanted, abs=1e-6)
    assert (told.dreams, told.delta_nonzero_count, told.delta_sign_balance) == (1, 1, -1.0)


def test_feedback_lifts_a_dream_by_its_shrunken_mean() -> None:
    made = MadeDay()
    row = made.dream(days_ago=1.0)
    with_spread(made)
    made.say(row, 1.0)

    change = change_of(made.made(), SETTINGS.forgetting, 0)

    scale = 1.4826 * np.median(np.abs(np.array([each[2] for each in made.told]) - np.median([e[2] for e in made.told])))
    before, after = 0.5 * math.exp(-0.02), math.exp(-0.04) * (0.5 + 0.5 * (1.0 / 5.0) / scale)
    assert change.delta.tolist() == pytest.approx([after - before], abs=1e-9)
    assert change.balance == 1.0


def test_dreams_of_the_night_have_no_influence_before_it_and_do_not_count() -> None:
    made = MadeDay()
    made.dream()

    told = health(made)

    assert (told.dreams, told.delta_abs_max, told.delta_sign_balance, told.delta_nonzero_count) == (0, None, None, 0)


def test_pinned_dreams_and_those_at_a_bound_are_guarded() -> None:
    made = MadeDay()
    made.dream(days_ago=30.0)
    made.dream(days_ago=1.0, is_pinned=True)
    clamped = made.dream(days_ago=1.0)
    with_spread(made)
    for _ in range(10):
        made.say(clamped, 5.0)

    told = health(made)

    assert change_of(made.made(), SETTINGS.forgetting, 0).is_guarded.tolist() == [False, True, True]
    assert told.guard_counts.monument_locks == 1
    assert told.delta_abs_max_free is not None and told.delta_abs_max_guarded is not None
    assert told.delta_abs_max == told.delta_abs_max_guarded > told.delta_abs_max_free


def test_factors_count_dreams_and_not_records() -> None:
    made = MadeDay()
    row, other = made.dream(days_ago=1.0), made.dream()
    for _ in range(3):
        made.say(row, 1.0)
        made.answer(row, other)
    made.answer(row, days_ago=0.5)

    factors = health(made, clustered=7).evidence_nonzero_counts

    assert (factors.recall, factors.affect, factors.interference) == (2, 1, 7)


def test_a_guard_over_its_limit_is_a_reason() -> None:
    told = health(guard_day())

    assert told.guard_overactive is True
    assert not told.guard_stable
    assert "guard_overactive" in told.reasons


def test_without_any_guard_counted_nothing_is_stable() -> None:
    told = health(MadeDay())

    assert (told.guard_overactive, told.guard_stable, told.guards) == (None, False, ())


def test_a_night_that_moves_more_than_the_week_before_is_a_drift() -> None:
    made = MadeDay()
    rows = [made.dream(days_ago=20.0) for _ in range(40)]
    other = made.dream(days_ago=20.0)
    for days_ago in range(7, -1, -1):
        for step in range(20):
            made.say(other, (-1.0 if step % 2 else 1.0) * (1.0 + 0.01 * days_ago), days_ago=days_ago - 0.5)
    steady = health(made)
    for row in rows:
        for step in range(3):
            made.say(row, 0.5 + 0.5 * step)

    told = health(made)

    assert "drift_spike" not in steady.reasons
    assert "drift_spike" in told.reasons
    assert told.delta_abs_mean_free is not None and told.drift_limit is not None
    assert told.delta_abs_mean_free > told.drift_limit


def test_with_too_few_nights_before_there_is_no_drift_and_no_limit() -> None:
    made = MadeDay()
    row = made.dream(days_ago=20.0)
    for days_ago in (1.5, 0.5, -0.5):
        for step in range(8):
            made.say(row, float(step % 3), days_ago=days_ago)

    told = health(made)

    assert (told.drift_limit, told.reasons) == (None, ())


def test_a_night_with_far_fewer_records_is_an_input_drop() -> None:
    made = MadeDay()
    row = made.dream(days_ago=20.0)
    for days_ago in range(7, 0, -1):
        for step in range(50 + days_ago):
            made.say(row, float(step % 5), days_ago=days_ago - 0.5)
    made.say(row, 1.0)

    assert "input_drop" in health(made).reasons


def test_when_nobody_looks_it_is_said() -> None:
    guarding = Guarding(SETTINGS.defrag.guard_overuse, 7, anchors())
    switched_off = SETTINGS.forgetting.model_copy(update={"enable": False})

    told = look(guard_day().made(), switched_off, guarding)

    assert (told.status, told.findings, told.guard_overactive) == ("disabled", (), None)
