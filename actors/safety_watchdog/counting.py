"""Counters of the kernel that a trial must not raise: throttling, memory errors, disk errors, swapping; and the load.

In: sysfs and procfs files. Out: their numbers now, each None where it cannot be read, and why a counter is not there at
all. All of them count since the machine was started; a trial is judged by their differences.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from actors.safety_watchdog.layout import SensorTree, text

BYTES_PER_MB: Final = 1e6
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
NO_THROTTLE: Final = "the kernel counts no thermal throttling here (no thermal_throttle folder of any CPU)"
NO_MEMORY_ERRORS: Final = "the kernel counts no memory errors here (no EDAC controller)"
NO_DISK_ERRORS: Final = "no disk counts its errors here (neither device/ioerr_cnt nor errors_count of ext4)"


def throttle_files(tree: SensorTree) -> list[Path]:
    """Throttle counters: of every core, and of each package once, since every CPU repeats its package's."""
    found: list[Path] = []
    packages: set[str | None] = set()
    for folder in sorted(tree.path("devices/system/cpu").glob("cpu[0-9]*")):
        found.append(folder / "thermal_throttle" / "core_throttle_count")
        package = text(folder / "topology" / "physical_package_id")
        if package is None or package not in packages:
            packages.add(package)
            found.append(folder / "thermal_throttle" / "package_throttle_count")
    return _readable(found)


def memory_error_files(tree: SensorTree) -> list[Path]:
    """Corrected and uncorrected memory errors of every controller."""
    controllers = sorted(tree.path("devices/system/edac/mc").glob("mc[0-9]*"))
    return _readable(folder / name for folder in controllers for name in ("ce_count", "ue_count"))


def disk_error_files(tree: SensorTree) -> list[Path]:
    """Error counters of disks and of the ext4 file systems on them."""
    disks = sorted(tree.path("block").glob("*/device/ioerr_cnt"))
    return _readable([*disks, *sorted(tree.path("fs/ext4").glob("*/errors_count"))])


def gpu_slowdown_files(tree: SensorTree) -> list[Path]:
    """Whether a GPU is slowed down for its temperature right now, as the drivers of Intel tell."""
    cards = tree.folder("drm")
    patterns = (
        "card[0-9]*/gt/gt*/throttle_reason_thermal",
        "card[0-9]*/device/tile*/gt*/freq*/throttle/reason_thermal",
    )
    return _readable(file for pattern in patterns for file in sorted(cards.glob(pattern)))


def gpu_error_files(tree: SensorTree) -> list[Path]:
    """Memory errors of GPUs, as the driver of AMD tells."""
    files = sorted(tree.folder("drm").glob("card[0-9]*/device/ras/*_err_count"))
    return [file for file in files if uncorrected([file]) is not None]


def uncorrected(files: Iterable[Path]) -> float | None:
    """The sum of what such files say after `ue:`, None when one cannot be read."""
    found = [re.search(r"ue:\s*(\d+)", text(file) or "") for file in files]
    counts = [int(match.group(1)) for match in found if match is not None]
    return float(sum(counts)) if len(counts) == len(found) else None


def total(files: Iterable[Path]) -> float | None:
    """The sum of what all of them say now, None when one cannot be read."""
    values = [_count(file) for file in files]
    known = [value for value in values if value is not None]
    return float(sum(known)) if len(known) == len(values) else None


def swapped_mb(file: Path) -> float | None:
    """Memory that went to swap or came back since the machine was started, MB."""
    rows = [line.split() for line in (text(file) or "").splitlines()]
    pages = [int(row[1]) for row in rows if row and row[0] in {"pswpin", "pswpout"}]
    return sum(pages) * PAGE_BYTES / BYTES_PER_MB if pages else None


def load1(file: Path) -> float | None:
    """Mean number of tasks that ran or wanted to in the last minute."""
    words = (text(file) or "").split()
    try:
        return float(words[0]) if words else None
    except ValueError:
        return None


def _readable(files: Iterable[Path]) -> list[Path]:
    return [file for file in files if _count(file) is not None]


def _count(file: Path) -> int | None:
    """A whole number, decimal or with 0x before it."""
    try:
        return int(text(file) or "", 0)
    except ValueError:
        return None
