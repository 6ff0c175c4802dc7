"""Seed 001, the imaginary friend: the tests that it names, on the drop-in, and for every clause the tests that show it.

A clause names tests by file and function; one that is renamed or removed fails here. Bounds are strict: a threshold
or an order that changes fails.
"""

import ast
import math
from functools import cache
from pathlib import Path

import pytest

from actors.friend.dropin import dream
from tests.actors.friend.conftest import fresh_guest, quick_folder, store
from tests.actors.friend.guest import ORIGIN, README, Hooks, config, moment, rows

__all__ = ["fresh_guest", "quick_folder", "store"]
TESTS = Path(__file__).parents[1]
FILES = {
    "here": "seeds/test_seed_001.py",
    "quiet": "actors/friend/test_dropin_disturbs_nobody.py",
    "speaks": "system/test_the_friend_speaks.py",
    "linked": "system/test_the_friend_is_attached.py",
}
"""Files by short names; any other name is that of a file of the friend's tests."""
CLAUSES: dict[str, tuple[tuple[str, str], ...]] = {
    "2 anchored in the origin": (("core", "test_after_many_dialogues_the_friend_has_drifted_and_is_still_anchored"),),
    "2 off-screen": (("speaks", "test_twenty_turns_speak_at_the_gated_rate_and_show_nothing_of_the_friend"),),
    "2 absent is as before": (("quiet", "test_replies_are_the_same_with_the_friend_on_mute_dead_and_absent"),),
    "3 four tables": (("here", "test_dream_import_and_init"),),
    "3 tables are optional": (("quiet", "test_a_store_without_the_tables_is_left_alone_and_a_good_one_later_is_used"),),
    "3 measures of a line": (("here", "test_a_line_of_the_origin_hurts_more_than_junk"),),
    "4 signatures": (
        ("dropin", "test_the_signatures_of_the_seed_are_served"),
        ("dropin", "test_the_older_signatures_are_served"),
    ),
    "4 swallows everything": (("here", "test_dream_fails_silently_on_errors"),),
    "4 the hooks alone speak": (("here", "test_every_kept_line_is_what_a_hook_said"),),
    "5.1 cool-down": (
        ("here", "test_dream_respects_cooldown_and_thresholds"),
        ("dropin", "test_the_cooldown_is_claimed_before_a_word_is_said"),
    ),
    "5.1 steps of the clock": (("dropin", "test_an_interval_lies_between_two_dialogues_whatever_the_clock_does"),),
    "5.2 gates": (
        ("dropin", "test_each_gate_opens_at_its_edge"),
        ("gates", "test_each_gate_opens_at_its_edge"),
    ),
    "5.3 dice": (
        ("dropin", "test_about_three_moments_in_ten_are_taken"),
        ("dropin", "test_the_host_s_random_streams_are_as_they_were"),
    ),
    "5.4 lines and clamps": (
        ("here", "test_a_line_has_at_most_so_many_tokens_and_characters"),
        ("dialogue", "test_three_or_four_lines_and_never_more_than_the_host_grants"),
    ),
    "5 no trace of a closed gate": (("dropin", "test_a_closed_gate_and_lost_dice_leave_the_store_as_it_was"),),
    "6.1 first seed": (("dropin", "test_a_long_origin_leaves_room_for_the_readme_and_keeps_its_end"),),
    "6.2 drift": (
        ("here", "test_dream_bootstrap_drift"),
        ("dropin", "test_two_hundred_dialogues_drift_and_keep_the_origin"),
    ),
    "6.3 prefix": (("dropin", "test_a_prefix_is_never_empty_and_reaches_most_fragments"),),
    "7.1 seeds": (("dropin", "test_seeds_have_the_moment_the_lines_and_the_origin"),),
    "7.2 manner": (("here", "test_leo_and_the_friend_speak_within_their_ranges_and_warmer_with_entropy"),),
    "7.3 observe before the next": (("here", "test_dream_generates_internal_dialog"),),
    "7.4 whole or nothing": (
        ("here", "test_dream_fails_silently_on_errors"),
        ("surviving", "test_a_commit_is_sent_again_after_a_restart_and_applied_once"),
    ),
    "8 dream lines are marked": (("messages", "test_a_dream_is_always_said_to_be_one"),),
    "8 self-talk is bounded": (("field", "test_dreams_never_make_more_than_their_share"),),
    "9 import": (("quiet", "test_replies_are_the_same_with_the_friend_on_mute_dead_and_absent"),),
    "9 corrupt, locked and absent": (
        ("quiet", "test_a_corrupt_store_is_left_as_it_is"),
        ("quiet", "test_a_locked_store_costs_little_and_is_used_when_it_is_free"),
        ("quiet", "test_an_absent_store_is_not_made_and_a_good_one_later_is_used"),
    ),
    "9 dead, frozen or slow friend": (
        ("linked", "test_replies_are_the_same_and_on_time_whatever_becomes_of_the_friend"),
    ),
    "10 two processes": (("quiet", "test_two_processes_hold_one_dialogue"),),
}


