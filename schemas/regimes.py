"""What the regime-runner, the safety-watchdog and the user say about trials (seed 003; design, 5.13).

In: python values. Out: immutable records of a trial and the messages of the pair. A reading is a value with its source,
or null with a reason: never both, never neither. Nothing here ends at the dreamer.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import Count, Message, Record

Domain = Literal["cpu", "gpu", "audio", "memory", "storage", "asr_tts", "power_thermal", "os_scheduler", "conversation"]
Regime = Literal["idle", "normal", "stress", "mixed"]
Profile = Literal["full", "quick"]
Metric = Literal["perf", "p95_ms", "watts", "temp_peak_c", "errors", "oom"]
Sampler = Literal["nsga2", "tpe", "random"]
TrialStatus = Literal["done", "failed", "timeout", "killed", "watchdog-gone", "refused"]

GeneValue = int | float | str
Genome = dict[str, GeneValue]
"""Name of a gene -> its decoded value."""

Seconds = Annotated[float, Field(ge=0.0)]
TrialId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,95}$")]
OrderId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
MAX_STDOUT_CHARS = 1024 * 1024


class Reading(Record):
    """One measured quantity: a value from a source, or none and why."""

    value: float | None
    unit: str
    source: str | None
    """What it was read from: a file, a command, a counter."""
    reason: str | None
    """Why there is no value."""

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.value is None) == (self.reason is None):
            raise ValueError("a reading has either a value or the reason why it has none")
        return self


class TrialOrder(Record):
    """One trial, as its guard runs it: no shell, `{scratch}` in an argument stands for the private folder."""

    trial_id: TrialId
    domain: Domain
    regime: Regime
    argv: Annotated[tuple[str, ...], Field(min_length=1)]
    """The first is an absolute path."""
    background: tuple[tuple[str, ...], ...] = ()
    """Commands that run beside the measured one and are killed when it ends."""
    env: dict[str, str]
    nice: Annotated[int, Field(ge=-20, le=19)] | None
    """Below 0 is refused by the kernel without a right to it, and the refusal is named."""
    policy: Literal["other", "batch", "idle"] | None
    ionice: Literal["best-effort", "idle"] | None
    cpus: tuple[int, ...] | None
    timer_slack_ns: Annotated[int, Field(ge=1)] | None
    max_memory_bytes: Annotated[int, Field(ge=1)] | None
    timeout_s: Annotated[float, Field(gt=0.0)]
    max_bytes: Count
    """Most that the trial may leave in its scratch folder while it runs, bytes."""
    deadman: str
    """File that the watchdog refreshes; the guard ends the trial when it is stale."""


class Noise(Record):
    """What the rest of the machine did meanwhile."""

    psi_cpu_avg: Reading
    steal_share: Reading
    load1: Reading


class TrialResult(Record):
    """What the guard saw of one trial."""

    trial_id: TrialId
    status: TrialStatus
    exit_code: int | None
    wall_s: Seconds
    cpu_s: Seconds
    max_rss_kib: Count
    stdout: Annotated[str, Field(max_length=MAX_STDOUT_CHARS)]
    stderr_tail: str
    oom: Reading
    argv: tuple[str, ...]
    background: tuple[tuple[str, ...], ...]
    env: dict[str, str]
    applied: dict[str, str]
    """Setting of the process -> `applied` or `refused: WHY`."""
    noise: Noise
    written_bytes: Count


class Measured(Record):
    """What the output of a workload says."""

    readings: dict[Metric, Reading]
    """perf, p95_ms and errors."""
    samples: tuple[float, ...]
    """Raw samples, ms."""
    quality: dict[str, float]


class Breach(Record):
    """A reading beyond its cap; equal to the cap is safe."""

    cap: str
    """Name of the capped metric."""
    limit: float
    value: float
    unit: str
    source: str


class Unchecked(Record):
    """A cap that nothing here can check."""

    cap: str
    reason: str


class TrialStarted(Message):
    """A trial is prepared and waits for the watchdog. regime-runner -> safety-watchdog."""

    trial_id: TrialId
    domain: Domain
    regime: Regime
    guard_pid: Annotated[int, Field(ge=1)]
    guard_started_ticks: Count
    """Start time of the guard in clock ticks since boot: with the pid it names one process for ever."""
    timeout_s: Annotated[float, Field(gt=0.0)]
    settings: dict[str, GeneValue]
    """Settings of the machine that the operator opted in to, for this trial alone."""


class TrialFinished(Message):
    """The guard of a trial has ended. regime-runner -> safety-watchdog."""

    trial_id: TrialId
    status: TrialStatus
    readings: dict[str, Reading]
    """What the trial itself told of capped quantities: errors, oom, xruns and their like."""


class SafetyVerdict(Message):
    """What the watchdog says of a trial, before it begins and after its end. safety-watchdog -> regime-runner."""

    trial_id: TrialId
    phase: Literal["armed", "final"]
    applied: dict[str, str]
    """Setting of the machine -> applied | clamped | refused | unsupported."""
    unchecked: tuple[Unchecked, ...]
    safe: bool | None
    """None where a capped sensor is absent, and in the phase `armed`."""
    readings: dict[str, Reading]
    """Metric -> what the watchdog itself read, watts and temp_peak_c among them."""
    breaches: tuple[Breach, ...]
    injected: bool
    """The sensors are a tree of files given by the user, not those of the machine."""


class CapBreached(Message):
    """A cap was breached and the trial killed. safety-watchdog -> regime-runner."""

    trial_id: TrialId
    breach: Breach
    killed: Count
    """Processes that were killed."""


class PackWritten(Message):
    """A candidate pack is on disk. regime-runner -> safety-watchdog, pool-keeper."""

    order_id: OrderId
    domain: Domain
    cand_id: str
    generation: Count
    path: str
    """Relative to home."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    is_valid: bool
    safe: bool | None
    score_v2: float | None
    """None for an invalid, unsafe or unscored pack."""


class EvaluateDomain(Message):
    """Evaluate one domain. supervisor -> regime-runner."""

    order_id: OrderId
    domain: Domain
    genome: Genome | None
    """Evaluate this one alone; None searches."""
    generations: Annotated[int, Field(ge=1, le=10_000)]
    population: Annotated[int, Field(ge=1, le=1000)]
    profile: Profile
    trials: Annotated[int, Field(ge=1, le=1000)]
    """Trials of each arm in each regime."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] | None
    """None for the seed of the run."""
    sampler: Sampler
    refresh_baseline: bool
    tier_b: tuple[str, ...]
    """Settings of the machine that may be changed, by name."""


class CancelEvaluation(Message):
    """End an order that waits or is being carried out; what was measured is kept. supervisor -> regime-runner."""

    order_id: OrderId
