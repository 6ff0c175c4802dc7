"""Dreams copied out: every format holds what the pool holds."""

import csv
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.tensor import decode
from supervisor.cli import run_cli
from tests.actors.pool_keeper.conftest import make_dream

Export = Callable[..., int]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "dreams"


@pytest.fixture
def export(filled: Any, file: Path) -> Export:
    filled.dream(1, 2, 3)
    filled.judge(filled.ask(k=1), 0.5)

    def run(form: str, *options: str) -> int:
        return run_cli(["pool", "export", "--home", filled.root, "--format", form, "--output", str(file), *options])

    return run


def columns_of(file: Path) -> dict[str, Any]:
    with np.load(file) as archive:
        return dict(archive)


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_numpy_reads_tensors_and_columns(export: Export, file: Path) -> None:
    assert export("npz") == 0

    found = columns_of(file)
    assert found["id"].tolist() == [make_dream(number).id for number in (1, 2, 3)]
    assert np.isfinite(found["utility"]).sum() == 1
    for at, number in enumerate((1, 2, 3)):
        dream = make_dream(number)
        assert found["ids_4x4x2"][at] == dream.id
        tensor = decode(bytes(dream.tensor_blob), dream.shape, dream.tensor_sha256)
        assert np.array_equal(found["tensors_4x4x2"][at], tensor)


def test_the_same_pool_gives_the_same_bytes(export: Export, file: Path) -> None:
    export("npz")
    first = file.read_bytes()

    export("npz", "--force")

    assert file.read_bytes() == first


def test_json_lines_hold_every_fact(export: Export, file: Path) -> None:
    assert export("jsonl") == 0

    lines = lines_of(file)
    assert [line["sequence"] for line in lines] == [1, 2, 3]
    assert lines[0]["tensor_sha256"] == make_dream(1).tensor_sha256.hex()
    assert {line["tensor"] for line in lines} == {None}


def test_a_table_has_one_line_a_dream(export: Export, file: Path) -> None:
    assert export("csv", "--source", "image") == 0

    (row,) = csv.DictReader(file.read_text().splitlines())
    assert row["id"] == make_dream(1).id
    assert json.loads(row["chroma_signature"]) == list(make_dream(1).chroma_signature)


def test_a_table_with_tensors_is_refused(export: Export, file: Path) -> None:
    assert export("csv", "--tensors") == 2
    assert not file.exists()


def test_a_file_is_replaced_only_when_asked(export: Export, file: Path) -> None:
    file.write_bytes(b"mine")

    assert export("jsonl") == 2
    assert file.read_bytes() == b"mine"
    assert export("jsonl", "--force") == 0


@pytest.mark.parametrize("form", ["npz", "jsonl"])
def test_a_damaged_tensor_is_left_out_and_named(
    export: Export, filled: Any, file: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(filled.home.pool_file) as pool:
        pool.execute("UPDATE dreams SET tensor_blob = zeroblob(40) WHERE sequence = 2")

    assert export(form, "--tensors") == 1

    assert make_dream(2).id in capsys.readouterr().out
    ids = columns_of(file)["id"].tolist() if form == "npz" else [line["id"] for line in lines_of(file)]
    assert ids == [make_dream(1).id, make_dream(3).id]


def test_parquet_needs_its_extra_or_holds_everything(
    export: Export, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        assert export("parquet") == 2
        assert "oneiros[parquet]" in capsys.readouterr().err
        assert not file.exists()
        return

    assert export("parquet", "--tensors") == 0

    rows = parquet.read_table(file).to_pylist()
    assert [row["id"] for row in rows] == [make_dream(number).id for number in (1, 2, 3)]
    assert len(rows[0]["tensor"]) == 4 * 4 * 2 * 3 * 4
