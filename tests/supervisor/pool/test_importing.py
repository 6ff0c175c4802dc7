"""Dreams of another pool come in once, and what is half there does not come in at all."""

import json
import sqlite3
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.pool_keeper.reading import PoolReader
from schemas.errors import TensorRefusedError
from schemas.ids import derived_id
from schemas.tensor import encode
from supervisor.cli import run_cli
from supervisor.errors import UsageError
from supervisor.pool.importing import Import
from supervisor.pool.sources import opened_source
from tests.actors.pool_keeper.conftest import NOW_NS, make_dream, make_old_pool

MakeFilled = Callable[[str], Any]


def take_in(filled: Any, source: Path) -> Import:
    """Import `source` into the pool of `filled`; the keeper refuses nothing."""
    with opened_source(source) as found:
        work = Import(found)
        for order in work.orders(filled.home):
            assert filled.keeper.say(order, "supervisor").refusal is None
        filled.keeper.commit()
    return work


def family(filled: Any) -> tuple[str, str, str]:
    """A dream, its child and its grandchild."""
    first, second, third = (make_dream(number).id for number in (1, 2, 3))
    filled.dream(1)
    filled.keeper.dream(make_dream(2, parents=(first,), lineage_root=first, generation=1))
    filled.keeper.dream(make_dream(3, parents=(second, first), lineage_root=first, generation=2))
    return first, second, third


def needs_arrow() -> None:
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed: pip install 'oneiros[parquet]'")


@pytest.fixture(params=["home", "npz", "jsonl", "parquet"])
def exported(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Any], Path]:
    """The pool of a home in each form that can be imported."""
    if request.param == "parquet":
        needs_arrow()

    def export(filled: Any) -> Path:
        if request.param == "home":
            return Path(filled.root)
        file = tmp_path / f"{filled.home.root.name}.{request.param}"
        options = ["--format", request.param, "--output", str(file), "--tensors", "--force"]
        assert run_cli(["pool", "export", "--home", filled.root, *options]) == 0
        return file

    return export


def test_a_pool_is_taken_in_whole_and_only_once(make_filled: MakeFilled, exported: Callable[[Any], Path]) -> None:
    here, there = make_filled("here"), make_filled("there")
    family(there)
    source = exported(there)

    first, second = take_in(here, source), take_in(here, source)

    assert (len(first.adopted), first.duplicates, first.renamed) == (3, 0, 0)
    assert (len(second.adopted), second.duplicates) == (0, 3)
    with PoolReader(here.home.root) as mine, PoolReader(there.home.root) as theirs:
        assert [mine.facts(number) for number in (1, 2, 3)] == [theirs.facts(number) for number in (1, 2, 3)]
        assert [mine.tensor(number).blob for number in (1, 2, 3)] == [theirs.tensor(n).blob for n in (1, 2, 3)]


def test_an_id_of_another_tensor_is_changed_and_its_family_follows(
    make_filled: MakeFilled, exported: Callable[[Any], Path]
) -> None:
    here, there = make_filled("here"), make_filled("there")
    first, second, _ = family(there)
    here.keeper.dream(make_dream(1, tensor_of=77), make_dream(9, id=second, lineage_root=second))

    work = take_in(here, exported(there))

    assert work.renamed == 2
    with PoolReader(here.home.root) as reader:
        root, child, grandchild = (reader.facts(number) for number in (3, 4, 5))
    assert root.id == derived_id("import", first, make_dream(1).tensor_sha256.hex())
    assert (child.parents, child.lineage_root) == ((root.id,), root.id)
    assert (grandchild.parents, grandchild.lineage_root) == ((child.id, root.id), root.id)


def test_a_tensor_that_is_here_takes_the_place_of_its_twin(make_filled: MakeFilled) -> None:
    here, there = make_filled("here"), make_filled("there")
    family(there)
    here.keeper.dream(make_dream(50, tensor_of=2))

    work = take_in(here, there.home.root)

    assert (len(work.adopted), work.duplicates) == (2, 1)
    with PoolReader(here.home.root) as reader:
        grandchild = reader.facts(3)
    assert grandchild.parents == (make_dream(50).id, make_dream(1).id)
    assert (grandchild.lineage_root, grandchild.generation) == (make_dream(50).id, 1)


