"""The pool file: one writer, all or nothing, and back at its last commit after any end."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.pool_keeper import schema
from actors.pool_keeper.connection import StoreSettings
from actors.pool_keeper.errors import (
    PoolDamagedError,
    PoolError,
    PoolFullError,
    PoolHeldError,
    PoolVersionError,
)
from actors.pool_keeper.store import PoolStore
from bus.codec import encode_body
from bus.core import Cursor, StepPosition, StoreFullError
from schemas.feedback import FeedbackBatch, FeedbackRecord
from schemas.ids import derived_id
from schemas.retrieval import BatchRequest

SETTINGS = StoreSettings("20260101T000000Z-0001", 4096, 1024 * 1024, False, "segments", 1024 * 1024, 0.5)
POOL = Path("pool") / "dream_pool.sqlite"


def outside(home: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{home / POOL}?mode=ro", uri=True)


def test_position_and_cursors_are_committed_with_the_data(open_keeper: Any, dream: Any) -> None:
    keeper = open_keeper()
    assert keeper.store.position() is None
    keeper.say(dream(1), "dreamer")
    keeper.store.commit(StepPosition(3, 7), {"dreamer": Cursor(2, 9), "learner": Cursor(1, 4)})
    keeper.say(dream(2), "dreamer")
    keeper.store.close()

    again = open_keeper()

    assert again.store.position() == StepPosition(3, 7)
    assert again.store.cursors() == {"dreamer": Cursor(2, 9), "learner": Cursor(1, 4)}
    assert again.core.figures()["dreams_total"] == 1, "what was not committed is gone"


def test_each_run_has_its_own_position_and_all_share_the_dreams(open_keeper: Any, dream: Any) -> None:
    first = open_keeper()
    first.dream(dream(1))
    first.store.close()

    second = open_keeper(run="20260102T000000Z-0002")

    assert second.store.position() is None
    assert second.store.cursors() == {}
    assert second.core.figures()["dreams_total"] == 1


def test_handling_again_after_a_kill_says_the_same(open_keeper: Any, dream: Any, query: Any) -> None:
    # design, section 3: one commit for effect and cursors; the rest is handled again and must come out the same
    record = FeedbackRecord(query_id=query().query_id, entry_id=dream(1).id, utility=0.1, contribution=0.2, notes=None)
    inputs = [
        (dream(2), "dreamer"),
        (query(exploration=0.5, k=2), "learner"),
        (BatchRequest(query_id=query().query_id, entry_ids=(dream(1).id, dream(2).id)), "learner"),
        (FeedbackBatch(batch_id=derived_id("batch"), records=(record, record)), "learner"),
        (dream(2), "dreamer"),
    ]
    keeper = open_keeper()
    keeper.dream(dream(1))
    before = [keeper.say(message, sender) for message, sender in inputs]
    keeper.store.close()
    again = open_keeper()

    after = [again.say(message, sender) for message, sender in inputs]
    again.commit()

    assert [[(s.to, encode_body(s.message), s.payload_origins) for s in o.sends] for o in before] == [
        [(s.to, encode_body(s.message), s.payload_origins) for s in o.sends] for o in after
    ]
    assert [o.refusal for o in before] == [o.refusal for o in after]
    assert len(again.log("persist")) == 3
    assert again.core.figures()["duplicates"] == 1


def test_a_second_writer_is_refused_and_readers_are_welcome(open_keeper: Any, dream: Any) -> None:
    # seed 000, section 7 and issue: sole writer
    keeper = open_keeper()
    keeper.dream(dream(1))

    with pytest.raises(PoolHeldError, match=str(os.getpid())):
        PoolStore(keeper.home, SETTINGS)

    reader = outside(keeper.home)
    assert reader.execute("SELECT count(*) FROM dreams").fetchone() == (1,)
    keeper.dream(dream(2))
    assert reader.execute("SELECT count(*) FROM dreams").fetchone() == (2,)
    reader.close()


def test_a_file_of_the_future_is_refused_untouched(open_keeper: Any) -> None:
    # seed 000, section 9: versioning
    keeper = open_keeper()
    keeper.store.close()
    with sqlite3.connect(keeper.home / POOL) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(PoolVersionError, match=f"version 99, this program knows {schema.VERSION}"):
        PoolStore(keeper.home, SETTINGS)

    with sqlite3.connect(keeper.home / POOL) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION}")
    connection.close()
    assert open_keeper().core.figures()["dreams_total"] == 0


def test_an_older_file_is_lifted_step_by_step() -> None:
    # seed 000, section 9: migrate
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(connection, 0)
    connection.execute("INSERT INTO lineage VALUES ('a', 'b')")

    def add_note(target: schema.Executor) -> None:
        target.execute("ALTER TABLE lineage ADD COLUMN note TEXT")

    schema.migrate(connection, schema.VERSION, (*schema.MIGRATIONS, add_note))

    assert connection.execute("SELECT * FROM lineage").fetchall() == [("a", "b", None)]
    assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION + 1,)
    assert connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone() == (
        str(schema.VERSION + 1),
    )
    with pytest.raises(PoolVersionError):
        schema.migrate(connection, schema.VERSION + 1)
    connection.close()


def test_a_file_that_is_no_pool_is_refused_by_name(tmp_path: Path) -> None:
    for content in (b"something else entirely" * 100, None):
        home = tmp_path / str(content is None)
        (home / "pool").mkdir(parents=True)
        if content is None:
            with sqlite3.connect(home / POOL) as connection:
                connection.execute("CREATE TABLE theirs(x)")
            connection.close()
        else:
            (home / POOL).write_bytes(content)

        with pytest.raises(PoolDamagedError, match=r"dream_pool\.sqlite"):
            PoolStore(home, SETTINGS)


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "pool").write_text("a file where a folder belongs")

    with pytest.raises(PoolError, match="pool"):
        PoolStore(tmp_path, SETTINGS)


def test_a_full_disk_takes_back_everything_since_the_commit(keeper: Any, dream: Any, query: Any) -> None:
    # issue 2, bad input: full disk; nothing that was accepted is lost
    keeper.dream(dream(1))
    pages = int(str(keeper.store.row("PRAGMA page_count")[0]))
    keeper.store.row(f"PRAGMA max_page_count = {pages + 2}")
    lines = keeper.log("persist")

    def fill() -> None:
        for number in range(2, 60):
            keeper.say(dream(number), "dreamer")
        keeper.commit()

    with pytest.raises(PoolFullError, match="full") as caught:
        fill()

    assert isinstance(caught.value, StoreFullError)
    assert keeper.core.figures()["dreams_total"] == 1
    assert keeper.log("persist") == lines
    keeper.store.row("PRAGMA max_page_count = 1000000")
    keeper.dream(dream(2))
    assert len(keeper.ask(query()).entries) == 2
    assert [line["id"] for line in keeper.log("persist")] == [dream(1).id, dream(2).id]


def test_a_log_on_a_full_disk_takes_back_the_commit(tmp_path: Path, open_keeper: Any, dream: Any) -> None:
    folder = tmp_path / "home" / "logs" / "interface"
    folder.mkdir(parents=True)
    (folder / "persist.jsonl").symlink_to("/dev/full")
    keeper = open_keeper()
    keeper.say(dream(1), "dreamer")

    with pytest.raises(PoolFullError, match="full"):
        keeper.commit()

    assert keeper.core.figures()["dreams_total"] == 0
    assert keeper.store.row("SELECT count(*) FROM dreams") == (0,)


def test_queries_use_the_indices(keeper: Any, dream: Any) -> None:
    # seed 000, section 7: indices on (coherence DESC), (ts DESC), (chroma_r, chroma_g, chroma_b)
    keeper.dream(*(dream(number) for number in range(5)))
    expected = {
        "SELECT id FROM dreams ORDER BY coherence DESC LIMIT 8": "dreams_by_coherence",
        "SELECT id FROM dreams WHERE coherence >= 0.7": "dreams_by_coherence",
        "SELECT id FROM dreams ORDER BY ts DESC LIMIT 8": "dreams_by_ts",
        "SELECT id FROM dreams WHERE chroma_r = 0.5 AND chroma_g > 0.1": "dreams_by_chroma",
        "SELECT sequence FROM dreams WHERE id = 'x'": "sqlite_autoindex_dreams",
        "SELECT tensor_blob FROM dreams WHERE sequence = 1": "INTEGER PRIMARY KEY",
        "SELECT 1 FROM feedback WHERE query_id = 'q' AND entry_id = 'e' AND learner = 'l'": "autoindex_feedback",
        "SELECT entry_ids FROM retrievals WHERE query_id = 'q' AND learner = 'l'": "retrievals_by_query",
        "SELECT 1 FROM bias_profiles WHERE profile_id = 'p'": "PRIMARY KEY",
        "SELECT seq FROM cursors WHERE run_id = 'r'": "PRIMARY KEY",
    }

    plans = {sql: str(keeper.store.row(f"EXPLAIN QUERY PLAN {sql}")) for sql in expected}

    assert {sql: index in plans[sql] for sql, index in expected.items()} == dict.fromkeys(expected, True), plans


def test_upkeep_folds_the_log_in_and_changes_nothing(tmp_path: Path, dream: Any) -> None:
    now = [0.0]
    store = PoolStore(tmp_path, SETTINGS, clock=lambda: now[0])
    wal = tmp_path / f"{POOL}-wal"
    store.log("persist", {"event": "test"})
    store.commit(StepPosition(1, 1), {})

    store.maintain()
    assert wal.stat().st_size > 0, "a small log is left alone while things are going on"
    now[0] = 3.0
    store.maintain()

    assert wal.stat().st_size == 0
    assert store.position() == StepPosition(1, 1)
    store.close()


def test_the_write_ahead_log_stays_bounded(keeper: Any, dream: Any) -> None:
    metadata = '{"schema_version": 1, "text": "' + "x" * 9000 + '"}'

    for group in range(20):
        keeper.dream(*(dream(20 * group + number, metadata_json=metadata) for number in range(20)))

    assert (keeper.home / f"{POOL}-wal").stat().st_size < 3 * SETTINGS.checkpoint_bytes


def test_start_does_not_read_the_blobs(open_keeper: Any, dream: Any, query: Any) -> None:
    keeper = open_keeper()
    keeper.dream(dream(1), dream(2))
    keeper.store.close()
    with sqlite3.connect(keeper.home / POOL) as connection:
        connection.execute("UPDATE dreams SET tensor_blob = zeroblob(0), tensor_sha256 = zeroblob(0), ts = -1")
    connection.close()

    again = open_keeper()

    assert again.core.figures()["dreams_total"] == 2
    assert again.core.figures()["blob_bytes"] == len(dream(1).tensor_blob) + len(dream(2).tensor_blob)


CHILD = """
import sys
from pathlib import Path
from conftest import Keeper, make_dream
keeper = Keeper(Path(sys.argv[1]))
first = keeper.core.figures()["dreams_total"]
for number in range(first, first + 100000):
    keeper.say(make_dream(number), "dreamer")
    if number % 3 == 0:
        keeper.commit()
        print(number, flush=True)
