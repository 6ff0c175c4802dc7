"""A command in a guest's seat: which end of it is answered by another start."""

import sys
import time
from pathlib import Path

import pytest

from supervisor.guest_process import GuestProcess
from supervisor.restarts import RestartHistory, RestartPolicy
from supervisor.seats import CommandLine

DEADLINE_S = 20.0


def ended(tmp_path: Path, status: int) -> GuestProcess:
    """A guest whose command has ended with `status` for the first time."""
    words = (sys.executable, "-c", f"raise SystemExit({status})")
    guest = GuestProcess(
        instance="ann",
        command=CommandLine(words=words, folder=str(tmp_path), environment={}),
        seat=tmp_path / "seat.json",
        log=tmp_path / "ann.log",
        history=RestartHistory(RestartPolicy(60.0, 60.0, 3, 60.0), "ann"),
        say=lambda *_, **__: None,
        is_admitted=lambda: True,
    )
    end = time.monotonic() + DEADLINE_S
    while guest.state in {"waiting", "running"} and time.monotonic() < end:
        guest.turn(time.monotonic())
    return guest


@pytest.mark.parametrize(
    ("status", "state"), [(0, "finished"), (1, "restarting"), (2, "failed"), (3, "restarting"), (78, "failed")]
)
def test_only_an_end_that_another_start_may_mend_is_answered_by_one(tmp_path: Path, status: int, state: str) -> None:
    assert ended(tmp_path, status).state == state


def test_a_misused_command_is_given_up_with_the_reason(tmp_path: Path) -> None:
    assert "exited with 2: it says that its command line" in (ended(tmp_path, 2).reason or "")
