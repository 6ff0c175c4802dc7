"""What a dream is worth (seed 000, section 3.6; design, 5.9)."""

import numpy as np
import pytest

from actors.learner.credit import Examples, Pace, clip_to_percentiles, paired_step, plain_step
from actors.learner.network import NetworkShape, example_gradients, mean_gradient, mean_loss
from actors.learner.rounds import close_epoch
from actors.learner.state import LearnerState
from actors.learner.training import Training

SHAPE = NetworkShape(inputs=6, hidden=9, classes=3)
PACE = Pace(learning_rate=0.2, dream_weight=0.5)


def examples(generator: np.random.Generator, count: int, classes: int = SHAPE.classes) -> Examples:
    return Examples(generator.normal(0.0, 1.0, (count, SHAPE.inputs)), generator.dirichlet(np.ones(classes), count))


def world(dreams: int = 5) -> tuple[np.ndarray, Examples, Examples, Examples]:
    generator = np.random.default_rng(11)
    weights = generator.normal(0.0, 0.5, SHAPE.size)
    return weights, examples(generator, 8), examples(generator, dreams), examples(generator, 20)


def gradient(weights: np.ndarray, some: Examples) -> np.ndarray:
    return mean_gradient(example_gradients(weights, SHAPE, *some), SHAPE)


def test_utility_is_the_probe_loss_without_the_dream_less_that_with_it() -> None:
    weights, labelled, dreams, probe = world()
    own = gradient(weights, labelled)
    without = mean_loss(weights - PACE.learning_rate * own, SHAPE, *probe)

    step = paired_step(weights, SHAPE, labelled, dreams, probe, PACE)

    for index, utility in enumerate(step.utilities):
        alone = Examples(dreams.inputs[index : index + 1], dreams.targets[index : index + 1])
        share = PACE.dream_weight / len(step.utilities)
        moved = weights - PACE.learning_rate * (own + share * gradient(weights, alone))
        assert utility == pytest.approx(without - mean_loss(moved, SHAPE, *probe), abs=1e-12)


def test_contribution_is_the_cosine_with_the_probe_gradient_moved_to_the_unit_interval() -> None:
    weights, labelled, dreams, probe = world()
    towards = gradient(weights, probe)

    step = paired_step(weights, SHAPE, labelled, dreams, probe, PACE)

    for index, contribution in enumerate(step.contributions):
        alone = gradient(weights, Examples(dreams.inputs[index : index + 1], dreams.targets[index : index + 1]))
        cosine = alone @ towards / (np.linalg.norm(alone) * np.linalg.norm(towards))
        assert contribution == pytest.approx((1 + cosine) / 2, abs=1e-12)


def test_the_step_is_taken_with_all_dreams() -> None:
    weights, labelled, dreams, probe = world()

    step = paired_step(weights, SHAPE, labelled, dreams, probe, PACE)

    both = gradient(weights, labelled) + PACE.dream_weight * gradient(weights, dreams)
    np.testing.assert_allclose(step.weights, weights - PACE.learning_rate * both, atol=1e-14)


def test_dream_like_the_probe_is_worth_more_than_the_same_dream_with_a_wrong_label() -> None:
    weights, labelled, _, probe = world()
    right = probe.targets[:1]
    wrong = np.roll(np.eye(SHAPE.classes)[[int(right.argmax())]], 1, axis=1)
    pair = Examples(np.repeat(probe.inputs[:1], 2, axis=0), np.concatenate((right, wrong)))

    step = paired_step(weights, SHAPE, labelled, pair, Examples(probe.inputs[:1], probe.targets[:1]), PACE)

    assert step.utilities[0] > step.utilities[1]
    assert step.contributions[0] > step.contributions[1]


def test_dream_that_changes_nothing_is_worth_nothing_and_points_nowhere() -> None:
    # seed 000, section 6 by way of design 5.9: the step on the labelled patches alone earns a dream nothing
    weights, labelled, dreams, probe = world()
    silent = Pace(learning_rate=0.2, dream_weight=0.0)

    step = paired_step(weights, SHAPE, labelled, dreams, probe, silent)

    np.testing.assert_allclose(step.utilities, 0.0, atol=1e-15)
    np.testing.assert_array_equal(step.weights, plain_step(weights, SHAPE, labelled, silent.learning_rate))


def test_many_dreams_are_worth_what_each_is_worth_alone() -> None:
    generator = np.random.default_rng(2)
    weights, labelled, _, _ = world()
    many, probe = examples(generator, 1500), examples(generator, 200)

    step = paired_step(weights, SHAPE, labelled, many, probe, PACE)

    for index in (0, 749, 1499):
        alone = Examples(many.inputs[index : index + 1], many.targets[index : index + 1])
        single = paired_step(weights, SHAPE, labelled, alone, probe, Pace(PACE.learning_rate, PACE.dream_weight / 1500))
        assert step.utilities[index] == pytest.approx(single.utilities[0], abs=1e-13)


def test_utilities_are_clipped_to_the_fifth_and_ninety_fifth_percentile_of_the_epoch() -> None:
    epoch = [float(value) for value in range(101)]

    clipped = clip_to_percentiles(np.array([0.0, 50.0, 100.0, 1e9]), epoch)

    assert clipped.tolist() == [5.0, 50.0, 95.0, 95.0]


def test_percentiles_of_an_epoch_know_nothing_of_the_epoch_before(training: Training) -> None:
    state = LearnerState(training.first_weights, training.first_weights, utilities=[1.0, 2.0], rounds=10)

    close_epoch(state, training)

    assert state.utilities == []


def test_percentiles_interpolate_linearly() -> None:
    clipped = clip_to_percentiles(np.array([-9.0, 9.0]), [0.0, 1.0])

    assert clipped.tolist() == pytest.approx([0.05, 0.95])
