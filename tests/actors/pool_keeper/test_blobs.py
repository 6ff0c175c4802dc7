"""Large tensors in segments: there before their row, never rewritten, reclaimed, and never served damaged."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.pool_keeper.blobs import BlobFiles, Place, segment_path
from actors.pool_keeper.errors import PoolFullError
from actors.pool_keeper.eviction import Budget
from schemas.retrieval import BatchRequest

FOLDER = Path("pool") / "blobs"
POOL = Path("pool") / "dream_pool.sqlite"


def files(home: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted((home / FOLDER).iterdir())}


def named_bytes(keeper: Any) -> dict[str, int]:
    """Length of each segment as the pool file has it."""
    with sqlite3.connect(keeper.home / POOL) as connection:
        rows = connection.execute("SELECT segment, bytes FROM segments").fetchall()
    connection.close()
    return {f"{segment:06d}.blob": size for segment, size in rows}


def batch(keeper: Any, query: Any, *dreams: Any) -> Any:
    keeper.ask(query(k=64))
    return keeper.ask(BatchRequest(query_id=query().query_id, entry_ids=tuple(entry.id for entry in dreams)))


def assert_all_served(keeper: Any, query: Any, dreams: list[Any]) -> None:
    answer = batch(keeper, query, *dreams)
    assert answer.skipped == ()
    assert answer.tensors == tuple(entry.tensor_blob for entry in dreams)


def test_large_tensors_lie_in_segments_and_small_ones_in_their_rows(
    keeper: Any, open_keeper: Any, dream: Any, large_dream: Any, query: Any
) -> None:
    # issue 5: `segments` as the default for blobs over 16 KiB
    dreams = [large_dream(number) for number in range(12)]
    keeper.dream(dream(100), *dreams)

    inline = keeper.store.row("SELECT count(*), sum(length(tensor_blob)) FROM dreams WHERE length(tensor_blob) > 0")

    assert inline == (1, len(dream(100).tensor_blob))
    assert len(files(keeper.home)) == 2, "a segment ends at its size"
    assert files(keeper.home) == named_bytes(keeper)
    assert_all_served(keeper, query, [dream(100), *dreams])
    keeper.store.close()
    assert_all_served(open_keeper(), query, [dream(100), *dreams])


def test_the_layout_of_the_seed_is_an_option(open_keeper: Any, large_dream: Any, query: Any) -> None:
    keeper = open_keeper(layout="sqlite")
    keeper.dream(large_dream(1))

    assert keeper.store.row("SELECT tensor_blob FROM dreams") == (large_dream(1).tensor_blob,)
    assert files(keeper.home) == {}


def test_a_tail_that_was_never_committed_is_cut_and_told(keeper: Any, open_keeper: Any, large_dream: Any) -> None:
    keeper.dream(large_dream(1))
    committed = files(keeper.home)
    keeper.store.close()
    with open(keeper.home / FOLDER / "000001.blob", "ab") as segment:
        segment.write(b"x" * 123)
    (keeper.home / FOLDER / "000007.blob").write_bytes(b"y" * 77)

    again = open_keeper()

    assert files(again.home) == committed
    assert any("removed 200 bytes" in repair for repair in again.store.repairs)


def test_a_rolled_back_dream_leaves_no_bytes(keeper: Any, open_keeper: Any, large_dream: Any) -> None:
    keeper.dream(large_dream(1))
    committed = files(keeper.home)
    for number in range(2, 12):
        keeper.say(large_dream(number), "dreamer")
    keeper.store.close()

    again = open_keeper()

    assert files(again.home) == committed
    again.dream(large_dream(2))
    assert files(again.home) == named_bytes(again)


def test_a_full_disk_takes_back_the_blobs(keeper: Any, large_dream: Any, query: Any) -> None:
    # issue 2, bad input: full disk
    keeper.dream(large_dream(1))
    before = files(keeper.home)
    pages = int(str(keeper.store.row("PRAGMA page_count")[0]))
    keeper.store.row(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        for number in range(2, 60):
            keeper.say(large_dream(number), "dreamer")

    with pytest.raises(PoolFullError, match="full"):
        fill()

    assert files(keeper.home) == before
    keeper.store.row("PRAGMA max_page_count = 1000000")
    keeper.dream(large_dream(2))
    assert_all_served(keeper, query, [large_dream(1), large_dream(2)])


def test_a_segment_on_a_full_disk_takes_back_the_dream(keeper: Any, large_dream: Any, query: Any) -> None:
    segment = keeper.home / FOLDER / "000001.blob"
    segment.symlink_to("/dev/full")

    with pytest.raises(PoolFullError, match="full"):
        keeper.say(large_dream(1), "dreamer")

    assert keeper.core.figures()["dreams_total"] == 0
    segment.unlink(missing_ok=True)
    keeper.dream(large_dream(1))
    assert_all_served(keeper, query, [large_dream(1)])


def test_one_flipped_bit_is_skipped_counted_and_shown(
    keeper: Any, open_keeper: Any, large_dream: Any, query: Any
) -> None:
    # issue 5, bad input: blob with one flipped bit; the batch stays aligned with its ids
    dreams = [large_dream(number) for number in range(4)]
    keeper.dream(*dreams)
    offset, length = keeper.store.row("SELECT offset, length FROM blobs WHERE sequence = 3")
    keeper.store.close()
    with open(keeper.home / FOLDER / "000001.blob", "r+b") as segment:
        segment.seek(offset + length // 2)
        (byte,) = segment.read(1)
        segment.seek(offset + length // 2)
        segment.write(bytes([byte ^ 1]))
    keeper = open_keeper()

    answer = batch(keeper, query, *dreams)

    kept = [dreams[0], dreams[1], dreams[3]]
    assert answer.entry_ids == tuple(entry.id for entry in kept)
    assert answer.tensors == tuple(entry.tensor_blob for entry in kept)
    assert [skip.entry_id for skip in answer.skipped] == [dreams[2].id]
    assert "damaged" in answer.skipped[0].reason
    assert keeper.core.figures()["corrupt_rows"] == 1


@pytest.mark.parametrize("is_cut", [True, False])
def test_lost_bytes_are_told_and_what_is_left_is_served(
    keeper: Any, open_keeper: Any, large_dream: Any, query: Any, is_cut: bool
) -> None:
    dreams = [large_dream(number) for number in range(3)]
    keeper.dream(*dreams)
    path = keeper.home / FOLDER / "000001.blob"
    keeper.store.close()
    os.truncate(path, path.stat().st_size - 10) if is_cut else path.unlink()

    again = open_keeper()
    again.dream(large_dream(9))
    answer = batch(again, query, *dreams, large_dream(9))

    assert any("missing" in repair for repair in again.store.repairs)
    left = [*(dreams[:2] if is_cut else []), large_dream(9)]
    assert answer.entry_ids == tuple(entry.id for entry in left)
    assert files(again.home)["000002.blob"] == len(large_dream(9).tensor_blob), "nothing is appended to what is damaged"


def test_compaction_gives_the_space_of_evicted_tensors_back(open_keeper: Any, large_dream: Any, query: Any) -> None:
    # issue 5: space reclaimed by compaction
    keeper = open_keeper(budget=Budget(max_dreams=10))
    for number in range(60):
        keeper.dream(large_dream(number))

    ids = {keeper.store.columns.id_of(row) for row in range(keeper.store.columns.count)}
    kept = [large_dream(number) for number in range(60) if large_dream(number).id in ids]

    assert keeper.core.figures()["compactions"] >= 2
    assert sum(files(keeper.home).values()) < 4 * keeper.store.columns.blob_bytes
    assert files(keeper.home) == named_bytes(keeper)
    assert_all_served(keeper, query, kept)
    keeper.store.close()
    assert_all_served(open_keeper(budget=Budget(max_dreams=10)), query, kept)


def test_a_segment_that_cannot_be_read_whole_is_left_alone(open_keeper: Any, large_dream: Any) -> None:
    keeper = open_keeper(budget=Budget(max_dreams=10))
    keeper.store.pin(large_dream(0).id, True, 1)
    keeper.dream(*(large_dream(number) for number in range(8)))
    damaged = keeper.home / FOLDER / "000001.blob"
    os.truncate(damaged, 1000)

    for number in range(8, 60):
        keeper.dream(large_dream(number))

    assert keeper.core.figures()["compactions"] > 2
    assert damaged.stat().st_size == 1000
    assert keeper.store.row("SELECT live_bytes < bytes / 2 FROM segments WHERE segment = 1") == (1,)
    assert keeper.store.row("SELECT segment FROM blobs WHERE sequence = 1") == (1,)


CHILD = """
import sys
from pathlib import Path
from conftest import Keeper, make_large_dream
from actors.pool_keeper.eviction import Budget
keeper = Keeper(Path(sys.argv[1]), budget=Budget(max_dreams=8), segment_bytes=150_000)
first = keeper.store.columns.last_sequence
for number in range(first, first + 100000):
    keeper.say(make_large_dream(number), "dreamer")
    keeper.commit()
    print(number, flush=True)
