"""The drop-in in a host of its own: both signatures, gates, whole dialogues, drift (seed 001, sections 3 to 7)."""

import math
import random
import stat
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from actors.friend.dropin import dream
from actors.friend.fragments import change
from actors.friend.words import tokens_of
from schemas.ids import derived_id
from schemas.persona import NewFragment, Persona, apply_delta
from tests.actors.friend.company import load_settings
from tests.actors.friend.guest import ORIGIN, README, Hooks, config, moment, rows

COLUMNS = {
    "dream_meta": ["key", "value"],
    "dream_bootstrap_fragments": ["id", "text", "weight"],
    "dream_dialogs": ["id", "started_at", "finished_at", "episodes_count", "avg_trauma", "avg_arousal", "note"],
    "dream_turns": [
        "id",
        "dialog_id",
        "speaker",
        "text",
        "trauma_level",
        "pulse_novelty",
        "pulse_arousal",
        "pulse_entropy",
    ],
}


def test_the_four_tables_have_the_columns_of_the_seed(store):
    found = {table: [row[1] for row in rows(store, f"PRAGMA table_info({table})")] for table in COLUMNS}

    assert found == COLUMNS
    assert dream.DREAM_AVAILABLE is True


def test_a_new_store_is_for_its_owner_alone(store):
    assert stat.S_IMODE(store.stat().st_mode) == 0o600


def test_the_origin_is_planted_once_with_its_short_sentences_and_the_readme(store):
    dream.init_dream(store, ORIGIN, README)

    texts = [text for (text,) in rows(store, "SELECT text FROM dream_bootstrap_fragments ORDER BY id")]

    assert texts[3] == "No weights."
    assert texts[-2:] == README
    assert len(texts) == 7


def test_a_long_origin_leaves_room_for_the_readme_and_keeps_its_end(tmp_path):
    dream.init_dream(tmp_path / "d", " ".join(f"Sentence {n} of many." for n in range(90)), README)

    texts = [text for (text,) in rows(tmp_path / "d", "SELECT text FROM dream_bootstrap_fragments ORDER BY id")]

    assert (len(texts), texts[0], texts[-3:]) == (24, "Sentence 0 of many.", ["Sentence 89 of many.", *README])


def test_the_signatures_of_the_seed_are_served(quick_folder):
    hooks = Hooks()
    dream.init_dream(quick_folder / "dream.sqlite3")
    pulse = SimpleNamespace(novelty=0.9, arousal=0.1, entropy=0.2)
    for now in range(0, 40_000, 400):
        ctx = dream.DreamContext("p", "r", None, pulse, 0.1, [], "wounded")
        dream.maybe_run_dream(ctx, hooks.generate, hooks.observe, now=float(now))

    assert 50 < len(hooks.heard) < 170
    assert dream.get_dream_stats(quick_folder / "dream.sqlite3")["total_fragments"] >= 3


def test_the_older_signatures_are_served(store):
    hooks = Hooks()
    ctx = dream.DreamContext("p", "r", None, 0.1, 0.1, 0.2, 0.9, [], "wounded", 0.9)

    dream.maybe_run_dream(ctx, hooks.generate, hooks.observe, store, config(), 5.0)

    assert len(hooks.heard) in (3, 4)


@pytest.mark.parametrize(
    ("felt", "runs"),
    [
        ({"trauma_level": 0.5}, False),
        ({"trauma_level": 0.5000001}, True),
        ({"pulse_novelty": 0.7}, False),
        ({"pulse_novelty": 0.7000001}, True),
        ({"quality": 0.3499999}, False),
        ({"quality": 0.35}, True),
        ({"quality": 0.55}, True),
        ({"quality": 0.5500001}, False),
        ({"quality": float("nan")}, False),
        ({"trauma_level": None}, False),
    ],
)
def test_each_gate_opens_at_its_edge(felt, runs, store):
    hooks = Hooks().run(store, **({"trauma_level": 0.1} | felt))

    assert bool(hooks.heard) is runs


