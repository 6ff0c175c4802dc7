"""Hue, saturation, value and bins."""

import colorsys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.colour import bin_hue, hue_bin, is_grey, to_hsv, to_rgb

component = st.floats(0.0, 1.0)


@given(st.tuples(component, component, component))
def test_colours_survive_the_way_to_hsv_and_back(rgb: tuple[float, float, float]) -> None:
    assert to_rgb(to_hsv(rgb)) == pytest.approx(rgb, abs=1e-12)


@given(st.tuples(component, component, component))
def test_hue_is_in_its_range_and_equal_to_the_textbook(rgb: tuple[float, float, float]) -> None:
    hue, saturation, value = to_hsv(rgb)
    expected = colorsys.rgb_to_hsv(*rgb)

    assert 0.0 <= hue < 360.0
    assert 0.0 <= saturation <= 1.0
    assert abs((hue / 360.0 - expected[0] + 0.5) % 1.0 - 0.5) < 1e-9
    assert (saturation, value) == pytest.approx(expected[1:])


@given(st.tuples(component, component, component), st.integers(1, 360))
def test_every_colour_has_a_bin(rgb: tuple[float, float, float], bins: int) -> None:
    index = hue_bin(rgb, bins)

    assert (index == bins) == is_grey(rgb)
    assert 0 <= index <= bins


@pytest.mark.parametrize(
    ("hue", "expected"),
    [
        (0.0, 0),
        (14.99, 0),
        (15.0, 1),
        (30.0, 2),
        (120.0, 8),
        (239.9, 15),
        (345.01, 23),
        (359.99, 23),
        (360.0, 0),
        (-1.0, 23),
    ],
)
def test_hue_bins_of_15_degrees_begin_at_0_and_360_is_0(hue: float, expected: int) -> None:
    # seed 000, section 6: 24 bins
    assert hue_bin(to_rgb((hue, 1.0, 1.0)), 24) == expected


@pytest.mark.parametrize("rgb", [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.5, 0.5, 0.5), (0.5, 0.49, 0.5)])
def test_greys_have_a_bin_of_their_own_and_are_not_red(rgb: tuple[float, float, float]) -> None:
    # design, 5.1
    assert hue_bin(rgb, 24) == 24


@pytest.mark.parametrize(("saturation", "is_achromatic"), [(0.049, True), (0.051, False)])
def test_grey_ends_at_a_saturation_of_a_twentieth(saturation: float, is_achromatic: bool) -> None:
    assert is_grey(to_rgb((200.0, saturation, 0.9))) is is_achromatic


def test_middle_of_a_bin_lies_in_the_bin() -> None:
    for bins in (1, 6, 24, 360):
        for index in range(bins):
            assert hue_bin(to_rgb((bin_hue(index, bins), 1.0, 1.0)), bins) == index
