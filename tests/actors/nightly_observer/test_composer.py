"""Seeds become an arrangement of things, never sentences (seed 004, 4.2)."""

import json
import re

import pytest
from pydantic import ValidationError

from actors.nightly_observer.composer import compose, scene_of
from schemas.dream_seeds import SEED_TYPES, SeedType
from schemas.scene import CHANGES_OF, CONSTRAINTS, Scene
from tests.actors.nightly_observer.dream_seeds import one_of_each, seed


def test_dreams_mix_types_and_lose_no_seed():
    seeds = [seed("duplicate", key=str(at)) for at in range(4)] + [
        seed("conflict"),
        seed("bridge"),
        seed("bridge", key="b"),
    ]

    groups = compose(seeds)

    assert [len(group) for group in groups] == [3, 3, 1]
    assert [each.seed_type for each in groups[0]] == ["duplicate", "conflict", "bridge"]
    assert [each.seed_type for each in groups[1]] == ["duplicate", "bridge", "duplicate"]
    assert sorted(map(repr, sum(groups, ()))) == sorted(map(repr, seeds))


def test_no_seeds_are_no_dreams_and_an_empty_scene_keeps_its_constraints():
    assert compose(()) == ()
    assert scene_of(()) == Scene(elements=(), relations=(), transforms=(), constraints=CONSTRAINTS)


@pytest.mark.parametrize("seed_type", SEED_TYPES)
@pytest.mark.parametrize("anchors", [1, 2, 8])
def test_each_type_has_its_transforms_and_things_with_the_anchors_of_the_seed(seed_type: SeedType, anchors: int):
    given = seed(seed_type, "strong", anchors=anchors, bins=(3,))

    scene = scene_of([given])

    assert scene.elements
    assert {thing.anchor for thing in scene.elements} <= set(given.anchors)
    assert all(each.change in CHANGES_OF[seed_type] and each.strength == "strong" for each in scene.transforms)
    assert {index for each in scene.transforms for index in each.on} == set(range(len(scene.elements)))
    assert scene.constraints == ("no_interpretation", "no_conclusion", "no_evaluation")


def test_equal_bytes_echo_and_near_ones_blend():
    exact, near = scene_of([seed("duplicate", exact_pairs=2)]), scene_of([seed("duplicate", exact_pairs=0)])

    assert [each.change for each in exact.transforms] == ["echo"]
    assert [each.change for each in near.transforms] == ["blend"]


def test_a_thing_that_keeps_its_anchor_keeps_its_look_beside_other_seeds():
    alone, among = scene_of([seed("bridge")]), scene_of([seed("conflict"), seed("bridge")])

    assert among.elements[-3:] == alone.elements


def test_a_scene_holds_no_word_that_is_not_of_the_schema():
    scene = json.loads(scene_of(one_of_each()).canonical())

    texts = set(re.findall(r'"([^"]*)"', json.dumps(scene)))
    words = {text for text in texts if not re.fullmatch(r"[hm]:[0-9a-f]{24}", text)}
    assert words <= set(re.findall(r'"([a-z_]+)"', json.dumps(Scene.model_json_schema())))


def test_a_scene_refuses_other_fields_missing_constraints_and_strange_indices():
    plain = scene_of([seed("conflict")]).model_dump()

    for change in (
        {"title": "a story"},
        {"constraints": ("no_interpretation", "no_conclusion", "no_conclusion")},
        {"elements": plain["elements"][:1]},
        {"transforms": ({**plain["transforms"][0], "change": "hold"},)},
    ):
        with pytest.raises(ValidationError):
            Scene.model_validate({**plain, **change})
    with pytest.raises(ValidationError):
        Scene.model_validate({**plain, "elements": ({**plain["elements"][0], "anchor": "episode-17"},) * 2})


def test_many_seeds_fit_into_a_scene():
    assert len(scene_of([seed("duplicate", key=str(at), anchors=8) for at in range(40)]).elements) <= 32
