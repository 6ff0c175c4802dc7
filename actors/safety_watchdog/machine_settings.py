"""The settings of the machine that an operator may opt in to: their files, the values that are allowed, what they hold.

In: a name of `schemas.tiers.TIER_B`, a value, a tree of files. Out: the files and what to write into each, or why not.
A value outside its range is brought to the nearest end, which the caller is told; power and frequency only ever go
down. Nothing is written here.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from actors.safety_watchdog.layout import SensorTree, text

HUGE_SHARE: Final = 4
"""At most one part in so many of the memory is kept apart for huge pages."""
HUGE_PAGE_KIB: Final = 2048
KIB: Final = 1024
POLICY: Final = "cpu/cpufreq/policy*/"
EACH_CPU: Final = "cpu/cpu[0-9]*/cpufreq/"
"""Where frequencies are set when no folder of a policy is there."""


class UnsupportedError(Exception):
    """This machine has no such setting."""


class UnfitError(Exception):
    """The value is none that this setting may take."""


class Change(NamedTuple):
    """One file and what it shall say."""

    path: Path
    value: str


@dataclass(frozen=True)
class Plan:
    """What a setting comes to on this machine."""

    changes: tuple[Change, ...]
    is_clamped: bool
    """A value was brought into its range."""


@dataclass(frozen=True)
class _Setting:
    files: str
    """Pattern of the files, relative to `/sys` or, after `proc/`, to `/proc`."""
    fit: Callable[[Path, object, SensorTree], str]
    """The text to write for a value; raises UnfitError."""


def plan(name: str, value: object, tree: SensorTree) -> Plan:
    """What setting `name` to `value` comes to; raises UnsupportedError or UnfitError."""
    setting = SETTINGS[name]
    files = _files(setting.files, tree)
    if not files:
        raise UnsupportedError(f"this machine has no {setting.files}")
    changes = tuple(Change(path, setting.fit(path, value, tree)) for path in files)
    return Plan(changes, any(change.value != str(value) for change in changes))


def held(path: Path) -> str | None:
    """The value that a file holds now, None when it cannot be read."""
    found = text(path)
    return None if found is None else value_of(found)


def value_of(said: str) -> str:
    """The value in what a file says: of a list with one entry in brackets, that entry."""
    chosen = re.search(r"\[([^\]]+)\]", said)
    return chosen.group(1) if chosen else said.strip()


def every_file(tree: SensorTree) -> tuple[Path, ...]:
    """All files of all settings that this machine has."""
    return tuple(dict.fromkeys(path for setting in SETTINGS.values() for path in _files(setting.files, tree)))


def _files(pattern: str, tree: SensorTree) -> list[Path]:
    if pattern.startswith("proc/"):
        root = tree.root / "proc" if tree.root is not None else Path("/proc")
        return sorted(path for path in [root / pattern.removeprefix("proc/")] if path.is_file())
    found = _matching(pattern, tree)
    return found or _matching(pattern.replace(POLICY, EACH_CPU), tree)


def _matching(pattern: str, tree: SensorTree) -> list[Path]:
    parts = pattern.split("/")
    fixed = next((index for index, part in enumerate(parts) if set(part) & set("*[")), len(parts))
    base, rest = tree.path("/".join(parts[:fixed])), "/".join(parts[fixed:])
    return sorted(path for path in (base.glob(rest) if rest else [base]) if path.is_file())


def _between(low: int, high: int) -> Callable[[Path, object, SensorTree], str]:
    def fit(_path: Path, value: object, _tree: SensorTree) -> str:
        return str(min(max(_whole(value), low), high))

    return fit


def _percent(low: int, high: int) -> Callable[[Path, object, SensorTree], str]:
    fit_range = _between(low, high)

    def fit(path: Path, value: object, tree: SensorTree) -> str:
        if held(path) == "0":
            raise UnfitError("the machine sets a number of bytes instead, which a ratio would take away for good")
        return fit_range(path, value, tree)

    return fit


def _at_most_now(path: Path, value: object, _tree: SensorTree) -> str:
    now = _whole(held(path))
    return str(min(max(_whole(value), 1), now))


def _at_most_hardware(path: Path, value: object, _tree: SensorTree) -> str:
    """At most what the file says now, at least what the hardware can do."""
    now, least = _whole(held(path)), text(path.with_name("cpuinfo_min_freq"))
    return str(min(max(_whole(value), _whole(least) if least else 1), now))


def _offered(beside: str) -> Callable[[Path, object, SensorTree], str]:
    def fit(path: Path, value: object, _tree: SensorTree) -> str:
        offer = text(path.with_name(beside))
        return _word(value) if offer is None else _one_of(offer, value)

    return fit


def _bracketed(path: Path, value: object, _tree: SensorTree) -> str:
    return _one_of(re.sub(r"[\[\]]", "", text(path) or ""), value)


def _off(_path: Path, value: object, _tree: SensorTree) -> str:
    if str(value) not in {"0", "off", "False"}:
        raise UnfitError(f"boost is only ever switched off, not set to {value!r}")
    return "0"


def _huge_pages(_path: Path, value: object, tree: SensorTree) -> str:
    total_kib = re.search(r"MemTotal:\s+(\d+)", text(tree.proc("meminfo")) or "")
    most = int(total_kib.group(1)) // HUGE_PAGE_KIB // HUGE_SHARE if total_kib else 0
    return str(min(max(_whole(value), 0), most))


def _word(value: object) -> str:
    """A value of which nothing tells whether it is offered: what the file says after the write decides."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", str(value)):
        raise UnfitError(f"{value!r} is no word")
    return str(value)


