"""Dates of nights, and the settings that they go by (seed 004, section 6)."""

from datetime import date, timedelta

import pytest
from pydantic import ValidationError

from schemas.night import DAY_NS, begin_of, night_at
from schemas.night_settings import RuntimeSettings
from tests.night_examples import packaged, request

FIRST = date(1970, 1, 1)


def test_days_are_those_of_the_calendar():
    for number in range(0, 200_000, 17):
        text = (FIRST + timedelta(number)).isoformat()

        assert (begin_of(text), night_at(number * DAY_NS), night_at((number + 1) * DAY_NS - 1)) == (
            number * DAY_NS,
            text,
            text,
        )


@pytest.mark.parametrize(
    "text",
    ["2026-02-29", "2026-04-31", "2026-13-01", "2026-00-01", "2026-01-00", "1969-12-31", "20260101", "2026-W01-1"],
)
def test_what_is_no_day_is_refused(text):
    with pytest.raises(ValueError, match="is no date"):
        begin_of(text)


def test_the_packaged_settings_are_those_of_the_seed():
    dream = packaged().dream

    assert (dream.enable, dream.mode, dream.privacy.id_privacy, dream.storage.encrypt) == (
        True,
        "observe",
        "mask",
        True,
    )
    assert (dream.generate_when.min_seeds, dream.generate_when.allow_if_all_zero) == (1, False)
    assert (dream.renderer.style, dream.max_per_night, dream.ttl_days) == ("minimal", 3, 30)


def test_a_changed_threshold_is_another_method_and_a_changed_style_is_none():
    tree = packaged().model_dump(mode="json")
    styled = {**tree, "dream": {**tree["dream"], "renderer": {**tree["dream"]["renderer"], "style": "poetic"}}}
    moved = {**tree, "forgetting": {**tree["forgetting"], "mads": 2.0}}

    methods = [RuntimeSettings.model_validate(each).method_sha256() for each in (tree, styled, moved)]
    configs = [RuntimeSettings.model_validate(each).sha256() for each in (tree, styled, moved)]

    assert (methods[0] == methods[1], methods[0] == methods[2]) == (True, False)
    assert len(set(configs)) == 3


@pytest.mark.parametrize("changes", [{"date": "2026-02-30"}, {"source": "eqnet"}, {"root": "/eqnet"}])
def test_a_request_that_cannot_be_meant_is_refused(changes):
    with pytest.raises(ValidationError):
        request(**changes)
