"""What a night counts as its inputs, and that a change of any of them is seen (dossier, R32, R35; must be shown 1)."""

import json
import shutil
import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest

from actors.nightly_observer.collectors.log_lines import LogLines
from actors.nightly_observer.collectors.span import Span, Troubles
from actors.nightly_observer.core import NightlyObserver
from actors.nightly_observer.sealing import new_identity
from bus.core import Fired, MessageRef, Received
from schemas.night import DAY_NS, SnapshotReady, begin_of
from schemas.night_places import SNAPSHOT_FILE, inputs_folder, night_folder
from tests.actors.nightly_observer.days import FROM_NS, TO_NS
from tests.actors.nightly_observer.lived_home import DATE, a_home, lived
from tests.actors.nightly_observer.written_home import NOON_NS, RUN, WrittenHome, dream_id, tonight
from tests.night_examples import DATE as EXAMPLE
from tests.night_examples import NIGHT_ID, changed, request

SETTINGS = changed(storage__encrypt=False)


@pytest.fixture
def home(tmp_path: Path) -> WrittenHome:
    return a_home(tmp_path / "home")


def state_of(root: Path) -> dict[str, tuple]:
    """All of a home but what nights write, as it stands on the disk."""
    found = {}
    for path in sorted(root.rglob("*")):
        if "artifacts" not in path.parts:
            told = path.stat()
            content = path.read_bytes() if path.is_file() else b""
            found[str(path)] = (told.st_mode, told.st_size, told.st_mtime_ns, told.st_ino, content)
    return found


def inputs(home: WrittenHome, **changes: object) -> dict[str, str]:
    return {each["path"]: each["sha256"] for each in lived(home, SETTINGS, mode="replay", **changes)["manifest"]}


def snapshot_of(home: WrittenHome) -> Path:
    return home.root / inputs_folder(DATE) / SNAPSHOT_FILE


def test_no_input_is_touched_and_nothing_is_made_beside_one(home: WrittenHome) -> None:
    before = state_of(home.root)

    lived(home, SETTINGS)

    assert state_of(home.root) == before
    assert [name for name in before if name.endswith(("-wal", "-shm"))] == []


def test_the_manifest_names_the_snapshot_the_run_and_all_logs(home: WrittenHome) -> None:
    told = inputs(home)

    logs = {f"logs/interface/{name}.jsonl" for name in ("persist", "retrieval", "feedback")}
    assert {"snapshot", f"runs/{RUN}/manifest.json", "logs/refusals/pool-keeper.jsonl", *logs} <= set(told)


CHANGES = {
    "coherence": ("UPDATE dreams SET coherence = 0.7 WHERE sequence = 3", True),
    "tensor": ("UPDATE dreams SET tensor_sha256 = x'00' WHERE sequence = 11", True),
    "one less": ("DELETE FROM dreams WHERE sequence = 2", True),
    "parents": ("UPDATE dreams SET parents = '[]' WHERE sequence = 5", True),
    "factoids": ("UPDATE dreams SET factoid_ids = '[\"other\"]' WHERE sequence = 5", True),
    "pinned": ("pins", True),
    "energy": ("UPDATE dreams SET energy = 0.9 WHERE sequence = 3", False),
}


@pytest.mark.parametrize(("sql", "is_seen"), CHANGES.values(), ids=CHANGES)
def test_another_row_of_the_snapshot_is_another_input(home: WrittenHome, sql: str, is_seen: bool) -> None:
    before = inputs(home)
    with closing(sqlite3.connect(snapshot_of(home), isolation_level=None)) as snapshot:
        if sql == "pins":
            columns = [row[1] for row in snapshot.execute("PRAGMA table_info(pins)")]
            cells = {"serial": 1, "entry_id": dream_id(4), "is_pinned": 1, "ts": NOON_NS}
            values = [cells.get(name, "") for name in columns]
            snapshot.execute(f"INSERT INTO pins VALUES ({', '.join('?' * len(columns))})", values)
        else:
            snapshot.execute(sql)

    after = inputs(home)

    assert (after["snapshot"] != before["snapshot"]) == is_seen
    assert {name for name in before if before[name] != after[name]} <= {"snapshot"}


def test_a_later_copy_of_the_same_day_is_the_same_input(home: WrittenHome) -> None:
    before = inputs(home)
    home.dream(50, TO_NS + 5)
    home.evict(3, TO_NS + 9)
    home.feedback(4, 0.25, TO_NS + 10)
    home.copy()
    shutil.copyfile(home.snapshot, snapshot_of(home))

    assert inputs(home) == before


