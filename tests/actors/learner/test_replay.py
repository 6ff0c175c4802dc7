"""Snapshots, and that two learners with the same inputs are the same learner."""

from collections.abc import Callable
from typing import Any

import pytest

from actors.learner.core import LearnerCore
from actors.learner.state import SnapshotRefusedError
from actors.learner.training import Training, prepare
from bus.core import Outcome
from bus.randomness import RandomSource
from schemas.feedback import EpochReport, FeedbackBatch
from schemas.inputs import InputSet
from schemas.settings import EngineSettings

Begin = Callable[..., Any]


def fresh(inputs: InputSet, settings: EngineSettings) -> LearnerCore:
    return LearnerCore(prepare(inputs, settings, RandomSource(1, 1, "learner")), RandomSource(1, 1, "learner"))


def words(outcome: Outcome) -> list[bytes]:
    return [send.message.model_dump_json().encode() for send in outcome.sends]


def test_restored_learner_continues_with_the_same_bytes_from_every_step(
    talk: Begin, inputs: InputSet, changed: Callable[..., EngineSettings]
) -> None:
    chosen = changed(learner={"rounds_per_epoch": 3})
    begun = talk(chosen)
    begun.run(rounds=7)
    followed = fresh(inputs, chosen)

    now_ns = begun.now_ns - 10_000_000 * len(begun.inputs)
    for event, expected in zip(begun.inputs, begun.outcomes, strict=True):
        now_ns += 10_000_000
        restarted = fresh(inputs, chosen)
        restarted.restore(followed.snapshot())
        followed = restarted
        assert words(followed.handle(event, now_ns)) == words(expected)

    assert followed.snapshot() == begun.core.snapshot()
    assert followed.figures() == begun.core.figures()


def test_snapshot_of_a_restored_learner_has_the_same_bytes(
    talk: Begin, inputs: InputSet, settings: EngineSettings
) -> None:
    begun = talk()
    begun.run(rounds=3)
    restored = fresh(inputs, settings)

    restored.restore(begun.core.snapshot())

    assert restored.snapshot() == begun.core.snapshot()


def test_snapshot_of_another_network_is_refused(
    talk: Begin, inputs: InputSet, changed: Callable[..., EngineSettings]
) -> None:
    begun = talk()

    with pytest.raises(SnapshotRefusedError, match="weights"):
        fresh(inputs, changed(learner={"hidden": 7})).restore(begun.core.snapshot())


def test_preparation_of_a_restart_draws_nothing_from_the_source_of_the_steps(training: Training) -> None:
    source = RandomSource(1, 1, "learner")

    LearnerCore(training, source)

    assert source.take_digest() == bytes(8)


def test_arm_without_dreams_never_depends_on_a_dream(talk: Begin, dreams: tuple[Any, ...]) -> None:
    # design, 5.12
    with_pictures, with_noise = talk(held=dreams), talk(held=tuple(d for d in dreams if d.facts.source == "random") * 4)

    with_pictures.run(rounds=10)
    with_noise.run(rounds=10)

    one, other = with_pictures.heard(EpochReport)[0], with_noise.heard(EpochReport)[0]
    assert one.arms[1] == other.arms[1]
    assert one.arms[0] != other.arms[0]


def test_both_arms_learn_and_dreams_of_the_pictures_are_worth_more_than_noise(
    talk: Begin, changed: Callable[..., EngineSettings], dreams: tuple[Any, ...]
) -> None:
    begun = talk(changed(learner={"rounds_per_epoch": 20}))

    begun.run(rounds=60)

    first, *_, last = begun.heard(EpochReport)
    noise = {d.facts.id for d in dreams if d.facts.source == "random"}
    records = [record for batch in begun.heard(FeedbackBatch) for record in batch.records]
    of_noise = [record.utility for record in records if record.entry_id in noise]
    of_pictures = [record.utility for record in records if record.entry_id not in noise]
    assert last.arms[0].probe_loss < first.arms[0].probe_loss
    assert last.arms[1].probe_loss < first.arms[1].probe_loss
    assert sum(of_pictures) / len(of_pictures) > sum(of_noise) / len(of_noise)
