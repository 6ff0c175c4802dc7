"""Identifiers are derived, never drawn (design, 5.16)."""

import re

from schemas.ids import UUID_PATTERN, derived_id


def test_equal_parts_give_equal_ids_on_every_machine():
    assert derived_id("run", 42, "dreamer", 7) == "5dcf8ab6-70b0-5900-a81d-6fdd7fec2310"


def test_other_parts_give_other_ids():
    assert len({derived_id("run", 42, "dreamer", number) for number in range(100)}) == 100


def test_a_derived_id_fits_the_pattern_of_messages():
    assert re.fullmatch(UUID_PATTERN, derived_id("anything"))
