"""The typed form of `config/caps.yaml`: what no trial may exceed, and what counts as an improvement (seed 003).

In: plain values, as `schemas.regime_files` reads them. Out: immutable settings, and the table of all metrics that a cap
may name. Refused: a cap on a metric that nothing measures, a domain that is not there, unknown keys.
"""

from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field

from schemas.base import Record
from schemas.regimes import Domain

NotNegative = Annotated[float, Field(ge=0.0)]


class CapMetric(NamedTuple):
    """A metric that a cap may name."""

    unit: str
    origin: Literal["sensor", "workload"]
    """sensor: the watchdog reads it itself, on every domain. workload: it comes with the result of a trial."""
    domains: tuple[Domain, ...] = ()
    """Of a workload's metric: the domains whose trials tell it; none means all of them."""


METRICS: Final[dict[str, CapMetric]] = {
    "temp_peak_c": CapMetric("C", "sensor"),
    "cpu_temp_c": CapMetric("C", "sensor"),
    "gpu_temp_c": CapMetric("C", "sensor"),
    "dimm_temp_c": CapMetric("C", "sensor"),
    "nvme_temp_c": CapMetric("C", "sensor"),
    "psu_temp_c": CapMetric("C", "sensor"),
    "watts": CapMetric("W", "sensor"),
    "package_power_w": CapMetric("W", "sensor"),
    "power_draw_w": CapMetric("W", "sensor"),
    "total_power_w": CapMetric("W", "sensor"),
    "thermal_throttle_events": CapMetric("events", "sensor"),
    "gpu_throttle_events": CapMetric("events", "sensor"),
    "gpu_memory_errors": CapMetric("errors", "sensor"),
    "ecc_errors": CapMetric("errors", "sensor"),
    "io_errors": CapMetric("errors", "sensor"),
    "swap_mb_s": CapMetric("MB/s", "sensor"),
    "load1": CapMetric("tasks", "sensor"),
    "errors": CapMetric("errors", "workload"),
    "oom": CapMetric("kills", "workload"),
    "xruns": CapMetric("periods", "workload", ("audio",)),
    "buffer_underruns": CapMetric("periods", "workload", ("audio",)),
    "write_error_rate": CapMetric("share", "workload", ("storage",)),
    "recognition_failures": CapMetric("phrases", "workload", ("asr_tts",)),
    "synthesis_failures": CapMetric("phrases", "workload", ("asr_tts",)),
    "llm_errors": CapMetric("replies", "workload", ("conversation",)),
    "tts_errors": CapMetric("sayings", "workload", ("conversation",)),
}
"""Metric -> what is known of it."""


class PerCpu(Record):
    """A cap that grows with the machine."""

    per_cpu: NotNegative


class GlobalLimits(Record):
    """[global]"""

    max_trial_failures: Annotated[int, Field(ge=0, le=1000)]
    """Of `of_trials` trials of a regime; more make the pack invalid."""
    min_successful_trials: Annotated[int, Field(ge=1, le=1000)]
    """Of `of_trials`; fewer make the pack invalid."""
    of_trials: Annotated[int, Field(ge=1, le=1000)]
    max_trial_duration_s: Annotated[float, Field(gt=0.0)]
    """No trial may take longer, whatever its nominal time."""


class Tolerance(Record):
    """[tolerance] What still counts as an improvement over the baseline, percent."""

    perf_percent: NotNegative
    """perf rises by at least this."""
    p95_ms_percent: NotNegative
    """Latency rises by at most this."""
    watts_percent: NotNegative
    """Power rises by at most this."""


class CapsConfig(Record):
    """`config/caps.yaml`."""

    version: Literal[1]
    limits: Annotated[GlobalLimits, Field(alias="global")]
    tolerance: Tolerance
    margin: dict[str, NotNegative]
    """Metric -> how far below its cap a live reading already ends the trial; none means only beyond the cap."""
    domains: dict[Domain, dict[str, NotNegative | PerCpu]]

    def caps_of(self, domain: Domain, cpus: int) -> dict[str, float]:
        """Metric -> limit, on a machine of `cpus` processors; equal to the limit is safe."""
        return {
            metric: cap.per_cpu * cpus if isinstance(cap, PerCpu) else cap
            for metric, cap in self.domains.get(domain, {}).items()
        }