"""


def test_kill_minus_nine_leaves_log_and_pool_telling_the_same(tmp_path: Path, open_keeper: Any, dream: Any) -> None:
    # seed 000, section 9: atomic writes
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[3])])
    for acknowledged in (1, 4, 9, 15):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        ) as child:
            assert child.stdout is not None
            last = [int(child.stdout.readline()) for _ in range(acknowledged)][-1]
            child.send_signal(signal.SIGKILL)

        keeper = open_keeper(tmp_path)

        stored = [line["id"] for line in keeper.log("persist")]
        rows = keeper.store.row("SELECT count(*), max(sequence) FROM dreams")
        assert rows == (len(stored), len(stored))
        assert stored == [dream(number).id for number in range(len(stored))]
        assert len(stored) > last, "what was acknowledged is there"
        assert keeper.store.row("PRAGMA integrity_check") == ("ok",)
        keeper.store.close()


def test_a_run_that_only_looks_leaves_the_pool_as_it_was(open_keeper: Any, dream: Any, tmp_path: Path) -> None:
    first = open_keeper()
    first.dream(dream(1))
    first.store.close()
    pool = tmp_path / "home" / POOL
    before = pool.read_bytes()

    looking = open_keeper(run="20260102T000000Z-0002")
    looking.store.commit(StepPosition(1, 3), {"nightly-observer": Cursor(1, 1)})
    looking.store.close()

    assert pool.read_bytes() == before
    assert open_keeper(run="20260102T000000Z-0002").store.position() is None
