"""An evaluation from the command line to its summary.

In: where the settings come from, a domain, what is asked for. Out: what was found, read from the packs that were
written; progress on the terminal meanwhile. Refused before anything is begun: a genome that does not fit, a setting
that may not be changed, a plan over the budget.
"""

from schemas.regimes import Domain
from supervisor.configuration import Sources
from supervisor.errors import UsageError
from supervisor.lock import find_holder
from supervisor.regimes.conducting import conduct
from supervisor.regimes.kept import read_packs
from supervisor.regimes.offers import Offers
from supervisor.regimes.ordering import Asked, Stated, check_budget, make_order
from supervisor.regimes.summary import EvaluationSummary, summarise
from supervisor.regimes.trial_progress import shown_trials


def carry_out(sources: Sources, domain: Domain, asked: Asked, stated: Stated) -> EvaluationSummary:
    """Have the order carried out; raises OneirosError when it is refused or nobody can."""
    if stated.sensor_root is not None and find_holder(sources.home) is not None:
        raise UsageError(
            "the running loop reads the sensors that it was started with; "
            "stop it, or start it with --set regimes.sensor_root=DIR"
        )
    sources = stated.over(sources)
    offers = Offers.of(sources)
    order = make_order(offers, domain, asked)
    check_budget(offers, offers.plan(order))
    with shown_trials() as told:
        conducted = conduct(sources, order, told)
    packs, faults = read_packs(sources.home, conducted.pack_paths)
    return EvaluationSummary(
        domain=domain,
        run_id=conducted.run_id,
        profile=order.profile,
        is_complete=conducted.is_complete,
        is_interrupted=conducted.is_interrupted,
        candidates=tuple(summarise(pack) for pack in packs),
        refusals=conducted.refusals,
        faults=tuple(faults),
    )