def test_an_altered_line_changes_what_is_committed_to_and_names_its_log(home: WrittenHome) -> None:
    block = lived(home, SETTINGS)["report"]["block"]
    before = inputs(home)
    log = home.root / "logs" / "interface" / "feedback.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"utility":0.5', b'"utility":0.6', 1))

    replayed = lived(home, SETTINGS, mode="replay")

    after = {each["path"]: each["sha256"] for each in replayed["manifest"]}
    assert replayed["replay"]["content_commits"] != block["content_commits"]
    assert {name for name in before if before[name] != after[name]} == {"logs/interface/feedback.jsonl"}


def test_the_doors_of_the_observer_are_not_looked_at(home: WrittenHome) -> None:
    before = inputs(home)
    line = {"ts_ns": NOON_NS, "kind": "handshake", "reason": "the key is x", "count": 1, "left_out_before": 0}
    (home.root / "logs" / "refusals" / "nightly-observer.jsonl").write_text(json.dumps(line) + "\n")

    assert inputs(home) == before


def test_what_the_observer_asks_of_the_keeper_is_no_opportunity_of_a_guard(tmp_path: Path) -> None:
    counts = []
    for sender in ("learner", "nightly-observer"):
        home = WrittenHome(tmp_path / sender)
        home.manifest()
        home.run.step("pool-keeper", 0.0, MessageRef(sender, 1, 1))
        home.copy()
        counts.append(tonight(home.read(), "acl_reject"))

    assert [None if each is None else each.n for each in counts] == [1, None]


@pytest.mark.parametrize(("taken_at_ns", "is_partial"), [(-1, True), (0, False)])
def test_a_night_knows_whether_its_day_was_over_when_it_was_copied(taken_at_ns: int, is_partial: bool) -> None:
    end_ns = begin_of(EXAMPLE) + DAY_NS
    observer = NightlyObserver()
    observer.handle(Received(MessageRef("supervisor", 1, 1), request()), end_ns + 5)
    ready = SnapshotReady(
        night_id=NIGHT_ID,
        date=EXAMPLE,
        sha256="ab" * 32,
        size_bytes=1,
        pool_sequence=1,
        taken_at_ns=end_ns + taken_at_ns,
        is_kept=True,
        problem=None,
    )

    outcome = observer.handle(Received(MessageRef("pool-keeper", 1, 2), ready), end_ns + 9)

    assert [json.loads(ask.data)["is_partial"] for ask in outcome.asks] == [is_partial]


@pytest.mark.parametrize(("now_ns", "is_partial"), [(-1, True), (0, False)])
def test_without_a_copy_the_moment_of_asking_decides(now_ns: int, is_partial: bool) -> None:
    observer, end_ns = NightlyObserver(), begin_of(EXAMPLE) + DAY_NS
    eqnet = request(night_id="eqnet", source="eqnet", root="/eqnet")

    outcome = observer.handle(Received(MessageRef("supervisor", 1, 1), eqnet), end_ns + now_ns)
    late = NightlyObserver()
    late.handle(Received(MessageRef("supervisor", 1, 1), request()), 0)
    told = [late.handle(Fired("snapshot"), end_ns + now_ns) for _ in range(5)]

    assert [json.loads(ask.data)["is_partial"] for ask in (*outcome.asks, *told[-1].asks)] == [is_partial] * 2


def test_a_partial_night_says_so_in_its_file_and_its_line(home: WrittenHome) -> None:
    report = lived(home, SETTINGS, is_partial=True)["report"]

    told = json.loads((home.root / night_folder(DATE) / "nightly.json").read_text())
    assert (told["dream"]["is_partial"], report["block"]["is_partial"]) == (True, True)
    assert told["dream"]["renderer_version"] == "1"


def test_a_sealed_night_does_not_read_the_dreams_of_others(home: WrittenHome) -> None:
    _, recipient = new_identity()
    earlier = home.root / night_folder("2030-03-16")
    before = lived(home, changed(storage__recipients=[recipient]))["report"]["block"]
    earlier.mkdir()
    (earlier / "0001-0123456789ab.age").write_bytes(b"age-encryption.org/v1\nanother's")

    after = lived(home, changed(storage__recipients=[recipient]))["report"]["block"]

    assert after["content_commits"] == before["content_commits"]


def test_a_long_log_is_read_line_by_line(tmp_path: Path) -> None:
    line = json.dumps({"ts_ns": FROM_NS + 1, "event": "answered", "entry_ids": ["x" * 100]}).encode() + b"\n"
    (tmp_path / "log").write_bytes(line * 20_000)
    lines = LogLines(tmp_path, "log", Span(FROM_NS, TO_NS), Troubles())
    tracemalloc.start()
    try:
        count = sum(1 for _ in lines)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert count == 20_000
    assert most < len(line) * 20_000 / 2
