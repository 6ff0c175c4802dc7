"""Dreams of another pool come in once, and what is half there does not come in at all."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.pool_keeper.reading import PoolReader
from schemas.ids import derived_id
from supervisor.cli import run_cli
from supervisor.errors import UsageError
from supervisor.pool.importing import Import
from supervisor.pool.sources import opened_source
from tests.actors.pool_keeper.conftest import NOW_NS, make_dream

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


@pytest.fixture(params=["home", "npz", "jsonl"])
def exported(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Any], Path]:
    """The pool of a home in each form that can be imported."""

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
