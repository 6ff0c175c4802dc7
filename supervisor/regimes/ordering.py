"""An order made from what the command line asks for, judged before anybody is asked to carry it out.

In: options, what is offered here. Out: `EvaluateDomain`. Refused by name: a gene that the domain does not have, a value
off its grid, a setting of the machine that may not be changed, a plan over the budget.
"""

import os
import time
from dataclasses import replace
from typing import NamedTuple

from schemas.regimes import Domain, EvaluateDomain, Profile, Sampler
from schemas.tiers import TierRefusedError, check_opt_in
from supervisor.configuration import Sources
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
    tier_b: tuple[str, ...] = ()

    @property
    def profile(self) -> Profile:
        """The profile that is meant."""
        return "quick" if self.quick else "full"


def make_order(offers: Offers, domain: Domain, asked: Asked) -> EvaluateDomain:
    """The order for one domain; raises UsageError."""
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
        tier_b=_opted_in((*offers.settings.tier_b.split(), *asked.tier_b)),
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


def with_budget(sources: Sources, budget_s: float | None) -> Sources:
    """`sources` with a budget of `budget_s` seconds, where one is given."""
    if budget_s is None:
        return sources
    return replace(sources, assignments=(*sources.assignments, f"regimes.budget_s={budget_s}"))
