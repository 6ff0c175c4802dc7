"""The four sources of a dream (seed 000, section 3.7) and the text-to-colour rules."""

import numpy as np
import numpy.typing as npt
import pytest

from actors.dreamer.factoids import MAX_WORDS, colours_of
from actors.dreamer.seeding import Seeded, Seeding
from schemas.colour import to_hsv
from schemas.ids import derived_id
from schemas.inputs import Factoid, InputSet, Picture

SHAPE = (16, 16, 3)
ROWS, COLS, LAYERS = SHAPE
EMPTY = InputSet(pictures=(), factoids=())


def seeded(seeding: Seeding, source: str, seed: int) -> tuple[npt.NDArray[np.float32], Seeded]:
    out = np.full((3, LAYERS, ROWS, COLS), np.nan, np.float32)
    assert source in ("image", "factoid", "random")
    return out, seeding.seed(source, np.random.default_rng(seed), out)  # type: ignore[arg-type] # narrowed above


@pytest.mark.parametrize("source", ["image", "factoid", "random"])
def test_a_seed_tensor_is_filled_bounded_and_repeatable(world: InputSet, source: str) -> None:
    seeding = Seeding(world, *SHAPE)
    for seed in range(20):
        first, facts = seeded(seeding, source, seed)
        seeded(seeding, "random", 99)
        second, again = seeded(seeding, source, seed)

        assert np.isfinite(first).all()
        assert 0.0 <= first.min() <= first.max() <= 1.0
        assert np.array_equal(first, second)
        assert facts == again
        assert sum(part.share for part in facts.ancestry) == pytest.approx(1.0)


def test_an_image_seed_is_a_crop_of_the_train_region_and_of_nothing_else() -> None:
    # dossier, section 6.11: no dream is born from data that the learner is measured on
    pixels = np.full((64, 100, 3), 255, np.uint8)
    pixels[:, :60] = np.arange(60, dtype=np.uint8)[None, :, None]
    picture = Picture(image_id=derived_id("p"), name="p", height=64, width=100, rgb=pixels.tobytes())
    seeding = Seeding(InputSet(pictures=(picture,), factoids=()), *SHAPE)

    highest = max(float(seeded(seeding, "image", seed)[0].max()) for seed in range(200))

    assert highest == pytest.approx(59 / 255)


def test_the_layers_of_an_image_seed_are_the_crop_moved_by_at_most_their_number() -> None:
    ramp = np.add.outer(np.arange(80), 0 * np.arange(100)).astype(np.uint8)
    rgb = np.repeat(ramp[..., None], 3, axis=2).tobytes()
    picture = Picture(image_id=derived_id("p"), name="p", height=80, width=100, rgb=rgb)
    seeding = Seeding(InputSet(pictures=(picture,), factoids=()), *SHAPE)

    for seed in range(20):
        tensor, facts = seeded(seeding, "image", seed)
        rows = np.rint(tensor[0, :, 0, 0] * 255)
        assert facts.detail["crop"] == [rows[0], facts.detail["crop"][1], ROWS, COLS]  # type: ignore[index] # a list
        assert all(abs(rows[layer] - rows[0]) <= layer for layer in range(LAYERS))


def test_a_picture_smaller_than_the_tensor_is_enlarged() -> None:
    pixels = np.zeros((5, 10, 3), np.uint8)
    pixels[:, :6] = 200
    picture = Picture(image_id=derived_id("p"), name="p", height=5, width=10, rgb=pixels.tobytes())

    tensor, facts = seeded(Seeding(InputSet(pictures=(picture,), factoids=()), *SHAPE), "image", 1)

    assert facts.detail["scale"] == 4
    assert np.all(tensor == np.float32(200 / 255))


def test_sources_without_anything_to_give_are_not_servable(world: InputSet) -> None:
    assert Seeding(EMPTY, *SHAPE).servable == ("random",)
    assert Seeding(world, *SHAPE).servable == ("factoid", "image", "random")


