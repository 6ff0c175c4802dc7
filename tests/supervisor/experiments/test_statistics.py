"""Means of few seeds, and how sure they are."""

import pytest

from actors.regime_runner.student import student_quantile
from supervisor.experiments.statistics import paired, spread_of

TABLE = [(1, 12.7062), (2, 4.30265), (5, 2.57058), (9, 2.26216), (19, 2.09302), (100, 1.98397)]
"""Degrees of freedom and the 97.5 % quantile of Student's t, from printed tables."""


@pytest.mark.parametrize(("degrees", "quantile"), TABLE)
def test_quantiles_are_those_of_the_tables(degrees, quantile):
    assert student_quantile(0.975, degrees) == pytest.approx(quantile, abs=1e-5)


def test_interval_and_effect_size_of_known_values():
    spread = spread_of([1.0, 2.0, 3.0, 4.0])

    assert spread.mean == 2.5
    assert spread.t_interval == pytest.approx((0.445739, 4.554261), abs=1e-5)
    assert spread.effect_size == pytest.approx(1.936492, abs=1e-6)


def test_bootstrap_is_the_same_again_and_lies_around_the_mean():
    one, other = spread_of([0.1, 0.4, 0.2, 0.9, 0.3]), spread_of([0.1, 0.4, 0.2, 0.9, 0.3])

    assert one == other
    assert one.bootstrap_interval is not None
    low, high = one.bootstrap_interval
    assert 0.1 < low < one.mean < high < 0.9


def test_one_value_has_no_interval():
    spread = spread_of([0.5])

    assert (spread.mean, spread.t_interval, spread.bootstrap_interval, spread.effect_size) == (0.5, None, None, None)


def test_values_that_do_not_differ_have_no_effect_size():
    assert spread_of([0.25, 0.25, 0.25]).effect_size is None


def test_pairs_are_taken_seed_by_seed():
    spread = paired([1.0, 5.0], [0.5, 5.5])

    assert spread.values == (0.5, -0.5)
    assert spread.mean == 0.0


def test_pairs_of_unequal_number_are_refused():
    with pytest.raises(ValueError):
        paired([1.0, 2.0], [1.0])
