"""`supervisor up` on the sample set: a closed loop on real pictures, as a user sees it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from bus.codec import decode_body
from schemas.dreams import DreamEntry
from tests.system.conftest import ACTORS

FAST = (
    "--set=dreamer.rate_hz=60",
    "--set=learner.rounds_hz=30",
    "--set=bias.update_interval_steps=100",
    "--set=learner.test_per_class=8",
)

pytestmark = pytest.mark.system


def dreamt(house: object) -> list[DreamEntry]:
    found = [decode_body(DreamEntry, item.body, item.payloads) for item in house.said("dreamer", "pool-keeper")]
    return [dream for dream in found if isinstance(dream, DreamEntry)]


def test_the_loop_closes_on_the_sample_set(house) -> None:
    house.up(*FAST)

    house.until(lambda: house.figure("pool.dreams_total") >= 100)
    house.until(lambda: house.figure("learner.epochs") >= 3)
    house.until(lambda: house.figure("bias.applied_by_dreamer") >= 2)

    names = {actor["name"] for actor in house.actors()}
    assert names == {"supervisor", *ACTORS}
    assert house.figure("pool.coherence_mean") > 0
    assert house.figure("bias.profiles") >= 2
    house.stop()
    applied = {json.loads(dream.metadata_json)["profile_id"] for dream in dreamt(house)} - {None}
    assert len(applied) >= 2
    heard = house.said("bias-synthesizer", "dreamer")
    assert {item.kind for item in heard} == {"BiasProfile"}


def test_a_users_own_pictures_with_a_broken_one_among_them(house, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(20):
        shade = Image.linear_gradient("L").rotate(18 * number).resize((120, 90))
        Image.merge("RGB", (shade, shade.rotate(90).resize((120, 90)), shade.point(lambda v: v // 2))).save(
            folder / f"own-{number:02d}.png"
        )
    (folder / "broken.png").write_bytes((folder / "own-00.png").read_bytes()[:200])

    house.up(*FAST, "--images", str(folder))
    house.until(lambda: house.figure("learner.epochs") >= 1)

    assert "broken.png" in house.output()
    assert "broken.png" in house.run("status").stdout
    assert house.figure("pool.dreams_total") > 0


def test_a_second_up_is_refused_with_pid_and_start_time(house) -> None:
    first = house.up(*FAST)

    second = house.run("up")

    assert second.returncode == 2
    assert str(first.pid) in second.stderr
    assert "20" in second.stderr
    assert "Traceback" not in second.stderr


def test_down_leaves_nothing_behind(house, living: Callable[[Path], list[int]]) -> None:
    house.up(*FAST)

    done = house.run("down")

    assert done.returncode == 0
    house.until(lambda: living(house.home) == [], 5)
    assert house.run("status").returncode == 3


def test_a_stopped_run_is_summarised_by_stats(house) -> None:
    house.up(*FAST)
    house.until(lambda: house.figure("pool.dreams_total") >= 10)
    house.run("down")

    stats = house.answer("stats")

    assert stats["running"] is False
    assert stats["pool"]["dreams_total"] >= 10