def test_a_closed_gate_and_lost_dice_leave_the_store_as_it_was(store):
    before = store.read_bytes()

    Hooks().run(store, trauma_level=0.1)
    Hooks().run(store, trigger_probability=0.0)

    assert store.read_bytes() == before
    assert dict(dream.Guest.declined) == {"gate": 1, "dice": 1}


def test_about_three_moments_in_ten_are_taken():
    for now in range(400):
        Hooks().run(Path("nowhere"), now=float(now), trigger_probability=0.3)

    assert 0.22 < 1.0 - dream.Guest.declined["dice"] / 400 < 0.38


def test_a_seed_takes_the_same_moments_again(quick_folder):
    runs = []
    for name in ("a", "b"):
        dream.init_dream(quick_folder / name, ORIGIN)
        hooks = [Hooks().run(quick_folder / name, now=float(now), trigger_probability=0.3) for now in range(60)]
        runs.append([each.asked for each in hooks])

    assert runs[0] == runs[1]
    assert [] in runs[0] and max(map(len, runs[0])) >= 3


def test_the_host_s_random_streams_are_as_they_were(store):
    random.seed(3)
    np.random.seed(3)
    hooks = Hooks(lambda step: f"line {random.random()} {np.random.rand()} of {step}")
    before, numpy_before = random.getstate(), np.random.get_state()[1].tolist()

    hooks.run(store)

    assert hooks.heard
    assert random.getstate() == before
    assert np.random.get_state()[1].tolist() == numpy_before


def test_each_line_is_heard_before_the_next_is_asked_for_in_the_calling_thread(store):
    hooks = Hooks().run(store)

    assert hooks.order == ["generate", "observe"] * len(hooks.heard)
    assert hooks.threads == {threading.get_ident()}


def test_the_dialogue_is_kept_whole(store):
    hooks = Hooks().run(store, now=1234.5)

    (dialog,) = rows(store, "SELECT started_at, finished_at, episodes_count FROM dream_dialogs")
    turns = rows(store, "SELECT speaker, text FROM dream_turns ORDER BY id")

    assert dialog == (1234.5, 1234.5, len(hooks.heard))
    assert turns == [(("leo", "friend")[step % 2], text) for step, text in enumerate(hooks.heard)]
    assert rows(store, "PRAGMA foreign_key_check") == []


def test_seeds_have_the_moment_the_lines_and_the_origin(store):
    hooks = Hooks().run(store, prompt="PROMPT", reply="REPLY")

    seeds = [seed for seed, _, _ in hooks.asked]

    assert seeds[0].startswith("PROMPT\nREPLY\n")
    assert seeds[1].startswith(hooks.heard[0] + "\n")
    assert seeds[2].startswith(f"{hooks.heard[1]}\n{hooks.heard[0]}\n")
    texts = [text for (text,) in rows(store, "SELECT text FROM dream_bootstrap_fragments")]
    assert all(any(text in seed for text in texts) for seed in seeds)


def test_leo_and_the_friend_speak_in_their_ranges(store):
    for entropy in (0.0, 0.5, 1.0):
        manners = [each[1:] for each in Hooks().run(store, pulse_entropy=entropy).asked]
        assert manners[0][0] == pytest.approx(0.6 + 0.4 * entropy)
        assert all(0.6 <= t <= 1.0 and 0.3 <= s <= 0.4 for t, s in manners[0::2])
        assert all(0.6 <= t <= 1.0 and 0.5 <= s <= 0.6 for t, s in manners[1::2])


@pytest.mark.parametrize("trauma", [0.0, 1.0])
def test_a_wounded_line_makes_the_friend_wounded(trauma, store):
    dense = "lighthouse storm broke lantern whistle ships remember"
    hooks = Hooks(lambda _: dense if trauma else "xx yy zz").run(store, trauma_level=trauma, pulse_novelty=0.9)

    assert (hooks.asked[1][1:] == (0.9, 0.6)) is bool(trauma)


