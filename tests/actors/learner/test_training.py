"""Labels of dreams, minibatches and the colour that is asked for."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from actors.learner.training import Training, prepare
from bus.randomness import RandomSource
from schemas.dreams import Ancestor
from schemas.ids import derived_id
from schemas.inputs import InputSet, Picture
from schemas.settings import EngineSettings


def test_dream_of_one_picture_has_the_label_of_that_picture(
    training: Training, pictures: tuple[Picture, ...], make_dream: Callable[..., Any]
) -> None:
    shares = training.class_shares(make_dream(1, pictures[2]).facts)

    assert training.target(shares).tolist() == [0.0, 0.0, 1.0]


def test_a_dream_weighs_what_known_pictures_explain_of_it(
    training: Training, pictures: tuple[Picture, ...], make_dream: Callable[..., Any]
) -> None:
    mixed = make_dream(1, pictures[0]).facts.model_copy(
        update={
            "ancestry": (
                Ancestor(source="image", ancestor_id=pictures[1].image_id, share=0.4, split="train"),
                Ancestor(source="image", ancestor_id=derived_id("picture", "elsewhere"), share=0.3, split="train"),
                Ancestor(source="factoid", ancestor_id=derived_id("fact", 1), share=0.2, split="none"),
                Ancestor(source="random", ancestor_id=None, share=0.1, split="none"),
            )
        }
    )

    target = training.target(training.class_shares(mixed))

    assert target.tolist() == pytest.approx([0.0, 0.4, 0.0])


def test_dream_of_noise_has_no_label_and_no_weight(training: Training, make_dream: Callable[..., Any]) -> None:
    target = training.target(training.class_shares(make_dream(1, None).facts))

    assert target.tolist() == [0.0, 0.0, 0.0]


def test_shares_of_one_picture_add_up_and_never_exceed_the_whole(
    training: Training, pictures: tuple[Picture, ...], make_dream: Callable[..., Any]
) -> None:
    twice = Ancestor(source="image", ancestor_id=pictures[0].image_id, share=0.7, split="train")
    facts = make_dream(1, pictures[0]).facts.model_copy(update={"ancestry": (twice, twice)})

    target = training.target(training.class_shares(facts))

    assert target.tolist() == pytest.approx([1.0, 0.0, 0.0])


def test_minibatch_follows_from_its_key_and_holds_no_patch_twice(training: Training) -> None:
    first = training.minibatch(RandomSource(1, 1, "learner").at("minibatch", 5))
    again = training.minibatch(RandomSource(1, 1, "learner").at("minibatch", 5))
    other = training.minibatch(RandomSource(1, 1, "learner").at("minibatch", 6))

    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()
    assert len(set(first.tolist())) == len(first)


def test_no_class_leads_another_by_more_than_one_patch_in_a_minibatch(
    inputs: InputSet, changed: Callable[..., EngineSettings]
) -> None:
    for size in (1, 2, 4, 7, 12, 50):
        prepared = prepare(inputs, changed(learner={"batch_size": size}), RandomSource(1, 1, "learner"))
        batch = prepared.minibatch(RandomSource(1, 1, "learner").at("minibatch", size))
        counts = np.bincount(prepared.task.labelled.labels[batch], minlength=3)
        assert counts.sum() == min(size, 12)
        assert counts.max() - counts.min() <= 1


def test_colour_that_is_asked_for_is_that_of_a_patch_the_sooner_the_higher_its_loss(training: Training) -> None:
    confident_of_class_0 = np.zeros(training.shape.size, dtype=np.float32)
    confident_of_class_0[-training.shape.classes :] = (9.0, 3.0, 0.0)
    everything = np.arange(len(training.task.labelled.labels))
    colours = [tuple(colour) for colour in np.clip(training.task.labelled.colours, 0.0, 1.0).tolist()]
    generator = np.random.default_rng(1)

    drawn = [training.wanted_colour(confident_of_class_0, everything, generator) for _ in range(600)]

    counts = np.bincount(training.task.labelled.labels[[colours.index(colour) for colour in drawn]], minlength=3)
    assert counts[0] < 10
    assert counts[1] / counts[2] == pytest.approx(6.0 / 9.0, abs=0.15)
