"""Older pools and other layouts: brought up to date on a copy, or left as they were."""

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.pool_keeper import migration, schema
from actors.pool_keeper.copying import content_digest
from actors.pool_keeper.errors import PoolFullError, PoolHeldError
from bus.codec import encode_body
from schemas.retrieval import BatchRequest

POOL = Path("pool") / "dream_pool.sqlite"
RUN = "20260101T000000Z-0001"


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def served(keeper: Any, query: Any, dreams: list[Any]) -> Any:
    keeper.ask(query(k=64))
    return keeper.ask(BatchRequest(query_id=query().query_id, entry_ids=tuple(entry.id for entry in dreams)))


@pytest.mark.parametrize("layout", ["segments", "sqlite"])
def test_a_pool_of_version_1_is_lifted_on_a_copy(
    tmp_path: Path, open_keeper: Any, dream: Any, large_dream: Any, query: Any, layout: str, make_version_1: Any
) -> None:
    # issue 5: migrations from any earlier schema version, on a copy first
    dreams = [large_dream(1), dream(2), large_dream(3)]
    make_version_1(tmp_path, dreams)

    keeper = open_keeper(tmp_path, layout=layout)

    assert served(keeper, query, dreams).tensors == tuple(entry.tensor_blob for entry in dreams)
    assert keeper.store.utilities() == {1: (2, 0.5)}
    assert version_of(tmp_path / f"{POOL}.v1.bak") == 1
    assert version_of(tmp_path / POOL) == schema.VERSION
    inside = keeper.store.row("SELECT count(*) FROM dreams WHERE length(tensor_blob) > 0")
    assert inside == ((1,) if layout == "segments" else (3,))


def test_layouts_are_migrated_both_ways_and_back(open_keeper: Any, dream: Any, large_dream: Any, query: Any) -> None:
    # issue 5: keep "sqlite" as an option, migrate both ways
    dreams = [large_dream(1), dream(2), *(large_dream(number) for number in range(3, 12))]
    keeper = open_keeper()
    keeper.dream(*dreams)
    answer = encode_body(keeper.ask(query(k=11)))
    digest = content_digest(keeper.home, RUN)
    keeper.store.close()

    for layout in ("sqlite", "segments"):
        keeper = open_keeper(layout=layout)
        segments = list((keeper.home / "pool" / "blobs").iterdir())
        assert bool(segments) == (layout == "segments")
        assert encode_body(keeper.ask(query(k=11))) == answer
        assert served(keeper, query, dreams).tensors == tuple(entry.tensor_blob for entry in dreams)
        keeper.store.close()

    with closing(sqlite3.connect(keeper.home / POOL)) as connection:
        connection.execute("DELETE FROM retrievals WHERE serial > 1")
        connection.commit()
    assert content_digest(keeper.home, RUN) == digest, "the same pool, whatever it lies in"


def test_a_migration_that_was_interrupted_begins_anew(
    tmp_path: Path, open_keeper: Any, large_dream: Any, query: Any, make_version_1: Any
) -> None:
    dreams = [large_dream(number) for number in range(8)]
    make_version_1(tmp_path, dreams)
    before = (tmp_path / POOL).read_bytes()

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        migration.migrate_file(tmp_path, "segments", 100_000, interrupt)
    assert (tmp_path / POOL).read_bytes() == before
    (tmp_path / f"{POOL}.new").write_bytes(b"half of a copy")
    (tmp_path / f"{POOL}.new-journal").write_bytes(b"its journal")
    (tmp_path / "pool" / "blobs").mkdir()
    (tmp_path / "pool" / "blobs" / "000001.blob").write_bytes(b"half of a segment")

    keeper = open_keeper(tmp_path, segment_bytes=100_000)

    assert served(keeper, query, dreams).tensors == tuple(entry.tensor_blob for entry in dreams)
    assert not list((tmp_path / "pool").glob("*.new*"))
    total = sum(path.stat().st_size for path in (tmp_path / "pool" / "blobs").iterdir())
    assert total == sum(len(entry.tensor_blob) for entry in dreams), "no segment is left behind"


def test_a_pool_that_another_program_reads_is_not_swapped(
    tmp_path: Path, large_dream: Any, make_version_1: Any
) -> None:
    make_version_1(tmp_path, [large_dream(1)])
    with closing(sqlite3.connect(tmp_path / POOL, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM dreams").fetchone()
        with closing(sqlite3.connect(tmp_path / POOL)) as writer:
            writer.execute("INSERT INTO lineage VALUES ('a', 'b')")
            writer.commit()

        with pytest.raises(PoolHeldError, match="another program"):
            migration.migrate_file(tmp_path, "segments", 100_000, migration.silent)

    assert version_of(tmp_path / POOL) == 1


def test_progress_is_told(tmp_path: Path, large_dream: Any, make_version_1: Any) -> None:
    make_version_1(tmp_path, [large_dream(1)])
    told: list[str] = []

    migration.migrate_file(tmp_path, "segments", 100_000, told.append)

    assert f"migrating version 1 to {schema.VERSION}" in told[0]
    assert "in place" in told[-1]


def test_a_disk_without_room_for_the_copy_is_told_before_anything_is_written(
    tmp_path: Path, large_dream: Any, make_version_1: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # issue 5, bad input: disk full during a migration
    make_version_1(tmp_path, [large_dream(1)])
    before = (tmp_path / POOL).read_bytes()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=50_000))

    with pytest.raises(PoolFullError, match=r"needs 1 MiB, and 0 MiB are free; the pool is as it was: free space"):
        migration.migrate_file(tmp_path, "segments", 100_000, migration.silent)

    assert (tmp_path / POOL).read_bytes() == before
    assert [path.name for path in (tmp_path / "pool").iterdir()] == ["dream_pool.sqlite"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount") or pytest.skip("there is no mount here")
    order = [mount, "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    mounted = subprocess.run(order, check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip(f"this user may not mount a file system: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("when", ["copied", "moved"])
def test_a_disk_that_fills_up_amid_a_migration_leaves_the_pool_as_it_was(
    small_disk: Path,
    large_dream: Any,
    make_version_1: Any,
    open_keeper: Any,
    query: Any,
    when: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(migration, "STEP_BYTES", 100_000)
    dreams = [large_dream(number) for number in range(16)]
    make_version_1(small_disk, dreams)
    before = (small_disk / POOL).read_bytes()
    filler = small_disk / "filler"

    def fill(told: str) -> None:
        if f"pool: {when}" in told:
            with suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))

    with pytest.raises(PoolFullError, match="the pool is as it was: free space"):
        migration.migrate_file(small_disk, "segments", 100_000, fill)

    assert (small_disk / POOL).read_bytes() == before
    assert not list((small_disk / "pool").glob("*.new*"))
    left = (small_disk / "pool" / "blobs").glob("*.blob")
    assert sum(path.stat().st_size for path in left) == 0, "no room is taken by what was moved"
    filler.unlink()
    keeper = open_keeper(small_disk, segment_bytes=100_000)
    assert served(keeper, query, dreams).tensors == tuple(entry.tensor_blob for entry in dreams)
