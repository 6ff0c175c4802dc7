"""The parts of the loop: losses, optimizers, schedules, sums, what a step is fed with."""

import hashlib
import math

import numpy as np
import pytest

from actors.learner.trainer.datasets.dataset import DataRefusedError
from actors.learner.trainer.datasets.splitting import Splits, split
from actors.learner.trainer.model.parameters import F32, Layout, Part
from actors.learner.trainer.model.port import Model
from actors.learner.trainer.registry import LOSSES, OPTIMIZERS, SCHEDULES
from actors.learner.trainer.streams import Streams
from actors.learner.trainer.training import feeding
from actors.learner.trainer.training.accumulating import Accumulator, CompensatedSum, cut
from actors.learner.trainer.training.feeding import Feed
from actors.learner.trainer.training.losses import cross_entropy, exact_sum, mean_squared_error
from actors.learner.trainer.training.optimizers import AdamW, Optimizer, OptimizerRefusedError, RmsProp, Sgd, rate_of
from actors.learner.trainer.training.schedules import Pace
from actors.learner.trainer.training.settings import (
    AdamWSettings,
    ConstantSettings,
    CosineSettings,
    LinearSettings,
    RmsPropSettings,
    SgdSettings,
    StepSettings,
)
from schemas.base import Record
from tests.small_training import config, made_up

RATES = (0.1, 0.05, 0.02)


def test_loss_counts_an_example_by_the_weight_of_its_target() -> None:
    logits = np.random.default_rng(1).normal(0, 1, (3, 4)).astype(np.float32)
    targets = np.eye(4, dtype=np.float32)[:3]

    for loss in (cross_entropy, mean_squared_error):
        whole, slope = loss(logits, targets)
        half, half_slope = loss(logits, targets / 2)
        nothing, none = loss(logits, 0 * targets)
        assert half == pytest.approx(whole / 2, rel=1e-6)
        np.testing.assert_allclose(half_slope, slope / 2, rtol=1e-5)
        assert nothing == 0.0
        assert not none.any()
        assert slope.dtype == np.float32


def test_loss_of_known_outputs_is_the_known_number() -> None:
    logits = np.array([[0.0, 0.0], [math.log(3.0), 0.0]], dtype=np.float32)
    targets = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)

    assert cross_entropy(logits, targets)[0] == pytest.approx(math.log(2) + math.log(4), rel=1e-6)
    assert mean_squared_error(logits, targets)[0] == pytest.approx(0.5 + (math.log(3) ** 2 + 1) / 2, rel=1e-6)


def test_sums_lose_nothing_to_large_neighbours() -> None:
    values = [1e16, 1.0, -1e16, 1.0, 1e-8]
    running = CompensatedSum()
    for value in values:
        running.add(value)

    assert exact_sum(np.array(values)) == running.value == 2.00000001
    assert sum(values) != 2.00000001
    assert math.isnan(exact_sum(np.array([math.inf, -math.inf])))


def by_hand(name: str, weights: np.ndarray, gradients: list[np.ndarray]) -> np.ndarray:
    """The published formulas in float64."""
    w = weights.astype(np.float64)
    first, second, velocity = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for step, (gradient, rate) in enumerate(zip(gradients, RATES, strict=True), start=1):
        g = gradient.astype(np.float64)
        if name == "sgd":
            velocity = 0.8 * velocity + (g + 0.01 * w)
            w = w - rate * velocity
        elif name == "adamw":
            w = w * (1 - rate * 0.02)
            first, second = 0.9 * first + 0.1 * g, 0.99 * second + 0.01 * g * g
            w = w - rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-6)
        else:
            g = g + 0.01 * w
            second = 0.9 * second + 0.1 * g * g
            velocity = 0.5 * velocity + g / (np.sqrt(second) + 1e-6)
            w = w - rate * velocity
    return w


def optimizer(name: str, size: int) -> Optimizer:
    match name:
        case "sgd":
            return Sgd(SgdSettings(momentum=0.8, weight_decay=0.01), size)
        case "adamw":
            return AdamW(AdamWSettings(beta2=0.99, epsilon=1e-6, weight_decay=0.02), size)
        case _:
            return RmsProp(RmsPropSettings(alpha=0.9, epsilon=1e-6, momentum=0.5, weight_decay=0.01), size)


@pytest.mark.parametrize("name", ["sgd", "adamw", "rmsprop"])
def test_an_optimizer_follows_its_published_formula_and_goes_on_from_its_state(name: str) -> None:
    rng = np.random.default_rng(3)
    first_weights = rng.normal(0, 1, 50).astype(np.float32)
    gradients = [rng.normal(0, 1, 50).astype(np.float32) for _ in RATES]
    straight, stopped = optimizer(name, 50), optimizer(name, 50)
    weights, others = first_weights.copy(), first_weights.copy()

    for gradient, rate in zip(gradients, RATES, strict=True):
        straight.step(weights, gradient.copy(), rate)
        stopped.step(others, gradient.copy(), rate)
        again = optimizer(name, 50)
        again.load(stopped.state(), stopped.steps)
        stopped = again

    np.testing.assert_allclose(weights, by_hand(name, first_weights, gradients), rtol=2e-5, atol=2e-6)
    assert weights.tobytes() == others.tobytes()
    assert all(vector.dtype == np.float32 for vector in straight.state().values())


def test_a_state_of_another_optimizer_or_size_is_refused() -> None:
    made = optimizer("sgd", 5)

    for wrong in ({}, optimizer("adamw", 5).state(), optimizer("sgd", 6).state(), {"velocity": np.zeros(5)}):
        with pytest.raises(OptimizerRefusedError, match=r"this optimizer (remembers|has)"):
            made.load(wrong, 1)


