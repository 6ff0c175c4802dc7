"""The loop: equal to the bit however often it stops, and it stops where numbers run away."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from actors.learner.trainer.model.mlp import Mlp, shape_of, weights_of
from actors.learner.trainer.model.port import LossFunction, Model, ModelPlan
from actors.learner.trainer.model.settings import MlpSettings
from actors.learner.trainer.registry import MODELS, OPTIMIZERS
from actors.learner.trainer.streams import seed_of
from actors.learner.trainer.training.checkpoint import CheckpointRefusedError, pack
from actors.learner.trainer.training.feeding import ExtraBatch
from actors.learner.trainer.training.keeping import Keeping
from actors.learner.trainer.training.optimizers import Optimizer
from actors.learner.trainer.training.step_log import FIRST_LINK
from actors.learner.trainer.training.stopping import StopReason, halt_of
from actors.learner.trainer.training.trainer import Outcome
from schemas.base import Record
from tests.small_training import Kept, config, made_up, trainer

Sections = dict[str, dict[str, object]]

VARIANTS: dict[str, Sections] = {
    "sgd": {},
    "dropout and adamw": {"model": {"kind": "mlp", "hidden": 6, "dropout": 0.3}, "optimizer": {"kind": "adamw"}},
    "convolution and rmsprop": {"model": {"kind": "cnn", "dropout": 0.2}, "optimizer": {"kind": "rmsprop"}},
    "parts, cosine, clipped": {
        "schedule": {"kind": "cosine", "warmup_steps": 3},
        "training": {"accumulate": 3, "clip_norm": 0.5},
        "loss": {"kind": "mse"},
    },
}


class UnseededMlp(Mlp):
    """A perceptron with the mistake that this file has to find: dropout that no stream decides."""

    def step_gradients(
        self, images: np.ndarray, targets: np.ndarray, loss: LossFunction, stream: object, scale: float = 1.0
    ) -> tuple[float, np.ndarray]:
        kept = np.random.default_rng().random(images.shape) >= 0.05
        return super().step_gradients(images * kept.astype(np.float32), targets, loss, None, scale)


class UnseededSettings(Record):
    kind: str = "unseeded"
    hidden: int = 6


def build_unseeded(settings: UnseededSettings, plan: ModelPlan) -> Model:
    shape = shape_of(MlpSettings(hidden=settings.hidden), plan)
    return UnseededMlp(shape, weights_of(shape, plan), 0.0)


def proof(
    sections: Sections, stops: tuple[int, ...] = (), folder: Path | None = None
) -> tuple[str, str, list[str], bytes]:
    """Weights, digest of the log, its lines and the last checkpoint of a run that stops after so many steps."""
    chosen, kept = config(**sections), Kept()
    made = trainer(chosen, kept, folder)
    outcome = made.run(until=stops[0]) if stops else made.run()
    for stop in (*stops[1:], None) if stops else ():
        assert folder is not None
        found = Keeping(folder, 1).newest()
        assert found.path is not None
        made = trainer(chosen, kept, folder)
        made.resume(found.path)
        outcome = made.run(until=stop)
    assert outcome.reason is StopReason.COMPLETED
    return outcome.weights_sha256, outcome.log_digest, kept.lines, pack(made.checkpoint())


@pytest.mark.parametrize("name", VARIANTS)
def test_two_runs_of_one_configuration_are_equal_to_the_bit(name: str) -> None:
    np.random.seed(1)
    first = proof(VARIANTS[name])
    np.random.default_rng().random(9)

    assert proof(VARIANTS[name]) == first


def test_an_unseeded_dropout_planted_in_a_model_is_found() -> None:
    MODELS.register("unseeded", UnseededSettings, build_unseeded)
    planted: Sections = {"model": {"kind": "unseeded"}}

    first, again = proof(planted), proof(planted)

    assert first[0] != again[0]
    assert first[1] != again[1]
    differing = [number for number, (one, two) in enumerate(zip(first[2], again[2], strict=True)) if one != two]
    assert differing[0] == 0


def test_another_seed_gives_another_run() -> None:
    assert trainer(config(seed=5)).run().weights_sha256 != trainer(config(seed=6)).run().weights_sha256


@pytest.mark.parametrize("name", VARIANTS)
def test_a_stop_at_any_batch_boundary_equals_no_stop(name: str, tmp_path: Path) -> None:
    straight = proof(VARIANTS[name])
    total = trainer(config(**VARIANTS[name])).steps_total

    for stop in range(1, total):
        assert proof(VARIANTS[name], (stop,), tmp_path / str(stop)) == straight, (
            f"stopped after {stop} of {total} steps"
        )


def test_a_run_that_stops_after_every_step_equals_no_stop(tmp_path: Path) -> None:
    total = trainer(config()).steps_total

    assert proof({}, tuple(range(1, total)), tmp_path) == proof({})


def test_two_epochs_and_two_more_equal_four(tmp_path: Path) -> None:
    sections: Sections = {"training": {"epochs": 4}}
    batches = trainer(config(**sections)).feed.batches

    assert proof(sections, (2 * batches,), tmp_path) == proof(sections)


def test_one_trainer_may_pause_and_go_on_without_a_checkpoint() -> None:
    kept = Kept()
    made = trainer(config(), kept)

    paused = made.run(until=3)
    outcome = made.run()

    assert (paused.reason, paused.step) == (StopReason.PAUSED, 3)
    assert (outcome.weights_sha256, outcome.log_digest, kept.lines, pack(made.checkpoint())) == proof({})


class SeenMlp(Mlp):
    """Remembers the seed of what each step draws from."""

    seeds: ClassVar[list[str]] = []

    def step_gradients(
        self, images: np.ndarray, targets: np.ndarray, loss: LossFunction, stream: object, scale: float = 1.0
    ) -> tuple[float, np.ndarray]:
        assert isinstance(stream, np.random.Generator)
        self.seeds.append(seed_of(stream))
        return super().step_gradients(images, targets, loss, stream, scale)


class SeenSettings(Record):
    kind: str = "seen"


def build_seen(settings: SeenSettings, plan: ModelPlan) -> Model:
    shape = shape_of(MlpSettings(hidden=6), plan)
    return SeenMlp(shape, weights_of(shape, plan), 0.5)


def test_every_step_draws_from_a_stream_of_its_own() -> None:
    MODELS.register("seen", SeenSettings, build_seen)
    SeenMlp.seeds.clear()

    outcome = trainer(config(model={"kind": "seen"})).run()

    assert len(set(SeenMlp.seeds)) == outcome.steps_total


def test_a_gradient_longer_than_the_clip_moves_the_weights_by_the_clip() -> None:
    kept = Kept()
    made = trainer(config(optimizer={"kind": "sgd", "lr": 0.5, "momentum": 0.0}, training={"clip_norm": 0.01}), kept)
    before = made.model.weights.copy()

    made.run(until=1)

    assert np.linalg.norm(made.model.weights - before) == pytest.approx(0.5 * 0.01, rel=1e-3)
    assert kept.steps[0].grad_norm > 0.01


def test_who_asks_for_a_stop_gets_it_after_the_step_with_a_checkpoint(tmp_path: Path) -> None:
    made = trainer(config(), folder=tmp_path)

    outcome = made.run(should_stop=lambda: made.progress.step == 4)

    assert (outcome.reason, outcome.step) == (StopReason.INTERRUPTED, 4)
    assert Keeping(tmp_path, 1).newest().path == tmp_path / "step-0000000004.ckpt"


def test_an_order_to_stop_at_the_last_step_comes_too_late() -> None:
    assert trainer(config()).run(should_stop=lambda: False).reason is StopReason.COMPLETED
    made = trainer(config())
    assert made.run(should_stop=lambda: made.progress.step == made.steps_total).reason is StopReason.COMPLETED


def test_a_batch_in_parts_gives_the_same_numbers_and_another_hash_of_the_configuration() -> None:
    """1 x 32 and 4 x 8 agree to rounding and not in every bit; that is why the hash tells them apart."""
    whole, parts = config(training={"batch_size": 32}), config(training={"batch_size": 32, "accumulate": 4})
    one, other = Kept(), Kept()
    first, second = trainer(whole, one), trainer(parts, other)

    first.run(), second.run()

    assert first.config_hash != second.config_hash
    assert [row.batch_sha256 for row in one.steps] == [row.batch_sha256 for row in other.steps]
    np.testing.assert_allclose([row.loss for row in one.steps], [row.loss for row in other.steps], rtol=1e-4)
    np.testing.assert_allclose(first.model.weights, second.model.weights, atol=1e-5)
    assert first.model.weights_sha256 != second.model.weights_sha256


def test_every_step_and_every_epoch_has_a_row() -> None:
    kept = Kept()
    made = trainer(config(schedule={"kind": "linear"}), kept)

    outcome = made.run()

    assert outcome.log_rows == len(kept.links) == outcome.steps_total + 2
    assert [row.step for row in kept.steps] == list(range(outcome.steps_total))
    assert [row.lr for row in kept.steps] == [made.schedule(step) for step in range(outcome.steps_total)]
    assert sum(row.examples for row in kept.steps if row.epoch == 0) == len(made.feed.splits.train)
    end = kept.epochs[-1]
    losses = [row.loss * row.examples for row in kept.steps if row.epoch == 1]
    assert end.train_loss == pytest.approx(sum(losses) / len(made.feed.splits.train))
    assert end.weights_sha256 == outcome.weights_sha256
    assert end.val_examples == len(made.feed.splits.val)
    assert kept.epochs[0].train_loss > end.train_loss


def test_a_run_learns() -> None:
    kept = Kept()
    trainer(config(training={"epochs": 8}), kept, dataset=made_up(300)).run()

    assert kept.epochs[-1].val_accuracy is not None
    assert kept.epochs[-1].val_accuracy > 0.9


def test_without_a_validation_part_its_figures_are_missing_and_not_zero() -> None:
    kept = Kept()
    trainer(config(data={"source": "npz", "split": {"train": 1.0, "val": 0.0, "test": 0.0}}), kept).run()

    assert (kept.epochs[0].val_loss, kept.epochs[0].val_accuracy, kept.epochs[0].val_examples) == (None, None, 0)


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ({"optimizer": {"kind": "sgd", "lr": 50.0}, "training": {"divergence_factor": 2.0}}, StopReason.DIVERGED),
        ({"optimizer": {"kind": "sgd", "lr": 1e6}, "loss": {"kind": "mse"}}, StopReason.DIVERGED),
    ],
)
def test_numbers_that_run_away_stop_the_run_with_words(sections: Sections, reason: StopReason, tmp_path: Path) -> None:
    kept = Kept()

    outcome = trainer(config(**sections), kept, tmp_path).run()

    assert outcome.reason is reason
    assert outcome.reason.is_failure
    assert f"epoch {outcome.epoch}, batch {outcome.batch}" in outcome.detail
    assert "lower optimizer.lr" in outcome.detail
    assert outcome.step == len(kept.steps) < outcome.steps_total
    assert all("NaN" not in line and "Infinity" not in line for line in kept.lines)


class NanAfter(Optimizer):
    """Writes what is not a number into the weights at its fourth step."""

    def __init__(self, settings: Record, size: int) -> None:
        super().__init__(size)

    def _move(self, weights: np.ndarray, gradient: np.ndarray, rate: float) -> None:
        if self.steps == 4:
            weights[0] = np.nan


class NanSettings(Record):
    kind: str = "nan-after"
    lr: float = 0.1


@pytest.mark.parametrize(("every", "reason", "last_good"), [(3, "loss_not_finite", 3), (2, "weights_not_finite", 2)])
def test_weights_that_are_no_numbers_stop_the_run_and_the_last_good_checkpoint_stays(
    every: int, reason: str, last_good: int, tmp_path: Path
) -> None:
    OPTIMIZERS.register("nan-after", NanSettings, NanAfter)
    chosen = config(optimizer={"kind": "nan-after"}, training={"checkpoint_every": every})

    outcome = trainer(chosen, folder=tmp_path).run()

    found = Keeping(tmp_path, 1).newest()
    assert outcome.reason.value == reason
    assert "not finite" in outcome.detail or "nan" in outcome.detail
    assert found.checkpoint is not None
    assert found.checkpoint.header.step == last_good
    assert all(np.isfinite(array).all() for array in found.checkpoint.model.values())


def test_a_run_that_is_paused_on_weights_that_are_no_numbers_keeps_no_checkpoint_of_them(tmp_path: Path) -> None:
    OPTIMIZERS.register("nan-after", NanSettings, NanAfter)

    outcome = trainer(config(optimizer={"kind": "nan-after"}), folder=tmp_path).run(until=4)

    assert outcome.reason is StopReason.WEIGHTS_NOT_FINITE
    assert Keeping(tmp_path, 1).newest().path is None


@pytest.mark.parametrize(
    ("loss", "norm", "reason"),
    [
        (1.0, 1.0, None),
        (10.0, 1.0, None),
        (10.1, 1.0, StopReason.DIVERGED),
        (math.nan, 1.0, StopReason.LOSS_NOT_FINITE),
        (math.inf, 1.0, StopReason.LOSS_NOT_FINITE),
        (1.0, math.inf, StopReason.GRADIENT_NOT_FINITE),
        (1.0, math.nan, StopReason.GRADIENT_NOT_FINITE),
    ],
)
def test_a_step_is_refused_exactly_where_its_numbers_forbid_it(
    loss: float, norm: float, reason: StopReason | None
) -> None:
    halt = halt_of(loss, 1.0, norm, 10.0)

    assert (halt.reason if halt else None) is reason


def dreams(weight: float, count: int = 4) -> Callable[[int, int], ExtraBatch | None]:
    def extra(epoch: int, batch: int) -> ExtraBatch | None:
        if batch % 2:
            return None
        rng = np.random.default_rng([epoch, batch])
        targets = np.eye(3, dtype=np.float32)[rng.integers(0, 3, count)] * np.float32(weight)
        return ExtraBatch(rng.random((count, 8, 8, 1), dtype=np.float32), targets, f"{epoch}-{batch}")

    return extra


def test_added_examples_count_by_their_weight_and_are_named_in_the_log(tmp_path: Path) -> None:
    plain, kept, weightless = Kept(), Kept(), Kept()
    without = trainer(config(), plain).run()
    with_dreams = trainer(config(), kept, extra=dreams(0.5)).run()
    nothing = trainer(config(), weightless, extra=dreams(0.0)).run()

    assert with_dreams.weights_sha256 != without.weights_sha256
    assert [row.dreams for row in kept.steps[:2]] == [4, 0]
    assert kept.steps[0].batch_sha256 == f"{plain.steps[0].batch_sha256} 0-0"
    assert nothing.reason is StopReason.COMPLETED
    assert [row.loss for row in weightless.steps] == pytest.approx([row.loss for row in plain.steps], rel=1e-4)
    assert trainer(config(), extra=dreams(0.5)).run().weights_sha256 == with_dreams.weights_sha256


def test_the_log_holds_no_clock_and_every_line_is_json() -> None:
    kept = Kept()
    trainer(config(), kept).run()

    assert all(not {"time", "timestamp", "seconds"} & set(json.loads(line)) for line in kept.lines)


def test_a_fresh_run_has_an_empty_log() -> None:
    made = trainer(config())

    assert (made.log.count, made.log.digest) == (0, FIRST_LINK)
    assert made.progress.step == 0


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    first = trainer(config(), folder=tmp_path).run()
    again = trainer(config(), folder=tmp_path)
    path = Keeping(tmp_path, 1).newest().path
    assert path is not None
    again.resume(path)

    outcome: Outcome = again.run()

    assert outcome == first


def test_a_checkpoint_of_another_configuration_seed_or_machine_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    trainer(config(), folder=tmp_path).run(until=3)
    path = Keeping(tmp_path, 1).newest().path
    assert path is not None

    for other in (
        config(seed=6),
        config(training={"epochs": 3}),
        config(data={"source": "npz", "normalise": "standard"}),
    ):
        made = trainer(other)
        before = made.model.weights_sha256
        with pytest.raises(CheckpointRefusedError, match="give those that it is of"):
            made.resume(path)
        assert (made.model.weights_sha256, made.progress.step) == (before, 0)
    foreign = trainer(config())
    foreign.fingerprint = {**foreign.fingerprint, "blas": "another"}
    with pytest.raises(CheckpointRefusedError, match=r"blas .* there, another here"):
        foreign.resume(path)
    foreign.resume(path, is_other_machine_fine=True)
    assert foreign.progress.step == 3
