"""Pictures are made of the structure alone: well-formed, byte-stable, one circle for each thing."""

from xml.etree import ElementTree as ET

import pytest

from actors.nightly_observer.composer import scene_of
from actors.nightly_observer.glyphs import seed_glyph, svg
from schemas.dream_seeds import SEED_TYPES
from tests.actors.nightly_observer.dream_seeds import one_of_each, seed

NAMESPACE = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("count", range(6))
def test_a_picture_has_a_circle_for_each_thing_a_line_for_each_relation_and_no_text(count: int):
    scene = scene_of(one_of_each()[:count])

    root = ET.fromstring(svg(scene))  # the text is ours

    assert len(root.findall(f"{NAMESPACE}circle")) == len(scene.elements)
    assert len(root.findall(f"{NAMESPACE}line")) == len(scene.relations)
    assert len(list(root)) > len(scene.elements) + len(scene.relations) or not count
    assert "".join(root.itertext()) == ""
    assert not any(thing.anchor[2:10] in svg(scene) for thing in scene.elements)


def test_pictures_are_stable_and_differ_between_scenes():
    first, second = scene_of([seed("bridge")]), scene_of([seed("bridge", key="b")])

    assert svg(first) == svg(first.model_copy())
    assert svg(first) != svg(second)


def test_things_lie_apart_and_inside_even_when_there_are_many():
    root = ET.fromstring(svg(scene_of([seed("duplicate", key=str(at), anchors=8) for at in range(8)])))
    spots = [(float(each.get("cx", "")), float(each.get("cy", ""))) for each in root.findall(f"{NAMESPACE}circle")]

    assert len(spots) == 32
    assert all(0 <= x <= 320 and 0 <= y <= 320 for x, y in spots)
    assert all((a - x) ** 2 + (b - y) ** 2 > 100 for i, (a, b) in enumerate(spots) for x, y in spots[:i])


def test_each_seed_type_has_a_sign_of_its_own():
    signs = {seed_glyph(seed_type) for seed_type in SEED_TYPES}

    assert len(signs) == 5
    assert all(ET.fromstring(sign) is not None for sign in signs)
