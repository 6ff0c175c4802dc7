"""What is reported of a trial is what was read while its load ran, not before and not after."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.safety_watchdog.layout import SensorTree
from actors.safety_watchdog.sensors import Sensors
from actors.safety_watchdog.watch import OVERDUE_S, WatchedTrial
from actors.safety_watchdog.watching import Watch
from bus.descendants import identity_of
from tests.trial_house import SensorFiles

GUARD = """
import os, signal, sys, time
for line in sys.stdin:
    if line == "load\\n":
        child = os.fork()
        if child == 0:
            time.sleep(60)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    print("done", flush=True)
"""
"""Has a child when it is told to, like a guard whose trial runs."""


@pytest.fixture
def files(tmp_path: Path) -> SensorFiles:
    return SensorFiles(tmp_path).everything()


@pytest.fixture
def guard() -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", GUARD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def tell(guard) -> Callable[[str], None]:
    def say(word: str) -> None:
        guard.stdin.write(word + "\n")
        assert guard.stdout.readline() == "done\n"

    return say


@pytest.fixture
def trial(guard, files: SensorFiles) -> WatchedTrial:
    process = identity_of(guard.pid)
    assert process is not None
    watch = Watch(
        trial_id="trial-1",
        domain="cpu",
        guard_pid=process.pid,
        guard_started_ticks=process.started_ticks,
        timeout_s=10.0,
        settings={},
        caps={"temp_peak_c": 90.0},
        margins={},
    )
    return WatchedTrial(watch, Sensors(SensorTree(files.root)), 0.0)


def test_power_and_heat_are_those_of_the_load_alone(trial, files, tell) -> None:
    energy_j = 0

    def spend(moment_s: int, watts: int, degrees: int) -> None:
        nonlocal energy_j
        energy_j += watts
        files.package(energy_j * 1_000_000)
        files.chip("coretemp", degrees * 1000)
        trial.look(float(moment_s))

    for moment_s in (1, 2, 3):
        spend(moment_s, 100, 80)
    tell("load")
    for moment_s in (4, 5, 6):
        spend(moment_s, 40, 60)
    tell("rest")
    for moment_s in (7, 8, 9):
        spend(moment_s, 40 if moment_s == 7 else 100, 60 if moment_s == 7 else 85)

    found = trial.readings()

    assert found["watts"].value == pytest.approx(40.0)
    assert found["temp_peak_c"].value == 60.0


def test_heat_before_the_load_is_a_breach_all_the_same(trial, files) -> None:
    files.chip("coretemp", 90_100)

    breach = trial.look(0.1)

    assert breach is not None and (breach.cap, breach.value, breach.limit) == ("temp_peak_c", 90.1, 90.0)


def test_a_guard_that_overstays_is_overdue(trial) -> None:
    assert not trial.is_overdue(10.0 + OVERDUE_S)
    assert trial.is_overdue(10.1 + OVERDUE_S)


def test_a_trial_that_is_announced_again_begins_anew(trial, files) -> None:
    files.chip("coretemp", 88_000)
    trial.look(0.1)
    files.chip("coretemp", 55_000)

    trial.renew(100.0)
    trial.look(100.1)

    assert trial.readings()["temp_peak_c"].value == 55.0 and not trial.is_overdue(110.0)
