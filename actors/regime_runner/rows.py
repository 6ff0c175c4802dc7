"""Renders a row of the regimes for a genome: the exact command, environment and process settings of one trial.

In: the regimes, a domain, a regime, a genome, a profile, what the host offers. Out: `Rendered`, or `Unavailable` with
the reason and the packages to install. Sizes are held to the host: files to a tenth of the free space, a working set
to 60 % of the available memory. Refused: a genome with problems, a host with less than a MiB for files or 16 MiB of
memory.
"""

import math
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from actors.regime_runner.genomes import GenomeRefusedError, check, default_genome, space_for
from schemas.base import Record
from schemas.cap_settings import CapsConfig
from schemas.regime_checks import PLACEHOLDER
from schemas.regime_programs import DRIVER, KERNELS, PACKAGES, PROGRAMS, PYTHON
from schemas.regime_settings import UNTOUCHED, DomainConfig, Host, RegimeConfig, RegimeRow
from schemas.regimes import Domain, GeneValue, Genome, Profile, Regime
from schemas.tiers import TIER_B

MEBIBYTE: Final = 1024 * 1024
FREE_SHARE: Final = 10
"""One part in so many of the free space is the most that a trial's files take."""
MEMORY_SHARE: Final = 0.6
"""Share of the available memory that a working set takes at most."""
ROOM_FOR_PROGRAM: Final = 512 * MEBIBYTE
"""What a trial may hold beside its working set: the interpreter, the libraries, the samples."""
START_S: Final = 0.4
"""Time of a guard and an interpreter to begin, as the plan counts it."""


class Unavailable(Record):
    """A row that this host cannot run."""

    reason: str
    packages: tuple[str, ...]
    """What to install: names of Debian packages, or `pip: NAME`."""


class Rendered(Record):
    """One trial of a row, ready to be ordered."""

    argv: tuple[str, ...]
    background: tuple[tuple[str, ...], ...]
    env: dict[str, str]
    nice: int | None
    policy: Literal["other", "batch", "idle"] | None
    ionice: Literal["best-effort", "idle"] | None
    cpus: tuple[int, ...] | None
    timer_slack_ns: int | None
    max_memory_bytes: int | None
    timeout_s: float
    max_bytes: int
    """Most that its scratch may hold."""
    settings: dict[str, GeneValue]
    """Settings of the machine, for the watchdog; those that are untouched are left out."""
    seconds: float
    """Nominal time of the measured window."""
    planned_seconds: float
    """What a plan counts for one trial, start included."""
    planned_bytes: int
    """Most that it writes."""
    unit: str
    gain_metric: Literal["perf", "p95_ms"]
    program: str
    """Name in `schemas.regime_programs.PROGRAMS`; its parser reads the output."""
    versions: tuple[str, ...]
    """What the programs of the trial say of themselves."""

    def order_fields(self) -> dict[str, Any]:
        """The fields of a TrialOrder that this decides."""
        beside = {
            "settings",
            "seconds",
            "planned_seconds",
            "planned_bytes",
            "unit",
            "gain_metric",
            "program",
            "versions",
        }
        return {name: getattr(self, name) for name in type(self).model_fields if name not in beside}


class Sizes(NamedTuple):
    """What a row may take of this host."""

    file_bytes: int
    memory_bytes: int


def render(
    config: RegimeConfig,
    caps: CapsConfig,
    host: Host,
    where: tuple[Domain, Regime, Profile],
    genome: Mapping[str, GeneValue],
) -> Rendered | Unavailable:
    """One trial of a row with `genome`; raises GenomeRefusedError where the genome has problems."""
    domain, regime, profile = where
    settings = config.domains[domain]
    row = settings.regimes[regime]
    if problems := check(space_for(config, domain, host, TIER_B), settings, genome):
        raise GenomeRefusedError(domain, problems)
    sizes = _sizes(row, profile, host)
    if absent := _absence(row, host) or _shortage(row, profile, sizes, host):
        return absent
    seconds = row.seconds.of(profile)
    timeout = min(caps.limits.max_trial_duration_s, config.execution.timeout_multiplier * seconds + row.setup_s)
    names = _names(settings, genome, seconds, timeout, sizes, len(host.cpus))
    process = {name: _filled(text, names) for name, text in settings.process.model_dump().items() if text is not None}
    return Rendered(
        argv=_command(row.argv, names, host),
        background=tuple(_command(command, names, host) for command in row.background),
        env=_environment(settings, row, names, host),
        **_process(process, host),
        max_memory_bytes=sizes.memory_bytes + ROOM_FOR_PROGRAM if row.memory_bytes else None,
        timeout_s=timeout,
        max_bytes=sizes.file_bytes + MEBIBYTE if row.bytes else MEBIBYTE,
        settings={name: value for name, value in genome.items() if name in settings.machine and value != UNTOUCHED},
        seconds=seconds,
        planned_seconds=seconds + START_S,
        planned_bytes=sizes.file_bytes * row.passes,
        unit=row.unit,
        gain_metric=row.gain_metric,
        program=row.argv[0],
        versions=_versions(row, host),
    )


def availability(
    config: RegimeConfig, caps: CapsConfig, host: Host, where: tuple[Domain, Regime, Profile]
) -> Unavailable | None:
    """Why `host` cannot run the row, None when it can."""
    rendered = render(config, caps, host, where, default_genome(config, where[0]))
    return rendered if isinstance(rendered, Unavailable) else None


def unreached(settings: DomainConfig, regime: Regime) -> tuple[str, ...]:
    """The genes that this regime's trials do not use."""
    row = settings.regimes[regime]
    texts = [*row.argv, *(text for command in row.background for text in command), *settings.env.values()]
    texts += [text for text in settings.process.model_dump().values() if text]
    used = {name for text in texts for name in PLACEHOLDER.findall(text)}
    return tuple(name for name in settings.genes if name not in used)


