"""Equal to the cap is safe, beyond it is not, and what nobody has read is not known."""

import pytest

from actors.safety_watchdog.caps import all_breaches, breaches, is_safe, merged, unchecked
from schemas.regimes import Reading


def reading(value: float | None) -> Reading:
    return Reading(value=value, unit="C", source="a file", reason="no sensor" if value is None else None)


@pytest.mark.parametrize(
    ("value", "safe"), [(90.0, True), (90.1, False), (-5.0, True), (None, None)], ids=["at", "beyond", "below", "none"]
)
def test_a_verdict_is_true_false_or_null(value: float | None, safe: bool | None) -> None:
    readings, caps = {"temp_peak_c": reading(value)}, {"temp_peak_c": 90.0}

    assert is_safe(breaches(readings, caps), unchecked(readings, caps)) is safe


def test_a_breach_outweighs_a_cap_that_nobody_checks() -> None:
    readings, caps = {"temp_peak_c": reading(99.0)}, {"temp_peak_c": 90.0, "errors": 0.0}

    found, missing = breaches(readings, caps), unchecked(readings, caps)

    assert is_safe(found, missing) is False
    assert [row.cap for row in missing] == ["errors"] and missing[0].reason


def test_a_margin_ends_a_trial_before_its_cap_and_says_so() -> None:
    found = breaches({"temp_peak_c": reading(88.0)}, {"temp_peak_c": 90.0}, {"temp_peak_c": 3.0})

    assert [row.limit for row in found] == [90.0] and "3 C of margin" in found[0].source
    assert breaches({"temp_peak_c": reading(87.0)}, {"temp_peak_c": 90.0}, {"temp_peak_c": 3.0}) == ()


def test_of_two_readings_of_one_metric_the_larger_counts() -> None:
    sensed = {"io_errors": reading(0.0), "temp_peak_c": reading(None)}

    both = merged(sensed, {"io_errors": reading(2.0), "temp_peak_c": reading(50.0), "errors": reading(None)})

    assert {name: found.value for name, found in both.items()} == {
        "io_errors": 2.0,
        "temp_peak_c": 50.0,
        "errors": None,
    }
    assert merged({"io_errors": reading(3.0)}, {"io_errors": reading(1.0)})["io_errors"].value == 3.0
    assert merged({"io_errors": reading(3.0)}, {"io_errors": reading(None)})["io_errors"].value == 3.0


def test_of_several_breaches_of_one_cap_the_worst_is_told() -> None:
    live, final = (breaches({"temp_peak_c": reading(value)}, {"temp_peak_c": 90.0}) for value in (91.0, 95.0))

    assert [found.value for found in all_breaches(live, final)] == [95.0]
