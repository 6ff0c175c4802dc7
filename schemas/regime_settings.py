"""The typed form of `config/regimes.yaml`: nine domains, four regimes each, and what a genome may set (seed 003).

In: plain values, as `schemas.regime_files` reads them. Out: immutable settings. Here are shapes and ranges of single
values; what has to agree across them (placeholders with genes, arguments with programs) is judged by
`schemas.regime_checks`, where the file is read. Refused: unknown keys, wrong types, a missing domain or regime.
"""

from typing import Annotated, Final, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from schemas.base import Count, Record
from schemas.regimes import Domain, GeneValue, Genome, Profile, Regime

DOMAINS: Final[tuple[Domain, ...]] = get_args(Domain)
REGIMES: Final[tuple[Regime, ...]] = get_args(Regime)

UNTOUCHED: Final = "untouched"
"""Value of a setting of the machine that is left as it is."""

NotNegative = Annotated[float, Field(ge=0.0)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Argv = Annotated[tuple[str, ...], BeforeValidator(lambda given: tuple(given) if isinstance(given, list) else given)]
Template = str
"""A literal, or `{gene}`."""


class SecondsOf(Record):
    """A time for each profile, s."""

    full: NotNegative
    quick: NotNegative

    def of(self, profile: Profile) -> float:
        """That of `profile`."""
        return self.quick if profile == "quick" else self.full


class CountOf(Record):
    """A number for each profile."""

    full: Count
    quick: Count

    def of(self, profile: Profile) -> int:
        """That of `profile`."""
        return self.quick if profile == "quick" else self.full


class Execution(Record):
    """[execution] How trials follow each other."""

    trials: CountOf
    """Trials of each arm in each regime."""
    trial_delay_s: SecondsOf
    """Pause between two trials."""
    failure_retries: Annotated[int, Field(ge=0, le=5)]
    """Further attempts after a failed trial."""
    timeout_multiplier: Annotated[float, Field(ge=1.0, le=10.0)]
    """Nominal seconds x this is the limit of a trial, beside `setup_s`."""


class GeneSpec(Record):
    """What a gene may be: a range with a grid that begins at `lo`, or a list of values by name."""

    what: str
    lo: int | float | None = None
    hi: int | float | Literal["cpus"] | None = None
    """`cpus` is the number of processors that the trial may use."""
    step: int | float | None = None
    values: Annotated[
        tuple[str | int, ...] | None,
        BeforeValidator(lambda given: tuple(given) if isinstance(given, list) else given),
    ] = None
    default: GeneValue
    """What the machine does untouched."""

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        is_range = None not in (self.lo, self.hi, self.step)
        if is_range == (self.values is not None) or (not is_range and (self.lo, self.hi, self.step) != (None,) * 3):
            raise ValueError("a gene has either lo, hi and step, or values")
        return self


class ProcessTemplates(Record):
    """What the guard sets of the measured process; each is a literal or `{gene}`."""

    nice: Template | None = None
    policy: Template | None = None
    """other, batch or idle."""
    ionice: Template | None = None
    """none, best-effort or idle."""
    placement: Template | None = None
    """free, packed (neighbouring processors of one core first) or spread (one of each core first)."""
    width: Template | None = None
    """Number of processors of a placement that is not free."""
    timer_slack_us: Template | None = None


class Constraint(Record):
    """The product of some genes has a limit."""

    product_of: Annotated[
        tuple[Name, ...], BeforeValidator(lambda given: tuple(given) if isinstance(given, list) else given)
    ]
    at_most: int


class QualityLimit(Record):
    """How far a candidate's quality figure may be from the baseline's."""

    direction: Literal["at_most", "at_least"]
    """at_most: not above baseline + slack; at_least: not below baseline - slack."""
    slack: NotNegative
    is_relative: bool
    """The slack is a share of the baseline's figure."""


class RegimeRow(Record):
    """One regime of one domain: a measured program, and what runs beside it."""

    what: str
    loop: Literal["open", "closed"]
    """open: units begin at their own times, so that perf cannot rise and p95 is the gain; closed: one after another."""
    unit: str
    """Unit of perf."""
    seconds: SecondsOf
    """Nominal time of the measured window."""
    setup_s: NotNegative
    """Allowance for start and set-up, beyond the nominal time."""
    argv: Annotated[Argv, Field(min_length=1)]
    background: Annotated[
        tuple[Argv, ...], BeforeValidator(lambda given: tuple(given) if isinstance(given, list) else given)
    ] = ()
    bytes: CountOf | None = None
    """Size of the files, at most; less where a tenth of the free space is less."""
    passes: Annotated[int, Field(ge=1, le=100)] = 1
    """How often those bytes are written, at most: laying out a file counts."""
    memory_bytes: CountOf | None = None
    """Working set, at most; less where 60 % of the available memory is less. The trial is held to it."""

    @property
    def gain_metric(self) -> Literal["perf", "p95_ms"]:
        """The metric in which a candidate can be better."""
        return "p95_ms" if self.loop == "open" else "perf"


class DomainConfig(Record):
    """One domain: its genes, how they reach the process, and its four regimes."""

    genes: dict[Name, GeneSpec]
    machine: dict[Name, GeneSpec]
    """Genes that are settings of the machine: there only when the operator opts in to them by name."""
    process: ProcessTemplates
    env: dict[str, Template]
    """Variables of the measured process."""
    constraints: Annotated[
        tuple[Constraint, ...], BeforeValidator(lambda given: tuple(given) if isinstance(given, list) else given)
    ]
    quality: dict[Name, QualityLimit]
    regimes: dict[Regime, RegimeRow]

    @model_validator(mode="after")
    def _has_all_four(self) -> Self:
        if missing := [regime for regime in REGIMES if regime not in self.regimes]:
            raise ValueError(f"regimes are missing: {', '.join(missing)}; a domain has {', '.join(REGIMES)}")
        return self


class RegimeConfig(Record):
    """`config/regimes.yaml`."""

    version: Literal[2]
    execution: Execution
    domains: dict[Domain, DomainConfig]

    @model_validator(mode="after")
    def _has_all_nine(self) -> Self:
        if missing := [domain for domain in DOMAINS if domain not in self.domains]:
            raise ValueError(f"domains are missing: {', '.join(missing)}")
        return self


class Host(Record):
    """What a machine offers to trials: read once, then an input like any other."""

    cpus: Annotated[tuple[int, ...], Field(min_length=1)]
    """Numbers of the processors that may be used."""
    cores: tuple[tuple[int, ...], ...]
    """The same, grouped by core."""
    memory_available_bytes: Count
    scratch_free_bytes: Count
    programs: dict[str, str]
    """Program -> absolute path, of those that PATH names; `python3` stands for our own interpreter."""
    versions: dict[str, str]
    """Program -> what it says of itself."""
    modules: tuple[str, ...]
    """Optional Python modules that can be imported."""
    gpus: Count
    """GPUs that NVML sees."""
    packages: str
    """Folder that holds our own packages, for the kernels to import."""


__all__ = [
    "DOMAINS",
    "REGIMES",
    "UNTOUCHED",
    "Constraint",
    "CountOf",
    "DomainConfig",
    "Execution",
    "GeneSpec",
    "GeneValue",
    "Genome",
    "Host",
    "ProcessTemplates",
    "QualityLimit",
    "RegimeConfig",
    "RegimeRow",
    "SecondsOf",
]
