"""Images come back exactly from chromatic patches (seed 002, III and VIII; issue 9, must be shown 6)."""

import colorsys
import json
from pathlib import Path

import numpy as np
import pytest

from actors.learner.trainer.datasets.dataset import Dataset
from actors.learner.trainer.datasets.kinds import load_dataset
from actors.learner.trainer.datasets.place import Place
from actors.learner.trainer.datasets.settings import DigitsSettings
from actors.learner.trainer.tokenizer import dataset_tokens
from actors.learner.trainer.tokenizer.chromatic import (
    HEAD,
    HUES,
    LUMINANCE,
    PATCH_HEAD,
    RESIDUAL,
    SATURATION,
    VOCABULARY_SIZE,
    ChromaticTokenizer,
    ImagesRefusedError,
)
from actors.learner.trainer.tokenizer.colour_names import GREY, colour_of, name_colours
from actors.learner.trainer.tokenizer.dataset_tokens import RoundTripError, tokenize_dataset
from actors.learner.trainer.tokenizer.text import TokensRefusedError
from actors.learner.trainer.tokenizer.token_log import token_hash

TOKENIZER = ChromaticTokenizer(4)


def flat(red: float, green: float, blue: float) -> np.ndarray:
    return np.broadcast_to(np.array([red, green, blue], dtype=np.uint8), (1, 4, 4, 3)).copy()


def sector(colour: np.ndarray) -> int:
    return int(TOKENIZER.encode(colour)[0, HEAD]) - HUES


@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_random_images_come_back_exactly(seed: int) -> None:
    generator = np.random.default_rng(seed)
    rows, cols, patch = (int(generator.integers(1, high)) for high in (14, 14, 6))
    channels = (1, 3)[seed % 2]
    images = generator.integers(0, 256, (1000, rows, cols, channels), dtype=np.uint8)
    tokenizer = ChromaticTokenizer(patch)

    tokens = tokenizer.encode(images)

    assert np.array_equal(tokenizer.decode(tokens), images), (seed, rows, cols, patch)
    assert int(tokens.max()) < VOCABULARY_SIZE


@pytest.mark.parametrize("channels", [1, 3])
def test_every_bit_of_floats_comes_back_even_of_what_is_no_number(channels: int) -> None:
    bits = np.random.default_rng(4).integers(0, 2**32, (500, 5, 7, channels), dtype=np.uint32)
    images = bits.view(np.float32)
    images[0, 0, 0, 0], images[0, 0, 1, 0], images[0, 0, 2, 0] = np.float32("nan"), np.float32("-inf"), np.float32(-0.0)

    back = TOKENIZER.decode(TOKENIZER.encode(images))

    assert back.dtype == np.float32
    assert back.tobytes() == images.tobytes()


def test_dream_tensors_come_back_exactly_layer_by_layer() -> None:
    layers = np.random.default_rng(5).random((4, 32, 32, 3), dtype=np.float32)

    assert TOKENIZER.decode(TOKENIZER.encode(layers)).tobytes() == layers.tobytes()


def test_the_twelve_hues_are_the_nearest_of_twelve_and_there_is_no_jump_at_red() -> None:
    hues = [round(degrees) for degrees in range(360)]
    colours = np.array([colorsys.hsv_to_rgb(hue / 360, 1.0, 1.0) for hue in hues])

    found = name_colours(np.rint(colours * 255).astype(np.int64)).sector.tolist()

    wrong = [hue for hue in hues if found[hue] != (hue + 15) // 30 % 12 and hue % 30 not in (14, 15, 16)]
    assert wrong == []
    assert (found[350], found[359], found[0], found[10]) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((255, 0, 0), 0),
        ((255, 255, 0), 2),
        ((0, 255, 0), 4),
        ((0, 0, 255), 8),
        ((255, 0, 255), 10),
        ((128, 128, 128), GREY),
        ((0, 0, 0), GREY),
        ((255, 250, 250), GREY),
    ],
)
def test_a_patch_is_named_by_the_hue_of_its_mean(colour: tuple[int, int, int], expected: int) -> None:
    assert sector(flat(*colour)) == expected


