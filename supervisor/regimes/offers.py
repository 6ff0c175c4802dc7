"""What can be evaluated here, and what it would take: the 36 rows on this machine, and the plan of an order.

In: the files and settings that hold, this machine. Out: rows with their availability, genes with their values, plans in
trials, seconds and bytes. Nothing is run. Refused: a genome that the domain has not.
"""

from dataclasses import dataclass

from actors.regime_runner.bench import Bench
from actors.regime_runner.evaluating import shape_of
from actors.regime_runner.genomes import Gene, GenomeRefusedError, parse_genome, space_for
from actors.regime_runner.planning import Plan, plan_cost
from actors.regime_runner.rows import Unavailable, availability
from actors.regime_runner.survey import Survey, glance
from schemas.base import Record
from schemas.cap_settings import CapsConfig
from schemas.evidence import REGIMES
from schemas.regime_files import CAPS_FILE, REGIMES_FILE, load_caps, load_regimes
from schemas.regime_settings import DOMAINS, RegimeConfig
from schemas.regimes import Domain, EvaluateDomain, Genome, Profile, Regime
from schemas.settings import RegimesSettings
from schemas.tiers import SCRATCH_PATH
from supervisor.configuration import Sources, load_configuration
from supervisor.errors import UsageError
from supervisor.regimes.capped import settings_text
from supervisor.run_files import settings_file


class OfferedRow(Record):
    """One regime of one domain on this machine."""

    domain: Domain
    regime: Regime
    what: str
    program: str
    loop: str
    unit: str
    gain_metric: str
    seconds: float
    is_available: bool
    reason: str | None
    packages: tuple[str, ...]


class OfferedDomain(Record):
    """One domain on this machine."""

    domain: Domain
    genes: tuple[Gene, ...]
    rows: tuple[OfferedRow, ...]


class PlannedRegime(Record):
    """What one regime takes."""

    regime: Regime
    trials: int
    seconds: float
    bytes: int
    reason: str | None
    """Why it is not run."""


class PlannedDomain(Record):
    """What an evaluation of one domain takes at most, retries and repeats left out."""

    domain: Domain
    profile: Profile
    candidates: int
    trials: int
    seconds: float
    bytes: int
    regimes: tuple[PlannedRegime, ...]


@dataclass(frozen=True)
class Offers:
    """The files that hold, and the machine."""

    settings: RegimesSettings
    regimes: RegimeConfig
    caps: CapsConfig
    regimes_text: str
    caps_text: str
    survey: Survey
    files: tuple[str, str]
    """Paths of regimes.yaml and caps.yaml."""

    @classmethod
    def of(cls, sources: Sources) -> "Offers":
        """What holds for `sources`; raises SettingsError with every mistake of a file."""
        settings = load_configuration(sources).settings.regimes
        regimes, caps = settings_text(sources, REGIMES_FILE), settings_text(sources, CAPS_FILE)
        return cls(
            settings=settings,
            regimes=load_regimes(regimes),
            caps=load_caps(caps),
            regimes_text=regimes.decode(),
            caps_text=caps.decode(),
            survey=glance(sources.home.root / SCRATCH_PATH),
            files=(str(settings_file(sources, REGIMES_FILE)), str(settings_file(sources, CAPS_FILE))),
        )

    def domains(self, profile: Profile, only: Domain | None = None) -> tuple[OfferedDomain, ...]:
        """All domains, or one."""
        return tuple(self._domain(domain, profile) for domain in DOMAINS if only in (None, domain))

    def bench(self, order: EvaluateDomain) -> Bench:
        """What `order` would work with."""
        return Bench(order, self.survey, self.regimes, self.caps)

    def trials(self, profile: Profile) -> int:
        """Trials of each arm in each regime, where none are asked for."""
        return self.settings.trials if profile == "full" else self.regimes.execution.trials.of(profile)

    def population(self, profile: Profile) -> int:
        """Candidates of a generation, where none are asked for."""
        return self.settings.quick_population if profile == "quick" else self.settings.population

    def genome(self, order: EvaluateDomain, assignments: tuple[str, ...]) -> Genome:
        """The genome that `gene=value` texts name, over the default; raises UsageError."""
        bench = self.bench(order)
        try:
            return parse_genome(assignments, bench.space, self.regimes.domains[order.domain])
        except GenomeRefusedError as error:
            raise UsageError(str(error)) from error

    def plan(self, order: EvaluateDomain) -> PlannedDomain:
        """What `order` takes."""
        bench = self.bench(order)
        found = plan_cost(bench.costs(), shape_of(order, self.settings, bench.delay_s))
        reasons = {regime: self._unavailable(order.domain, regime, order.profile) for regime in REGIMES}
        return _planned(order, found, {regime: absent.reason for regime, absent in reasons.items() if absent})

    def _domain(self, domain: Domain, profile: Profile) -> OfferedDomain:
        space = space_for(self.regimes, domain, self.survey.host, self.settings.tier_b.split())
        rows = tuple(self._row(domain, regime, profile) for regime in REGIMES)
        return OfferedDomain(domain=domain, genes=space.genes, rows=rows)

    def _row(self, domain: Domain, regime: Regime, profile: Profile) -> OfferedRow:
        row = self.regimes.domains[domain].regimes[regime]
        absent = self._unavailable(domain, regime, profile)
        return OfferedRow(
            domain=domain,
            regime=regime,
            what=row.what,
            program=row.argv[0],
            loop=row.loop,
            unit=row.unit,
            gain_metric=row.gain_metric,
            seconds=row.seconds.of(profile),
            is_available=absent is None,
            reason=absent.reason if absent else None,
            packages=absent.packages if absent else (),
        )

    def _unavailable(self, domain: Domain, regime: Regime, profile: Profile) -> Unavailable | None:
        return availability(self.regimes, self.caps, self.survey.host, (domain, regime, profile))


def _planned(order: EvaluateDomain, plan: Plan, reasons: dict[Regime, str]) -> PlannedDomain:
    return PlannedDomain(
        domain=order.domain,
        profile=order.profile,
        candidates=plan.candidates,
        trials=plan.trials,
        seconds=plan.seconds,
        bytes=plan.bytes,
        regimes=tuple(
            PlannedRegime(
                regime=row.regime,
                trials=row.trials,
                seconds=row.seconds,
                bytes=row.bytes,
                reason=reasons.get(row.regime),
            )
            for row in plan.regimes
        ),
    )
