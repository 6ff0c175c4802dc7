"""Every quantity that the watchdog reads itself, and where from.

In: a tree of sensor files, and the GPUs of the machine where the tree is the machine's. Out: for each metric of a
domain a feed, or why there is none; `probe` says the same for people. Temperatures and powers come from hwmon, thermal
zones, RAPL and NVML; throttling, memory and disk errors, swap and load from the kernel's counters. Refused: to put a
number where nothing was read. psutil reads the same hwmon files on Linux and is not asked, so that one reader serves
the machine and an injected tree alike.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from actors.safety_watchdog import counting
from actors.safety_watchdog.energy import package_energy, platform_energy
from actors.safety_watchdog.layout import MICROS, MILLIS, Part, SensorTree, number
from actors.safety_watchdog.meters import Gauge, Growth, Mean, Meter, Peak, Rate, Read
from actors.safety_watchdog.nvml import Nvml
from schemas.cap_settings import METRICS
from schemas.regimes import Domain, Reading

MAIN_PART: Final[Mapping[Domain, Part]] = {
    "cpu": "cpu",
    "gpu": "gpu",
    "audio": "cpu",
    "memory": "dimm",
    "storage": "drive",
    "asr_tts": "cpu",
    "power_thermal": "cpu",
    "os_scheduler": "cpu",
    "conversation": "cpu",
}
"""Whose temperature is `temp_peak_c` in a domain."""
PART_OF: Final[Mapping[str, Part]] = {
    "cpu_temp_c": "cpu",
    "gpu_temp_c": "gpu",
    "dimm_temp_c": "dimm",
    "nvme_temp_c": "drive",
    "psu_temp_c": "psu",
}
NAME_OF: Final[Mapping[Part, str]] = {
    "cpu": "the CPU",
    "gpu": "a GPU",
    "dimm": "a memory module",
    "drive": "a drive",
    "psu": "a power supply",
}
SENSED: Final = {name: metric.unit for name, metric in METRICS.items() if metric.origin == "sensor"}
"""Metric -> unit, of all that is read here."""
RECORDED: Final = ("temp_peak_c", "watts")
"""Read in every trial, capped or not."""


@dataclass(frozen=True)
class Feed:
    """A way to read one metric, and how its samples become a value."""

    source: str
    read: Read
    gauge: Callable[[], Gauge]

    def meter(self, unit: str) -> Meter:
        """A fresh meter on it."""
        return Meter(unit, self.source, self.read, self.gauge())


Found = Feed | str
"""A way to read a metric, or why there is none."""


class Probe(NamedTuple):
    """What is known of one metric on this machine."""

    metric: str
    domain: Domain
    unit: str
    source: str | None
    reason: str | None


class Sensors:
    """What can be read on one machine, or from an injected tree."""

    def __init__(self, tree: SensorTree) -> None:
        self.tree = tree
        self._gpus: Nvml | None = None
        self._has_looked = tree.is_injected

    def feeds(self, domain: Domain, capped: Iterable[str]) -> tuple[dict[str, Feed], dict[str, Reading]]:
        """What is capped or recorded and can be read, and readings without a value of what cannot."""
        feeds: dict[str, Feed] = {}
        absent: dict[str, Reading] = {}
        for metric in dict.fromkeys((*RECORDED, *(name for name in capped if name in SENSED))):
            found = self._find(metric, domain)
            if isinstance(found, Feed):
                feeds[metric] = found
            else:
                absent[metric] = Reading(value=None, unit=SENSED[metric], source=None, reason=found)
        return feeds, absent

    def close(self) -> None:
        """Let libraries go."""
        if self._gpus is not None:
            self._gpus.close()

    @property
    def _nvml(self) -> Nvml | None:
        """The library of NVIDIA, loaded when it is first asked for; None for an injected tree, or without a driver."""
        if not self._has_looked:
            self._has_looked = True
            with suppress(OSError):  # no driver
                self._gpus = Nvml()
        return self._gpus

    def _find(self, metric: str, domain: Domain) -> Found:
        if metric == "temp_peak_c":
            return self._temperature(MAIN_PART[domain])
        if metric in PART_OF:
            return self._temperature(PART_OF[metric])
        if metric == "watts":
            return self._gpu_energy() if domain == "gpu" else self._package_power(is_peak=False)
        finders: Mapping[str, Callable[[], Found]] = {
            "package_power_w": partial(self._package_power, is_peak=True),
            "power_draw_w": self._gpu_power,
            "total_power_w": self._total_power,
            "thermal_throttle_events": lambda: _growth(counting.throttle_files(self.tree), counting.NO_THROTTLE),
            "ecc_errors": lambda: _growth(counting.memory_error_files(self.tree), counting.NO_MEMORY_ERRORS),
            "io_errors": lambda: _growth(counting.disk_error_files(self.tree), counting.NO_DISK_ERRORS),
            "gpu_throttle_events": self._gpu_slowdowns,
            "gpu_memory_errors": self._gpu_memory_errors,
            "swap_mb_s": self._swap,
            "load1": self._load,
        }
        return finders[metric]()

    def _temperature(self, part: Part) -> Found:
        files = self.tree.temperatures(part)
        if files:
            return Feed(_sources(files), lambda: _largest(files, MILLIS), Peak)
        if part == "gpu" and self._nvml is not None:
            return self._gpu(Nvml.temperature_c, "temperature", Peak)
        return f"no temperature sensor of {NAME_OF[part]} in {self._place('hwmon')}"

    def _package_power(self, is_peak: bool) -> Found:
        energy = package_energy(self.tree)
        if not isinstance(energy, str):
            return Feed(energy.source, energy.joules, lambda: Rate(1.0, None, is_peak))
        files = self.tree.powers("cpu")
        if files:
            return Feed(_sources(files), lambda: _total(files, MICROS), Peak if is_peak else Mean)
        return energy

    def _total_power(self) -> Found:
        """Of the platform or the power supply; else of the CPU packages, which its source says."""
        platform = platform_energy(self.tree)
        if platform is not None:
            return Feed(platform.source, platform.joules, lambda: Rate(1.0, None, is_peak=True))
        supply = self.tree.powers("psu")
        if supply:
            return Feed(_sources(supply), lambda: _total(supply, MICROS), Peak)
        packages = package_energy(self.tree)
        if isinstance(packages, str):
            return f"neither platform nor power supply tells its power, and {packages}"
        source = f"{packages.source}, without GPUs, board and drives"
        return Feed(source, packages.joules, lambda: Rate(1.0, None, is_peak=True))

    def _gpu_power(self) -> Found:
        files = self.tree.powers("gpu")
        if files:
            return Feed(_sources(files), lambda: _largest(files, MICROS), Peak)
        return self._gpu(Nvml.power_w, "power", Peak)

    def _gpu_energy(self) -> Found:
        files = self.tree.powers("gpu")
        if files:
            return Feed(_sources(files), lambda: _total(files, MICROS), Mean)
        return self._gpu(Nvml.energy_j, "energy counter", lambda: Rate(1.0, None, is_peak=False))

    def _gpu_slowdowns(self) -> Found:
        files = counting.gpu_slowdown_files(self.tree)
        if files:
            return Feed(_sources(files), lambda: counting.total(files), Peak)
        return self._gpu(Nvml.slowdowns, "slowdowns for temperature", Peak)

    def _gpu_memory_errors(self) -> Found:
        files = counting.gpu_error_files(self.tree)
        if files:
            return Feed(_sources(files), lambda: counting.uncorrected(files), Growth)
        return self._gpu(Nvml.memory_errors, "uncorrected memory errors", Growth)

    def _gpu(self, read: Callable[[Nvml], float | None], what: str, gauge: Callable[[], Gauge]) -> Found:
        nvml = self._nvml
        if nvml is None or nvml.gpus == 0:
            return "no GPU tells it, in sysfs or by NVML"
        if read(nvml) is None:
            return f"no GPU tells its {what} by NVML"
        return Feed(f"NVML {what} of {nvml.gpus} GPUs", partial(read, nvml), gauge)

    def _swap(self) -> Found:
        file = self.tree.proc("vmstat")
        if counting.swapped_mb(file) is None:
            return f"{file} does not tell of swapping"
        source = f"{file} pswpin + pswpout"
        return Feed(source, lambda: counting.swapped_mb(file), lambda: Rate(1.0, None, is_peak=True))

    def _load(self) -> Found:
        file = self.tree.proc("loadavg")
        if counting.load1(file) is None:
            return f"{file} cannot be read"
        return Feed(str(file), lambda: counting.load1(file), Peak)

    def _place(self, kind: str) -> str:
        return str(self.tree.folder(kind))


def probe(root: Path | None) -> Iterator[Probe]:
    """What can be read on this machine (`root` None) or in an injected tree, for every domain."""
    sensors = Sensors(SensorTree(root))
    for domain in MAIN_PART:
        for metric, unit in SENSED.items():
            found = sensors._find(metric, domain)
            source, reason = (found.source, None) if isinstance(found, Feed) else (None, found)
            yield Probe(metric, domain, unit, source, reason)
    sensors.close()


def _growth(files: list[Path], why_none: str) -> Found:
    if not files:
        return why_none
    return Feed(_sources(files), lambda: counting.total(files), Growth)


def _largest(files: list[Path], per_unit: float) -> float | None:
    """The largest of what can be read right now; None when one of them cannot: it may be the largest."""
    values = [number(file) for file in files]
    known = [value for value in values if value is not None]
    return max(known) / per_unit if len(known) == len(values) else None


def _total(files: list[Path], per_unit: float) -> float | None:
    values = [number(file) for file in files]
    known = [value for value in values if value is not None]
    return sum(known) / per_unit if len(known) == len(values) else None


def _sources(files: list[Path]) -> str:
    """One file by its path; of many, where they begin and how many there are."""
    return str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
