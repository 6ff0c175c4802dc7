"""Absent and damaged input is counted and named, and nothing is raised for it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from actors.nightly_observer.day import ABSENT, UNREADABLE, Problem
from actors.nightly_observer.looking import look_at
from bus.core import Fired, MessageRef
from tests.actors.nightly_observer.days import anchors, runtime_settings
from tests.actors.nightly_observer.written_home import NOON_NS, RUN, WrittenHome, dream_id, problems, tonight

EPISODE = Fired("episode")
HEARD = MessageRef("pool-keeper", 1, 1)


@pytest.fixture
def home(tmp_path: Path) -> WrittenHome:
    return WrittenHome(tmp_path)


def test_a_home_without_anything_is_a_day_with_problems_and_without_seeds(tmp_path: Path) -> None:
    home = WrittenHome(tmp_path / "home")

    day = home.read()

    assert problems(day)["snapshot"] == ABSENT
    assert not day.is_readable
    assert look_at(day, runtime_settings(), anchors()).seeds == ()


@pytest.mark.parametrize("damage", ["cut", "zeros", "text"])
def test_a_snapshot_that_is_damaged_is_named_and_raises_nothing(home: WrittenHome, damage: str) -> None:
    for number in range(1, 200):
        home.dream(number)
    home.copy()
    data = home.snapshot.read_bytes()
    middle = len(data) // 3
    told = {"cut": data[:middle], "zeros": data[:middle] + bytes(len(data) - middle), "text": b"no database at all"}
    home.snapshot.write_bytes(told[damage])

    day = home.read()

    assert UNREADABLE in problems(day).values()
    assert not day.is_readable


def test_a_snapshot_that_lacks_a_table_is_read_without_it(home: WrittenHome) -> None:
    home.dream(1)
    home.copy()
    with closing(sqlite3.connect(home.snapshot, isolation_level=None)) as snapshot:
        for table in ("tombstones", "pins", "tensors", "feedback"):
            snapshot.execute(f"DROP TABLE {table}")

    day = home.read()

    assert (len(day.pool), day.is_readable) == (1, True)
    assert {problem.what for problem in day.problems if problem.source == "snapshot"} == {
        "table feedback is lacking", "table pins is lacking", "table tombstones is lacking",
    }  # fmt: skip


def test_dreams_with_impossible_numbers_are_counted_and_left_out(home: WrittenHome) -> None:
    home.dream(1)
    home.dream(2, coherence=1.5)
    home.dream(3, chroma_r="red")
    home.dream(4, spectral_entropy=float("inf"))
    home.copy()

    day = home.read()

    assert day.pool.ids == (dream_id(1),)
    assert Problem("snapshot", "dream of another form", 3) in day.problems


def test_bad_lines_are_counted_and_the_others_read(home: WrittenHome) -> None:
    home.dream(1)
    home.raw("feedback", b"\xef\xbb\xbf")
    home.feedback(1, 0.5)
    home.raw("feedback", b'{"ts_ns":1\n\xff\xfe\n\n[]\n')
    home.raw("feedback", b'{"event":"stored","ts_ns":%d,"utility":NaN}\n' % NOON_NS)
    home.raw("feedback", b'{"event":"stored","ts_ns":%d,"utility":1e999}\r\n' % NOON_NS)
    home.feedback(1, 0.25, contribution="much")
    home.feedback(1, 1e300)
    home.feedback(1, 10**400)
    home.feedback(1, 0.75)
    home.raw("feedback", b'{"event":"stored","ts_ns":%d' % NOON_NS)
    home.copy()

    day = home.read()

    assert day.feedback.utility.tolist() == [0.5, 0.75]
    assert {problem[1:] for problem in day.problems if problem.source == "logs/interface/feedback.jsonl"} == {
        ("line is no record", 3), ("record of another form", 4), ("line without an end", 1),
    }  # fmt: skip


def test_a_manifest_of_a_run_that_cannot_be_read_is_named(home: WrittenHome) -> None:
    home.manifest()
    (home.root / "runs" / RUN / "manifest.json").write_text("{")
    home.copy()

    assert problems(home.read())[f"runs/{RUN}/manifest.json"] == UNREADABLE


def test_a_damaged_stretch_of_a_journal_is_counted_and_the_rest_read(home: WrittenHome) -> None:
    home.manifest()
    for number in range(6):
        home.run.step("dreamer", number, EPISODE)
    path = home.run.path("dreamer")
    data = bytearray(path.read_bytes())
    data[len(data) * 3 // 4] ^= 1
    path.write_bytes(data)
    home.copy()

    day = home.read()

    assert problems(day)[f"journal/{RUN}/dreamer"] == "damaged stretch"
    told = tonight(day, "coherence_reject")
    assert told is not None and 4 <= told.n <= 5


def test_a_link_in_place_of_a_log_is_not_followed(home: WrittenHome) -> None:
    home.dream(1)
    home.feedback(1, 0.5)
    path = home.root / "logs" / "interface" / "feedback.jsonl"
    path.rename(home.root / "elsewhere")
    os.symlink(home.root / "elsewhere", path)
    home.copy()

    assert problems(home.read())["logs/interface/feedback.jsonl"] == UNREADABLE