@pytest.mark.parametrize("step", [0, 1, 2, 3])
@pytest.mark.parametrize("hook", ["generate", "observe"])
def test_a_failing_hook_raises_nothing_and_leaves_no_half_dialogue(hook, step, store):
    hooks = Hooks()
    calls = [0]

    def fail(*arguments: object) -> object:
        calls[0] += 1
        if calls[0] == step + 1:
            raise RuntimeError("the host is tired")
        return getattr(hooks, hook)(*arguments)

    pair = {"generate": hooks.generate, "observe": hooks.observe} | {hook: fail}
    dream.maybe_run_dream(moment(), pair["generate"], pair["observe"], store, config(), 1.0)

    kept = rows(store, "SELECT episodes_count, finished_at FROM dream_dialogs")
    turns = rows(store, "SELECT COUNT(*) FROM dream_turns")[0][0]
    assert kept in ([], [(3, 1.0)], [(4, 1.0)])
    assert turns == (kept[0][0] if kept else 0)
    assert (kept == []) is (step < 3)
    assert bool(dream.Guest.declined["hook"]) is (step < 3)


@pytest.mark.parametrize("odd", [None, 7, b"bytes", "", " ", "?!", "\x00", "\ud800", ["x"], object()])
def test_an_odd_answer_ends_the_dialogue_and_nothing_is_kept(odd, store):
    hooks = Hooks(lambda _: odd).run(store)

    assert hooks.heard == []
    assert rows(store, "SELECT * FROM dream_dialogs") == []


@pytest.mark.parametrize("text", ["word " * 20_000, "x" * 100_000, "a\x00b\ud800c " * 500, "ночь и день " * 5000])
def test_a_line_is_clean_and_clamped_before_it_is_heard(text, store):
    hooks = Hooks(lambda _: text).run(store)

    assert len(hooks.heard) >= 3
    assert all(len(tokens_of(line)) <= 48 and len(line) <= 320 for line in hooks.heard)
    assert all(line.isprintable() for line in hooks.heard)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -5.0, "x", None, object()])
def test_a_moment_out_of_range_gives_hooks_numbers_in_range(value, store):
    hooks = Hooks().run(store, pulse_entropy=value, pulse_arousal=value, quality=0.4, trauma_level=value)

    assert hooks.asked
    assert all(math.isfinite(t) and 0.0 < t <= 2.0 and 0.0 <= s <= 1.0 for _, t, s in hooks.asked)


def test_a_call_from_within_a_hook_does_not_speak_too(store):
    hooks = Hooks()

    def again(text: str) -> None:
        hooks.observe(text)
        dream.maybe_run_dream(moment(), hooks.generate, hooks.observe, store, config(), 1.0)

    dream.maybe_run_dream(moment(), hooks.generate, again, store, config(), 1.0)

    assert len(rows(store, "SELECT * FROM dream_dialogs")) == 1
    assert len(hooks.asked) == len(hooks.heard) <= 4


def test_the_cooldown_is_claimed_before_a_word_is_said(store):
    seen: list[object] = []
    query = "SELECT value FROM dream_meta WHERE key = 'dream_last_run_ts'"
    hooks = Hooks(lambda _: seen.extend(rows(store, query)) or "x y")

    hooks.run(store, now=77.0, min_interval_seconds=180.0)

    assert seen[0] == ("77.0",)


@pytest.mark.parametrize(
    ("times", "heard"),
    [
        ((0.0, 179.9), [True, False]),
        ((0.0, 180.0), [True, True]),
        ((1e6, 1e6 - 86_400.0), [True, True]),
        ((1e6, 1e6 - 10.0, 1e6 + 170.0), [True, False, True]),
        ((1e6, 1e6 + 86_400.0, 1e6), [True, True, True]),
    ],
)
def test_an_interval_lies_between_two_dialogues_whatever_the_clock_does(times, heard, store):
    runs = [Hooks().run(store, now=now, min_interval_seconds=180.0) for now in times]

    assert [bool(each.heard) for each in runs] == heard


