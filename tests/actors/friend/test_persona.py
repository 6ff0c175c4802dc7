"""The keeper's rules: claimed once, committed once, bounded, anchored (seed 001, sections 3, 5 and 6)."""

import math

import pytest

from schemas.ids import derived_id
from schemas.persona import (
    CooldownClaim,
    DialogCommit,
    DialogFacts,
    DialogTurn,
    Drift,
    NewFragment,
    Persona,
    PersonaDelta,
    Retention,
    Stamp,
    apply_commit,
    apply_delta,
    claim_cooldown,
    expired,
    forget_dialog,
    normal_form,
    wait_s,
)

DAY = 86_400.0
D, E = derived_id("d"), derived_id("e")
ORIGIN = tuple(f"The origin says thing number {index}." for index in range(12))


def claim(now_s: float, name: object = "a") -> CooldownClaim:
    return CooldownClaim(
        claim_id=derived_id("claim", str(name)), host_id="leo", now_s=now_s, min_interval_s=180.0, owner="friend"
    )


def delta(*adopted: str, bound: int = 12, quota: int = 8, decay: float = 0.99, floor: float = 0.1) -> PersonaDelta:
    lines = tuple(NewFragment(text=text, weight=0.3, turn=1) for text in adopted)
    return PersonaDelta(origin=ORIGIN, decay=decay, floor=floor, adopted=lines, max_fragments=bound, origin_quota=quota)


def commit(name: str, base_rev: int, change: PersonaDelta) -> DialogCommit:
    turn = DialogTurn(
        speaker="leo", text="a b", trauma_level=0.5, pulse_novelty=0.5, pulse_arousal=0.5, pulse_entropy=0.5
    )
    facts = DialogFacts(
        ctx_id=derived_id("ctx"),
        started_s=1.0,
        finished_s=2.0,
        gates=("trauma",),
        dice=0.25,
        probability=0.5,
        avg_trauma=0.5,
        avg_arousal=0.5,
        note="done",
    )
    return DialogCommit(
        dialog_id=derived_id("dialog", name),
        host_id="leo",
        base_rev=base_rev,
        facts=facts,
        turns=(turn, turn, turn),
        delta=change,
        drift=Drift(rev=1, origin_share=1.0, lexical_distance=None, turnover=None, effective_fragments=12.0),
        retention=Retention(dialogs=10, seconds=DAY),
    )


def test_two_claims_within_the_interval_run_once():
    persona, first = claim_cooldown(Persona("leo"), claim(1000.0, "a"))

    persona, second = claim_cooldown(persona, claim(1179.9, "b"))

    assert (first.is_granted, second.is_granted) == (True, False)
    assert second.last_run_s == 1000.0


def test_the_interval_is_over_at_its_end():
    persona, _ = claim_cooldown(Persona("leo"), claim(1000.0, "a"))

    assert claim_cooldown(persona, claim(1180.0, "b"))[1].is_granted


def test_the_same_claim_again_is_granted_again_and_changes_nothing():
    persona, _ = claim_cooldown(Persona("leo"), claim(1000.0))

    assert claim_cooldown(persona, claim(1000.0)) == (persona, claim_cooldown(Persona("leo"), claim(1000.0))[1])


def test_a_clock_that_is_set_back_a_day_blocks_nobody():
    persona, _ = claim_cooldown(Persona("leo"), claim(10 * DAY, "a"))

    persona, reply = claim_cooldown(persona, claim(9 * DAY, "b"))

    assert reply.is_granted
    assert persona.last_run_s == 9 * DAY


def test_a_clock_that_is_set_back_a_little_costs_one_interval_at_most():
    persona, _ = claim_cooldown(Persona("leo"), claim(1000.0, "a"))

    persona, refused = claim_cooldown(persona, claim(900.0, "b"))
    _, granted = claim_cooldown(persona, claim(1080.0, "c"))

    assert (refused.is_granted, granted.is_granted) == (False, True)


def test_a_refused_claim_leaves_no_trace():
    persona, _ = claim_cooldown(Persona("leo"), claim(1000.0, "a"))

    assert claim_cooldown(persona, claim(1001.0, "b"))[0] == persona


@pytest.mark.parametrize(
    ("last", "now", "left"),
    [(None, 5.0, 0.0), (100.0, 150.0, 10.0), (100.0, 160.0, 0.0), (100.0, 40.0, 0.0), (100.0, 41.0, 60.0)],
)
def test_the_wait_is_what_is_left_of_the_interval(last, now, left):
    assert wait_s(last, now, 60.0) == left


