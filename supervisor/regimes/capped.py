"""What is capped, and what on this machine can check it.

In: the caps that hold, the sensors of the machine or of an injected tree. Out: a row for each cap with its limit and
what it is read from, or why it cannot be checked; then every sensor, capped or not.
"""

import os
from pathlib import Path

from actors.safety_watchdog.sensors import Probe, probe
from schemas.base import Record
from schemas.cap_settings import METRICS, CapsConfig
from schemas.errors import SettingsError
from schemas.regime_files import CAPS_FILE, load_caps
from schemas.regime_settings import DOMAINS
from schemas.regimes import Domain
from supervisor.configuration import Sources, load_configuration
from supervisor.run_files import settings_file


class CapRow(Record):
    """One cap of one domain."""

    domain: Domain
    metric: str
    limit: float
    unit: str
    source: str | None
    """A sensor, or `the workload`; None where nothing can check it."""
    reason: str | None


class CapsReport(Record):
    """What `supervisor regimes caps` shows."""

    file: str
    sensor_root: str
    """Empty for the sensors of the machine."""
    caps: tuple[CapRow, ...]
    recorded: tuple[CapRow, ...]
    """Watts and peak temperature of each domain, read in every trial; their limit is 0 where there is no cap."""

    @property
    def unchecked(self) -> int:
        """Caps that nothing here can check."""
        return sum(row.source is None for row in self.caps)


def settings_text(sources: Sources, name: str) -> bytes:
    """The settings file `name` that holds for `sources`; raises SettingsError when it cannot be read."""
    path = settings_file(sources, name)
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError((f"{path}: {error.strerror or error}",)) from error


def caps_here(sources: Sources, only: Domain | None) -> CapsReport:
    """The caps that hold for `sources` on this machine; raises SettingsError with every mistake of the file."""
    root = load_configuration(sources).settings.regimes.sensor_root
    caps = load_caps(settings_text(sources, CAPS_FILE))
    return report_caps(caps, str(settings_file(sources, CAPS_FILE)), root, len(os.sched_getaffinity(0)), only)


def report_caps(caps: CapsConfig, file: str, sensor_root: str, cpus: int, only: Domain | None) -> CapsReport:
    """The caps of all domains, or of one."""
    probes = {(found.domain, found.metric): found for found in probe(Path(sensor_root) if sensor_root else None)}
    rows, recorded = [], []
    for domain in DOMAINS:
        if only not in (None, domain):
            continue
        limits = caps.caps_of(domain, cpus)
        rows += [_row(domain, metric, limit, probes) for metric, limit in limits.items()]
        recorded += [_row(domain, metric, limits.get(metric, 0.0), probes) for metric in ("watts", "temp_peak_c")]
    return CapsReport(file=file, sensor_root=sensor_root, caps=tuple(rows), recorded=tuple(recorded))


def _row(domain: Domain, metric: str, limit: float, probes: dict[tuple[Domain, str], Probe]) -> CapRow:
    known = METRICS[metric]
    row = CapRow(domain=domain, metric=metric, limit=limit, unit=known.unit, source="the workload", reason=None)
    if known.origin == "workload":
        return row
    found = probes[domain, metric]
    return row.model_copy(update={"source": found.source, "reason": found.reason})
