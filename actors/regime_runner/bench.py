"""What one evaluation works with: the regimes of its domain on this host, rendered for a genome when they are needed.

In: the texts of `regimes.yaml` and `caps.yaml`, the survey of the machine, the order. Out: rows, trial orders,
evidence, the axes of the search, costs. Everything follows from what is given; what was worked out is kept.
Refused: settings that are wrong, all problems at once (SettingsError).
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from actors.regime_runner.genomes import GenomeSpace, broken_constraints, check, default_genome, space_for
from actors.regime_runner.parsing import parse, unavailable_in
from actors.regime_runner.planning import RowCost, arrange
from actors.regime_runner.rows import Rendered, Unavailable, render
from actors.regime_runner.search import Axis
from actors.regime_runner.state import Work
from actors.regime_runner.survey import Survey
from bus.randomness import RandomSource
from schemas.cap_settings import CapsConfig
from schemas.evidence import REGIMES, RegimeEvidence
from schemas.regime_files import load_caps, load_regimes
from schemas.regime_settings import RegimeConfig
from schemas.regimes import EvaluateDomain, Genome, Measured, Regime, TrialOrder, TrialResult
from schemas.tiers import DEADMAN_PATH

Row = Rendered | Unavailable


@dataclass
class Bench:
    """The domain of an order on the surveyed host."""

    order: EvaluateDomain
    survey: Survey
    config: RegimeConfig
    caps: CapsConfig
    _rows: dict[str, Row] = field(default_factory=dict)

    @classmethod
    def of(cls, order: EvaluateDomain, survey: Survey, regimes: str, caps: str) -> "Bench":
        """The bench of `order`; raises SettingsError with what is wrong in the texts."""
        return cls(order, survey, *_settings(regimes, caps))

    @property
    def space(self) -> GenomeSpace:
        """The genes of the domain on this host, those of the machine that are opted in to among them."""
        return space_for(self.config, self.order.domain, self.survey.host, self.order.tier_b)

    @property
    def default(self) -> Genome:
        """What the host does untouched."""
        return default_genome(self.config, self.order.domain)

    @property
    def axes(self) -> tuple[Axis, ...]:
        """What the search varies."""
        return tuple(Axis(gene.name, gene.grid, gene.kind == "range") for gene in self.space.genes)

    @property
    def retries(self) -> int:
        """Further attempts after a failed trial."""
        return self.config.execution.failure_retries

    @property
    def delay_s(self) -> float:
        """Pause between two trials."""
        return self.config.execution.trial_delay_s.of(self.order.profile)

    def problems_of(self, genome: Genome) -> tuple[str, ...]:
        """Why a whole genome cannot be run."""
        return check(self.space, self.config.domains[self.order.domain], genome)

    def is_feasible(self, genome: Genome) -> bool:
        """Whether `genome` breaks no constraint."""
        return not broken_constraints(self.config.domains[self.order.domain], genome)

    def settings_of(self, regime: Regime, genome: Genome) -> Genome:
        """The settings of the machine that a trial of `genome` asks for."""
        row = self.row(regime, genome)
        return {} if isinstance(row, Unavailable) else dict(row.settings)

    def row(self, regime: Regime, genome: Genome) -> Row:
        """The row of `regime`, rendered for `genome`."""
        key = f"{regime} {json.dumps(genome, sort_keys=True)}"
        if key not in self._rows:
            where = (self.order.domain, regime, self.order.profile)
            self._rows[key] = render(self.config, self.caps, self.survey.host, where, genome)
        return self._rows[key]

    def trial(self, regime: Regime, genome: Genome, trial_id: str) -> TrialOrder:
        """The order of one trial; raises ValueError for a regime that is unavailable."""
        row = self.row(regime, genome)
        if isinstance(row, Unavailable):
            raise ValueError(f"{regime} is unavailable: {row.reason}")
        return TrialOrder(
            trial_id=trial_id,
            domain=self.order.domain,
            regime=regime,
            deadman=DEADMAN_PATH,
            **row.order_fields(),
        )

    def read(self, regime: Regime, genome: Genome, result: TrialResult) -> Measured:
        """What the output of a trial says; raises ValueError for a regime that is unavailable."""
        row = self.row(regime, genome)
        if isinstance(row, Unavailable):
            raise ValueError(f"{regime} is unavailable: {row.reason}")
        return parse(row, result)

    @staticmethod
    def missing_in(result: TrialResult) -> str | None:
        """What the workload found missing when it ran."""
        return unavailable_in(result)

    def costs(self) -> dict[Regime, RowCost | None]:
        """What one trial of each regime costs, with the default genome; None for one that is unavailable."""
        costs: dict[Regime, RowCost | None] = {}
        for regime in REGIMES:
            row = self.row(regime, self.default)
            costs[regime] = None if isinstance(row, Unavailable) else RowCost(row.planned_seconds, row.planned_bytes)
        return costs

    def works(self, genome: Genome, key: tuple[str, int], randomness: RandomSource, repeats: int) -> list[Work]:
        """The trials of `genome` in all regimes, in an order that `key` names; `repeats` are for noisy ones."""
        name, counter = key
        works = []
        for regime in REGIMES:
            row = self.row(regime, genome)
            gain = self.config.domains[self.order.domain].regimes[regime].gain_metric
            work = Work(regime, self.order.trials, gain, self._workload_id(regime))
            if isinstance(row, Unavailable):
                work.unavailable, work.packages = row.reason, row.packages
            else:
                work.queue = arrange(randomness.at(f"order/{name}/{regime}", counter), self.order.trials)
                work.noise_repeats = repeats
            works.append(work)
        return works

    def evidences(self, works: Iterable[Work]) -> tuple[RegimeEvidence, ...]:
        """What was measured, as it is judged and kept."""
        return tuple(
            RegimeEvidence(
                domain=self.order.domain,
                regime=work.regime,
                status="measured" if work.unavailable is None else "unavailable",
                reason=work.unavailable,
                packages=work.packages,
                trials_planned=work.planned,
                gain_metric=work.gain_metric,
                workload_id=work.workload_id,
                trials=tuple(work.trials),
            )
            for work in works
        )

    def _workload_id(self, regime: Regime) -> str:
        """A hash over the row with the default genome and the versions of its tools."""
        row = self.row(regime, self.default)
        if isinstance(row, Unavailable):
            text = f"unavailable: {row.reason}"
        else:
            text = json.dumps((row.argv, row.background, row.env, row.versions))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=2)
def _settings(regimes: str, caps: str) -> tuple[RegimeConfig, CapsConfig]:
    """What the texts say; the same texts say the same, and are read once."""
    return load_regimes(regimes.encode()), load_caps(caps.encode())


def without_samples(evidence: RegimeEvidence) -> RegimeEvidence:
    """`evidence` as it is kept once its samples are in their file."""
    trials = tuple(trial.model_copy(update={"samples": ()}) for trial in evidence.trials)
    return evidence.model_copy(update={"trials": trials})
