"""Old bodies are lifted step by step, and nothing from the future is guessed at (seed 000, section 9: versioning)."""

import pytest

from schemas import CATALOGUE
from schemas.errors import SchemaError
from schemas.upgrades import UPGRADES, upgrade

TABLE = {
    ("Thing", 1): lambda body: {"name": body["title"]},
    ("Thing", 2): lambda body: {**body, "size_bytes": 0},
}


def test_the_current_version_is_left_as_it_is():
    assert upgrade("Thing", 3, 3, {"name": "a", "size_bytes": 7}, TABLE) == {"name": "a", "size_bytes": 7}


def test_an_old_version_passes_every_step_in_order():
    assert upgrade("Thing", 1, 3, {"title": "a"}, TABLE) == {"name": "a", "size_bytes": 0}


def test_the_old_body_is_not_changed():
    body = {"title": "a"}

    upgrade("Thing", 1, 3, body, TABLE)

    assert body == {"title": "a"}


def test_a_version_from_the_future_is_refused_with_advice():
    with pytest.raises(SchemaError, match="version 4 is newer than the known version 3; update oneiros"):
        upgrade("Thing", 4, 3, {}, TABLE)


def test_a_gap_in_the_chain_is_refused_by_name():
    with pytest.raises(SchemaError, match="Other version 1 has no upgrade to version 2"):
        upgrade("Other", 1, 2, {}, TABLE)


def test_every_message_has_a_way_up_from_its_first_version():
    steps = {(kind, version) for kind, cls in CATALOGUE.items() for version in range(1, cls.version)}

    assert set(UPGRADES) == steps
