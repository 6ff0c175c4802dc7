"""Input sets as bytes, and the split of a picture that keeps test pixels out of dreams."""

import numpy as np
import pytest
from pydantic import ValidationError

from schemas.ids import derived_id
from schemas.inputs import Factoid, InputSet, Picture


def picture(width: int = 10, height: int = 2) -> Picture:
    pixels = np.arange(height * width * 3, dtype=np.uint8)
    return Picture(image_id=derived_id("p"), name="p.png", height=height, width=width, rgb=pixels.tobytes())


def test_a_set_survives_its_bytes():
    inputs = InputSet(pictures=(picture(),), factoids=(Factoid(factoid_id=derived_id("f"), text="Grass is green."),))

    assert InputSet.from_bytes(inputs.to_bytes()) == inputs


def test_equal_sets_have_equal_bytes():
    first, second = (InputSet(pictures=(picture(),), factoids=()) for _ in range(2))

    assert first.to_bytes() == second.to_bytes()


@pytest.mark.parametrize("data", [b"\xc0", b"\x81\xa1a\x01", b"\x90"])
def test_other_bytes_are_refused(data):
    with pytest.raises(ValidationError):
        InputSet.from_bytes(data)


@pytest.mark.parametrize("width", [10, 11, 64, 193, 320])
def test_train_probe_and_test_columns_share_nothing_and_leave_nothing(width):
    # design, 5.9: utility is measured on a probe that no dream has seen
    whole = picture(width)

    columns = [whole.pixels(region).shape[1] for region in ("train", "probe", "test")]
    rejoined = np.concatenate([whole.pixels(region) for region in ("train", "probe", "test")], axis=1)

    assert sum(columns) == width
    assert rejoined.tobytes() == whole.rgb


def test_pixels_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        picture().pixels("train")[0, 0, 0] = 1
