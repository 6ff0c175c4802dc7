"""What this machine and this program are, so that figures of others are not set against ours.

In: /proc, /sys, the installed package. Out: `MachineFacts`, read once and journalled as an observation. The fingerprint
of the host covers what changes its speed (processor, cores, memory, kernel, microcode, governor, virtual or not); the
code hash covers every file of our packages and of the packaged settings. A fact that cannot be read is left out.
"""

import hashlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from schemas.base import Record

PACKAGES: Final = ("actors", "bus", "schemas", "supervisor", "config")
SUFFIXES: Final = (".py", ".toml", ".yaml", ".json", ".txt")
LIBRARIES: Final = ("oneiros", "numpy", "zstandard", "optuna", "psutil")
CPUINFO: Final = Path("/proc/cpuinfo")
MEMINFO: Final = Path("/proc/meminfo")
GOVERNOR: Final = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
HASH_LENGTH: Final = 16
GIB_IN_KIB: Final = 1024 * 1024


class MachineFacts(Record):
    """One machine with one installed program."""

    host: str
    """`sha256:` and 16 hex digits over `host_facts`."""
    host_facts: dict[str, str]
    code_hash: str
    tools: dict[str, str]
    virtualised: bool | None
    """None where the processor does not tell."""


def look_at_machine() -> MachineFacts:
    """What can be read of this machine now."""
    cpu = _cpu_fields()
    is_virtual = "hypervisor" in cpu["flags"].split() if "flags" in cpu else None
    facts = {
        "cpu": cpu.get("model name", platform.processor()),
        "cpus": str(os.cpu_count() or 0),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "microcode": cpu.get("microcode", ""),
        "memory_gib": _memory_gib(),
        "governor": _text(GOVERNOR),
        "virtualised": "" if is_virtual is None else str(is_virtual).lower(),
    }
    known = {name: value for name, value in facts.items() if value}
    return MachineFacts(
        host=_hashed("\n".join(f"{name}={known[name]}" for name in sorted(known)).encode()),
        host_facts=known,
        code_hash=code_hash(Path(__file__).parents[2]),
        tools={"python": platform.python_version(), **_libraries()},
        virtualised=is_virtual,
    )


def code_hash(root: Path) -> str:
    """`sha256:` and 16 hex digits over the names and contents of every file of our packages under `root`."""
    whole = hashlib.sha256()
    files = (path for package in PACKAGES for path in (root / package).rglob("*") if path.suffix in SUFFIXES)
    for path in sorted(files):
        whole.update(f"{path.relative_to(root)}\0".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return f"sha256:{whole.hexdigest()[:HASH_LENGTH]}"


def _hashed(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()[:HASH_LENGTH]}"


def _cpu_fields() -> dict[str, str]:
    """The fields of the first processor."""
    first = _text(CPUINFO).partition("\n\n")[0]
    split = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in split}


def _memory_gib() -> str:
    """Total memory in whole GiB: kernels differ in what they keep for themselves."""
    for line in _text(MEMINFO).splitlines():
        if line.startswith("MemTotal:"):
            return str(round(int(line.split()[1]) / GIB_IN_KIB))
    return ""


def _libraries() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
