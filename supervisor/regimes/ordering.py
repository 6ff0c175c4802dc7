"""An order made from what the command line asks for, judged before anybody is asked to carry it out.

In: options, what is offered here. Out: `EvaluateDomain`. Refused by name: a gene that the domain does not have, a value
off its grid, a setting of the machine that may not be changed, a plan over the budget.
"""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from schemas.regimes import Domain, EvaluateDomain, Profile, Sampler
from schemas.tiers import TierRefusedError, check_opt_in
from supervisor.configuration import Sources, load_configuration
from supervisor.errors import UsageError
from supervisor.regimes.offers import Offers, PlannedDomain
from supervisor.regimes.regimes_text import over_budget


class Asked(NamedTuple):
    """What the command line asks for."""

    genes: tuple[str, ...] = ()
    generations: int = 1
    population: int | None = None
    quick: bool = False
    trials: int | None = None
    seed: int | None = None
    sampler: Sampler | None = None
    refresh_baseline: bool = False

    @property
    def profile(self) -> Profile:
        """The profile that is meant."""
        return "quick" if self.quick else "full"


def make_order(offers: Offers, domain: Domain, asked: Asked) -> EvaluateDomain:
    """The order for one domain; raises UsageError."""
    if asked.genes and (asked.generations > 1 or asked.population is not None):
        raise UsageError(
            "--genome measures one genome, --generations and --population are of a search: leave out either"
        )
    profile = asked.profile
    order = EvaluateDomain(
        order_id=f"{domain}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}",
        domain=domain,
        genome=None,
        generations=asked.generations,
        population=asked.population or offers.population(profile),
        profile=profile,
        trials=asked.trials or offers.trials(profile),
        seed=asked.seed,
        sampler=asked.sampler or offers.settings.sampler,
        refresh_baseline=asked.refresh_baseline,
        tier_b=_opted_in(tuple(offers.settings.tier_b.split())),
    )
    return order.model_copy(update={"genome": offers.genome(order, asked.genes)}) if asked.genes else order


def _opted_in(names: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return check_opt_in(names)
    except TierRefusedError as error:
        raise UsageError(str(error)) from error


def check_budget(offers: Offers, plan: PlannedDomain) -> None:
    """Raise UsageError when `plan` is over the budget."""
    over = over_budget(plan, offers.settings.budget_s, offers.settings.budget_mib * 2**20)
    if over:
        raise UsageError(
            f"{plan.domain}: the plan takes {' and '.join(over)}; take --quick, fewer --trials or --generations, "
            "or raise --budget SECONDS or --set regimes.budget_mib=N"
        )


class Stated(NamedTuple):
    """Settings of [regimes] that the command line has options for."""

    budget_s: float | None = None
    sensor_root: Path | None = None
    tier_b: tuple[str, ...] = ()

    def over(self, sources: Sources) -> Sources:
        """`sources` with what is stated here above everything else."""
        said = []
        if self.budget_s is not None:
            said.append(f"regimes.budget_s={self.budget_s}")
        if self.sensor_root is not None:
            said.append(f"regimes.sensor_root={self.sensor_root.absolute()}")
        if self.tier_b:
            known = load_configuration(sources).settings.regimes.tier_b.split()
            said.append(f"regimes.tier_b={' '.join(dict.fromkeys((*known, *_opted_in(self.tier_b))))}")
        return replace(sources, assignments=(*sources.assignments, *said)) if said else sources