def test_the_first_commit_plants_the_origin_and_fades_it_once():
    persona = apply_delta(Persona("leo"), D, delta("A new line.", bound=36))

    assert [fragment.text for fragment in persona.fragments] == [*ORIGIN, "A new line."]
    assert {fragment.weight for fragment in persona.fragments if fragment.is_origin} == {0.99}
    assert persona.fragments[-1].weight == 0.3
    assert (persona.rev, persona.next_id) == (1, 14)


def test_a_commit_that_comes_twice_is_applied_once():
    once, first = apply_commit(Persona("leo"), commit("a", 0, delta("One.")), ())
    twice, second = apply_commit(once, commit("a", 0, delta("One.")), {derived_id("dialog", "a")})

    assert (first.result, second.result) == ("applied", "duplicate")
    assert (twice, second.rev) == (once, 1)


def test_a_commit_on_an_old_revision_changes_nothing():
    persona, _ = apply_commit(Persona("leo"), commit("a", 0, delta("One.")), ())

    after, receipt = apply_commit(persona, commit("b", 0, delta("Two.")), ())

    assert (after, receipt.result, receipt.rev) == (persona, "conflict", 1)


def test_weights_never_fall_below_the_floor_and_no_fragment_is_lost_for_it():
    persona = Persona("leo")
    for _ in range(1000):
        persona = apply_delta(persona, D, delta(bound=36))

    assert {fragment.weight for fragment in persona.fragments} == {0.1}
    assert len(persona.fragments) == len(ORIGIN)


def test_a_thousand_adopted_lines_leave_the_quota_of_the_origin():
    persona = Persona("leo")
    for index in range(1000):
        persona = apply_delta(persona, D, delta(f"Line {index} a.", f"Line {index} b."))
        assert len(persona.fragments) <= 12

    assert sum(fragment.is_origin for fragment in persona.fragments) == 8
    assert [fragment.text for fragment in persona.fragments][-2:] == ["Line 999 a.", "Line 999 b."]
    assert all(math.isfinite(fragment.weight) for fragment in persona.fragments)


def test_a_new_line_enters_a_table_that_the_origin_fills():
    full = apply_delta(Persona("leo"), D, delta())

    after = apply_delta(full, E, delta("Something else."))

    assert "Something else." in [fragment.text for fragment in after.fragments]
    assert len(after.fragments) == 12


@pytest.mark.parametrize("again", ["The origin says thing number 3.", "the origin, says THING number 3!"])
def test_a_line_that_is_there_is_not_added_again(again):
    persona = apply_delta(Persona("leo"), D, delta(again, again, bound=36))

    assert len(persona.fragments) == len(ORIGIN)


def test_ids_are_never_used_again():
    persona = Persona("leo")
    seen: set[int] = set()
    for index in range(50):
        before = {fragment.fragment_id for fragment in persona.fragments}
        persona = apply_delta(persona, D, delta(f"Line {index} a."))
        new = {fragment.fragment_id for fragment in persona.fragments} - before
        assert not new & seen
        seen |= new


def test_a_forgotten_dialogue_takes_its_lines_along():
    persona = apply_delta(Persona("leo"), D, delta("From d.", bound=36))
    persona = apply_delta(persona, E, delta("From e.", bound=36))

    after = forget_dialog(persona, D)

    assert [fragment.text for fragment in after.fragments if not fragment.is_origin] == ["From e."]
    assert after.rev == 3


def test_retention_lets_go_of_what_is_too_old_and_of_what_is_too_much():
    stamps = [Stamp("old", 0.0), Stamp("c", DAY), Stamp("b", 1.5 * DAY), Stamp("a", 1.6 * DAY)]

    assert expired(stamps, 1.7 * DAY, Retention(dialogs=2, seconds=1.5 * DAY)) == ["old", "c"]
    assert expired(stamps, 3.5 * DAY, Retention(dialogs=10, seconds=2.0 * DAY)) == ["old", "c"]
    assert expired(stamps, 1.7 * DAY, Retention(dialogs=10, seconds=2.0 * DAY)) == []


def test_two_texts_of_the_same_words_have_one_form():
    assert normal_form("  It’s ME — again!") == normal_form("it s me again")
