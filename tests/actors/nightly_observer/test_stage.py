"""When a night dreams, and when it does not: the truth table (seed 004, 5 and 6; dossier, R20, R25, R27, R33)."""

import pytest

from actors.nightly_observer import stage
from actors.nightly_observer.stage import Found, RenderingRefusedError, decide, dream
from schemas.dream_artifact import PADDING_BYTES
from tests.actors.nightly_observer.dream_seeds import one_of_each, seed
from tests.night_examples import DATE, changed

REFS = ("sha256:" + "ab" * 32,)


def found(seeds: int = 0, *, is_readable: bool = True, is_all_zero: bool = False) -> Found:
    return Found(tuple(seed("bridge", key=str(at)) for at in range(seeds)), is_readable, is_all_zero, True)


@pytest.mark.parametrize(
    ("changes", "seen", "seal_fault", "expected"),
    [
        ({"enable": False}, found(5, is_readable=False), "no_recipient", ("skipped", "disabled", 0)),
        ({}, found(5, is_readable=False), "no_recipient", ("skipped", "input_error", 0)),
        ({}, found(5), "no_recipient", ("skipped", "no_recipient", 0)),
        ({}, found(5), "no_vault", ("skipped", "no_vault", 0)),
        ({}, found(0, is_all_zero=True), None, ("skipped", "all_zero", 0)),
        ({}, found(0), None, ("skipped", "no_seeds", 0)),
        ({"generate_when__allow_if_all_zero": True}, found(0, is_all_zero=True), None, ("generated", None, 1)),
        ({"generate_when__allow_if_all_zero": True}, found(0), None, ("generated", None, 1)),
        ({"generate_when__min_seeds": 3}, found(2), None, ("skipped", "below_min_seeds", 0)),
        ({"generate_when__min_seeds": 3}, found(3), None, ("generated", None, 1)),
        ({}, found(1), None, ("generated", None, 1)),
        ({}, found(4), None, ("generated", None, 2)),
        ({}, found(12), None, ("generated", None, 3)),
        ({"max_per_night": 1}, found(12), None, ("generated", None, 1)),
        ({"max_per_night": 0}, found(12), None, ("skipped", "max_zero", 0)),
    ],
)
def test_a_night_dreams_or_says_why_not(changes, seen, seal_fault, expected):
    decision = decide(changed(**changes).dream, seen, seal_fault, is_seeds_only=False)

    assert (decision.status, decision.skip_reason, decision.count) == expected


def test_when_only_seeds_are_asked_for_nothing_needs_a_recipient():
    decision = decide(changed().dream, found(4), "no_recipient", is_seeds_only=True)

    assert (decision.status, decision.skip_reason, decision.count) == ("skipped", "seeds_only", 0)


def test_a_dream_has_what_the_seed_shows():
    seen = Found(one_of_each(), True, False, is_guard_stable=True)

    dreams = dream(DATE, seen, changed().dream, 2, REFS)

    plain = [each.model_dump(mode="json") for each in dreams]
    assert [each["dream_id"] for each in plain] == [f"{DATE}_0001", f"{DATE}_0002"]
    assert {each["created_at"] for each in plain} == {"2026-11-21T00:00:00Z"}
    assert all(each["privacy"] == {"id_privacy": "mask", "pii_redaction": "on"} for each in plain)
    assert all(each["diagnostic_only"] is True and each["refs"] == list(REFS) for each in plain)
    reasons = [set(each["reasons"]) for each in plain]
    assert all("guard_stable" in each for each in reasons)
    assert {
        "duplicate_seed",
        "conflict_seed",
        "bridge_seed",
        "budget_pressure_seed",
        "guard_overuse_seed",
    } == set.union(*reasons) - {"guard_stable"}
    assert not any(word in key for each in plain for key in each for word in ("score", "quality", "rating"))


def test_a_night_without_seeds_has_a_dream_that_says_so():
    dreams = dream(DATE, Found((), True, True, None), changed().dream, 1, REFS)

    assert [each.reasons for each in dreams] == [("zero_night", "guard_missing")]
    assert dreams[0].scene.elements == ()


def test_the_size_of_a_dream_says_little_of_it():
    dreams = dream(DATE, Found(one_of_each(), True, False, True), changed().dream, 2, REFS)

    assert [len(each.canonical()) % PADDING_BYTES for each in dreams] == [0, 0]


@pytest.mark.parametrize(
    ("is_stable", "reasons"),
    [(True, ["guard_stable"]), (False, []), (None, ["guard_missing"])],
)
def test_a_dream_says_of_guards_what_was_counted(is_stable, reasons):
    seen = Found((seed("bridge"),), True, False, is_stable)

    (dreamt,) = dream(DATE, seen, changed().dream, 1, REFS)

    assert list(dreamt.reasons) == ["bridge_seed", *reasons]


def test_a_rendering_that_judges_is_not_kept(monkeypatch):
    monkeypatch.setattr(stage, "render", lambda _scene, _settings: "A drained pool, because it was wrong.")

    with pytest.raises(RenderingRefusedError, match="nothing was kept"):
        dream(DATE, found(1), changed().dream, 1, REFS)