def test_a_dream_that_was_evicted_here_comes_back_under_another_id(make_filled: MakeFilled) -> None:
    here, there = make_filled("here"), make_filled("there")
    family(there)
    take_in(here, there.home.root)
    here.keeper.store.evict(np.array([1]), NOW_NS)
    here.keeper.commit()

    work = take_in(here, there.home.root)

    assert (len(work.adopted), work.duplicates, work.renamed) == (1, 2, 1)
    with PoolReader(here.home.root) as reader:
        assert reader.facts(4).tensor_sha256 == make_dream(2).tensor_sha256
        assert reader.facts(4).parents == (make_dream(1).id,)


def test_a_damaged_tensor_is_left_out_and_named(make_filled: MakeFilled, tmp_path: Path) -> None:
    here, there = make_filled("here"), make_filled("there")
    family(there)
    file = tmp_path / "dreams.jsonl"
    run_cli(["pool", "export", "--home", there.root, "--format", "jsonl", "--output", str(file), "--tensors"])
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[1]["tensor"] = lines[0]["tensor"]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))

    work = take_in(here, file)

    assert [dream.id for dream in work.damaged] == [make_dream(2).id]
    assert len(work.adopted) == 2


@pytest.mark.parametrize("form", ["npz", "jsonl"])
def test_a_file_that_is_cut_short_is_refused_and_changes_nothing(
    make_filled: MakeFilled, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    there, file = make_filled("there"), tmp_path / "dreams"
    family(there)
    run_cli(["pool", "export", "--home", there.root, "--format", form, "--output", str(file), "--tensors"])
    file.write_bytes(file.read_bytes()[:-200])

    assert run_cli(["pool", "import", str(file), "--home", str(tmp_path / "new")]) == 2

    said = capsys.readouterr().err
    assert "nothing was imported" in said
    assert form == "npz" or "line 3: no line of an export (the file is cut short)" in said
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"id": 5, "tensor": "", "tensor_sha256": "00"}\n', "id"),
        (b'{"tensor": null}\n', "has no tensor"),
        (b"[1]\n", "no line of an export"),
        (b'{"tensor": "", "tensor_sha256": "xyz"}\n', "hexadecimal"),
    ],
)
def test_a_file_that_is_no_export_is_refused_by_line(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(UsageError, match=f"line 1.*{reason}"), opened_source(tmp_path / "file"):
        pass


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", numbers=np.arange(3))

    with pytest.raises(UsageError, match="no export of a pool"), opened_source(tmp_path / "other.npz"):
        pass


def fill_with_large_tensors(there: Any, count: int) -> int:
    """Dreams with tensors of the largest usual shape; the bytes of one."""
    generator = np.random.Generator(np.random.Philox(key=9))
    for number in range(count):
        blob, sha256 = encode(generator.random((64, 64, 8, 3), dtype=np.float32))
        there.keeper.dream(make_dream(number, tensor_blob=blob, tensor_sha256=sha256, shape=(64, 64, 8)))
    return 64 * 64 * 8 * 3 * 4


@pytest.mark.parametrize("form", ["npz", "compressed", "jsonl"])
def test_an_import_has_few_tensors_in_memory(make_filled: MakeFilled, tmp_path: Path, form: str) -> None:
    # brief of issue 5: memory of an import is bounded, whatever the archive holds
    there, file = make_filled("there"), tmp_path / "dreams"
    size = fill_with_large_tensors(there, 40)
    kind = "jsonl" if form == "jsonl" else "npz"
    run_cli(["pool", "export", "--home", there.root, "--format", kind, "--output", str(file), "--tensors"])
    if form == "compressed":
        with np.load(file) as archive:
            np.savez_compressed(tmp_path / "compressed.npz", **{name: archive[name] for name in archive.files})
        file = tmp_path / "compressed.npz"

    with opened_source(file) as source:
        tracemalloc.start()
        for facts in sorted(source.dreams, key=lambda dream: dream.id):
            source.blob(facts)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert peak < 12 * size, f"{peak} bytes for tensors of {size}"


def test_a_dream_of_a_parquet_file_comes_from_its_row_group(
    make_filled: MakeFilled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_arrow()
    monkeypatch.setattr("supervisor.pool.export_formats.ROW_GROUP", 2)
    here, there, file = make_filled("here"), make_filled("there"), tmp_path / "dreams"
    there.dream(*range(7))
    run_cli(["pool", "export", "--home", there.root, "--format", "parquet", "--output", str(file), "--tensors"])

    work = take_in(here, file)

    assert (len(work.adopted), work.damaged) == (7, [])


def test_an_export_without_tensors_is_refused(make_filled: MakeFilled, tmp_path: Path) -> None:
    needs_arrow()
    there, file = make_filled("there"), tmp_path / "dreams"
    there.dream(1, 2)
    run_cli(["pool", "export", "--home", there.root, "--format", "parquet", "--output", str(file)])

    with opened_source(file) as source, pytest.raises(TensorRefusedError, match="--tensors"):
        source.blob(source.dreams[0])


def test_a_table_is_refused_with_the_formats_that_do(
    make_filled: MakeFilled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # brief of issue 5: a clear refusal naming the formats
    there, file = make_filled("there"), tmp_path / "dreams.csv"
    there.dream(1)
    run_cli(["pool", "export", "--home", there.root, "--format", "csv", "--output", str(file)])
    capsys.readouterr()

    assert run_cli(["pool", "import", str(file), "--home", str(tmp_path / "new")]) == 2

    said = capsys.readouterr().err
    assert "CSV" in said and "npz, jsonl or parquet" in said
    assert not (tmp_path / "new").exists()


def test_a_folder_without_a_pool_is_refused_by_its_own_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()

    assert run_cli(["pool", "import", str(tmp_path / "empty"), "--home", str(tmp_path / "new")]) == 2

    said = capsys.readouterr().err
    assert f"{tmp_path / 'empty'} has no dream pool" in said
    assert "name a home that has one" in said


def test_a_source_of_an_impossible_name_is_a_mistake_of_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli(["pool", "import", str(tmp_path / ("a" * 300)), "--home", str(tmp_path / "new")]) == 2
    assert "File name too long" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["pool", "list"], ["pool", "stats"], ["pool", "verify"], ["pool", "pin", "1"], ["kpi"]], ids="-".join
)
def test_a_home_of_an_impossible_name_is_a_mistake_of_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    # brief of issue 5: a path component of 300 characters
    assert run_cli([*arguments, "--home", str(tmp_path / ("a" * 300))]) == 2

    said = capsys.readouterr().err
    assert "the name has 300 bytes, at most 255 are possible; choose another folder with --home" in said


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["show", "1"], ["stats"], ["verify"], ["export", "--format", "csv", "--output", "x"]],
    ids=str,
)
def test_a_pool_of_version_1_is_named_with_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_old_pool(tmp_path, [make_dream(1)])

    code = run_cli(["pool", *arguments, "--home", str(tmp_path)])

    said = capsys.readouterr().err
    assert code == 1
    assert "has version 1" in said and "supervisor up" in said
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("arguments", [["list"], ["stats"], ["verify"]], ids=str)
def test_a_pool_of_the_future_is_named_with_the_way_out(
    make_filled: MakeFilled, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    # issue 5, bad input: pool file from the future
    there = make_filled("there")
    there.dream(1)
    there.keeper.store.close()
    with closing(sqlite3.connect(there.home.pool_file)) as pool:
        pool.execute("PRAGMA user_version = 99")

    assert run_cli(["pool", *arguments, "--home", there.root]) != 0
    said = capsys.readouterr().err
    assert "version 99" in said and "update oneiros" in said
