"""What a night reads of a home: the right rows of the right day, and no trace left."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from actors.nightly_observer.day import DAY_NS
from actors.nightly_observer.looking import look_at
from bus.core import Fired, MessageRef
from schemas.dream_seeds import SEED_TYPES
from tests.actors.nightly_observer.days import FROM_NS, TO_NS, anchors, runtime_settings
from tests.actors.nightly_observer.written_home import NOON_NS, RUN, WrittenHome, dream_id

EPISODE = Fired("episode")
HEARD = MessageRef("pool-keeper", 1, 1)


@pytest.fixture
def home(tmp_path: Path) -> WrittenHome:
    return WrittenHome(tmp_path)


def test_dreams_are_of_the_day_in_which_the_log_says_they_were_stored(home: WrittenHome) -> None:
    home.dream(1, FROM_NS - 1)
    home.dream(2, FROM_NS - 5, logged=False)
    home.log("persist", event="stored", ts_ns=FROM_NS, sequence=2)
    home.dream(3, TO_NS - 1)
    home.dream(4, TO_NS)
    home.copy()

    day = home.read()

    assert day.pool.ids == tuple(dream_id(number) for number in (1, 2, 3))
    assert day.pool.in_window.tolist() == [False, True, True]
    assert (day.bounds.dreams, day.bounds.inserted) == (3, 2)


def test_what_left_before_the_end_of_the_day_is_not_in_the_pool(home: WrittenHome) -> None:
    for number, ts_ns in ((1, FROM_NS - DAY_NS), (2, FROM_NS - DAY_NS), (3, NOON_NS), (4, NOON_NS)):
        home.dream(number, ts_ns)
    for number, ts_ns in ((1, NOON_NS), (2, TO_NS), (3, NOON_NS + 1)):
        home.evict(number, ts_ns)
    home.copy()

    day = home.read()

    assert day.pool.ids == tuple(dream_id(number) for number in (2, 3, 4))
    assert day.pool.is_live.tolist() == [True, False, True]
    assert (day.bounds.dreams, day.bounds.evicted) == (2, 2)


def test_equal_tensors_parents_and_factoids_become_equal_numbers(home: WrittenHome) -> None:
    same = np.full((4, 4, 1, 3), 0.5, dtype=np.float32)
    seed = '{"seed":{"run":1,"ordinal":1},"episode":7,"seeded":{"image":3}}'
    home.dream(1, FROM_NS - 1, tensor=same)
    for number in (2, 3):
        home.dream(number, tensor=same, parents=f'["{dream_id(1)}"]', metadata_json=seed, factoid_ids='["f"]')
    home.dream(4, parents=f'["{dream_id(1)}"]', metadata_json=seed.replace("7", "8"))
    home.copy()

    pool = home.read().pool

    assert pool.tensor[0] == pool.tensor[1] == pool.tensor[2] != pool.tensor[3]
    assert pool.lineage.tolist()[0] == -1
    assert pool.lineage[1] == pool.lineage[2] != pool.lineage[3]
    assert pool.parents.tolist() == [[1, 0], [2, 0], [3, 0]]
    assert pool.factoids.tolist() == [[1, 0], [2, 0]]


def test_tensors_are_compared_where_the_snapshot_holds_both(home: WrittenHome) -> None:
    rng = np.random.default_rng(1)
    first, second = rng.random((2, 4, 4, 1, 3), dtype=np.float32)
    home.dream(1, tensor=first)
    home.dream(2, tensor=second)
    home.copy()
    wanted = float(np.dot(first.ravel(), second.ravel()) / np.linalg.norm(first) / np.linalg.norm(second))

    with_both = home.read().tensors.cosine(0, 1)
    home.copy(tensor_bytes=0)

    assert with_both == pytest.approx(wanted, abs=1e-6)
    assert home.read().tensors.cosine(0, 1) is None


def test_feedback_and_answers_are_told_by_row_and_only_up_to_the_end_of_the_day(home: WrittenHome) -> None:
    home.dream(1, FROM_NS - 1)
    home.dream(2)
    home.feedback(2, 0.5, NOON_NS + 5)
    home.feedback(1, -0.5, NOON_NS)
    home.feedback(1, 0.25, TO_NS)
    home.feedback(9, 0.25)
    home.log("feedback", event="refused", ts_ns=NOON_NS, reason="no")
    home.answer(2, 1, 9)
    home.answer(1, ts_ns=TO_NS)
    home.copy()

    day = home.read()

    assert day.feedback.row.tolist() == [0, 1]
    assert day.feedback.utility.tolist() == [-0.5, 0.5]
    assert [day.answers.of(at).tolist() for at in range(len(day.answers))] == [[1, 0]]
    assert day.unknown_dreams == 2
    assert dict(day.lines) == {
        f"logs/interface/{n}.jsonl": k for n, k in (("persist", 1), ("retrieval", 1), ("feedback", 4))
    }


def test_feedback_of_before_the_history_is_that_of_the_snapshot(home: WrittenHome) -> None:
    home.dream(1, FROM_NS - 20 * DAY_NS)
    home.feedback(1, 1.0)
    with home.pool() as pool:
        for days, utility in ((10, 0.5), (3, 0.75)):
            row = (dream_id(1), f"q{days}", utility, 0.5, FROM_NS - days * DAY_NS, "learner", "b", None, RUN)
            pool.execute("INSERT INTO feedback VALUES (?,?,?,?,?,?,?,?,?)", row)
    home.copy()

    assert home.read().feedback.utility.tolist() == [0.5, 1.0]


def test_pins_and_compactions_are_those_at_the_end_of_the_day(home: WrittenHome) -> None:
    for number in (1, 2, 3):
        home.dream(number, FROM_NS - 1)
    with home.pool() as pool:
        for number, is_pinned, ts_ns in ((1, 1, 5), (2, 1, 5), (2, 0, NOON_NS), (3, 1, TO_NS)):
            pool.execute("INSERT INTO pins VALUES (NULL, ?, ?, ?, ?)", (dream_id(number), is_pinned, ts_ns, RUN))
        for ts_ns in (NOON_NS, 7, TO_NS):
            pool.execute("INSERT INTO compactions VALUES (NULL, ?, 1, 1, ?)", (ts_ns, RUN))
    home.copy()

    day = home.read()

    assert day.pool.is_pinned.tolist() == [True, False, False]
    assert day.bounds.compactions_ns == (7, NOON_NS)


def test_the_limits_of_the_pool_are_those_of_the_newest_run(home: WrittenHome) -> None:
    home.manifest("20300101T000000Z-0001", FROM_NS - 9 * DAY_NS, max_dreams=5)
    home.manifest(RUN, FROM_NS, max_dreams=70, max_mib=2)
    home.manifest("20300401T000000Z-0003", TO_NS, max_dreams=9)
    home.copy()

    bounds = home.read().bounds

    assert (bounds.max_dreams, bounds.max_bytes) == (70, 2 * 1024 * 1024)


def test_a_log_that_grows_after_the_day_has_the_same_digest(home: WrittenHome) -> None:
    home.dream(1)
    home.feedback(1, 0.5)
    home.copy()
    before = home.read()
    home.feedback(1, 0.5, TO_NS)

    after = home.read()

    assert after.inputs.digest() == before.inputs.digest()
    assert [file.size_bytes for file in after.inputs.files] != [file.size_bytes for file in before.inputs.files]


def test_one_changed_byte_of_a_log_changes_the_digest(home: WrittenHome) -> None:
    home.dream(1)
    home.feedback(1, 0.5)
    home.copy()
    before = home.read().inputs.digest()
    path = home.root / "logs" / "interface" / "feedback.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"utility":0.5', b'"utility":0.6'))

    assert home.read().inputs.digest() != before


def test_what_the_keeper_never_committed_is_not_read(home: WrittenHome) -> None:
    home.dream(1)
    home.feedback(1, 0.5)
    size = (home.root / "logs" / "interface" / "feedback.jsonl").stat().st_size
    with home.pool() as pool:
        pool.execute("INSERT INTO progress VALUES ('log', '', 'feedback', 0, ?)", (size,))
    home.copy()
    home.feedback(1, 0.75)

    assert home.read().feedback.utility.tolist() == [0.5]


def test_reading_changes_nothing_of_the_home(home: WrittenHome) -> None:
    home.manifest()
    home.dream(1)
    home.feedback(1, 0.5)
    home.run.step("dreamer", 0, EPISODE)
    home.copy()
    with closing(sqlite3.connect(home.snapshot)) as snapshot:
        snapshot.execute("PRAGMA journal_mode = WAL")

    def listing() -> dict[str, tuple[int, ...]]:
        found = {path: path.stat() for path in home.root.rglob("*")}
        return {str(path): (s.st_size, s.st_mtime_ns, s.st_mode, s.st_ino) for path, s in found.items()}

    before = listing()
    home.read()

    assert listing() == before


def test_a_day_that_was_read_can_fire_every_type_of_seed(home: WrittenHome) -> None:
    same = np.full((4, 4, 1, 3), 0.5, dtype=np.float32)
    colours = ((0.9, 0.1, 0.1), (0.1, 0.9, 0.1), (0.1, 0.1, 0.9), (0.9, 0.9, 0.1))
    home.manifest(max_dreams=40)
    for number in range(1, 37):
        group = (number - 1) // 9
        measures = dict(zip(("chroma_r", "chroma_g", "chroma_b"), colours[group], strict=True))
        twin = {"tensor": same} if number in (30, 31) else {}
        home.dream(number, coherence=number / 50, **measures, **twin)
        home.feedback(number, (-1.0) ** number if group == 0 else 0.9 + number / 1000)
        home.run.step("dreamer", number, EPISODE)
    for _ in range(4):
        home.answer(1, 20, 21)
    home.copy()

    seeds = look_at(home.read(), runtime_settings(), anchors()).seeds

    assert {seed.seed_type for seed in seeds} == set(SEED_TYPES)
