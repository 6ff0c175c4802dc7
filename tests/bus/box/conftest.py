"""A throw-away process in a box, with something outside that it must not reach."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bus.box import seccomp
from bus.box.landlock import landlock_abi

PATIENCE_S = 30.0
BOXES = [("landlock+seccomp", 1), ("landlock+seccomp", 2), ("landlock+seccomp", 4), ("landlock+seccomp", 7)]
NO_OPEN = ("seccomp-no-open", 0)
PRELUDE = """
import os
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # one thread, as the supervisor pins it
import ctypes, errno, json, socket, sys, threading
from pathlib import Path
from bus.box.box import Walls, enter
from bus.box.errors import BoxError

libc = ctypes.CDLL(None, use_errno=True)
home, rung, abi = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
own, secret = home / "own", home / "pool" / "secret"
walls = Walls(writes=(own,))

def close_box(walls=walls):
    enter(rung, walls, max_abi=abi)
"""

Box = tuple[str, int]
Imprison = Callable[..., subprocess.CompletedProcess[str]]


def skip_without(box: Box) -> None:
    """Skip where the kernel has no such box."""
    rung, abi = box
    if rung != "none" and (seccomp.missing() or (rung == "landlock+seccomp" and landlock_abi() < abi)):
        pytest.skip(f"this kernel has no {rung} with ABI {abi}")


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A home with an own folder and a secret outside it."""
    (tmp_path / "own").mkdir()
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "secret").write_text("what nobody may know")
    return tmp_path


@pytest.fixture
def command(house: Path) -> Callable[[Box, str], list[str]]:
    """The command line of a process that runs `PRELUDE` and a text."""

    def line(box: Box, body: str) -> list[str]:
        skip_without(box)
        return [sys.executable, "-c", PRELUDE + body, str(house), box[0], str(box[1])]

    return line


@pytest.fixture
def imprison(command: Callable[[Box, str], list[str]]) -> Imprison:
    """Run a text in a process of its own, which closes the box where the text says so."""

    def run(box: Box, body: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command(box, body), capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    return run


@pytest.fixture(params=[*BOXES, NO_OPEN], ids=lambda box: f"{box[0]}-{box[1]}")
def box(request: pytest.FixtureRequest) -> Box:
    """Each box that a kernel may give: (rung, newest Landlock ABI)."""
    found: Box = request.param
    return found


@pytest.fixture(params=BOXES, ids=lambda box: f"{box[0]}-{box[1]}")
def box_with_paths(request: pytest.FixtureRequest) -> Box:
    """Each box in which files can be opened."""
    found: Box = request.param
    return found


@pytest.fixture
def no_open() -> Box:
    """The box in which nothing can be opened."""
    return NO_OPEN


@pytest.fixture
def newest() -> Box:
    """The box of this kernel."""
    return ("landlock+seccomp", 7)
