"""Whatever becomes of the friend, its store or its hooks: the host goes on as before (seed 001, section 9)."""

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from actors.friend.dropin import dream
from tests.actors.friend.guest import ORIGIN, README, Hooks, config, moment, rows

SOURCE = Path(dream.__file__)


def test_deferred_dialogues_are_held_when_the_host_is_idle(store):
    hooks = Hooks().run(store, is_deferred=True)
    before = list(hooks.heard)

    served = (dream.serve_dream(), dream.serve_dream())

    assert (before, served) == ([], (True, False))
    assert len(hooks.heard) in (3, 4)
    assert len(rows(store, "SELECT * FROM dream_dialogs")) == 1


def test_an_absent_store_is_not_made_and_a_good_one_later_is_used(tmp_path, store):
    missing = [Hooks().run(place) for place in (tmp_path / "nowhere" / "dream.sqlite3", tmp_path / "dream.sqlite3")]

    assert [hooks.asked for hooks in missing] == [[], []]
    assert list(tmp_path.iterdir()) == []
    assert Hooks().run(store).heard


def test_a_store_without_the_tables_is_left_alone_and_a_good_one_later_is_used(tmp_path, store):
    other = tmp_path / "leo.sqlite3"
    sqlite3.connect(other).execute("CREATE TABLE tokens (id INTEGER)").connection.close()
    before = other.read_bytes()

    assert Hooks().run(other).asked == []
    assert other.read_bytes() == before
    assert Hooks().run(store).heard


@pytest.mark.parametrize(
    "content", [b"this is no database, not even nearly" * 40, b"\x00" * 4096, b"SQLite format 3\x00"]
)
def test_a_corrupt_store_is_left_as_it_is(content, tmp_path, store):
    broken = tmp_path / "broken"
    broken.write_bytes(content)

    dream.init_dream(broken, ORIGIN)
    hooks = Hooks().run(broken)

    assert hooks.asked == []
    assert broken.read_bytes() == content
    assert dream.get_dream_stats(broken) == {}
    assert dream.get_recent_dreams(broken) == []
    assert Hooks().run(store).heard