@cache
def functions_of(file: str) -> frozenset[str]:
    path = FILES.get(file, f"actors/friend/test_{file}.py")
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("clause", CLAUSES)
def test_a_clause_is_shown_by_tests(clause: str) -> None:
    missing = [f"{file}: {name}" for file, name in CLAUSES[clause] if name not in functions_of(file)]

    assert missing == []


COLUMNS = {
    "dream_meta": ["key", "value"],
    "dream_bootstrap_fragments": ["id", "text", "weight"],
    "dream_dialogs": ["id", "started_at", "finished_at", "episodes_count", "avg_trauma", "avg_arousal", "note"],
    "dream_turns": [
        *("id", "dialog_id", "speaker", "text"),
        *("trauma_level", "pulse_novelty", "pulse_arousal", "pulse_entropy"),
    ],
}


def test_dream_import_and_init(quick_folder: Path) -> None:
    place = quick_folder / "leo.sqlite3"

    dream.init_dream(place)
    dream.init_dream(place, ORIGIN, README)

    assert dream.DREAM_AVAILABLE is True
    found = {name: [row[1] for row in rows(place, f"PRAGMA table_info({name})")] for name in COLUMNS}
    assert found == COLUMNS
    assert [row[2:5] for row in rows(place, "PRAGMA foreign_key_list(dream_turns)")] == [
        ("dream_dialogs", "dialog_id", "id")
    ]
    assert {row[0] for row in rows(place, "SELECT weight FROM dream_bootstrap_fragments")} == {1.0}
    assert place.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("felt", "later_s", "speaks"),
    [
        ({"trauma_level": math.nextafter(0.5, 1)}, 180.0, True),
        ({"trauma_level": math.nextafter(0.5, 1)}, math.nextafter(180.0, 0), False),
        ({"trauma_level": 0.5}, 180.0, False),
        ({"pulse_novelty": math.nextafter(0.7, 1)}, 180.0, True),
        ({"pulse_novelty": 0.7}, 180.0, False),
        ({"quality": 0.35}, 180.0, True),
        ({"quality": 0.55}, 180.0, True),
        ({"quality": math.nextafter(0.35, 0)}, 180.0, False),
        ({"quality": math.nextafter(0.55, 1)}, 180.0, False),
    ],
)
def test_dream_respects_cooldown_and_thresholds(felt, later_s, speaks, store) -> None:
    first = Hooks().run(store, now=0.0, min_interval_seconds=180.0)

    second = Hooks().run(store, now=later_s, min_interval_seconds=180.0, **({"trauma_level": 0.0} | felt))

    assert first.heard != []
    assert bool(second.heard) is speaks


def test_dream_generates_internal_dialog(store) -> None:
    counts = set()
    for now in range(12):
        hooks = Hooks().run(store, now=float(now))
        counts.add(len(hooks.heard))
        assert hooks.order == ["generate", "observe"] * len(hooks.heard)

    speakers = [row[0] for row in rows(store, "SELECT group_concat(speaker) FROM dream_turns GROUP BY dialog_id")]
    assert counts == {3, 4}
    assert set(speakers) == {"leo,friend,leo", "leo,friend,leo,friend"}
    assert rows(store, "SELECT COUNT(*) FROM dream_bootstrap_fragments WHERE id > 7")[0][0] > 0