def _one_of(offer: str, value: object) -> str:
    if str(value) not in offer.split():
        raise UnfitError(f"{value!r} is not offered; there is {offer or 'nothing'}")
    return str(value)


def _whole(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise UnfitError(f"{value!r} is no whole number") from None


SETTINGS: Final[Mapping[str, _Setting]] = {
    "governor": _Setting(
        "devices/system/cpu/cpufreq/policy*/scaling_governor", _offered("scaling_available_governors")
    ),
    "epp": _Setting(
        "devices/system/cpu/cpufreq/policy*/energy_performance_preference",
        _offered("energy_performance_available_preferences"),
    ),
    "max_freq_khz": _Setting("devices/system/cpu/cpufreq/policy*/scaling_max_freq", _at_most_hardware),
    "min_freq_khz": _Setting("devices/system/cpu/cpufreq/policy*/scaling_min_freq", _at_most_hardware),
    "boost": _Setting("devices/system/cpu/cpufreq/boost", _off),
    "thp": _Setting("kernel/mm/transparent_hugepage/enabled", _bracketed),
    "thp_defrag": _Setting("kernel/mm/transparent_hugepage/defrag", _bracketed),
    "nr_hugepages": _Setting("proc/sys/vm/nr_hugepages", _huge_pages),
    "swappiness": _Setting("proc/sys/vm/swappiness", _between(0, 100)),
    "dirty_ratio": _Setting("proc/sys/vm/dirty_ratio", _percent(5, 40)),
    "dirty_background_ratio": _Setting("proc/sys/vm/dirty_background_ratio", _percent(1, 20)),
    "dirty_expire_centisecs": _Setting("proc/sys/vm/dirty_expire_centisecs", _between(300, 3000)),
    "read_ahead_kb": _Setting("block/[hmnsvx]*/queue/read_ahead_kb", _between(0, 4096)),
    "nr_requests": _Setting("block/[hmnsvx]*/queue/nr_requests", _between(16, 1024)),
    "elevator": _Setting("block/[hmnsvx]*/queue/scheduler", _bracketed),
    "rapl_limit_uw": _Setting("class/powercap/intel-rapl:[0-9]/constraint_0_power_limit_uw", _at_most_now),
}
