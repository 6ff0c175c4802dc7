"""The copy of the pool that a night looks at: whole, of one moment, for the user alone, and made beside the steps."""

import json
import select
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from actors.pool_keeper.nights import SNAPSHOT
from actors.pool_keeper.snapshotting import SnapshotWorld
from bus.core import Ask, Observed, Outcome
from schemas.feedback import FeedbackBatch, FeedbackRecord
from schemas.ids import derived_id
from schemas.night import DAY_NS, SnapshotReady, SnapshotRequest, begin_of
from schemas.night_places import SNAPSHOT_FILE, inputs_folder
from schemas.tensor import decompress
from tests.actors.pool_keeper.conftest import Keeper, make_dream, make_large_dream, make_query
from tests.friend_examples import commit

DATE = "2025-12-31"
OVER_NS = begin_of(DATE) + DAY_NS
MIB = 1024 * 1024
OBSERVER = "nightly-observer"


class Copying:
    """A keeper with its world."""

    def __init__(self, keeper: Keeper, tensor_bytes: int = MIB, now_ns: int = OVER_NS) -> None:
        self.keeper = keeper
        self.now_ns = now_ns
        self.world = SnapshotWorld(keeper.home, tensor_bytes, lambda: self.now_ns)

    def begin(self, **changes: object) -> None:
        outcome = self.keeper.say(self.request(**changes), OBSERVER)
        self.keeper.commit()
        for ask in outcome.asks:
            self.world.ask(ask)

    def hear(self) -> Outcome:
        assert select.select([self.world], [], [], 30.0)[0], "no copy came"
        (answer,) = self.world.answers()
        return self.keeper.core.handle(answer, 0)

    def copy(self, **changes: object) -> SnapshotReady:
        self.begin(**changes)
        (send,) = self.hear().sends
        assert send.to == OBSERVER
        return send.message

    @staticmethod
    def request(**changes: object) -> SnapshotRequest:
        told = {"night_id": "n1", "date": DATE, "is_fresh": False}
        return SnapshotRequest.model_validate({**told, **changes})

    @property
    def file(self) -> Path:
        return self.keeper.home / inputs_folder(DATE) / SNAPSHOT_FILE

    def rows(self, sql: str) -> list[tuple]:
        with closing(sqlite3.connect(f"{self.file.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def copying(keeper):
    copying = Copying(keeper)
    yield copying
    copying.world.close()


def test_a_copy_holds_every_dream_and_what_was_said_of_it(copying):
    keeper = copying.keeper
    keeper.dream(*(make_dream(number) for number in range(5)))
    answer = keeper.ask(make_query(k=2))
    entry = answer.entries[0].facts.id
    record = FeedbackRecord(query_id=answer.query_id, entry_id=entry, utility=0.5, contribution=0.5, notes="canary")
    keeper.ask(FeedbackBatch(batch_id=derived_id("batch", 1), records=(record,)))

    ready = copying.copy()

    assert (ready.problem, ready.is_kept, ready.pool_sequence, ready.taken_at_ns) == (None, False, 5, OVER_NS)
    assert [row[0] for row in copying.rows("SELECT id FROM dreams ORDER BY sequence")] == [
        make_dream(number).id for number in range(5)
    ]
    assert copying.rows("SELECT entry_id, utility FROM feedback") == [(entry, 0.5)]
    assert len(copying.rows("SELECT * FROM retrievals")) == 1


def test_nothing_of_the_friend_and_no_note_is_in_it(copying):
    copying.keeper.dream(make_dream(1))
    copying.keeper.ask(commit(derived_id("dialog", 1), host_id="field", base_rev=0), "friend")

    copying.copy()

    tables = {name for (name,) in copying.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert not any("dialog" in name or "turn" in name or "fragment" in name for name in tables)
    assert "notes" not in {row[1] for row in copying.rows("PRAGMA table_info(feedback)")}
    assert b"lantern" not in copying.file.read_bytes()


def test_the_newest_tensors_are_in_it_up_to_the_bound(open_keeper):
    keeper = open_keeper()
    dreams = [make_large_dream(number) for number in range(4)]
    keeper.dream(*dreams)
    copying = Copying(keeper, tensor_bytes=sum(len(dream.tensor_blob) for dream in dreams[2:]))

    copying.copy()

    found = copying.rows("SELECT sequence, blob FROM tensors ORDER BY sequence")
    assert [sequence for sequence, _ in found] == [3, 4]
    assert [decompress(blob, (32, 32, 4)) for _, blob in found] == [
        decompress(dream.tensor_blob, (32, 32, 4)) for dream in dreams[2:]
    ]
    copying.world.close()


def test_it_is_for_the_user_alone_and_nothing_is_left_beside_it(copying):
    copying.keeper.dream(make_dream(1))
    pool = copying.keeper.home / "pool"
    before = sorted(path.name for path in pool.iterdir())

    copying.copy()

    assert copying.file.stat().st_mode & 0o777 == 0o600
    assert copying.file.parent.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in copying.file.parent.iterdir()) == ["snapshot.json", "snapshot.sqlite"]
    assert sorted(path.name for path in pool.iterdir()) == before


def test_the_keeper_goes_on_meanwhile_and_the_copy_is_of_one_moment(copying):
    copying.keeper.dream(*(make_dream(number) for number in range(200)))
    copying.begin()
    for number in range(200, 240):
        copying.keeper.dream(make_dream(number))

    (send,) = copying.hear().sends

    count, last = copying.rows("SELECT count(*), max(sequence) FROM dreams")[0]
    assert send.message.pool_sequence == last == count >= 200
    assert copying.keeper.store.columns.last_sequence == 240


def test_a_copy_of_the_whole_day_is_not_taken_again_unless_a_fresh_one_is_asked_for(copying):
    copying.keeper.dream(make_dream(1))
    first = copying.copy()
    copying.keeper.dream(make_dream(2))

    again, fresh = copying.copy(), copying.copy(is_fresh=True)

    assert (again.is_kept, again.sha256, again.pool_sequence) == (True, first.sha256, 1)
    assert (fresh.is_kept, fresh.pool_sequence) == (False, 2)


def test_a_copy_from_before_the_end_of_its_day_is_taken_again(copying):
    copying.keeper.dream(make_dream(1))
    copying.now_ns = OVER_NS - 1
    copying.copy()
    copying.keeper.dream(make_dream(2))
    copying.now_ns = OVER_NS

    assert copying.copy().pool_sequence == 2


def test_what_cannot_be_copied_is_said(copying):
    copying.keeper.dream(make_dream(1))
    folder = copying.keeper.home / "nightly"
    folder.mkdir()
    (folder / "inputs").write_bytes(b"in the way")

    ready = copying.copy()

    assert (ready.sha256, ready.size_bytes) == ("", 0)
    assert "could not be copied" in ready.problem


def test_a_replay_tells_what_was_recorded_and_copies_nothing(open_keeper):
    keeper = open_keeper()
    asked = keeper.say(Copying.request(), OBSERVER)
    told = {
        "order": json.loads(asked.asks[0].data),
        "sha256": "ab" * 32,
        "size_bytes": 5,
        "pool_sequence": 1,
        "taken_at_ns": 7,
        "is_kept": False,
        "problem": None,
    }

    (send,) = keeper.core.handle(Observed(SNAPSHOT, json.dumps(told).encode()), 0).sends
    refused = keeper.core.handle(Observed(SNAPSHOT, b'{"order": {}}'), 0)

    assert (send.to, send.message.sha256) == (OBSERVER, "ab" * 32)
    assert refused.refusal is not None
    assert not (keeper.home / "nightly").exists()


def test_a_world_that_closes_leaves_nothing_half_made(keeper):
    keeper.dream(*(make_dream(number) for number in range(50)))
    copying = Copying(keeper)
    copying.begin()

    copying.world.close()

    assert not list(copying.file.parent.glob(".*.tmp"))


def test_what_is_not_known_is_passed_over(copying):
    copying.world.ask(Ask("another", b""))

    assert copying.world.answers() == []