def test_every_kept_line_is_what_a_hook_said(store) -> None:
    hooks = Hooks().run(store)

    kept = [text for (text,) in rows(store, "SELECT text FROM dream_turns ORDER BY id")]
    assert kept == hooks.heard == [f"The whistle of storm {step} remembers ships." for step in range(len(kept))]


FAILURES = [
    *(("generate", k, odd) for k in (1, 2, 3, 4) for odd in (RuntimeError, None, 7, b"a b c")),
    *(("observe", k, RuntimeError) for k in (1, 2, 3)),
]


@pytest.mark.parametrize(("hook", "k", "odd"), FAILURES)
def test_dream_fails_silently_on_errors(hook, k, odd, store, capfd) -> None:
    for now in range(1, 40):  # until a dialogue comes to that call: every one has three lines, about half have four
        hooks, calls = Hooks(), [0]

        def fail(*arguments: object, hooks: Hooks = hooks, calls: list[int] = calls) -> object:
            calls[0] += 1
            if calls[0] != k:
                return getattr(hooks, hook)(*arguments)
            if odd is RuntimeError:
                raise odd
            return odd

        pair = {"generate": hooks.generate, "observe": hooks.observe} | {hook: fail}
        dream.maybe_run_dream(moment(), pair["generate"], pair["observe"], store, config(), float(now))
        if calls[0] == k:
            break

    assert calls[0] == k
    assert capfd.readouterr() == ("", "")
    assert len(hooks.heard) == k - 1
    kept = rows(store, f"SELECT episodes_count, finished_at FROM dream_dialogs WHERE started_at = {now}")
    assert kept == ([(3, float(now))] if k == 4 else [])
    orphans = "SELECT COUNT(*) FROM dream_turns WHERE dialog_id NOT IN (SELECT id FROM dream_dialogs)"
    assert rows(store, orphans) == [(0,)]


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("a\x00b", "a b"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("w " * 50_000, " ".join(["w"] * 48)),
        ("x" * 100_000, "x" * 320),
    ],
)
def test_a_line_has_at_most_so_many_tokens_and_characters(said, heard, store) -> None:
    hooks = Hooks(lambda _: said).run(store)

    assert hooks.heard == [heard] * len(hooks.heard) and hooks.heard


def test_dream_bootstrap_drift(store) -> None:
    for now in range(30):
        Hooks(lambda step, now=now: f"lantern whistle storm ships u{now} v{now} w{step}{now}").run(
            store, now=float(now)
        )

    kept = rows(store, "SELECT id, text, weight FROM dream_bootstrap_fragments ORDER BY id")
    declined = dream.get_dream_stats(store)["declined"]
    assert {reason: count for reason, count in declined.items() if count} == {}
    origin = [weight for number, _, weight in kept if number <= 7]
    assert origin == [pytest.approx(0.99**30)] * 7
    assert len(kept) - len(origin) == 29  # bounded at 36; one of each night, the lightest went
    assert all(0.1 <= weight <= 1.0 for _, _, weight in kept)
    assert len({text for _, text, _ in kept}) == len(kept) <= 36


def test_a_line_of_the_origin_hurts_more_than_junk(store) -> None:
    lines = ["I learned to whistle after the storm.", "plim plam plum", "Ships remember the whistle.", "zork zork"]

    Hooks(lambda step: lines[step]).run(store, max_turns=4)

    felt = [trauma for (trauma,) in rows(store, "SELECT trauma_level FROM dream_turns ORDER BY id")]
    assert felt[0] > felt[1] < felt[2]


def test_leo_and_the_friend_speak_within_their_ranges_and_warmer_with_entropy(store) -> None:
    warmth = []
    for number, entropy in enumerate((0.0, 0.25, 0.5, 0.75, 1.0)):
        hooks = Hooks().run(store, now=float(number), pulse_entropy=entropy)
        warmth.append(hooks.asked[0][1])
        assert all(0.6 <= t <= 1.0 and 0.3 <= s <= 0.4 for _, t, s in hooks.asked[::2])
        assert all(0.6 <= t <= 1.0 and 0.5 <= s <= 0.6 for _, t, s in hooks.asked[1::2])

    assert warmth == sorted(set(warmth))
