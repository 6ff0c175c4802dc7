"""The columns come back from their file as they would from the tables, or from the tables."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.pool_keeper.column_file import column_path, read_columns, write_columns
from actors.pool_keeper.columns import KINDS, Block, Columns
from actors.pool_keeper.connection import POOL_FILE
from actors.pool_keeper.errors import PoolDamagedError
from actors.pool_keeper.eviction import Budget
from actors.pool_keeper.store import PoolStore
from bus.core import StepPosition
from tests.actors.pool_keeper.conftest import SETTINGS

NAMES = (*KINDS, "present", "ids", "root", "root_keys", "tensor")


def content(columns: Columns) -> dict[str, Any]:
    """All that columns hold, without the holes."""
    columns.squeeze()
    return {name: getattr(columns, name).tolist() for name in NAMES} | {
        "blob_bytes": columns.blob_bytes,
        "means": columns.means(),
        "lineages": columns.lineages,
    }


def files(home: Path) -> list[Path]:
    return sorted((home / "pool").glob("columns-*"))


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.fixture
def full(open_keeper: Any, dream: Any) -> Any:
    """A closed keeper of 30 dreams that has written their columns, and what they are."""
    keeper = open_keeper(worth_rows=10)
    keeper.dream(*(dream(number) for number in range(30)))
    keeper.store.close()
    keeper.expected = content(keeper.store.columns)
    return keeper


def test_a_start_takes_the_columns_from_their_file(full: Any, open_keeper: Any) -> None:
    (path,) = files(full.home)
    with closing(sqlite3.connect(full.home / POOL_FILE)) as pool, pool:
        pool.execute("UPDATE signatures SET coherence = 0.25")

    again = open_keeper()

    assert content(again.store.columns) == full.expected, "the changed table was not read"
    assert path == column_path(full.home / "pool", read_digest(full.home))
    assert again.told == []


def read_digest(home: Path) -> str:
    with closing(sqlite3.connect(home / POOL_FILE)) as pool:
        return str(pool.execute("SELECT value FROM meta WHERE key = 'columns_file'").fetchone()[0])


def test_what_came_and_what_left_after_the_file_is_read_from_the_tables(
    full: Any, open_keeper: Any, dream: Any, query: Any
) -> None:
    # brief of issue 5: evictions since the snapshot must be seen
    later = open_keeper(budget=Budget(max_dreams=20))
    later.dream(*(dream(number) for number in range(30, 45)))
    expected = content(later.store.columns)
    asked = query(k=20, exploration=0.4, allow_duplicates=False)
    answer = later.ask(asked)
    later.store.close()
    assert len(files(full.home)) == 1, "the old file, still the last that is vouched for"

    again = open_keeper(budget=Budget(max_dreams=20))

    assert again.told == []
    assert content(again.store.columns) == expected
    assert again.ask(asked) == answer


def test_pins_and_feedback_after_the_file_are_seen(full: Any, open_keeper: Any, dream: Any) -> None:
    later = open_keeper()
    later.store.pin(dream(3).id, True, 1)
    later.store.add_utility(5, -0.5)
    later.commit()
    later.store.close()

    again = open_keeper()

    assert again.told == []
    assert again.store.pinned() == [dream(3).id]
    assert list(again.store.utilities()) == [5]


def cut_short(path: Path, home: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def emptied(path: Path, home: Path) -> None:
    os.truncate(path, 0)


def bit_of_the_head(path: Path, home: Path) -> None:
    flip(path, 20)


def bit_of_a_column(path: Path, home: Path) -> None:
    flip(path, path.stat().st_size // 2)


def bit_of_the_digest(path: Path, home: Path) -> None:
    flip(path, path.stat().st_size - 1)


def longer(path: Path, home: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def deleted(path: Path, home: Path) -> None:
    path.unlink()


def a_folder(path: Path, home: Path) -> None:
    path.unlink()
    path.mkdir()


def nobody_vouches(path: Path, home: Path) -> None:
    with closing(sqlite3.connect(home / POOL_FILE)) as pool, pool:
        pool.execute("DELETE FROM meta WHERE key = 'columns_file'")


def nonsense_vouched(path: Path, home: Path) -> None:
    with closing(sqlite3.connect(home / POOL_FILE)) as pool, pool:
        pool.execute("UPDATE meta SET value = '../../../etc/passwd' WHERE key = 'columns_file'")


HARMS = (
    cut_short, emptied, bit_of_the_head, bit_of_a_column, bit_of_the_digest, longer, deleted, a_folder, nobody_vouches,
    nonsense_vouched,
)  # fmt: skip


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_a_file_that_is_not_exactly_what_was_written_is_left_alone(
    full: Any, open_keeper: Any, harm: Callable[[Path, Path], None]
) -> None:
    (path,) = files(full.home)
    harm(path, full.home)

    again = open_keeper()

    assert content(again.store.columns) == full.expected
    assert harm is nobody_vouches or "read from the tables" in again.told[0]


@pytest.mark.parametrize("number", ["format", "order"])
def test_a_file_of_another_format_is_left_alone(
    full: Any, open_keeper: Any, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if number == "format":
        monkeypatch.setattr("actors.pool_keeper.column_file.FORMAT", 2)
    else:
        monkeypatch.setattr("sys.byteorder", "big")

    again = open_keeper()

    assert content(again.store.columns) == full.expected
    assert "format" in again.told[0]


def test_a_file_of_another_pool_is_left_alone(full: Any, open_keeper: Any, dream: Any, tmp_path: Path) -> None:
    other = open_keeper(tmp_path / "other", worth_rows=10)
    other.dream(*(dream(number) for number in range(100, 130)))
    other.store.close()
    (own,), (foreign,) = files(full.home), files(other.home)
    shutil.copy(foreign, full.home / "pool")
    shutil.copy(foreign, own)

    again = open_keeper()

    assert content(again.store.columns) == full.expected
    assert "another SHA-256" in again.told[0]
    assert files(full.home) == [], "what nobody vouches for is removed"


def test_a_file_from_before_a_power_cut_is_left_alone(full: Any, open_keeper: Any, dream: Any) -> None:
    # brief of issue 5: newer than the pool after a power cut
    older = shutil.copytree(full.home / "pool", full.home / "older")
    later = open_keeper(worth_rows=1)
    later.dream(*(dream(number) for number in range(30, 40)))
    later.store.close()
    (newer,) = files(full.home)
    shutil.copy(older / "dream_pool.sqlite", full.home / POOL_FILE)

    again = open_keeper()

    assert content(again.store.columns) == full.expected
    assert again.store.columns.last_sequence == 30
    assert "is not there" in again.told[0]
    assert not newer.exists()


def test_a_pool_that_was_set_back_and_went_another_way_does_not_take_it(
    full: Any, open_keeper: Any, dream: Any
) -> None:
    older = shutil.copytree(full.home / "pool", full.home / "older")
    later = open_keeper(worth_rows=1)
    later.dream(*(dream(number) for number in range(30, 40)))
    later.store.close()
    (newer,) = files(full.home)
    kept = newer.read_bytes()
    shutil.rmtree(full.home / "pool")
    older.rename(full.home / "pool")
    other = open_keeper()
    other.dream(*(dream(number) for number in range(50, 60)))
    other.store.close()
    expected = content(other.store.columns)
    newer.write_bytes(kept)

    again = open_keeper()

    assert content(again.store.columns) == expected


def test_a_file_is_written_when_the_keeper_is_idle_and_vouched_for(tmp_path: Path, dream: Any) -> None:
    now = [0.0]
    store = PoolStore(tmp_path, SETTINGS, clock=lambda: now[0], worth_rows=5)
    for number in range(6):
        store.add_dream(dream(number), ("dreamer", 1, number + 1))  # type: ignore[arg-type] - a reference
    store.commit(StepPosition(1, 1), {})
    assert files(tmp_path) == [], "so few are not worth it while things are going on"
    now[0] = 3.0

    while store.row("SELECT value FROM meta WHERE key = 'columns_file'") is None:
        store.maintain()

    assert files(tmp_path) == [column_path(tmp_path / "pool", read_digest(tmp_path))]
    store.close()


def test_a_file_is_written_amid_commits_after_many_dreams(open_keeper: Any, dream: Any) -> None:
    keeper = open_keeper(worth_rows=2)

    number = 0
    while not files(keeper.home):
        number += 1
        keeper.dream(dream(number))

    assert number >= 16, "eight times what is worth it when idle"


def test_killed_after_it_was_written_the_next_start_reads_the_tables(full: Any, open_keeper: Any, dream: Any) -> None:
    later = open_keeper()
    later.dream(dream(30))
    expected = content(later.store.columns)
    write_columns(full.home / "pool", later.store.columns.freeze())
    assert len(files(full.home)) == 2
    later.store.close()

    again = open_keeper()

    assert content(again.store.columns) == expected
    assert files(full.home) == [column_path(full.home / "pool", read_digest(full.home))]


def test_a_full_disk_leaves_no_file_and_stops_nothing(open_keeper: Any, dream: Any) -> None:
    keeper = open_keeper(worth_rows=5)
    keeper.dream(*(dream(number) for number in range(10)))
    (keeper.home / "pool" / "columns-new.tmp").symlink_to("/dev/full")

    keeper.store.close()

    again = open_keeper()
    assert again.core.figures()["dreams_total"] == 10
    assert files(keeper.home) == []


def test_a_disk_that_takes_long_does_not_hold_up_a_stop(
    open_keeper: Any, dream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.pool_keeper.column_keeping.MOST_STOP_S", 0.0)
    monkeypatch.setattr("actors.pool_keeper.column_file.PIECE_BYTES", 16)
    keeper = open_keeper(worth_rows=5)
    keeper.dream(*(dream(number) for number in range(300)))

    keeper.store.close()

    assert files(keeper.home) == []
    assert open_keeper().core.figures()["dreams_total"] == 300


def test_columns_of_several_pieces_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.pool_keeper.column_file.PIECE_BYTES", 4096)
    generator = np.random.Generator(np.random.Philox(key=4))
    columns, rows = Columns(), 3000
    values = [generator.random(rows) for _ in range(5)]
    keys = [generator.integers(0, 2**63, (rows, 2)).astype(np.uint64) for _ in range(3)]
    columns.add(Block([*values, np.arange(rows), np.arange(1, rows + 1), np.zeros(rows)], *keys, 5 * rows))  # type: ignore[arg-type]
    columns.evict(np.arange(0, rows - 1, 7, dtype=np.int64), 50)

    found = read_columns(tmp_path, write_columns(tmp_path, columns.freeze()) or "")

    assert found.holes == columns.holes
    for name in NAMES:
        assert np.array_equal(getattr(found, name), getattr(columns, name)), name


def test_a_frozen_state_does_not_see_what_comes_later(open_keeper: Any, dream: Any, tmp_path: Path) -> None:
    keeper = open_keeper()
    keeper.dream(*(dream(number) for number in range(5)))
    frozen = keeper.store.columns.freeze()
    expected = [array.copy() for array in frozen.arrays]

    keeper.dream(*(dream(number) for number in range(5, 9)))
    keeper.store.columns.evict(np.array([1, 2], dtype=np.int64), 10)

    assert all(np.array_equal(now, then) for now, then in zip(frozen.arrays, expected, strict=True))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("id = 'no id'", "UUID"),
        ("lineage_root = upper(lineage_root) || '-'", "UUID"),
        ("lineage_root = substr(lineage_root, 2) || 'g'", "UUID"),
        ("tensor_sha256 = x'00'", "32 bytes|UUID"),
        ("coherence = 'high'", "none"),
        ("source = 'rumour'", "none"),
        ("id = ''", "UUID"),
    ],
)
def test_a_signature_that_is_none_is_damage(open_keeper: Any, dream: Any, change: str, what: str) -> None:
    keeper = open_keeper()
    keeper.dream(dream(1), dream(2))
    keeper.store.close()
    with closing(sqlite3.connect(keeper.home / POOL_FILE)) as pool, pool:
        pool.execute(f"UPDATE signatures SET {change} WHERE sequence = 1")

    with pytest.raises(PoolDamagedError, match=what):
        open_keeper()
