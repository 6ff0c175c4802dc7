"""What the free space on the home's disk means for the run.

In: free space and the two limits, MiB. Out: a verdict. Below the stop limit the dreamer, who alone makes the run
grow, is held; it goes on when a twentieth more than the limit is free, so that it does not flicker.
"""

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Final

RESUME_FACTOR: Final = 1.05
MIB: Final = 1024 * 1024
NO_SPACE: Final = re.compile(r"no space left|disk is full|quota exceeded", re.IGNORECASE)
"""What the kernel and SQLite say of a full disk."""


class DiskState(StrEnum):
    """How much room there is."""

    OK = "ok"
    LOW = "low"
    """Below the warning limit."""
    FULL = "full"
    """Below the stop limit: the dreamer is held."""


def judge_disk(free_mib: float, warn_mib: int, stop_mib: int, before: DiskState) -> DiskState:
    """The state at `free_mib`, given the state before; FULL ends only at `RESUME_FACTOR` times the stop limit."""
    limit = stop_mib * RESUME_FACTOR if before is DiskState.FULL else float(stop_mib)
    if free_mib < limit:
        return DiskState.FULL
    return DiskState.LOW if free_mib < warn_mib else DiskState.OK


def tells_of_no_space(reason: str) -> bool:
    """Whether an actor that died for `reason` wanted more room than the disk had."""
    return NO_SPACE.search(reason) is not None


def free_mib(folder: Path) -> float:
    """Space on the disk of `folder` that an ordinary user may still fill, MiB; raises OSError."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize / MIB
