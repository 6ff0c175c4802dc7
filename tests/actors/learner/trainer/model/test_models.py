"""Models: gradients, first weights, dropout, states. The checks of torch run where torch is installed."""

import importlib.util
import math
import warnings

import numpy as np
import pytest

from actors.learner import network
from actors.learner.trainer.model.backends import BackendError, backend_of
from actors.learner.trainer.model.kinds import cnn_of, mlp_of, transformer_of
from actors.learner.trainer.model.parameters import ModelRefusedError
from actors.learner.trainer.model.port import ImageShape, Model, ModelPlan, drop
from actors.learner.trainer.model.settings import CnnSettings, MlpSettings, TransformerSettings
from actors.learner.trainer.streams import Streams
from actors.learner.trainer.training.losses import cross_entropy, mean_squared_error
from bus.randomness import RandomSource

SHAPE = ImageShape(8, 9, 2)
CLASSES = 4
LOSSES = {"cross-entropy": cross_entropy, "mse": mean_squared_error}
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch, an extra, is not installed")


def plan(backend: str = "numpy", seed: int = 3, shape: ImageShape = SHAPE) -> ModelPlan:
    return ModelPlan(backend, shape, CLASSES, Streams(seed))


def mlp(backend: str = "numpy", dropout: float = 0.0, seed: int = 3) -> Model:
    return mlp_of(MlpSettings(hidden=5, dropout=dropout), plan(backend, seed))


def cnn(backend: str = "numpy", dropout: float = 0.0, seed: int = 3) -> Model:
    return cnn_of(CnnSettings(first_channels=3, second_channels=4, dropout=dropout), plan(backend, seed))


MODELS = {"mlp": mlp, "cnn": cnn}


