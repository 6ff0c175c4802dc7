"""The evolution operators: mix, filter, complement, saturate, smooth, the pull and the window (seed 000, section 1)."""

from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest

from actors.dreamer.generation import AMOUNTS, OPERATORS, PROBABILITIES, Evolution, Operator, move_mean, steered
from actors.dreamer.measures import Meter, Planar
from bus.randomness import RandomSource

ROWS, COLS, LAYERS = 12, 10, 3


@pytest.fixture
def evolution() -> Evolution:
    return Evolution(ROWS, COLS, LAYERS, Meter(ROWS, COLS, LAYERS))


@pytest.fixture
def field() -> Planar:
    return np.random.default_rng(1).random((3, LAYERS, ROWS, COLS), dtype=np.float32)


def applied(evolution: Evolution, operator: Operator, field: Planar, amount: float) -> npt.NDArray[np.float32]:
    result = field.copy()
    evolution.apply(operator, result, amount, (0.25, 0.5))
    return result


def test_mix_puts_a_shifted_self_in_and_filter_takes_it_out(evolution: Evolution, field: Planar) -> None:
    shifted = np.roll(field, (int(0.25 * ROWS), int(0.5 * COLS)), axis=(2, 3))

    assert applied(evolution, "mix", field, 0.3) == pytest.approx(0.7 * field + 0.3 * shifted, abs=1e-6)
    assert applied(evolution, "filter", field, 0.2) == pytest.approx((field - 0.2 * shifted) / 0.8, abs=1e-6)


def test_complement_leaves_red_and_turns_green_and_blue(evolution: Evolution, field: Planar) -> None:
    result = applied(evolution, "complement", field, 1.0)

    assert np.array_equal(result[0], field[0])
    assert result[1:] == pytest.approx(1.0 - field[1:], abs=1e-6)


def test_saturate_spreads_channels_around_their_mean(evolution: Evolution, field: Planar) -> None:
    mean = field.mean(axis=0)

    assert applied(evolution, "saturate", field, 0.5) == pytest.approx(mean + (field - mean) * 1.3, abs=1e-6)


def test_smooth_moves_cells_to_the_mean_of_their_neighbours(evolution: Evolution, field: Planar) -> None:
    padded = np.pad(field, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    around = padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1] + padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]

    result = applied(evolution, "smooth", field, 0.7)

    assert result == pytest.approx(0.3 * field + 0.7 * (field + around) / 5.0, abs=1e-6)


def test_no_shift_is_the_tensor_itself(evolution: Evolution, field: Planar) -> None:
    result = field.copy()

    evolution.apply("mix", result, 0.3, (0.0, 0.0))

    assert result == pytest.approx(field, abs=1e-6)


@pytest.mark.parametrize("kind", ["black", "white", "noise", "edges"])
def test_an_evolved_tensor_stays_in_the_unit_range(evolution: Evolution, field: Planar, kind: str) -> None:
    starts = {
        "black": np.zeros_like(field),
        "white": np.ones_like(field),
        "noise": field,
        "edges": (field > 0.5).astype(np.float32),
    }
    for episode in range(10):
        tensor = starts[kind].copy()

        evolution.evolve(tensor, 20, ((1.0, 0.0, 1.0), 0.5), (0.8, 0.9), (RandomSource(episode, 1, "d"), episode))

        assert tensor.dtype == np.float32
        assert float(tensor.min()) >= 0.0
        assert float(tensor.max()) <= 1.0


def test_the_pull_moves_the_mean_by_its_strength_and_keeps_the_picture(field: Planar) -> None:
    tensor = (0.4 + 0.2 * field).astype(np.float32)
    before = tensor.mean(axis=(1, 2, 3))
    contrast = tensor[0] - tensor[0].mean()
    target = (0.6, 0.5, 0.3)

    move_mean(tensor, target, 0.25)

    assert tensor.mean(axis=(1, 2, 3)) == pytest.approx(before + 0.25 * (np.array(target) - before), abs=1e-5)
    assert tensor[0] - tensor[0].mean() == pytest.approx(contrast, abs=1e-5)


def mean_entropy(window: tuple[float, float] | None) -> float:
    meter = Meter(32, 32, 2)
    evolution, entropies = Evolution(32, 32, 2, meter), []
    for episode in range(12):
        coarse = np.random.default_rng(episode).random((3, 2, 8, 8), dtype=np.float32)
        tensor = coarse.repeat(4, axis=2).repeat(4, axis=3)
        evolution.evolve(tensor, 8, None, window, (RandomSource(1, 1, "d"), episode))
        entropies.append(meter.measure(tensor).spectral_entropy)
    return float(np.mean(entropies))


def test_the_entropy_window_steers_both_ways() -> None:
    # seed 000, section 3.7: desired entropy range
    free, low, high = mean_entropy(None), mean_entropy((0.1, 0.2)), mean_entropy((0.9, 0.95))

    assert low < free - 0.02
    assert high > free + 0.02


def test_a_window_that_is_met_changes_nothing(field: Planar) -> None:
    meter = Meter(ROWS, COLS, LAYERS)
    free, met = field.copy(), field.copy()

    names = Evolution(ROWS, COLS, LAYERS, meter).evolve(free, 8, None, None, (RandomSource(1, 1, "d"), 0))
    again = Evolution(ROWS, COLS, LAYERS, meter).evolve(met, 8, None, (0.0, 1.0), (RandomSource(1, 1, "d"), 0))

    assert names == again
    assert np.array_equal(free, met)


def test_steering_swaps_filter_and_smooth() -> None:
    assert steered("filter", 0.1) == "smooth"
    assert steered("smooth", -0.1) == "filter"
    assert [steered(operator, 0.0) for operator in OPERATORS] == list(OPERATORS)


def test_operators_are_drawn_by_their_probabilities() -> None:
    tensor = np.full((3, 1, 4, 4), 0.5, np.float32)

    names = Evolution(4, 4, 1, Meter(4, 4, 1)).evolve(tensor, 4000, None, None, (RandomSource(5, 1, "d"), 0))

    assert sum(PROBABILITIES.values()) == pytest.approx(1.0)
    assert set(AMOUNTS) == set(PROBABILITIES) == set(get_args(Operator))
    for operator in OPERATORS:
        assert names.count(operator) / 4000 == pytest.approx(PROBABILITIES[operator], abs=0.03)
