"""Dreams in a training run: pinned, of known classes, never of what validates, judged in pairs, fed back, replayed."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actors.learner.trainer.configuration.loading import LoadedConfig, config_of, open_config
from actors.learner.trainer.dreaming.examples import DreamExamples
from actors.learner.trainer.dreaming.judging import Judge
from actors.learner.trainer.dreaming.kinship import TOUCHES_VALIDATION, Kinship, kinship_of
from actors.learner.trainer.dreaming.pins import PinHead, PinnedDream, Pins, PinsRefusedError, pins_from
from actors.learner.trainer.streams import Streams
from bus.client import Learner
from bus.testing import LearnerConformance, MemoryPool
from schemas.dreams import Ancestor
from schemas.ids import derived_id
from schemas.tensor import encode
from supervisor.errors import UsageError
from supervisor.home import Home
from supervisor.training.conducting import Company, begin, go_on
from supervisor.training.execution import Execution
from supervisor.training.guest import Guest
from supervisor.training.pairing import Arm, DreamComparison, arm_of, train_both
from supervisor.training.preparing import Prepared, prepare
from supervisor.training.run_manifest import read_manifest
from tests.supervisor.training.conftest import SMALL, Workshop

DREAMING = SMALL + "\n[dreams]\ncount = 4\npool = 40\nmix = 0.5\n"


def loaded_of(folder: Path, text: str = DREAMING) -> LoadedConfig:
    path = folder / "dreaming.toml"
    path.write_text(text)
    return open_config(path)


def pinned(prepared: Prepared, pool: MemoryPool | None = None) -> tuple[Pins, Guest]:
    guest = Guest(Learner(pool or MemoryPool()))
    return guest.pin(prepared.config.dreams, prepared.dataset, prepared.splits, prepared.kinship), guest


def ancestor(name: str, share: float = 1.0, split: str = "train", source: str = "image") -> Ancestor:
    return Ancestor.model_construct(source=source, ancestor_id=name, share=share, split=split)


def made_pins(*ancestries: tuple[Ancestor, ...]) -> Pins:
    """Pins of made-up dreams, one for each ancestry."""
    dreams, tensors = [], []
    for number, ancestry in enumerate(ancestries):
        tensor = np.full((4, 4, 2, 3), number / 10, dtype=np.float32)
        digest = encode(tensor)[1].hex()
        name = derived_id("made up", number)
        dreams.append(
            PinnedDream.model_construct(
                dream_id=name, query_id=name, tensor_sha256=digest, shape=(4, 4, 2), ancestry=ancestry
            )
        )
        tensors.append(tensor)
    return Pins(PinHead.model_construct(queries=(), dreams=tuple(dreams), left_out={}), tuple(tensors))


def test_pins_come_back_as_they_were_and_any_altered_byte_is_refused(tmp_path: Path) -> None:
    pins, _ = pinned(prepare(loaded_of(tmp_path), None))
    content = pins.to_bytes()

    again = pins_from(content)

    assert (again.head, again.digest) == (pins.head, pins.digest)
    assert all(np.array_equal(one, other) for one, other in zip(again.tensors, pins.tensors, strict=True))
    for place in range(0, len(content), max(1, len(content) // 50)):
        altered = bytearray(content)
        altered[place] ^= 1
        with pytest.raises(PinsRefusedError):
            pins_from(bytes(altered))


def test_pins_name_the_query_its_seed_and_the_sequence_of_the_pool(tmp_path: Path) -> None:
    prepared = prepare(loaded_of(tmp_path), None)

    pins, _ = pinned(prepared)

    assert len(pins.head.queries) == len(prepared.dataset.class_names)
    assert pins.pool_sequence == 64
    assert {query.seed for query in pins.head.queries} == {0}
    named = {name for query in pins.head.queries for name in query.entry_ids}
    assert {dream.dream_id for dream in pins.head.dreams} <= named


def test_tensors_that_fail_their_hash_are_left_out_and_counted(tmp_path: Path) -> None:
    pool = MemoryPool(dreams=20, corrupt=5)

    pins, _ = pinned(prepare(loaded_of(tmp_path), None), pool)

    assert pool.corrupt.isdisjoint(dream.dream_id for dream in pins.head.dreams)
    assert "its tensor could not be served" in pins.head.left_out


def test_an_empty_pool_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the pool gave no dream"):
        pinned(prepare(loaded_of(tmp_path), None), MemoryPool(dreams=0))


def test_targets_are_the_shares_of_the_classes_and_sum_to_what_is_known() -> None:
    kinship = Kinship({"red": 0, "blue": 2}, frozenset(), 3)

    known = kinship.target((ancestor("red", 0.5), ancestor("blue", 0.25), ancestor("fact", 0.25, "none", "factoid")))

    assert known is not None
    assert known.tolist() == [0.5, 0.0, 0.25]
    assert kinship.target((ancestor("green"),)) is None


@pytest.mark.parametrize("split", ["probe", "test", "val", "none"])
def test_a_dream_of_a_picture_that_is_not_for_training_is_refused(split: str) -> None:
    kinship = Kinship({"red": 0}, frozenset(), 1)

    assert kinship.refusal((ancestor("red", 0.5), ancestor("red", 0.5, split))) == TOUCHES_VALIDATION
    assert kinship.refusal((ancestor("red"),)) == ""


def test_a_dream_of_a_picture_that_is_a_sample_of_val_or_test_is_refused(tmp_path: Path) -> None:
    generator = np.random.Generator(np.random.Philox(3))
    np.savez(
        tmp_path / "data.npz",
        images=generator.integers(0, 256, (60, 6, 6, 3)).astype(np.uint8),
        labels=np.arange(60) % 3,
    )
    text = DREAMING.replace('source = "digits"', 'source = "npz"\nroot = "data.npz"')
    prepared = prepare(loaded_of(tmp_path, text), None)
    names = [derived_id("picture", 6, 6, row.tobytes().hex()) for row in prepared.dataset.sample_hashes]

    kinship = kinship_of(prepared.dataset, prepared.splits, None)

    for index in (*prepared.splits.val, *prepared.splits.test):
        assert kinship.refusal((ancestor(names[index]),)) == TOUCHES_VALIDATION
    for index in prepared.splits.train:
        target = kinship.target((ancestor(names[index]),))
        assert kinship.refusal((ancestor(names[index]),)) == ""
        assert target is not None
        assert target.argmax() == prepared.dataset.labels[index]
    with pytest.raises(PinsRefusedError, match="touches data that validate"):
        Execution(prepared, None, made_pins((ancestor(names[prepared.splits.val[0]]),)))


def test_dreams_of_no_class_are_used_only_where_none_has_one(tmp_path: Path) -> None:
    prepared = prepare(loaded_of(tmp_path), None)
    kinship = Kinship({"red": 4}, frozenset(), 10)
    config = prepared.config
    normalisation = Execution(prepared).trainer.feed.normalisation

    def targets(*ancestries: tuple[Ancestor, ...]) -> list[list[float]]:
        made = DreamExamples(made_pins(*ancestries), kinship, prepared.dataset, normalisation, config.dreams)
        found: list[list[float]] = made.targets.tolist()
        return found

    assert targets((), ()) == [pytest.approx([0.05] * 10)] * 2
    mixed = targets((ancestor("red"),), ())
    assert mixed[0][4] == 0.5
    assert sum(mixed[1]) == 0.0


def test_a_dream_is_seen_at_the_size_of_the_dataset_with_its_mean_kept(tmp_path: Path) -> None:
    prepared = prepare(loaded_of(tmp_path), None)
    normalisation = Execution(prepared).trainer.feed.normalisation

    made = DreamExamples(
        made_pins((), (), ()), prepared.kinship, prepared.dataset, normalisation, prepared.config.dreams
    )

    assert made.images.shape == (3, 8, 8, 1)
    assert made.images.dtype == np.float32
    assert made.images.reshape(3, -1).mean(axis=1).tolist() == pytest.approx([0.0, 0.1, 0.2], abs=1e-6)


def test_the_dreams_beside_a_batch_follow_from_its_place_alone(tmp_path: Path) -> None:
    prepared = prepare(loaded_of(tmp_path), None)
    pins, _ = pinned(prepared)
    examples = Execution(prepared, None, pins).dreams
    assert examples is not None

    first = examples.batch(Streams(5), 0, 3)
    next_one = examples.batch(Streams(5), 0, 4)
    again = examples.batch(Streams(5), 0, 3)

    assert first.sha256 == again.sha256
    assert first.sha256 != next_one.sha256
    assert first.sha256 != examples.batch(Streams(5), 1, 3).sha256
    assert len(first.images) == 4


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_judging_changes_no_bit_of_the_run(tmp_path: Path, optimizer: str) -> None:
    text = DREAMING.replace('"sgd"', f'"{optimizer}"').replace("hidden = 12", "hidden = 12\ndropout = 0.2")
    prepared = prepare(loaded_of(tmp_path, text), None)
    pins, _ = pinned(prepared)
    judged, plain = Execution(prepared, None, pins), Execution(prepared, None, pins)

    judged.run()
    plain.trainer.run()

    assert judged.trainer.model.weights_sha256 == plain.trainer.model.weights_sha256
    assert judged.trainer.log.digest == plain.trainer.log.digest
    assert len(judged.judgements) > 0


def test_utility_is_the_paired_difference_of_the_loss_on_the_probe(tmp_path: Path) -> None:
    prepared = prepare(loaded_of(tmp_path), None)
    pins, _ = pinned(prepared)
    execution = Execution(prepared, None, pins)
    trainer, dreams = execution.trainer, execution.dreams
    assert dreams is not None
    probe_images, probe_targets = trainer.feed.examples(prepared.splits.val)
    start = trainer.model.weights.copy()
    images, targets, _ = trainer.feed.batch(0, 0)

    def loss_after(extra: tuple[np.ndarray, np.ndarray] | None) -> float:
        # plain SGD from rest: w - rate * mean gradient, the dream weighing what its target sums to
        trainer.model.weights[:] = start
        gradient = trainer.model.step_gradients(images, targets, trainer.loss, None)[1].astype(np.float64)
        weight = float(len(images))
        if extra is not None:
            gradient = gradient + trainer.model.step_gradients(*extra, trainer.loss, None)[1]
            weight += float(extra[1].sum())
        trainer.model.weights[:] = start - trainer.schedule(0) * gradient / weight
        total = trainer.loss(trainer.model.predict(probe_images), probe_targets)[0]
        trainer.model.weights[:] = start
        return float(total) / len(probe_images)

    expected = [loss_after(None) - loss_after(dreams.one(index)) for index in range(5)]
    found = Judge(trainer, prepared.config, dreams).judge(0)

    assert [row.raw_utility for row in found[:5]] == pytest.approx(expected, abs=2e-7)
    assert np.array_equal(trainer.model.weights, start)
    low, high = np.percentile([row.raw_utility for row in found], (5, 95))
    assert all(low <= row.utility <= high for row in found)
    assert all(0.0 <= row.contribution <= 1.0 for row in found)


def test_without_a_validation_part_nothing_is_judged(tmp_path: Path) -> None:
    text = DREAMING.replace("limit = 160", "limit = 160\nsplit = { train = 0.9, val = 0.0, test = 0.1 }")
    prepared = prepare(loaded_of(tmp_path, text), None)
    execution = Execution(prepared, None, pinned(prepared)[0])

    execution.run()

    assert execution.judgements == []


def test_a_run_with_dreams_is_replayed_without_a_home_and_a_grown_pool_changes_nothing(workshop: Workshop) -> None:
    loaded, home = loaded_of(workshop.folder), Home(workshop.home)
    prepared = prepare(loaded, None)
    small, large = pinned(prepared, MemoryPool(dreams=30))[0], pinned(prepared, MemoryPool(dreams=90))[0]
    folder = begin(loaded, home, Company(), small).folder

    assert small.digest != large.digest
    found = workshop.answer("replay", folder.run_id)
    assert found["identical"]
    assert {"feedback", "weights"} <= set(found["same"])
    folder.dreams_file.write_bytes(large.to_bytes())
    code, _, error = workshop.do("replay", folder.run_id)
    assert code == 3
    assert "other dreams" in error
    assert workshop.do("verify", folder.run_id)[0] == 1


def test_a_run_with_dreams_that_was_stopped_goes_on_to_the_same_bits_without_a_seat(
    workshop: Workshop, stop_after
) -> None:
    loaded, home = loaded_of(workshop.folder), Home(workshop.home)
    pins, _ = pinned(prepare(loaded, None))
    whole = begin(loaded, home, Company(), pins)

    for stop_at in (2, 4, 5):
        folder = begin(loaded, home, Company(should_stop=stop_after(stop_at)), pins).folder
        resumed = go_on(loaded, home, folder, Company())

        assert resumed.manifest.sha256 == whole.manifest.sha256, stop_at


def test_both_arms_are_compared_seed_by_seed_with_a_paired_interval(workshop: Workshop) -> None:
    loaded, home, pool = loaded_of(workshop.folder), Home(workshop.home), MemoryPool()
    pins, guest = pinned(prepare(loaded, None), pool)
    company = Company(heard=guest.hear)

    found, done = train_both(loaded, pins, range(5, 8), lambda one, given: begin(one, home, company, given))

    tree = json.loads(json.dumps(found.tree()))
    spread = tree["paired"]["test_accuracy"]
    differences = [
        one["test_accuracy"] - other["test_accuracy"]
        for one, other in zip(tree["with_dreams"], tree["without_dreams"], strict=True)
    ]
    assert tree["seeds"] == [5, 6, 7]
    assert len(done) == 6
    assert [run.manifest.seed for run in done] == [5, 5, 6, 6, 7, 7]
    assert len({run.outcome.weights_sha256 for run in done}) == len(done)
    assert spread["per_seed"] == differences
    assert spread["t_interval_95"][0] <= spread["mean"] <= spread["t_interval_95"][1]
    assert "fewer than 10 are a hint" in tree["verdict"]
    said = [(record.query_id, record.entry_id) for record in pool.feedback]
    assert pool.refused == []
    assert len(said) == len(set(said))  # a dream that is judged in every arm is told of once
    assert {record.entry_id for record in pool.feedback} <= {dream.dream_id for dream in pins.head.dreams}
    assert guest.stored == len(pool.feedback) > 0
    assert [guest.report(*pair) for pair in zip(found.with_dreams, found.without, strict=True)] == [""] * 3
    assert [[arm.arm for arm in report.arms] for report in pool.reports] == [["dreams", "no-dreams"]] * 3
    manifests = [read_manifest(conducted.folder) for conducted in done]
    assert [manifest.run.pins_sha256 for manifest in manifests] == [pins.digest, None] * 3


def test_one_seed_has_no_interval_and_says_so(workshop: Workshop) -> None:
    loaded, home = loaded_of(workshop.folder), Home(workshop.home)
    pins, _ = pinned(prepare(loaded, None))

    found, _ = train_both(loaded, pins, [5], lambda one, given: begin(one, home, Company(), given))

    assert found.tree()["paired"]["test_accuracy"]["t_interval_95"] is None
    assert found.verdict == "no interval: one seed alone cannot say"


@pytest.mark.parametrize(
    ("accuracies", "losses", "verdict"),
    [
        ((0.1, 0.11, 0.12), (-0.2, -0.21, -0.19), "dreams help; the loss is lower with them"),
        ((-0.1, -0.11, -0.12), (0.0, 0.1, -0.1), "dreams harm"),
        (
            (0.01, 0.0, -0.01),
            (0.2, 0.21, 0.19),
            "no difference in test accuracy is shown; the loss is higher with them",
        ),
    ],
)
def test_the_verdict_says_what_the_intervals_say(
    accuracies: tuple[float, ...], losses: tuple[float, ...], verdict: str
) -> None:
    def arms(are_dreaming: bool) -> tuple[Arm, ...]:
        pairs = zip(accuracies, losses, strict=True)
        figures = [(0.5 + accuracy * are_dreaming, 1.0 + loss * are_dreaming) for accuracy, loss in pairs]
        found = [
            {"test_accuracy": one, "test_loss": two, "val_accuracy": None, "val_loss": None} for one, two in figures
        ]
        return tuple(Arm(f"run {seed}", seed, "complete", 9, told) for seed, told in enumerate(found))

    found = DreamComparison(arms(True), arms(False), "0" * 64)

    assert found.verdict == f"{verdict} (3 seeds; fewer than 10 are a hint)"


def test_the_arm_without_dreams_is_the_plain_run(workshop: Workshop) -> None:
    loaded, home = loaded_of(workshop.folder), Home(workshop.home)
    plain = loaded_of(workshop.folder, DREAMING.replace("count = 4", "count = 0"))

    arm = begin(arm_of(loaded, 5, is_dreaming=False), home, Company())

    assert arm.outcome.weights_sha256 == begin(plain, home, Company()).outcome.weights_sha256


def test_a_pool_that_stops_answering_costs_the_feedback_and_not_the_run(workshop: Workshop) -> None:
    class Silent(MemoryPool):
        def _credit(self, batch: object) -> object:
            raise SeatGoneError("the seat is gone")

    from bus.errors import BusError

    class SeatGoneError(BusError):
        pass

    loaded, home = loaded_of(workshop.folder), Home(workshop.home)
    pins, guest = pinned(prepare(loaded, None), Silent())

    conducted = begin(loaded, home, Company(heard=guest.hear), pins)

    assert conducted.exit_code == 0
    assert conducted.manifest.envelope.notes == ("feedback did not reach the pool: the seat is gone",)


class TestTheGuestIsALearner(LearnerConformance):
    """What every learner of the loop must do, a training run does."""

    def live(self, learner: Learner) -> None:
        """One epoch as a guest."""
        tree = {
            "meta": {"name": "guest", "seed": 1},
            "data": {"source": "digits", "limit": 120},
            "model": {"kind": "mlp", "hidden": 8},
            "optimizer": {"kind": "sgd"},
            "training": {"epochs": 1},
            "dreams": {"count": 4, "pool": 30},
        }
        loaded = LoadedConfig(config_of(tree), Path("/nonexistent/guest.toml"), "0" * 64, {})
        prepared, guest = prepare(loaded, None), Guest(learner)
        with contextlib.suppress(UsageError):  # a pool without a dream
            pins = guest.pin(loaded.config.dreams, prepared.dataset, prepared.splits, prepared.kinship)
            execution = Execution(replace(prepared), None, pins)
            execution.run()
            assert guest.hear(execution.judgements) == ""