def test_a_locked_store_costs_little_and_is_used_when_it_is_free(store):
    lock = sqlite3.connect(store, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    began_s = time.monotonic()
    blocked = Hooks().run(store)
    dream.init_dream(store, ORIGIN)
    spent_s = time.monotonic() - began_s
    lock.execute("ROLLBACK")
    lock.close()

    assert blocked.asked == []
    assert spent_s < 4.0  # two looks of 0.1 s; the original waits 5 s for each
    assert dream.Guest.declined["store"] >= 1
    assert dream.DREAM_AVAILABLE is True
    assert Hooks().run(store).heard


def test_a_place_that_is_a_folder_is_left_alone(tmp_path):
    dream.init_dream(tmp_path, ORIGIN)
    hooks = Hooks().run(tmp_path)

    assert hooks.asked == []
    assert list(tmp_path.iterdir()) == []


def test_the_store_of_an_older_module_gets_its_origin_back(tmp_path):
    path = tmp_path / "old.sqlite3"
    base = sqlite3.connect(path)
    base.executescript(dream.TABLES)
    old = [("I learned to whistle.", 1.0), *((f"old friend line {n}", 0.58) for n in range(20))]
    base.executemany("INSERT INTO dream_bootstrap_fragments (text, weight) VALUES (?, ?)", old)
    base.execute("INSERT INTO dream_meta VALUES ('last_run_ts', '1000.0')")
    base.commit()
    base.close()

    dream.init_dream(path, ORIGIN, README)
    early, late = Hooks().run(path, now=1100.0, min_interval_seconds=180.0), Hooks().run(path, now=1180.0)

    texts = [text for (text,) in rows(path, "SELECT text FROM dream_bootstrap_fragments ORDER BY id")]
    assert texts[:7] == [*ORIGIN.replace(". ", ".|").split("|"), *README]
    assert texts[7:19] == [f"old friend line {n}" for n in range(8, 20)]
    assert (bool(early.heard), bool(late.heard)) == (False, True)


def test_statistics_and_recent_dialogues_are_told(store):
    hooks = Hooks()
    for now in (1.0, 2.0):
        hooks.run(store, now=now)

    stats, recent = dream.get_dream_stats(store), dream.get_recent_dreams(store, n=1)

    assert (stats["total_dialogs"], stats["total_turns"]) == (2, len(hooks.heard))
    assert 0.0 < float(str(stats["origin_share"])) <= 1.0
    assert [each["started_at"] for each in recent] == [2.0]
    assert [turn["text"] for turn in recent[0]["turns"]] == hooks.heard[-len(recent[0]["turns"]) :]
    assert {"episodes", "avg_trauma", "avg_arousal", "finished_at"} <= set(recent[0])


def test_with_another_to_lead_the_module_says_nothing_itself(store):
    led: list[float] = []
    dream.attach(lambda _ctx, _generate, _observe, now: led.append(now))

    hooks = Hooks().run(store, now=5.0, trauma_level=0.0)

    assert (led, hooks.asked) == ([5.0], [])


def test_a_lead_that_fails_or_draws_disturbs_nobody(store):
    def lead(*_: object) -> None:
        random.random()
        raise OSError("the bus is gone")

    dream.attach(lead)
    random.seed(1)
    before = random.getstate()

    Hooks().run(store)

    assert random.getstate() == before


def test_an_interrupt_of_the_user_reaches_the_host(store):
    def stop(*_: object) -> object:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dream.maybe_run_dream(moment(), stop, stop, store, config(), 1.0)

    assert rows(store, "SELECT * FROM dream_dialogs") == []
    assert Hooks().run(store, now=2.0).heard


HOST = """
import random, sys, threading
MODE = {mode!r}
random.seed(11)
if MODE != "absent":
    import dream
    if MODE != "dead":
        dream.init_dream("leo.sqlite3", {origin!r}, [])
def generate(seed, temperature, semantic_weight):
    if MODE == "mute":
        raise TypeError("an unexpected keyword")
    return " ".join(random.choice(seed.split() or ["x"]) for _ in range(8))
for turn in range(60):
    words = [random.choice("sea storm ship lamp night".split()) for _ in range(6)]
    print(" ".join(words))
    if MODE != "absent":
        ctx = dream.DreamContext(prompt="say " + str(turn), reply=" ".join(words), trauma_level=0.9)
        dream.maybe_run_dream(ctx, generate, lambda text: random.random(), "leo.sqlite3",
                              dream.DreamConfig(min_interval_seconds=0), float(turn))
if MODE == "on":
    assert dream.get_dream_stats("leo.sqlite3")["total_dialogs"] > 5
assert threading.active_count() == 1
assert not {{"numpy", "pydantic", "msgpack", "zmq", "schemas", "actors"}} & set(sys.modules)
"""


def test_replies_are_the_same_with_the_friend_on_mute_dead_and_absent(tmp_path):
    said = {}
    for mode in ("absent", "on", "mute", "dead"):
        folder = tmp_path / mode
        folder.mkdir()
        (folder / "dream.py").write_text(SOURCE.read_text())
        (folder / "host.py").write_text(HOST.format(mode=mode, origin=ORIGIN))
        run = subprocess.run(
            [sys.executable, "-W", "error", "-I", "-c", "import sys; sys.path.insert(0, '.'); import host"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (run.returncode, run.stderr) == (0, "")
        said[mode] = run.stdout

    assert len(said["absent"].splitlines()) == 60
    assert len(set(said.values())) == 1


def test_two_processes_hold_one_dialogue(tmp_path):
    (tmp_path / "dream.py").write_text(SOURCE.read_text())
    dream.init_dream(tmp_path / "leo.sqlite3", ORIGIN)
    script = (
        "import sys; sys.path.insert(0, '.'); import dream\n"
        "sys.stdin.readline()\n"
        "ctx = dream.DreamContext(prompt='p', reply='r', trauma_level=0.9)\n"
        "rules = dream.DreamConfig(trigger_probability=1.0)\n"
        "dream.maybe_run_dream(ctx, lambda *a: 'a storm of words', lambda t: None, 'leo.sqlite3', rules, 1000.0)\n"
    )
    command = [sys.executable, "-I", "-c", script]
    both = [subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()

    for process in both:
        process.communicate(timeout=60)

    assert [process.returncode for process in both] == [0, 0]
    assert rows(tmp_path / "leo.sqlite3", "SELECT COUNT(*) FROM dream_dialogs") == [(1,)]


def test_a_host_that_is_never_idle_drops_the_oldest_moments_and_counts_them(store):
    hooks = [Hooks().run(store, now=float(now), is_deferred=True) for now in range(70)]

    dream.serve_dream()

    assert dream.get_dream_stats(store)["declined"] == {"overflow": 6, "hook": 0}
    assert [index for index, each in enumerate(hooks) if each.heard] == [69]
