"""The runner's part of the world, with real guards: what is asked is begun, what was begun is ended."""

import json
import os
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.regime_runner.world import TrialWorld
from bus.core import Ask, Observed
from schemas.regimes import TrialOrder
from schemas.tiers import DEADMAN_PATH, SCRATCH_PATH
from tests.trial_house import Hand

PATIENCE_S = 20.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[TrialWorld]:
    world = TrialWorld(tmp_path, os.environ, lambda _text: None)
    yield world
    world.close()


@pytest.fixture
def watchdog(tmp_path: Path) -> Iterator[Hand]:
    hand = Hand(tmp_path / DEADMAN_PATH)
    yield hand
    hand.let_go()


def order_of(program: str, trial_id: str = "t1") -> TrialOrder:
    return TrialOrder(
        trial_id=trial_id,
        domain="cpu",
        regime="idle",
        argv=(sys.executable, "-c", program),
        env={},
        nice=None,
        policy=None,
        ionice=None,
        cpus=None,
        timer_slack_ns=None,
        max_memory_bytes=None,
        timeout_s=30.0,
        max_bytes=1 << 20,
        deadman=DEADMAN_PATH,
    )


def prepare(world: TrialWorld, order: TrialOrder) -> dict[str, Any]:
    world.ask(Ask("prepare", order.model_dump_json().encode()))
    return told(world, "prepared")


def told(world: TrialWorld, name: str) -> dict[str, Any]:
    """The next answer, which is to be `name`."""
    end = time.monotonic() + PATIENCE_S
    found: list[Observed] = []
    while not found:
        assert time.monotonic() < end, f"no {name} within {PATIENCE_S:g} s"
        select.select([world.fileno()], [], [], 0.5)
        found = world.answers()
    assert [each.name for each in found] == [name]
    answer: dict[str, Any] = json.loads(found[0].data)
    return answer


def test_a_trial_is_prepared_let_go_and_told_of(world: TrialWorld, watchdog: Hand) -> None:
    prepared = prepare(world, order_of("print('hello')"))
    is_alive = psutil.pid_exists(prepared["pid"])

    world.ask(Ask("go", b"t1"))
    result = told(world, "trial")

    assert is_alive
    assert (result["trial_id"], result["status"], result["stdout"]) == ("t1", "done", "hello\n")


def test_a_guard_that_is_dropped_runs_nothing(world: TrialWorld, watchdog: Hand, tmp_path: Path) -> None:
    prepare(world, order_of(f"open({str(tmp_path / 'ran')!r}, 'w')"))

    world.ask(Ask("drop", b"t1"))
    result = told(world, "trial")

    assert result["status"] == "killed"
    assert not (tmp_path / "ran").exists()


def test_closing_ends_what_was_begun_and_leaves_nothing(tmp_path: Path, watchdog: Hand) -> None:
    world = TrialWorld(tmp_path, os.environ, lambda _text: None)
    prepared = prepare(world, order_of("import time; time.sleep(60)"))
    world.ask(Ask("go", b"t1"))

    world.close()

    assert not psutil.pid_exists(prepared["pid"])
    assert list((tmp_path / SCRATCH_PATH).iterdir()) == []


def test_a_guard_that_is_killed_gives_a_result_that_says_so_and_leaves_nothing(
    world: TrialWorld, watchdog: Hand, tmp_path: Path
) -> None:
    prepared = prepare(world, order_of("import time; time.sleep(60)"))

    psutil.Process(prepared["pid"]).kill()
    result = told(world, "trial")

    assert result["status"] == "failed"
    assert "left with -9" in result["stderr_tail"]
    assert list((tmp_path / SCRATCH_PATH).iterdir()) == []


def test_an_order_for_an_unknown_trial_is_passed_over(world: TrialWorld) -> None:
    world.ask(Ask("go", b"nobody"))
    world.ask(Ask("what", b""))

    assert world.answers() == []


def test_the_machine_is_looked_at_without_waiting(world: TrialWorld) -> None:
    world.ask(Ask("survey", b""))

    survey = told(world, "survey")

    assert survey["host"]["cpus"]
    assert survey["machine"]["code_hash"].startswith("sha256:")