def examples(count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    images = rng.normal(0.0, 1.0, (count, *SHAPE)).astype(np.float32)
    return images, rng.dirichlet(np.ones(CLASSES), count).astype(np.float32) * np.float32(0.7)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", MODELS)
def test_gradient_is_that_of_finite_differences(name: str, loss: str, dropout: float) -> None:
    model, (images, targets) = MODELS[name](dropout=dropout), examples()
    gradient = model.step_gradients(images, targets, LOSSES[loss], Streams(1).at("dropout", 0))[1].copy()
    direction = np.random.default_rng(1).normal(0.0, 1.0, len(gradient)).astype(np.float32)
    at, step = model.weights.copy(), np.float32(5e-4)

    def value(moved: np.ndarray) -> float:
        model.weights[:] = moved
        return model.step_gradients(images, targets, LOSSES[loss], Streams(1).at("dropout", 0))[0]

    slope = (value(at + step * direction) - value(at - step * direction)) / (2.0 * float(step))

    assert float(gradient @ direction) == pytest.approx(slope, rel=0.02, abs=0.02)


@pytest.mark.parametrize("name", MODELS)
def test_every_part_of_a_model_has_a_gradient_and_its_scale_is_a_factor(name: str) -> None:
    model, (images, targets) = MODELS[name](), examples()

    whole = model.step_gradients(images, targets, cross_entropy, None)[1].copy()
    half = model.step_gradients(images, targets, cross_entropy, None, 0.5)[1].copy()

    assert all(view.any() for view in model.layout.views(whole).values())
    np.testing.assert_allclose(half, whole / 2, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", MODELS)
def test_a_seed_gives_the_same_weights_whatever_else_is_drawn_and_another_seed_others(name: str) -> None:
    first = MODELS[name]().weights_sha256
    np.random.seed(1)
    np.random.default_rng().random(100)

    assert MODELS[name]().weights_sha256 == first
    assert MODELS[name](seed=4).weights_sha256 != first


def test_the_perceptron_begins_and_steps_like_the_network_of_the_loop() -> None:
    model, (images, targets) = mlp(), examples()
    shape = network.NetworkShape(SHAPE.size, 5, CLASSES)
    weights = network.initial_weights(shape, RandomSource(3, 0, "trainer").at("weights*1", 0))
    flat = images.reshape(len(images), -1)

    theirs = network.mean_gradient(network.example_gradients(weights, shape, flat, targets), shape)
    total, ours = model.step_gradients(images, targets, cross_entropy, None)

    assert model.weights.tobytes() == weights.tobytes()
    np.testing.assert_allclose(ours / len(images), theirs, rtol=1e-5, atol=1e-8)
    assert total / len(images) == pytest.approx(network.mean_loss(weights, shape, flat, targets))


@pytest.mark.parametrize("name", MODELS)
def test_dropout_draws_from_its_stream_alone_and_predictions_drop_nothing(name: str) -> None:
    model, (images, targets) = MODELS[name](dropout=0.5), examples()

    def losses(counter: int) -> float:
        return model.step_gradients(images, targets, cross_entropy, Streams(1).at("dropout", counter))[0]

    assert model.draws
    assert losses(0) == losses(0) != losses(1)
    assert model.logits(images).tobytes() == MODELS[name]().logits(images).tobytes()
    with pytest.raises(ValueError, match="named stream"):
        model.step_gradients(images, targets, cross_entropy, None)


def test_what_dropout_keeps_is_scaled_up_to_the_same_mean() -> None:
    kept = drop(Streams(1).at("dropout", 0), (400, 500), 0.25)

    assert set(np.unique(kept)) == {np.float32(0.0), np.float32(1 / 0.75)}
    assert kept.mean() == pytest.approx(1.0, abs=0.01)
    assert kept.dtype == np.float32


@pytest.mark.parametrize("name", MODELS)
def test_a_state_goes_in_and_out_in_float32_and_another_models_is_refused(name: str) -> None:
    model, other = MODELS[name](), MODELS[name](seed=9)
    state = model.state()

    other.load(state)

    assert other.weights_sha256 == model.weights_sha256
    assert {array.dtype for array in state.values()} == {np.dtype(np.float32)}
    for wrong in (
        {},
        dict(reversed(state.items())),
        {part: array.astype(np.float64) for part, array in state.items()},
        {part: array[..., :-1] for part, array in state.items()},
    ):
        with pytest.raises(ModelRefusedError, match="the model has"):
            other.load(wrong)
    assert other.weights_sha256 == model.weights_sha256


def test_predictions_of_many_images_are_those_of_lots_of_a_fixed_size() -> None:
    model = mlp()
    images = np.random.default_rng(1).normal(0.0, 1.0, (1203, *SHAPE)).astype(np.float32)

    together = model.predict(images)

    lots = [model.logits(images[start : start + 500]) for start in (0, 500, 1000)]
    assert together.tobytes() == np.concatenate(lots).tobytes()
    assert model.predict(images[:0]).shape == (0, CLASSES)


def test_images_too_small_and_kinds_without_a_back_end_are_refused_in_words() -> None:
    with pytest.raises(ModelRefusedError, match="3 x 9 are too small"):
        cnn_of(CnnSettings(), plan(shape=ImageShape(3, 9, 1)))
    with pytest.raises(ModelRefusedError, match=r'training.backend = "torch"'):
        transformer_of(TransformerSettings(), plan())
    with pytest.raises(BackendError, match="numpy and torch are"):
        backend_of("jax")


def test_the_fingerprint_of_a_back_end_is_the_same_twice() -> None:
    told = backend_of("numpy").fingerprint()

    assert told == backend_of("numpy").fingerprint()
    assert told["numpy"] == np.__version__
    assert told["threads"] == "1"


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_a_back_end_that_is_not_installed_says_what_to_install() -> None:
    with pytest.raises(BackendError, match=r"oneiros\[torch\]"):
        backend_of("torch")


@needs_torch
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_both_back_ends_compute_the_same_network(name: str, dropout: float) -> None:
    backend_of("torch")
    images, targets = examples()
    told = []
    for backend in ("numpy", "torch"):
        model = MODELS[name](backend, dropout)
        stream = Streams(1).at("dropout", 0) if dropout else None
        total, gradient = model.step_gradients(images, targets, cross_entropy, stream)
        told.append((model.weights_sha256, total, gradient.copy(), model.logits(images)))

    (ours_hash, ours_loss, ours, our_logits), (theirs_hash, theirs_loss, theirs, their_logits) = told
    assert ours_hash == theirs_hash
    assert ours_loss == pytest.approx(theirs_loss, rel=1e-5)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(our_logits, their_logits, rtol=1e-4, atol=1e-5)


@needs_torch
def test_the_transformer_learns_and_repeats_itself_to_the_bit() -> None:
    backend_of("torch")
    images = np.random.default_rng(2).normal(0.0, 1.0, (12, 8, 8, 1)).astype(np.float32)
    targets = np.eye(CLASSES, dtype=np.float32)[np.arange(12) % CLASSES]
    told = []
    for _ in range(2):
        settings = TransformerSettings(width=8, heads=2, depth=1, dropout=0.1)
        model = transformer_of(settings, plan("torch", shape=ImageShape(8, 8, 1)))
        losses = []
        for step in range(30):
            total, gradient = model.step_gradients(
                images, targets, cross_entropy, Streams(1).at("dropout", step), 1 / 12
            )
            model.weights -= np.float32(0.3) * gradient
            losses.append(total / 12)
        told.append((model.weights_sha256, tuple(losses)))

    assert told[0] == told[1]
    assert losses[-1] < 0.6 * losses[0]
    assert losses[0] == pytest.approx(math.log(CLASSES), abs=0.7)


@needs_torch
def test_torch_is_told_to_be_deterministic_and_its_own_generator_is_never_used() -> None:
    import torch

    told = backend_of("torch").fingerprint()
    before = torch.get_rng_state()
    images, targets = examples()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mlp("torch", 0.5).step_gradients(images, targets, cross_entropy, Streams(1).at("dropout", 0))

    assert told["torch_deterministic"] == "true"
    assert told["torch_threads"] == "1 1"
    assert torch.equal(before, torch.get_rng_state())


@needs_torch
def test_patches_and_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ModelRefusedError, match="patches of 3 do not divide"):
        transformer_of(TransformerSettings(patch=3), plan("torch"))
    with pytest.raises(ModelRefusedError, match="3 heads do not divide"):
        transformer_of(TransformerSettings(patch=1, heads=3, width=32), plan("torch"))
