"""What the user changes in the pool goes through the pool-keeper, with a loop and without one, and can be replayed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.actors.pool_keeper.conftest import Keeper, make_dream
from tests.system.conftest import FAST, House

pytestmark = pytest.mark.system
MANY = 100


def begin(house: House, *arguments: str) -> subprocess.Popen[str]:
    """Begin a command of a group."""
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(house.socket_of("any").parents[1])}
    command = [sys.executable, "-m", "supervisor.cli", *arguments, "--home", str(house.home)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def asked(house: House, *arguments: str) -> tuple[int, str]:
    """Exit code and output of a command."""
    child = begin(house, *arguments)
    out, err = child.communicate(timeout=60)
    assert "Traceback" not in err, err
    return child.returncode, out or err


def imported(house: House, source: Path) -> dict[str, Any]:
    code, out = asked(house, "pool", "import", str(source), "--json")
    assert code == 0, out
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another home with dreams in its pool."""
    keeper = Keeper(tmp_path / "other")
    keeper.dream(*(make_dream(number) for number in range(1, MANY + 1)))
    keeper.store.close()
    return tmp_path / "other"


def proven(house: House) -> None:
    """The pool-keeper's replay, the audit and the journals are in order for the newest run."""
    for command in (
        ["replay", "latest", "--actor", "pool-keeper"],
        ["audit", "latest"],
        ["record", "verify", "latest"],
    ):
        code, out = asked(house, *command)
        assert code == 0, (command, out)


def test_a_running_loop_takes_dreams_in_though_its_keeper_is_killed(house: House, other: Path) -> None:
    house.up(*FAST)
    house.until(lambda: house.figure("pool.dreams_total") >= 20)

    child = begin(house, "pool", "import", str(other), "--json")
    os.kill(house.pid("pool-keeper"), signal.SIGKILL)
    out, err = child.communicate(timeout=60)
    again = imported(house, other)
    pinned = asked(house, "pool", "pin", "1", make_dream(1).id)
    listed = json.loads(asked(house, "pool", "list", "--pinned", "--json")[1])
    house.stop()

    assert json.loads(out)["imported"] == MANY, err
    assert (again["imported"], again["duplicates"]) == (0, MANY)
    assert pinned[0] == 0
    assert {make_dream(1).id} < {dream["id"] for dream in listed["dreams"]}
    assert listed["total"] == 2
    proven(house)


def test_without_a_loop_a_keeper_is_started_for_it_and_its_run_is_recorded(house: House, other: Path) -> None:
    first = imported(house, other)
    pinned = asked(house, "pool", "pin", "3")

    assert first["imported"] == MANY
    assert pinned == (0, f"pinned {make_dream(3).id}\n")
    assert len(house.runs()) == 2
    assert house.run("status").returncode == 3, "nothing runs on"
    assert asked(house, "replay", house.runs()[0])[0] == 0


def test_an_import_that_is_interrupted_leaves_nothing(house: House, tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "large")
    keeper.dream(*(make_dream(number) for number in range(1, 1000)))
    keeper.store.close()

    child = begin(house, "pool", "import", str(tmp_path / "large"))
    staged = house.home / "journal"
    while child.poll() is None and not list(staged.glob("*/supervisor/staged/*.seg")):
        pass
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)

    assert child.returncode in (130, 0)
    if child.returncode == 130:
        assert house.runs() == []
        assert list(staged.iterdir()) == []
        assert asked(house, "pool", "list")[0] == 2
