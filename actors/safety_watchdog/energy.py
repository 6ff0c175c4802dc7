"""Energy counters of the CPU packages and of the platform (RAPL), with their wrap.

In: the powercap tree. Out: joules since the counter was first read, growing for ever; or why there is no counter. A
zone that shows up twice, by its register and by its memory window, is counted once. Reading needs the right to, which
kernels since 5.10 give to root alone; that is said, and nothing is put in its place.
"""

from pathlib import Path
from typing import Final

from actors.safety_watchdog.layout import MICROS, SensorTree, number, text

PACKAGE: Final = "package"
PLATFORM: Final = "psys"


class Energy:
    """The counters of some zones, unwrapped and added."""

    def __init__(self, zones: list[Path]) -> None:
        self.source = " + ".join(f"{zone / 'energy_uj'}" for zone in zones)
        self._zones = zones
        self._before: dict[Path, float] = {}
        self._total_uj = 0.0

    def joules(self) -> float | None:
        """Since the first call; None when a counter cannot be read now, or wrapped at a place that nothing tells."""
        for zone in self._zones:
            now = number(zone / "energy_uj")
            if now is None:
                return None
            grown = now - self._before.get(zone, now)
            if grown < 0:
                wraps_at = number(zone / "max_energy_range_uj")
                if wraps_at is None:
                    return None
                grown += wraps_at
            self._total_uj += grown
            self._before[zone] = now
        return self._total_uj / MICROS


def package_energy(tree: SensorTree) -> Energy | str:
    """The energy of all CPU packages, or why it cannot be read."""
    zones = _zones(tree, PACKAGE)
    if not zones:
        return f"no RAPL package and no power sensor of the CPU in {tree.folder('powercap')}"
    for zone in zones:
        file = zone / "energy_uj"
        if number(file) is None:
            return f"{file} cannot be read{_why(file)}"
    return Energy(zones)


def platform_energy(tree: SensorTree) -> Energy | None:
    """The energy of the whole platform, where a zone tells it."""
    zones = [zone for zone in _zones(tree, PLATFORM) if number(zone / "energy_uj") is not None]
    return Energy(zones) if zones else None


def _zones(tree: SensorTree, kind: str) -> list[Path]:
    """One zone of each name that begins with `kind`; the one of the register goes before that of the memory window."""
    top = tree.folder("powercap")
    folders = [path.parent for pattern in ("*/name", "*/*/name") for path in sorted(top.glob(pattern))]
    found: dict[str, Path] = {}
    for folder in sorted(folders, key=lambda folder: ("mmio" in folder.name, len(folder.parts), folder.name)):
        name = text(folder / "name") or ""
        if name.startswith(kind):
            found.setdefault(name, folder)
    return sorted(found.values())


def _why(file: Path) -> str:
    try:
        file.read_text()
    except PermissionError:
        return ": this user may not; root may, or a group that the operator gives the right to"
    except OSError as error:
        return f": {error.strerror}"
    return ": it says no number"
