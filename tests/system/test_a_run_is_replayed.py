"""A recorded run proves, actor by actor, that the same inputs give the same bytes, also after kills; and where it
cannot prove that, because it goes on, or parts of it are gone, the replay says so.
"""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bus.segment import list_segments
from tests.system.conftest import ACTORS, House

FAST = ("--set=dreamer.rate_hz=60", "--set=learner.rounds_hz=30", "--set=learner.test_per_class=8")

pytestmark = pytest.mark.system


def replayed(house, *options: str) -> tuple[int, dict[str, Any]]:
    done = house.run("replay", *options, "--json")
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


@dataclass
class Finished:
    """A run that was closed, and what its replay said while it went on."""

    home: Path
    runtime: Path
    while_running: tuple[int, dict[str, Any]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    runtime = Path(tempfile.mkdtemp(prefix="oneiros-rt-"))
    house = House(tmp_path_factory.mktemp("finished") / "home", runtime)
    try:
        house.up(*FAST)
        house.until(lambda: house.figure("pool.dreams_total") >= 20)
        while_running = replayed(house, "--actor", "pool-keeper")
        house.stop()
        yield Finished(house.home, runtime, while_running)
    finally:
        house.stop()
        shutil.rmtree(runtime, ignore_errors=True)


@pytest.fixture
def copy(finished: Finished, tmp_path: Path) -> House:
    """A house of one closed run that a test may spoil."""
    shutil.copytree(finished.home, tmp_path / "home")
    return House(tmp_path / "home", finished.runtime)


def journal_of(house: House, actor: str) -> Path:
    return list_segments(house.home / "journal" / house.runs()[-1] / actor)[-1][1]


def keeper_of(house: House) -> tuple[int, dict[str, Any]]:
    code, report = replayed(house, "--actor", "pool-keeper")
    return code, report["actors"][0]


def test_a_run_with_three_kills_is_identical_twice(house) -> None:
    house.up(*FAST)
    for victim in ("dreamer", "pool-keeper", "learner"):
        dreams = house.figure("pool.dreams_total")
        os.kill(house.pid(victim), signal.SIGKILL)
        house.until(lambda dreams=dreams: house.figure("pool.dreams_total") >= dreams + 20)
    house.until(lambda: house.figure("bias.applied_by_dreamer") >= 1)
    house.stop()

    first = replayed(house)
    house.with_environment(OPENBLAS_CORETYPE="Prescott", NPY_DISABLE_CPU_FEATURES="AVX2 FMA3")
    second = replayed(house)

    for code, report in (first, second):
        assert code == 0, report
        assert {verdict["actor"] for verdict in report["actors"]} == set(ACTORS)
        assert all(verdict["is_identical"] for verdict in report["actors"])
    keeper = next(verdict for verdict in first[1]["actors"] if verdict["actor"] == "pool-keeper")
    assert keeper["content"]["recorded"] == keeper["content"]["replayed"]
    assert keeper["epochs"] == 2


def test_a_second_run_on_a_filled_pool_is_identical_too(house) -> None:
    for _ in range(2):
        house.up(*FAST)
        house.until(lambda: house.figure("learner.epochs") >= 1)
        house.stop()

    code, report = replayed(house, "--from-snapshot")
    (house.home / "pool" / "dream_pool.sqlite").unlink()
    without_pool, keeper = keeper_of(house)

    assert code == 0, report
    assert without_pool == 5
    assert "differs without the dreams of earlier runs: " in keeper["unreplayable"]


def test_the_pool_of_a_run_that_goes_on_is_not_compared(finished: Finished) -> None:
    code, report = finished.while_running

    (keeper,) = report["actors"]
    assert code == 0, report
    assert (keeper["content"], keeper["content_not_compared"]) == (None, "the run still goes on")
    assert keeper["steps"] > 20


def test_the_pool_of_a_run_that_was_left_open_is_not_compared(copy: House) -> None:
    (copy.home / "runs" / copy.runs()[-1] / "closed.json").unlink()

    code, keeper = keeper_of(copy)

    assert (code, keeper["content_not_compared"]) == (0, "the run was not closed")


def test_a_pool_that_holds_less_of_the_run_is_not_compared(copy: House) -> None:
    with sqlite3.connect(copy.home / "pool" / "dream_pool.sqlite") as connection:
        connection.execute("UPDATE progress SET number = number - 1 WHERE kind = 'position'")
    connection.close()

    code, keeper = keeper_of(copy)

    last = keeper["steps"]
    held, journalled = (f"it up to step {step} of process start 1" for step in (last - 1, last))
    assert code == 0
    assert keeper["content_not_compared"] == f"the pool holds {held}, the journal {journalled}"


def test_a_pool_with_other_content_is_a_divergence(copy: House) -> None:
    with sqlite3.connect(copy.home / "pool" / "dream_pool.sqlite") as connection:
        connection.execute("UPDATE dreams SET energy = energy + 1 WHERE sequence = 7")
    connection.close()

    code, keeper = keeper_of(copy)

    assert code == 4
    assert keeper["content"]["recorded"] != keeper["content"]["replayed"]


@pytest.mark.parametrize(("content", "reason"), [(None, "is not there"), (b"no pool" * 900, "is not a database")])
def test_a_pool_that_cannot_be_read_leaves_the_steps_to_be_judged(
    copy: House, content: bytes | None, reason: str
) -> None:
    for path in copy.home.glob("pool/dream_pool.sqlite*"):
        path.unlink()
    if content is not None:
        (copy.home / "pool" / "dream_pool.sqlite").write_bytes(content)

    code, keeper = keeper_of(copy)

    assert (code, keeper["is_identical"], keeper["content"]) == (0, True, None)
    assert reason in keeper["content_not_compared"]


def test_inputs_that_are_gone_are_named_and_make_a_run_unreplayable(copy: House) -> None:
    for path in copy.home.glob("inputs/*"):
        path.unlink()

    code, report = replayed(copy, "--actor", "dreamer")

    assert code == 5
    assert f"cannot be read: {copy.home}/inputs/" in report["actors"][0]["unreplayable"]


def test_a_journal_that_is_missing_or_cut_is_damage(copy: House) -> None:
    path = journal_of(copy, "dreamer")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    cut = replayed(copy, "--actor", "dreamer")
    shutil.rmtree(path.parent)
    missing = replayed(copy, "--actor", "dreamer", "--actor", "bias-synthesizer")

    assert (cut[0], missing[0]) == (3, 3)
    assert cut[1]["actors"][0]["damage"]["segment"] == path.name
    assert cut[1]["actors"][0]["steps"] > 1
    assert "its journal is missing" in missing[1]["actors"][0]["damage"]["reason"]
    assert missing[1]["actors"][1]["is_identical"]


@pytest.mark.parametrize("actor", ["dreamer", "pool-keeper"])
def test_a_flipped_bit_is_reported_with_its_place(copy: House, actor: str) -> None:
    path = journal_of(copy, "dreamer")
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 0x20
    path.write_bytes(bytes(whole))

    code, report = replayed(copy, "--actor", actor)

    damage = report["actors"][0]["damage"]
    assert code == 3
    assert (damage["actor"], damage["segment"], damage["offset"]) in verified_places(copy)


def verified_places(house: House) -> set[tuple[str, str, int]]:
    """Where `record verify` finds damage."""
    command = [sys.executable, "-m", "supervisor.cli", "record", "verify", "--json", "--home", str(house.home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {
        (segment["actor"], segment["segment"], finding["offset"])
        for segment in json.loads(done.stdout)["segments"]
        for finding in segment["findings"]
    }


def test_an_interruption_is_one_line_and_leaves_no_process(copy: House, living: Callable[[Path], list[int]]) -> None:
    command = [sys.executable, "-m", "supervisor.cli", "replay", "--home", str(copy.home)]
    replaying = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while len(living(copy.home)) < 3 and replaying.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            replaying.wait(0.05)

    os.killpg(replaying.pid, signal.SIGINT)
    said, complained = replaying.communicate(timeout=20)

    assert (replaying.returncode, said) == (130, "")
    assert complained == "interrupted: the replay has no verdict\n"
    assert living(copy.home) == []


def test_an_unknown_actor_is_refused_with_the_names_there_are(house) -> None:
    house.up(*FAST)
    house.stop()

    done = house.run("replay", "--actor", "teacher")

    assert done.returncode == 2
    assert "teacher" in done.stderr and "bias-synthesizer" in done.stderr