"""


def test_kill_minus_nine_amid_evictions_and_compactions_loses_and_doubles_nothing(
    tmp_path: Path, open_keeper: Any, large_dream: Any, query: Any
) -> None:
    # issue 5: same crash guarantees
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[3])])
    for acknowledged in (1, 13, 24):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        ) as child:
            assert child.stdout is not None
            last = [int(child.stdout.readline()) for _ in range(acknowledged)][-1]
            child.send_signal(signal.SIGKILL)

        keeper = open_keeper(tmp_path, segment_bytes=150_000)

        assert keeper.store.columns.last_sequence > last, "what was acknowledged is there"
        assert files(tmp_path) == named_bytes(keeper)
        sequences = keeper.store.columns.sequence.tolist()
        assert keeper.store.row("SELECT count(*) FROM tombstones") == (sequences[-1] - len(sequences),)
        assert keeper.store.row("SELECT count(*) FROM blobs") == (len(sequences),)
        assert keeper.store.row("PRAGMA integrity_check") == ("ok",)
        assert_all_served(keeper, query, [large_dream(sequence - 1) for sequence in sequences])
        keeper.store.close()


def test_segments_that_are_not_settled_are_taken_back(tmp_path: Path) -> None:
    blobs = BlobFiles(tmp_path, {}, 10)
    first = blobs.append(b"a" * 8)
    blobs.settle()

    places = [blobs.append(b"b" * 8), blobs.append(b"c" * 8)]
    grown = blobs.growth()
    blobs.roll_back()

    assert places == [Place(1, 8, 8), Place(2, 0, 8)]
    assert [tuple(growth) for growth in grown] == [(1, 16, 8), (2, 8, 8)]
    assert segment_path(tmp_path, 1).stat().st_size == 8
    assert not segment_path(tmp_path, 2).exists()
    assert blobs.read(first) == b"a" * 8
    assert blobs.append(b"d") == Place(1, 8, 1)
    blobs.sync()
    blobs.close()
