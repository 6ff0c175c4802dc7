"""Evidence and findings: numbers alone, in order, finite, and never a raw id."""

import pytest
from pydantic import ValidationError

from schemas.dream_seeds import DreamSeed, Evidence, Finding, by_type, evidence
from schemas.ids import derived_id

TOLD = evidence("test.rule", 2.0, ">=", 1.0, 5, b=1, a=0.12345678, c=None, d=True)


def test_numbers_are_sorted_rounded_and_those_that_are_unknown_left_out() -> None:
    assert TOLD.numbers == (("a", 0.123457), ("b", 1), ("d", True))


@pytest.mark.parametrize("numbers", [(("b", 1), ("a", 1)), (("a", 1), ("a", 2)), (("A b", 1),)])
def test_unordered_doubled_or_worded_numbers_are_refused(numbers: tuple[tuple[str, int], ...]) -> None:
    with pytest.raises(ValidationError):
        Evidence(value=1.0, threshold=1.0, op=">=", n=1, formula="test.rule", numbers=numbers)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "many"])
def test_what_is_no_finite_number_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        Evidence(value=1.0, threshold=1.0, op=">=", n=1, formula="test.rule", numbers=(("a", value),))  # type: ignore[arg-type]


@pytest.mark.parametrize("formula", ["rule", "Too many duplicates", "a.b c", ""])
def test_a_formula_is_a_name_and_no_sentence(formula: str) -> None:
    with pytest.raises(ValidationError):
        Evidence(value=1.0, threshold=1.0, op=">=", n=1, formula=formula, numbers=())


@pytest.mark.parametrize("anchor", [derived_id("dream", 1), "ca978112", "h:" + "a" * 64, "r:" + "a" * 24, "***"])
def test_an_anchor_is_a_keyed_hash_and_nothing_else(anchor: str) -> None:
    with pytest.raises(ValidationError):
        DreamSeed(seed_type="bridge", evidence=TOLD, anchors=(anchor,), tone="slight", bins=())


@pytest.mark.parametrize(
    ("value", "op", "threshold", "strength"),
    [(2.0, ">=", 1.0, 2.0), (1.0, "<=", 4.0, 4.0), (1.0, ">=", 0.0, None), (0.0, "<=", 3.0, None)],
)
def test_strength_is_in_thresholds(value: float, op: str, threshold: float, strength: float | None) -> None:
    assert evidence("test.rule", value, "<=" if op == "<=" else ">=", threshold, 1).strength == strength


def test_of_each_type_the_strongest_that_holds_is_shown() -> None:
    weak = evidence("test.rule", 1.5, ">=", 1.0, 5)
    findings = [(False, TOLD), (True, weak), (False, weak)]

    block = by_type(
        tuple(Finding(seed_type="bridge", fires=fires, evidence=told, anchors=(), bins=()) for fires, told in findings)
    )

    assert block == {"bridge": {"fired": 1, "looked_at": 3, "strongest": weak.as_block()}}