def _absence(row: RegimeRow, host: Host) -> Unavailable | None:
    """What the row needs and the host has not."""
    reasons, packages = list[str](), list[str]()
    for name in dict.fromkeys((row.argv[0], *(command[0] for command in row.background))):
        program = PROGRAMS[name]
        needs = (PYTHON, *program.needs) if program.is_kernel else (name,)
        tools = [need for need in needs if need not in host.programs]
        modules = [module for module in program.modules if module not in host.modules]
        reasons += [f"{tool} is not on PATH" for tool in tools]
        reasons += [f"the Python module {module} is absent" for module in modules]
        packages += [PACKAGES[missing] for missing in (*tools, *modules)]
        if program.has_gpu and not host.gpus:
            reasons.append("NVML sees no GPU")
            packages.append(DRIVER)
    return Unavailable(reason="; ".join(reasons), packages=tuple(dict.fromkeys(packages))) if reasons else None


def _shortage(row: RegimeRow, profile: Profile, sizes: Sizes, host: Host) -> Unavailable | None:
    if row.bytes and sizes.file_bytes < MEBIBYTE:
        reason = f"{host.scratch_free_bytes} bytes are free for scratch; files of {row.bytes.of(profile)} need more"
        return Unavailable(reason=reason, packages=())
    if row.memory_bytes and sizes.memory_bytes < 16 * MEBIBYTE:
        reason = f"{host.memory_available_bytes} bytes of memory are available; a working set of 16 MiB needs more"
        return Unavailable(reason=reason, packages=())
    return None


def _sizes(row: RegimeRow, profile: Profile, host: Host) -> Sizes:
    """Both sizes in whole MiB; 0 where the row has none."""
    files = min(row.bytes.of(profile), host.scratch_free_bytes // FREE_SHARE) if row.bytes else 0
    share = int(host.memory_available_bytes * MEMORY_SHARE)
    memory = min(row.memory_bytes.of(profile), share) if row.memory_bytes else 0
    return Sizes(files // MEBIBYTE * MEBIBYTE, memory // MEBIBYTE * MEBIBYTE)


def _names(
    settings: DomainConfig, genome: Mapping[str, GeneValue], seconds: float, timeout: float, sizes: Sizes, cpus: int
) -> dict[str, str]:
    """Everything that a placeholder can stand for."""
    jobs = genome.get("jobs", 1)
    facts: Genome = {
        "seconds": seconds,
        "milliseconds": round(seconds * 1000),
        "whole_seconds": math.ceil(seconds),
        "long_seconds": math.ceil(timeout) + 60,
        "cpus": cpus,
        "bytes": sizes.file_bytes,
        "job_bytes": sizes.file_bytes // (jobs if isinstance(jobs, int) else 1) // MEBIBYTE * MEBIBYTE,
        "memory_bytes": sizes.memory_bytes,
    }
    values = {**facts, **{name: value for name, value in genome.items() if name in settings.genes}}
    return {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in values.items()}


def _filled(template: str, names: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda found: names.get(found[1], found[0]), template)


def _command(argv: tuple[str, ...], names: Mapping[str, str], host: Host) -> tuple[str, ...]:
    """The command with its program as an absolute path; `{scratch}` stays for the guard."""
    arguments = tuple(_filled(text, names) for text in argv[1:])
    if PROGRAMS[argv[0]].is_kernel:
        return (host.programs[PYTHON], "-P", "-m", f"{KERNELS}.{argv[0]}", *arguments)
    return (host.programs[argv[0]], *arguments)


def _environment(settings: DomainConfig, row: RegimeRow, names: Mapping[str, str], host: Host) -> dict[str, str]:
    """What the genome sets, and what a kernel needs to find our packages and the programs that it starts itself."""
    env = {name: _filled(text, names) for name, text in settings.env.items()}
    program = PROGRAMS[row.argv[0]]
    if program.is_kernel:
        env["PYTHONPATH"] = host.packages
    if program.needs:
        env["PATH"] = ":".join(dict.fromkeys(host.programs[need].rpartition("/")[0] for need in program.needs))
    return env


def _process(filled: Mapping[str, str], host: Host) -> dict[str, Any]:
    """The process settings of an order; what no template sets is left as the guard has it."""
    ionice = filled.get("ionice")
    slack = filled.get("timer_slack_us")
    return {
        "nice": int(filled["nice"]) if "nice" in filled else None,
        "policy": filled.get("policy"),
        "ionice": None if ionice == "none" else ionice,
        "cpus": _placed(filled.get("placement", "free"), int(filled.get("width", 1)), host),
        "timer_slack_ns": int(slack) * 1000 if slack else None,
    }


def _placed(placement: str, width: int, host: Host) -> tuple[int, ...] | None:
    """The processors of a placement: whole cores first, or one of each core first; None leaves all of them."""
    if placement == "free":
        return None
    packed = [cpu for core in host.cores for cpu in core]
    spread = sorted(
        packed, key=lambda cpu: next((core.index(cpu), index) for index, core in enumerate(host.cores) if cpu in core)
    )
    chosen = (packed if placement == "packed" else spread)[:width]
    return tuple(sorted(chosen))


def _versions(row: RegimeRow, host: Host) -> tuple[str, ...]:
    names = dict.fromkeys((row.argv[0], *(command[0] for command in row.background)))
    tools = [
        need for name in names for need in ((PYTHON, *PROGRAMS[name].needs) if PROGRAMS[name].is_kernel else (name,))
    ]
    return tuple(f"{tool}: {host.versions.get(tool, 'unknown')}" for tool in dict.fromkeys(tools))
