"""The learner of the loop and the trainer are one learner: the same network, the same step, the same accuracy."""

import numpy as np

from actors.learner.credit import Examples, plain_step
from actors.learner.network import NetworkShape, accuracy, initial_weights, mean_loss
from actors.learner.trainer.model.mlp import Mlp
from actors.learner.trainer.training.losses import cross_entropy
from actors.learner.trainer.training.optimizers import Sgd
from actors.learner.trainer.training.settings import SgdSettings
from actors.learner.trainer.validator.scores import scores_of
from actors.learner.trainer.validator.validating import validate

SHAPE = NetworkShape(24, 16, 5)


def examples(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.Generator(np.random.Philox(8))
    labels = generator.integers(0, SHAPE.classes, count)
    images = generator.normal(size=(count, 4, 2, 3)).astype(np.float32)
    return images, np.eye(SHAPE.classes, dtype=np.float32)[labels], labels.astype(np.intp)


def weights() -> np.ndarray:
    return initial_weights(SHAPE, np.random.Generator(np.random.Philox(3)))


def test_a_step_of_the_loops_learner_is_a_step_of_the_trainer_bit_for_bit() -> None:
    images, targets, _ = examples(32)
    by_loop = weights()
    model, optimizer = Mlp(SHAPE, weights(), 0.0), Sgd(SgdSettings(lr=0.05, momentum=0.0), SHAPE.size)

    for _ in range(20):
        by_loop = plain_step(by_loop, SHAPE, Examples(images.reshape(32, -1), targets), 0.05)
        _, summed = model.step_gradients(images, targets, cross_entropy, None)
        optimizer.step(model.weights, summed / np.float32(32), 0.05)

    assert by_loop.dtype == np.float32
    assert np.array_equal(by_loop, model.weights)


def test_the_validator_finds_the_accuracy_and_the_loss_that_the_loop_reports() -> None:
    images, targets, labels = examples(200)
    model = Mlp(SHAPE, weights(), 0.0)

    found = validate(scores_of(model.logits(images), labels, tuple("abcde")))

    flat = images.reshape(200, -1)
    assert found.accuracy == accuracy(model.weights, SHAPE, flat, labels)
    assert abs((found.loss or 0.0) - mean_loss(model.weights, SHAPE, flat, targets)) < 1e-12