def test_drift_fades_the_old_and_adopts_the_strong(store):
    Hooks().run(store, max_turns=3)

    weights = rows(store, "SELECT text, weight FROM dream_bootstrap_fragments ORDER BY id")

    assert [weight for _, weight in weights[:7]] == pytest.approx([0.99] * 7)
    assert [weight for _, weight in weights[7:]] == [0.3]
    assert "whistle" in str(weights[7][0])


def test_junk_is_not_adopted(store):
    Hooks(lambda step: f"Please pass me the salt number {step}.").run(store)

    assert len(rows(store, "SELECT * FROM dream_bootstrap_fragments")) == 7


def test_the_same_line_is_adopted_once(store):
    hooks = Hooks(lambda _: "Ships remember the broken lantern and the whistle.")
    for now in range(10):
        hooks.run(store, now=float(now))

    assert len(rows(store, "SELECT * FROM dream_bootstrap_fragments")) == 8


def test_two_hundred_dialogues_drift_and_keep_the_origin(quick_folder):
    store = quick_folder / "dream.sqlite3"
    dream.init_dream(store, ORIGIN, README)
    hooks = Hooks(lambda step: f"Storm and lantern number{step * 7919 % 997} remember the word{step} of ships.")
    adopted_by = None
    for now in range(200):
        hooks.run(store, now=float(now))
        if adopted_by is None and rows(store, "SELECT COUNT(*) FROM dream_bootstrap_fragments")[0][0] > 7:
            adopted_by = now + 1

    found = rows(store, "SELECT text, weight FROM dream_bootstrap_fragments ORDER BY id")
    texts = [str(text) for text, _ in found]

    assert (adopted_by or 99) <= 10
    assert texts[:7] == [*ORIGIN.replace(". ", ".|").split("|"), *README]
    assert len(found) == 36
    assert all(0.1 <= weight <= 1.0 for _, weight in found)
    assert len(set(texts)) == len(texts)


def test_a_prefix_is_never_empty_and_reaches_most_fragments(quick_folder):
    dream.init_dream(quick_folder / "d", " ".join(f"Fragment{n} is equal." for n in range(24)))
    hooks = Hooks(lambda _: "pass the salt")
    for now in range(40):
        hooks.run(quick_folder / "d", now=float(now), prompt="p", reply="r")

    seeds = [seed for seed, _, _ in hooks.asked]

    assert all("is equal." in seed for seed in seeds)
    assert sum(any(f"Fragment{n} " in seed for seed in seeds) for n in range(24)) >= 16


def test_what_looks_secret_is_not_kept(store):
    hooks = Hooks(lambda _: "The lighthouse whistle wrote to anna@example.org from 4111 1111 1111 1111.").run(store)

    assert "anna@example.org" in hooks.heard[0]
    assert "anna@" not in str(
        rows(store, "SELECT text FROM dream_turns UNION SELECT text FROM dream_bootstrap_fragments")
    )


def test_the_drop_in_and_the_friend_change_a_persona_alike(store):
    hooks = Hooks(lambda step: f"Storm and lantern number{step * 7919 % 997} remember the word{step} of ships.")
    texts = [str(text) for (text,) in rows(store, "SELECT text FROM dream_bootstrap_fragments ORDER BY id")]
    persona, settings, seen = Persona("leo"), load_settings(), set(texts)
    for now in range(60):
        hooks.run(store, now=float(now))
        kept = rows(store, "SELECT text, weight FROM dream_bootstrap_fragments ORDER BY id")
        new = [NewFragment(text=str(text), weight=0.3, turn=1) for text, _ in kept if text not in seen]
        seen |= {fragment.text for fragment in new}
        persona = apply_delta(persona, derived_id(now), change(texts, tuple(new), settings))

    assert kept == [(fragment.text, pytest.approx(fragment.weight)) for fragment in persona.fragments]
    assert len(kept) == 36
