"""Where sensors are: the trees of hwmon, powercap and thermal zones, of the machine or injected.

In: a root that stands for `/sys`, or none for the machine's own. Out: chips with their kind, files to read, numbers. An
injected tree may also begin one folder above or below what `/sys` would be; nothing of the machine's own sensors is
read then. Refused: to guess the kind of a chip whose name is not known.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Part = Literal["cpu", "gpu", "dimm", "drive", "psu"]
"""A part of the machine that has a temperature."""

CHIPS: Final[tuple[tuple[str, Part], ...]] = (
    (r"coretemp|k\d+temp|zenpower|fam15h_power|amd_energy|via_cputemp|.*cpu.*|scmi.*|soc_thermal", "cpu"),
    (r"amdgpu|radeon|nouveau|nvidia.*|i915|xe|.*gpu.*", "gpu"),
    (r"spd5118|jc42|.*dimm.*", "dimm"),
    (r"nvme\d*|drivetemp", "drive"),
    (r".*psu.*", "psu"),
)
"""Pattern of the name of a chip or of the type of a thermal zone -> the part that it belongs to."""
ZONES: Final = r"x86_pkg_temp|.*cpu.*|soc.*"
UNTYPED: Final = "cpu"
"""What a thermal zone is taken for that has no type, as a tree made by hand may have it; the kernel types them all."""
SECOND_CHANCE_S: Final = 0.01
MILLIS: Final = 1e3
MICROS: Final = 1e6
"""In one. Files are divided by them: a product with 0.001 would put some numbers above a cap that they are equal to."""


@dataclass(frozen=True)
class Chip:
    """One hwmon chip."""

    folder: Path
    name: str
    part: Part | None


@dataclass(frozen=True)
class SensorTree:
    """The files of one machine, or of an injected tree."""

    root: Path | None = None
    """None for the machine."""

    @property
    def is_injected(self) -> bool:
        """Whether the files are not those of the machine."""
        return self.root is not None

    def folder(self, kind: str) -> Path:
        """The folder of a class of devices, such as `hwmon`; it need not exist."""
        return self.path(f"class/{kind}", kind)

    def path(self, path: str, short: str | None = None) -> Path:
        """A path below `/sys`; in an injected tree also `short`, or the same below `sys`, where that exists."""
        if self.root is None:
            return Path("/sys") / path
        found = [self.root / path, self.root / "sys" / path]
        if short is not None:
            found.insert(1, self.root / short)
        return next((candidate for candidate in found if candidate.exists()), found[0])

    def proc(self, path: str) -> Path:
        """A path below `/proc`: the machine's, unless the injected tree has a `proc` of its own."""
        own = self.root / "proc" if self.root is not None else Path("/proc")
        return (own if own.is_dir() else Path("/proc")) / path

    def chips(self) -> Iterator[Chip]:
        """Every hwmon chip there is, in order."""
        for folder in _folders(self.folder("hwmon")):
            name = text(folder / "name") or ""
            yield Chip(folder, name, part_of(name))

    def temperatures(self, part: Part) -> list[Path]:
        """Files with millidegrees of one part."""
        found = [file for chip in self.chips() if chip.part == part for file in _inputs(chip.folder, "temp")]
        if part == "cpu":
            zones = _folders(self.folder("thermal"), "thermal_zone*")
            found += [zone / "temp" for zone in zones if re.fullmatch(ZONES, (text(zone / "type") or UNTYPED).lower())]
        return [file for file in found if is_sound(file)]

    def powers(self, part: Part) -> list[Path]:
        """Files with microwatts of one part, one of each channel."""
        found: list[Path] = []
        for chip in self.chips():
            if chip.part == part:
                inputs = _inputs(chip.folder, "power", "input") or _inputs(chip.folder, "power", "average")
                found += [file for file in inputs if is_sound(file)]
        return found


def part_of(name: str) -> Part | None:
    """The part that a chip of this name belongs to."""
    return next((part for pattern, part in CHIPS if re.fullmatch(pattern, name.lower())), None)


def text(file: Path) -> str | None:
    """What a file says; None when it cannot be read."""
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return None


def is_sound(file: Path) -> bool:
    """Whether a sensor says a number; one that is just being replaced is given a second chance."""
    if number(file) is None:
        time.sleep(SECOND_CHANCE_S)
    return number(file) is not None


def number(file: Path) -> float | None:
    """The number that a file says; None when it cannot be read or says none, such as while it is replaced."""
    try:
        return float(file.read_text())
    except (OSError, ValueError):
        return None


def _inputs(folder: Path, kind: str, which: str = "input") -> list[Path]:
    """The channels of a chip that do not call themselves faulty."""
    files = sorted(folder.glob(f"{kind}[0-9]*_{which}"))
    return [file for file in files if text(file.with_name(file.name.replace(which, "fault"))) not in {"1"}]


def _folders(parent: Path, pattern: str = "*") -> list[Path]:
    return sorted(path for path in parent.glob(pattern) if path.is_dir())
