"""The network's own backward pass."""

import numpy as np
import pytest

from actors.learner.network import (
    NetworkShape,
    accuracy,
    example_gradients,
    initial_weights,
    mean_gradient,
    mean_loss,
)
from bus.randomness import RandomSource

SHAPE = NetworkShape(inputs=7, hidden=5, classes=4)


def world(seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    weights = generator.normal(0.0, 0.5, SHAPE.size)
    inputs = generator.normal(0.0, 1.0, (6, SHAPE.inputs))
    targets = generator.dirichlet(np.ones(SHAPE.classes), 6)
    return weights, inputs, targets


def test_gradient_is_that_of_finite_differences() -> None:
    weights, inputs, targets = world()
    step = 1e-6

    gradient = mean_gradient(example_gradients(weights, SHAPE, inputs, targets), SHAPE)

    for index in range(SHAPE.size):
        moved = np.zeros(SHAPE.size)
        moved[index] = step
        above = mean_loss(weights + moved, SHAPE, inputs, targets)
        below = mean_loss(weights - moved, SHAPE, inputs, targets)
        assert gradient[index] == pytest.approx((above - below) / (2 * step), abs=1e-8), f"weight {index}"


def test_a_target_that_sums_to_a_half_counts_half() -> None:
    weights, inputs, targets = world()

    whole = example_gradients(weights, SHAPE, inputs, targets)
    half = example_gradients(weights, SHAPE, inputs, targets / 2)

    np.testing.assert_allclose(mean_gradient(half, SHAPE), mean_gradient(whole, SHAPE) / 2, atol=1e-14)
    assert mean_loss(weights, SHAPE, inputs, targets / 2) == pytest.approx(
        mean_loss(weights, SHAPE, inputs, targets) / 2
    )


def test_a_target_of_nothing_moves_nothing() -> None:
    weights, inputs, targets = world()

    gradient = mean_gradient(example_gradients(weights, SHAPE, inputs, 0 * targets), SHAPE)

    assert not gradient.any()
    assert mean_loss(weights, SHAPE, inputs, 0 * targets) == 0.0


def test_mean_gradient_is_the_mean_of_the_gradients_of_single_examples() -> None:
    weights, inputs, targets = world()

    together = mean_gradient(example_gradients(weights, SHAPE, inputs, targets), SHAPE)
    alone = [
        mean_gradient(example_gradients(weights, SHAPE, inputs[i : i + 1], targets[i : i + 1]), SHAPE) for i in range(6)
    ]

    np.testing.assert_allclose(together, np.mean(alone, axis=0), atol=1e-14)


def test_weights_of_the_learner_stay_float32_through_a_step() -> None:
    weights = initial_weights(SHAPE, RandomSource(1, 1, "learner").at("weights", 0))
    inputs = np.ones((2, SHAPE.inputs), dtype=np.float32)
    targets = np.eye(SHAPE.classes, dtype=np.float32)[:2]

    stepped = weights - 0.1 * mean_gradient(example_gradients(weights, SHAPE, inputs, targets), SHAPE)

    assert weights.dtype == np.float32
    assert stepped.dtype == np.float32


def test_initial_weights_follow_from_the_key_and_from_nothing_else() -> None:
    first = initial_weights(SHAPE, RandomSource(1, 1, "learner").at("weights", 0))
    busy = RandomSource(1, 1, "learner")
    busy.at("something else", 7).random(100)

    again = initial_weights(SHAPE, busy.at("weights", 0))
    other_seed = initial_weights(SHAPE, RandomSource(2, 1, "learner").at("weights", 0))

    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other_seed.tobytes()


def test_loss_of_huge_logits_is_finite() -> None:
    weights, inputs, targets = world()

    loss = mean_loss(weights * 1e100, SHAPE, inputs, targets)

    assert np.isfinite(loss)


def test_gradient_steps_learn_a_separable_task() -> None:
    generator = np.random.default_rng(5)
    labels = np.arange(40) % SHAPE.classes
    inputs = np.eye(SHAPE.inputs)[labels] + generator.normal(0.0, 0.1, (40, SHAPE.inputs))
    targets = np.eye(SHAPE.classes)[labels]
    weights = world()[0]

    for _ in range(300):
        weights = weights - 0.5 * mean_gradient(example_gradients(weights, SHAPE, inputs, targets), SHAPE)

    assert accuracy(weights, SHAPE, inputs, labels) == 1.0