def test_factoid_seeds_name_their_facts_and_vary_smoothly_along_the_words(world: InputSet) -> None:
    seeding = Seeding(world, *SHAPE)
    known = {fact.factoid_id for fact in world.factoids}

    for seed in range(30):
        tensor, facts = seeded(seeding, "factoid", seed)
        across = np.abs(np.diff(tensor, axis=3)).max()
        assert set(facts.detail["facts"]) <= known  # type: ignore[arg-type] # a list of ids
        assert 1 <= len(facts.ancestry) <= 2
        assert across <= 1.0 / 3.0 + 1e-6  # a word is at least three pixels wide


def test_text_rules_map_information_sentiment_and_syntax() -> None:
    def only(word: str) -> tuple[float | None, float, float]:
        return to_hsv(colours_of(word)[0])

    assert only("extraordinary")[1] > only("papa")[1]
    assert only("good")[0] == pytest.approx(0.0, abs=1e-6)
    assert only("bad")[0] == pytest.approx(320.0)
    assert only("bcd")[0] == pytest.approx(160.0)
    assert only("the")[2] < only("cat")[2] < only("Cat")[2]
    assert only("cat.")[2] < only("cat")[2]


def test_one_colour_a_word_and_a_text_without_words_is_grey() -> None:
    assert len(colours_of("Sharks are older than trees .")) == 5
    assert colours_of(" ... !") == ((0.5, 0.5, 0.5),)
    assert len(colours_of("word " * 1000)) == MAX_WORDS
    assert all(
        0.0 <= channel <= 1.0 for colour in colours_of("ÄÖ 北京 x1 Ünï 😀 e=mc² BAD, good!") for channel in colour
    )


def test_a_strange_fact_serves_as_well_as_any() -> None:
    facts = tuple(Factoid(factoid_id=derived_id(text), text=text) for text in ("?", "北京 😀"))
    seeding = Seeding(InputSet(pictures=(), factoids=facts), *SHAPE)

    for seed in range(10):
        tensor, _ = seeded(seeding, "factoid", seed)
        assert np.isfinite(tensor).all()


def test_a_blend_is_the_weighted_sum_of_its_parents_with_a_little_noise(world: InputSet) -> None:
    seeding, out = Seeding(world, *SHAPE), np.empty((3, LAYERS, ROWS, COLS), np.float32)
    first, second = (np.random.default_rng(n).random(out.shape, dtype=np.float32) for n in (1, 2))

    seeding.blend([first, second], (0.6, 0.35), np.random.default_rng(3), out)

    rest = out - (np.float32(0.6) * first + np.float32(0.35) * second)
    assert rest.min() >= -1e-6 and rest.max() <= 0.05 + 1e-6
    assert rest.std() > 0.005


@pytest.mark.parametrize("source", ["image", "random"])
def test_a_wanted_colour_brings_seeds_nearer_to_it(world: InputSet, source: str) -> None:
    seeding, wanted = Seeding(world, *SHAPE), (0.7, 0.3, 0.2)

    def distance(colour: tuple[float, float, float] | None) -> float:
        out = np.empty((3, LAYERS, ROWS, COLS), np.float32)
        found = []
        for seed in range(200):
            seeding.seed(source, np.random.default_rng(seed), out, colour)  # type: ignore[arg-type] # parametrized
            found.append(np.linalg.norm(out.mean(axis=(1, 2, 3)) - wanted))
        return float(np.mean(found))

    assert distance(wanted) < 0.8 * distance(None)


def test_pictures_far_from_the_wanted_colour_are_still_dreamt_of(world: InputSet) -> None:
    seeding = Seeding(world, *SHAPE)
    out = np.empty((3, LAYERS, ROWS, COLS), np.float32)

    seen = {seeding.seed("image", np.random.default_rng(seed), out, (0.7, 0.3, 0.2)).image for seed in range(400)}

    assert seen == {0, 1, 2, 3}
