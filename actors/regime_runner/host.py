"""Looks at the machine once: what it offers to trials, as one record that becomes an input of the run.

In: the folder that holds the scratch of trials, PATH, and the procfs and sysfs of the machine. Out: a `Host`. A program
is there when PATH names it, Python included: PATH says what a trial may start, and an empty one starts nothing.
Refused: no tool is asked for more than its version, and for at most two seconds.
"""

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from schemas.regime_programs import PROGRAMS, PYTHON
from schemas.regime_settings import Host

VERSION_SECONDS: Final = 2.0
_NVML_SUCCESS: Final = 0


def look(scratch: Path, path: str | None = None, *, asks_versions: bool = True) -> Host:
    """What this machine offers now; `path` stands for PATH. `scratch` need not exist yet.

    Without `asks_versions` no tool is started: the versions are those of nothing, and no result may be kept by them.
    """
    searched = os.environ.get("PATH", "") if path is None else path
    programs = _programs(searched)
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    return Host(
        cpus=cpus,
        cores=_cores(cpus),
        memory_available_bytes=_available_memory(),
        scratch_free_bytes=shutil.disk_usage(_nearest(scratch)).free,
        programs=programs,
        versions={name: _version(name, place) for name, place in programs.items()} if asks_versions else {},
        modules=tuple(name for name in _optional_modules() if importlib.util.find_spec(name) is not None),
        gpus=_gpus(),
        packages=str(Path(__file__).parents[2]),
    )


def _programs(path: str) -> dict[str, str]:
    tools = [name for name, program in PROGRAMS.items() if not program.is_kernel]
    needed = [need for program in PROGRAMS.values() for need in program.needs]
    found = {name: shutil.which(name, path=path) for name in sorted({*tools, *needed})}
    there = {name: os.path.abspath(place) for name, place in found.items() if place and path}
    own = Path(sys.executable)
    folders = {os.path.realpath(folder) for folder in path.split(os.pathsep) if folder}
    if path and (shutil.which(PYTHON, path=path) or os.path.realpath(own.parent) in folders):
        there[PYTHON] = str(own)
    return there


def _version(name: str, place: str) -> str:
    """The first line that a tool says of itself, `unknown` where it says nothing in time."""
    if name == PYTHON:
        return sys.version.split()[0]
    option = "--help" if name == "cyclictest" else "--version"
    try:
        told = subprocess.run(
            [place, option], stdin=subprocess.DEVNULL, capture_output=True, timeout=VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    lines = (told.stdout or told.stderr).decode(errors="replace").splitlines()
    return lines[0].strip()[:80] if lines and lines[0].strip() else "unknown"


def _cores(cpus: Iterable[int]) -> tuple[tuple[int, ...], ...]:
    """The processors by core, from sysfs; each is a core of its own where that says nothing."""
    grouped: dict[str, list[int]] = {}
    for cpu in cpus:
        topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
        try:
            key = (topology / "physical_package_id").read_text() + (topology / "core_id").read_text()
        except OSError:
            key = f"cpu{cpu}"
        grouped.setdefault(key, []).append(cpu)
    return tuple(tuple(group) for group in grouped.values())


def _available_memory() -> int:
    """MemAvailable of /proc/meminfo, bytes; 0 where it cannot be read."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())


def _optional_modules() -> list[str]:
    return sorted({module for program in PROGRAMS.values() for module in program.modules})


def _gpus() -> int:
    """Number of GPUs that NVML sees; 0 without its library or driver."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return 0
    if nvml.nvmlInit_v2() != _NVML_SUCCESS:
        return 0
    try:
        count = ctypes.c_uint(0)
        is_told = nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) == _NVML_SUCCESS
        return count.value if is_told else 0
    finally:
        nvml.nvmlShutdown()
