"""One seed of each experiment, small and short: arms differ where they should, and nowhere else."""

from pathlib import Path

import pytest

from bus.memory import Said
from schemas.bias import BiasProfile
from schemas.feedback import FeedbackBatch
from supervisor.configuration import Configuration, Sources, load_configuration
from supervisor.experiments.company import staged
from supervisor.experiments.helping import ARMS, UnequalArmsError, help_of
from supervisor.experiments.planted_hue import Span, hidden_hue_of, planted_hue
from supervisor.experiments.stand_ins import unheard
from supervisor.home import Home

SMALL = ("tensor.rows=8", "tensor.cols=8", "tensor.layers=1", "bias.update_interval_steps=40")
SHORT = Span(36.0, 6.0)
BRIEF = Span(6.0, 5.0)
HELP = ("learner.rounds_per_epoch=5", "learner.rounds_hz=10", "learner.probe_per_class=4", "learner.test_per_class=12")


def configured(home: Path, *assignments: str) -> Configuration:
    return load_configuration(Sources(Home(home), assignments=(*SMALL, *assignments)))


def said_to_the_dreamer(said: list[Said]) -> int:
    return sum(isinstance(line.message, BiasProfile) and line.receiver == "dreamer" for line in said)


def test_the_hint_moves_the_dreams(tmp_path: Path):
    outcome = planted_hue(configured(tmp_path), 3, SHORT)

    arms = {arm: part.mean_utility_last_third for arm, part in outcome.arms.items()}
    assert arms["biased"] > max(arms["unbiased"], arms["shuffled"]) + 0.2
    assert outcome.utility_by_update[0] < 0.0
    assert all(part.profiles >= 6 for part in outcome.arms.values())


def test_the_seed_decides_all(tmp_path: Path):
    one, again, other = (planted_hue(configured(tmp_path), seed, BRIEF) for seed in (3, 3, 4))

    assert one == again
    assert one.arms != other.arms


def test_no_profile_reaches_the_dreamer_in_the_unbiased_arm(tmp_path: Path):
    configuration = configured(tmp_path)

    with staged(configuration, 1, {"bias-synthesizer": unheard}) as stage:
        unbiased = stage.run(6.0)
    with staged(configuration, 1, {}) as stage:
        usual = stage.run(6.0)

    assert said_to_the_dreamer(unbiased) == 0
    assert said_to_the_dreamer(usual) > 0
    assert any(isinstance(line.message, BiasProfile) for line in unbiased)


def test_nothing_of_a_stage_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with staged(configured(tmp_path), 1, {}) as stage:
        stage.run(2.0)
        during = list(tmp_path.iterdir())

    assert during
    assert list(tmp_path.iterdir()) == []


def test_hidden_hues_lie_evenly_round_the_circle():
    hues = sorted(hidden_hue_of(seed) for seed in range(1, 21))

    gaps = [(after - before) % 360.0 for before, after in zip(hues, [*hues[1:], hues[0]], strict=True)]
    assert max(gaps) < 2.0 * 360.0 / 20


def test_the_arms_of_help_take_equal_steps_from_the_same_weights(tmp_path: Path):
    configuration = configured(tmp_path, *HELP)

    one, again = (help_of(configuration, 2, epochs=3) for _ in range(2))

    assert one == again
    assert tuple(one.arms) == ARMS
    assert {tuple(result.steps for result in results) for results in one.arms.values()} == {(5, 10, 15)}
    losses = {arm: results[-1].probe_loss for arm, results in one.arms.items()}
    assert len(set(losses.values())) == len(losses)


def test_a_loop_that_does_not_come_to_its_epochs_is_refused(tmp_path: Path):
    configuration = configured(tmp_path, *HELP, "learner.min_pool=1000000")

    with pytest.raises(UnequalArmsError, match="only come to epoch 0 of 2"):
        help_of(configuration, 1, epochs=2)


def test_shuffled_feedback_is_what_the_pool_keeper_stores(tmp_path: Path):
    from supervisor.experiments.stand_ins import shuffled

    configuration = configured(tmp_path, *HELP)
    told = []

    for changes in ({}, {"learner": shuffled}):
        with staged(configuration, 1, changes) as stage:
            batches = [line.message for line in stage.run(3.0) if isinstance(line.message, FeedbackBatch)]
        told.append([record.utility for batch in batches for record in batch.records])

    assert told[0][:4] != told[1][:4]