def test_a_flat_patch_of_a_named_hue_leaves_nothing_in_the_residual() -> None:
    tokens = TOKENIZER.encode(flat(255, 0, 0))[0]

    assert tokens[HEAD : HEAD + 3].tolist() == [HUES, SATURATION + 255, LUMINANCE + 127]
    assert set(tokens[HEAD + PATCH_HEAD :].tolist()) <= {RESIDUAL, RESIDUAL + 1}


def test_a_named_colour_lies_close_to_the_colour() -> None:
    colours = np.random.default_rng(7).integers(0, 256, (5000, 3))

    distances = np.abs(colour_of(name_colours(colours)) - colours).max(axis=1)

    assert distances.max() <= 255 / 4 + 3  # half a sector of the fullest colour is a quarter of its chroma


def test_places_of_patches_are_in_the_tokens() -> None:
    images = np.zeros((1, 8, 12, 1), dtype=np.uint8)

    tokens = TOKENIZER.encode(images)[0, HEAD:].reshape(6, -1)

    places = (tokens[:, 3:5] - tokens[0, 3]).tolist()
    assert places == [[row, column] for row in range(2) for column in range(3)]


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 4, 4), np.uint8),
        np.zeros((2, 4, 4, 2), np.uint8),
        np.zeros((2, 4, 4, 3), np.float64),
        np.zeros((0, 4, 4, 3), np.uint8),
        np.zeros((1, 5000, 1, 1), np.uint8),
    ],
)
def test_other_shapes_and_types_are_refused(images: np.ndarray) -> None:
    with pytest.raises(ImagesRefusedError, match="images"):
        TOKENIZER.encode(images)


@pytest.mark.parametrize("place", [0, 1, 3, 4, HEAD, HEAD + 1, HEAD + 2, HEAD + 3, HEAD + 4, HEAD + 5, -1])
def test_a_token_that_cannot_stand_where_it_is_is_refused(place: int) -> None:
    tokens = TOKENIZER.encode(np.zeros((2, 4, 4, 3), np.uint8))
    tokens[1, place] = VOCABULARY_SIZE + 3

    with pytest.raises(TokensRefusedError, match="image 1"):
        TOKENIZER.decode(tokens)


def test_cut_tokens_and_tokens_of_another_patch_are_refused() -> None:
    tokens = TOKENIZER.encode(np.zeros((2, 4, 4, 3), np.uint8))

    with pytest.raises(TokensRefusedError, match="has 58 tokens, not 57"):
        TOKENIZER.decode(tokens[:, :-1])
    with pytest.raises(TokensRefusedError, match="patches of 4 pixels, this tokenizer has 2"):
        ChromaticTokenizer(2).decode(tokens)
    with pytest.raises(TokensRefusedError, match="needed are uint32"):
        TOKENIZER.decode(tokens.astype(np.int64))


def test_the_layout_has_a_digest_of_its_own_for_each_patch() -> None:
    assert ChromaticTokenizer(4).digest == TOKENIZER.digest != ChromaticTokenizer(5).digest
    assert TOKENIZER.describe()["vocabulary_size"] == VOCABULARY_SIZE


class Forgetful(ChromaticTokenizer):
    """Loses one bit of one image."""

    def decode(self, tokens):
        images = super().decode(tokens)
        images[len(images) - 1, 0, 0, 0] ^= 1
        return images


def digits() -> Dataset:
    return load_dataset(DigitsSettings(limit=40), Place(Path(), 1))


@pytest.mark.parametrize("chunk", [1, 64, 10**9])
def test_a_dataset_goes_through_its_tokenizer_with_a_row_for_each_sample(
    monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    whole = tokenize_dataset(TOKENIZER, digits())
    monkeypatch.setattr(dataset_tokens, "CHUNK_VALUES", chunk)

    log = tokenize_dataset(TOKENIZER, digits())

    assert log == whole
    rows = [json.loads(line) for line in log.content.decode().splitlines()]
    assert rows[0] == TOKENIZER.describe()
    assert [row["sample"] for row in rows[1:]] == [row.tobytes().hex() for row in digits().sample_hashes]
    assert rows[1]["sha256"] == token_hash(TOKENIZER.encode(digits().images[:1])[0])


def test_a_sample_that_does_not_come_back_stops_the_pipeline() -> None:
    with pytest.raises(RoundTripError, match="digits: sample 39 does not come back"):
        tokenize_dataset(Forgetful(4), digits())
