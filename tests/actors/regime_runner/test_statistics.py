"""Intervals and tests say what they promise, on numbers whose answer is known."""

import itertools
import math
import random

import numpy as np
import pytest

from actors.regime_runner.statistics import (
    bootstrap_ci,
    bootstrap_t_interval,
    estimate,
    generator,
    holm,
    minimum_detectable_effect,
    pairs_needed,
    quantile_of_t,
    sign_flip_p,
    t_interval,
)
from actors.regime_runner.student import student_quantile

TEN = [1.0, 1.02, 0.98, 1.05, 0.97, 1.01, 1.03, 0.99, 1.04, 0.96]


def test_the_bootstrap_interval_is_golden():
    # seed 003, stats.py: bootstrap_ci(vals, iters=2000, alpha=0.05, seed)
    low, high = bootstrap_ci(TEN, seed=1337)

    assert (low, high) == pytest.approx((0.987, 1.023), abs=1e-12)


def test_the_bootstrap_interval_is_that_of_sorted_means_50_and_1950():
    rng = generator(7, "bootstrap")
    means = sorted(float(np.mean([TEN[at] for at in row])) for row in rng.integers(10, size=(2000, 10)).tolist())

    assert bootstrap_ci(TEN, seed=7) == pytest.approx((means[50], means[1950]), abs=1e-12)


def test_equal_seeds_give_equal_intervals_and_others_differ_little():
    assert bootstrap_ci(TEN, seed=1) == bootstrap_ci(TEN, seed=1)
    assert bootstrap_ci(TEN, seed=1) != bootstrap_ci(TEN, seed=2)
    assert bootstrap_ci(TEN, seed=1) == pytest.approx(bootstrap_ci(TEN, seed=2), abs=0.005)


def test_no_global_generator_is_touched():
    np_before, before = np.random.get_state()[1].copy(), random.getstate()

    bootstrap_ci(TEN, seed=3)
    sign_flip_p([TEN * 2], generator(3, "flips"))

    assert (np.random.get_state()[1] == np_before).all()
    assert random.getstate() == before


@pytest.mark.parametrize("values", [[], [5.0], [None, 5.0, None]])
def test_fewer_than_two_values_have_no_interval(values):
    assert bootstrap_ci(values, seed=1) is None


def test_missing_values_are_left_out_and_not_taken_for_zero():
    assert bootstrap_ci([1.0, None, 1.0, 1.0], seed=1) == (1.0, 1.0)


def test_the_t_interval_of_one_group_is_student_s():
    # mean 3, variance 2.5, t(0.975, 4) = 2.776445
    low, high = t_interval([[1.0, 2.0, 3.0, 4.0, 5.0]])

    half = 2.7764451 * math.sqrt(2.5 / 5)
    assert (low, high) == pytest.approx((3 - half, 3 + half), abs=1e-6)


def test_groups_of_unequal_size_weigh_the_same():
    found = estimate([[1.0, 1.0, 1.0, 1.0], [3.0, 3.0]])

    assert found.mean == 2.0
    assert found.pairs == 6


def test_a_group_of_one_value_gives_no_estimate():
    assert estimate([[1.0, 2.0], [3.0]]) is None
    assert t_interval([]) is None


def test_both_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(11)
    samples = [rng.normal(0.0, 1.0, 10).tolist() for _ in range(300)]

    by_t = [t_interval([sample]) for sample in samples]
    by_bootstrap = [
        bootstrap_t_interval([sample], np.random.default_rng(at), resamples=400) for at, sample in enumerate(samples)
    ]

    for intervals in (by_t, by_bootstrap):
        covered = sum(low <= 0.0 <= high for low, high in intervals) / len(samples)
        assert 0.91 <= covered <= 0.98


def test_bootstrap_t_needs_five_values_and_bears_equal_ones():
    assert bootstrap_t_interval([[1.0, 2.0, 3.0, 4.0]], np.random.default_rng(1)) is None
    assert bootstrap_t_interval([[2.0] * 6], np.random.default_rng(1)) == (2.0, 2.0)


def test_bootstrap_t_reaches_further_on_the_side_of_the_long_tail():
    values = [0.0, 0.1, 0.1, 0.2, 0.2, 0.3, 0.4, 0.6, 1.5, 4.0]
    mean = sum(values) / 10

    low, high = bootstrap_t_interval([values], np.random.default_rng(1))

    assert high - mean > 1.5 * (mean - low)


def test_sign_flips_are_counted_exactly_for_few_values():
    values = [0.3, 0.1, -0.05, 0.2, 0.4, 0.15]
    total = abs(sum(values))
    patterns = list(itertools.product((1, -1), repeat=6))
    expected = (
        sum(abs(sum(s * v for s, v in zip(signs, values, strict=True))) >= total - 1e-12 for signs in patterns) / 64
    )

    assert sign_flip_p([values], generator(1, "x")) == pytest.approx(expected)


def test_values_of_one_sign_have_the_smallest_possible_p():
    assert sign_flip_p([[0.1] * 10], generator(1, "x")) == pytest.approx(2 / 2**10)
    assert sign_flip_p([[]], generator(1, "x")) is None


def test_drawn_sign_flips_agree_with_the_exact_ones():
    rng = np.random.default_rng(5)
    values = rng.normal(0.3, 1.0, 16).tolist()

    exact = sign_flip_p([values], generator(1, "x"))
    drawn = sign_flip_p([[*values, 1e-15]], generator(1, "x"))

    assert drawn == pytest.approx(exact, abs=0.02)


def test_holm_is_the_textbook_s():
    # p sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1, made monotone
    assert holm([0.04, 0.01, None, 0.03, 0.02]) == pytest.approx((0.06, 0.04, None, 0.06, 0.06))


def test_thirty_six_null_comparisons_claim_at_most_two():
    rng = np.random.default_rng(3)
    ps = [sign_flip_p([rng.normal(0.0, 0.2, 13).tolist()], generator(at, "x")) for at in range(36)]

    assert sum(p <= 0.05 for p in holm(ps)) <= 2
    assert holm([*ps[:-1], 2 / 2**13])[-1] <= 0.05


def test_what_is_detectable_is_detected_four_times_in_five():
    rng = np.random.default_rng(17)
    effect = minimum_detectable_effect(0.2 / math.sqrt(12), 11)

    found = sum(t_interval([rng.normal(effect, 0.2, 12).tolist()])[0] > 0.0 for _ in range(400)) / 400

    assert 0.74 <= found <= 0.86


@pytest.mark.parametrize(
    ("deviation", "effect", "low", "high"), [(0.25, 0.05, 190, 205), (0.02, 0.1, 6, 6), (0.1, 0.095, 10, 13)]
)
def test_planned_pairs_suffice_and_fewer_would_not(deviation, effect, low, high):
    pairs = pairs_needed(deviation, effect)

    assert low <= pairs <= high
    assert minimum_detectable_effect(deviation / math.sqrt(pairs), pairs - 1) <= effect


def test_quantiles_join_where_the_method_changes():
    assert quantile_of_t(0.975, 201) == pytest.approx(student_quantile(0.975, 201), abs=1e-6)
