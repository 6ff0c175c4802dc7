"""An evaluation with real processes: guards, a watchdog, a runner that is killed, and a replay of it all."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bus.recovery import ORIGIN, read_history
from bus.step import decode_step
from supervisor.configuration import default_file
from tests.trial_house import until

pytestmark = pytest.mark.system

EVALUATE = ("evaluate", "conversation", "--quick", "--trials=1", "--genome=top_k=5", "--json")


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """A folder of settings in which every trial takes a moment."""
    folder = tmp_path / "short"
    folder.mkdir()
    regimes = default_file().with_name("regimes.yaml").read_text()
    (folder / "regimes.yaml").write_text(re.sub(r"quick: [0-9.]+(\}\n\s+setup_s)", r"quick: 0.02\1", regimes))
    (folder / "caps.yaml").write_bytes(default_file().with_name("caps.yaml").read_bytes())
    (folder / "engine.toml").write_text("[regimes]\nnoise_repeats = 0\n")
    return folder


def test_a_runner_that_is_killed_goes_on_and_the_stopped_run_is_replayed_the_same(house, short: Path) -> None:
    evaluation = begin(house, *EVALUATE, f"--config={short}")
    until(lambda: trials_of(house) >= 2, "two trials", 60.0)

    os.kill(runner_of(house), signal.SIGKILL)
    until(lambda: trials_of(house) >= 4, "two more trials", 60.0)
    evaluation.send_signal(signal.SIGINT)
    evaluation.communicate(timeout=60)
    replayed = house.run("replay", house.runs()[-1], "--json")

    assert evaluation.returncode == 130
    assert standing_of(house) == "interrupted"
    assert list((house.home / "regimes" / "scratch").iterdir()) == []
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert {verdict["actor"] for verdict in json.loads(replayed.stdout)["actors"]} == {
        "safety-watchdog",
        "regime-runner",
    }
    assert epochs_of(house, "regime-runner") >= 2
    assert not (house.home / "pool" / "dream_pool.sqlite").exists()


def test_a_terminal_that_closes_ends_an_evaluation_in_order(house, short: Path) -> None:
    evaluation = begin(house, *EVALUATE, f"--config={short}")
    until(lambda: trials_of(house) >= 1, "a trial", 60.0)

    evaluation.send_signal(signal.SIGHUP)
    evaluation.communicate(timeout=60)

    assert evaluation.returncode == 130 and standing_of(house) == "interrupted"
    assert list((house.home / "regimes" / "scratch").iterdir()) == []


def test_ctrl_c_has_a_running_loop_cancel_the_order_and_the_loop_lives_on(house, short: Path) -> None:
    loop = house.up(f"--config={short}", ready=False)
    until(
        lambda: any(row["name"] == "regime-runner" and row["state"] == "ready" for row in house.actors()),
        "a runner",
        60.0,
    )
    evaluation = begin(house, "evaluate", "conversation", "--quick", "--trials=50", "--genome=top_k=5", "--json")
    until(lambda: trials_of(house) >= 1, "a trial", 60.0)

    evaluation.send_signal(signal.SIGINT)
    said, _ = evaluation.communicate(timeout=60)

    assert evaluation.returncode == 130
    assert json.loads(said)["is_interrupted"] is True
    assert standing_of(house) == "cancelled"
    assert list((house.home / "regimes" / "scratch").iterdir()) == []
    assert loop.poll() is None


def test_where_nothing_is_installed_every_regime_says_so_and_no_number_is_told(house, tmp_path: Path) -> None:
    house.with_environment(PATH=str(tmp_path / "empty"))

    told = house.run("regimes evaluate", "cpu", "--quick", "--trials=2", "--genome=threads=2", "--json")

    found = json.loads(told.stdout)
    (candidate,) = found["candidates"]
    assert told.returncode == 1 and candidate["status"] == "unavailable" and candidate["score_v2"] is None
    assert [row["status"] for row in candidate["regimes"]] == ["unavailable"] * 4
    assert all("python3 is not on PATH" in line for line in found["refusals"])
    assert not (house.home / "artifacts" / "baselines.json").exists()


def standing_of(house) -> str:
    """How the last order ended, by its report."""
    (report,) = (house.home / "artifacts" / "evaluations").glob("*.json")
    return str(json.loads(report.read_bytes())["standing"])


def trials_of(house) -> int:
    """How many trials the report of the order counts."""
    reports = (house.home / "artifacts" / "evaluations").glob("*.json")
    return max((int(json.loads(file.read_bytes())["trial"]) for file in reports), default=0)


def begin(house, *arguments: str) -> subprocess.Popen[str]:
    """Begin `supervisor regimes` on the home of `house`."""
    command = [sys.executable, "-m", "supervisor.cli", "regimes", *arguments, "--home", str(house.home)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=house._environment)


def runner_of(house) -> int:
    """The process of the runner."""
    rows = {row["name"]: row for row in house.actors()}
    return int(rows["regime-runner"]["pid"])


def epochs_of(house, actor: str) -> int:
    history = read_history(house.home / "journal" / house.runs()[-1] / actor)
    return len({position.epoch for position, frame in history.steps_after(ORIGIN) if decode_step(frame)})