def test_an_optimizer_from_outside_needs_a_learning_rate() -> None:
    class Without(Record):
        kind: str = "without"

    assert rate_of(SgdSettings(lr=1)) == 1.0
    with pytest.raises(OptimizerRefusedError, match="Without has no lr"):
        rate_of(Without())


def test_schedules_fall_from_the_whole_rate_to_their_share() -> None:
    pace = Pace(rate=0.4, steps_per_epoch=10, steps=41)

    def rates(settings: Record) -> list[float]:
        schedule = SCHEDULES.build(settings, pace)
        return [schedule(step) for step in range(pace.steps)]

    assert set(rates(ConstantSettings())) == {0.4}
    assert rates(ConstantSettings(warmup_steps=4))[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])
    linear, cosine = rates(LinearSettings(final_share=0.1)), rates(CosineSettings(final_share=0.1))
    assert (linear[0], linear[20], linear[-1]) == pytest.approx((0.4, 0.22, 0.04))
    assert (cosine[0], cosine[20], cosine[-1]) == pytest.approx((0.4, 0.22, 0.04))
    assert cosine == sorted(cosine, reverse=True)
    assert cosine[5] > linear[5]
    steps = rates(StepSettings(every_epochs=2, factor=0.5))
    assert (steps[0], steps[19], steps[20], steps[40]) == pytest.approx((0.4, 0.4, 0.2, 0.1))
    assert rates(CosineSettings(warmup_steps=1_000_000))[-1] < 0.4


def test_shipped_kinds_are_registered() -> None:
    config()

    assert {"sgd", "adamw", "rmsprop"} <= set(OPTIMIZERS.kinds)
    assert {"constant", "linear", "cosine", "step"} <= set(SCHEDULES.kinds)
    assert {"cross-entropy", "mse"} <= set(LOSSES.kinds)


@pytest.mark.parametrize("parts", [1, 2, 3, 5, 8, 50])
def test_a_batch_is_cut_in_order_into_parts_of_nearly_one_size(parts: int) -> None:
    images, targets = np.arange(8)[:, None].astype(np.float32), np.zeros((8, 2), np.float32)

    lots = cut((images, targets), parts)

    sizes = [len(lot) for lot, _ in lots]
    assert np.concatenate([lot for lot, _ in lots]).tolist() == images.tolist()
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == min(parts, 8)
    assert min(sizes) > 0


def feed(seed: int = 2, batch_size: int = 16) -> Feed:
    data = made_up()
    return Feed(data, split(data, config().data.split, 1), "unit", batch_size, Streams(seed))


class Given(Model):
    """One weight, whose gradient is the sum of the images."""

    def step_gradients(
        self, images: F32, targets: F32, loss: object, stream: object, scale: float = 1.0
    ) -> tuple[float, F32]:
        self.gradient[:] = images.sum(dtype=np.float32)
        return float(images.sum(dtype=np.float64)), self.gradient

    def logits(self, images: F32) -> F32:
        return images


def test_parts_of_a_batch_are_added_in_float64_and_rounded_once() -> None:
    images = np.array([1e8, 1.0, -1e8], dtype=np.float32)[:, None]
    model = Given(Layout((Part("w", (1,)),)), np.zeros(1, dtype=np.float32))

    step = Accumulator(model, cross_entropy, 3).step((images, images), None, None)

    assert step.gradient.tolist() == [1.0]
    assert step.gradient.dtype == np.float32
    assert step.loss == 1.0 / 3.0


def test_an_epoch_shows_every_training_example_once_in_an_order_of_its_own() -> None:
    one, other, data = feed(), feed(seed=3), made_up()
    train = sorted(data.images[one.splits.train].reshape(len(one.splits.train), -1).tolist())

    def shown(chosen: Feed, epoch: int) -> np.ndarray:
        return np.concatenate([chosen.batch(epoch, number).images for number in range(chosen.batches)])

    first = shown(one, 0)
    assert sorted(np.rint(first * 255).reshape(len(first), -1).tolist()) == train
    assert shown(one, 1).tobytes() != first.tobytes()
    assert shown(other, 0).tobytes() != first.tobytes()
    assert shown(feed(), 0).tobytes() == first.tobytes()


def test_a_batch_is_the_same_out_of_order_and_its_digest_names_its_examples() -> None:
    straight, jumping = feed(), feed()
    batches = [straight.batch(0, number) for number in range(straight.batches)]
    order = Streams(2).at("order", 0).permutation(straight.splits.train)

    jumping.batch(1, 0)
    again = jumping.batch(0, 2)

    assert again.images.tobytes() == batches[2].images.tobytes()
    assert again.sha256 == batches[2].sha256 == hashlib.sha256(order[32:48].astype("<i8").tobytes()).hexdigest()
    assert len({batch.sha256 for batch in batches}) == straight.batches


def test_images_normalised_batch_by_batch_have_the_bits_of_those_normalised_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = feed().batch(0, 1).images
    monkeypatch.setattr(feeding, "HELD_BYTES", 0)

    assert feed().batch(0, 1).images.tobytes() == held.tobytes()


def test_nothing_to_train_on_is_refused() -> None:
    data, none = made_up(), np.zeros(0, np.intp)

    with pytest.raises(DataRefusedError, match="nothing to train on"):
        Feed(data, Splits(none, none, none, "0"), "unit", 4, Streams(1))
