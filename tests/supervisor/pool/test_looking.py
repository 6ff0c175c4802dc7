"""What the commands show of the pool, and what they refuse."""

import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from schemas.ids import derived_id
from schemas.tensor import decode
from supervisor.cli import run_cli
from supervisor.pool.drawing import GAP, draw_png, lay_out
from tests.actors.pool_keeper.conftest import make_dream

Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `pool` with --json: the exit code, and what was printed, parsed where it is JSON."""

    def run_one(filled: Any, *arguments: str) -> tuple[int, Any]:
        code = run_cli(["pool", *arguments, "--home", filled.root, "--json"])
        printed = capsys.readouterr()
        return code, json.loads(printed.out) if printed.out else printed.err

    return run_one


def numbers(page: Any) -> list[int]:
    return [dream["sequence"] for dream in page["dreams"]]


def test_dreams_are_listed_newest_first_in_pages(filled: Any, run: Run) -> None:
    filled.dream(*range(1, 8))

    pages = [run(filled, "list", "--size", "3", "--page", str(page))[1] for page in (1, 2, 3, 4)]

    assert [numbers(page) for page in pages] == [[7, 6, 5], [4, 3, 2], [1], []]
    assert (pages[0]["total"], pages[0]["pages"]) == (7, 3)


def test_filters_hold_together(filled: Any, run: Run) -> None:
    filled.dream(*range(1, 13))
    filled.judge(filled.ask(k=4), 0.5)
    everything = run(filled, "list", "--size", "100")[1]["dreams"]
    judged = {dream["sequence"] for dream in everything if dream["utility"] is not None}

    by_source = run(filled, "list", "--source", "image", "--min-coherence", "0.5")[1]
    helpful = run(filled, "list", "--helpful")[1]
    binned = [run(filled, "list", "--bin", str(index))[1]["dreams"] for index in range(25)]

    assert len(judged) == 4
    assert set(numbers(helpful)) == judged
    wanted = [d["sequence"] for d in everything if d["source"] == "image" and d["coherence"] >= 0.5]
    assert numbers(by_source) == wanted != []
    assert sum(map(len, binned)) == 12
    assert all(dream["bin"] == index for index, dreams in enumerate(binned) for dream in dreams)


def test_a_dream_is_named_by_number_id_or_the_beginning_of_one(filled: Any, run: Run) -> None:
    filled.dream(1, 2, 3)
    wanted = make_dream(2)

    found = [run(filled, "show", name)[1]["dream"]["id"] for name in ("2", wanted.id, wanted.id[:11])]

    assert found == [wanted.id] * 3


def test_a_name_of_no_dream_or_of_several_is_a_mistake(
    filled: Any, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    filled.dream(1)
    twin = make_dream(1).id[:-4] + "0000"
    filled.keeper.dream(make_dream(2, id=twin, lineage_root=twin))

    several, nobody = run(filled, "show", twin[:8]), run(filled, "show", "99")

    assert several[0] == nobody[0] == 2
    assert "several dreams" in several[1]
    assert "no dream '99'" in nobody[1]


def test_a_dream_that_is_not_there_cannot_be_pinned(filled: Any, capsys: pytest.CaptureFixture[str]) -> None:
    filled.dream(1)

    assert run_cli(["pool", "pin", "99", "--home", filled.root]) == 2
    assert "no dream '99'" in capsys.readouterr().err
    assert not list(filled.home.journal.iterdir())


def test_a_home_without_a_pool_is_refused_with_advice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["pool", "list", "--home", str(tmp_path / "none")]) == 2
    assert "supervisor up" in capsys.readouterr().err


def test_the_picture_of_a_dream_holds_its_colours(filled: Any, tmp_path: Path) -> None:
    filled.dream(5)
    dream = make_dream(5)
    tensor = decode(bytes(dream.tensor_blob), dream.shape, dream.tensor_sha256)

    assert run_cli(["pool", "show", "1", "--home", filled.root, "--png", str(tmp_path / "dream.png")]) == 0

    picture = np.asarray(Image.open(io.BytesIO((tmp_path / "dream.png").read_bytes())))
    assert np.array_equal(picture, lay_out(tensor))
    side = (picture.shape[1] - GAP) // 2
    assert np.array_equal(picture[1, side + GAP + 1], np.floor(tensor[0, 0, 1] * 255.0 + 0.5).astype(np.uint8))
    assert draw_png(tensor) == (tmp_path / "dream.png").read_bytes()


def test_a_picture_replaces_no_file_unasked(filled: Any, tmp_path: Path) -> None:
    filled.dream(5)
    (tmp_path / "mine.png").write_bytes(b"mine")

    assert run_cli(["pool", "show", "1", "--home", filled.root, "--png", str(tmp_path / "mine.png")]) == 2
    assert (tmp_path / "mine.png").read_bytes() == b"mine"


def test_lineage_goes_both_ways_and_names_what_is_not_in_the_pool(filled: Any, run: Run) -> None:
    lost = derived_id("never stored")
    filled.keeper.dream(make_dream(1, parents=(lost,), lineage_root=lost, generation=1))
    first, second, third = (make_dream(number).id for number in (1, 2, 3))
    filled.keeper.dream(make_dream(2, parents=(first,), lineage_root=lost, generation=2))
    filled.keeper.dream(make_dream(3, parents=(second,), lineage_root=lost, generation=3))

    found = run(filled, "lineage", second)[1]

    assert [(each["id"], each["depth"]) for each in found["ancestors"]] == [(first, -1), (lost, -2)]
    assert found["ancestors"][1]["dream"] is None
    assert [each["is_evicted"] for each in found["ancestors"]] == [False, False]
    assert [(each["id"], each["depth"]) for each in found["descendants"]] == [(third, 1)]
    assert found["root"] == lost


def test_an_evicted_ancestor_is_called_so(filled: Any, run: Run) -> None:
    first, second = make_dream(1).id, make_dream(2).id
    filled.dream(1)
    filled.keeper.dream(make_dream(2, parents=(first,), lineage_root=first, generation=1))
    filled.keeper.store.evict(np.array([0]), 5)
    filled.keeper.commit()

    (ancestor,) = run(filled, "lineage", second)[1]["ancestors"]

    assert (ancestor["id"], ancestor["dream"], ancestor["is_evicted"]) == (first, None, True)


def test_figures_of_the_pool_agree_with_its_list(filled: Any, run: Run) -> None:
    filled.dream(*range(1, 10))
    filled.judge(filled.ask(), -0.5)

    found = run(filled, "stats")[1]

    assert found["figures"]["dreams"] == sum(found["by_bin"]) == sum(found["by_source"].values()) == 9
    assert (found["figures"]["feedback"], found["figures"]["judged"], found["figures"]["helpful"]) == (3, 3, 0)


def test_a_flipped_bit_is_found_and_its_dream_named(filled: Any, run: Run) -> None:
    filled.dream(1, 2, 3)
    assert run(filled, "verify")[0] == 0
    with sqlite3.connect(filled.home.pool_file) as pool:
        (blob,) = pool.execute("SELECT tensor_blob FROM dreams WHERE sequence = 2").fetchone()
        flipped = blob[:-5] + bytes([blob[-5] ^ 1]) + blob[-4:]
        pool.execute("UPDATE dreams SET tensor_blob = ? WHERE sequence = 2", (flipped,))
        pool.execute("UPDATE signatures SET coherence = coherence / 2 WHERE sequence = 3")

    code, found = run(filled, "verify")

    assert code == 1
    assert [dream["id"] for dream in found["damaged"]] == [make_dream(2).id, make_dream(3).id]
    assert found["dreams"] == 3
