"""What is tried next: optuna's ask and tell, rebuilt from what was asked and told before (seed 003).

In: the genes with their grids, the sampler, a seed, the log of proposals and what became of them. Out: genomes. The log
is the state: a study lives in memory alone, and is made again by asking and telling the log once more, which gives the
same proposals and goes on in the same way. A proposal that comes out differently is refused: another version of
optuna has made the log. What could not be measured is told as failed, an unsafe candidate as a violated constraint;
minus infinity is never told. optuna is imported when the first genome is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from schemas.errors import OneirosError
from schemas.regimes import GeneValue, Genome, Metric, Sampler

if TYPE_CHECKING:
    import optuna

GOALS: Final[tuple[Metric, ...]] = ("perf", "p95_ms", "watts")
DIRECTIONS: Final[dict[Metric, Literal["maximize", "minimize"]]] = {
    "perf": "maximize",
    "p95_ms": "minimize",
    "watts": "minimize",
}
VIOLATION: Final = "violation"


class SearchDivergedError(OneirosError):
    """The log of a search was made by another version of optuna, or with other genes."""


@dataclass(frozen=True)
class Axis:
    """One gene: the values that it may have, in order."""

    name: str
    grid: tuple[GeneValue, ...]
    is_ordered: bool
    """A range, whose neighbours are alike; else names."""


@dataclass
class Proposal:
    """A genome that the search has asked for, and what became of it."""

    genome: Genome
    is_told: bool = False
    goals: dict[Metric, float] | None = None
    """Relative to the baseline; None where there is nothing to tell but a failure."""
    violation: float = 0.0
    """Above 0 for an unsafe candidate and for one that breaks a constraint."""


@dataclass(frozen=True)
class Recipe:
    """All that a study is made of."""

    axes: tuple[Axis, ...]
    sampler: Sampler
    population: int
    seed: int


@dataclass
class Search:
    """A study that continues a log."""

    recipe: Recipe
    log: list[Proposal]
    """Belongs to the state of the core; `ask` and `tell` write it."""
    _study: Any = None
    _trials: list[Any] = field(default_factory=list)
    _goals: tuple[Metric, ...] = GOALS[:2]

    def ask(self) -> Genome:
        """The next genome. Raises SearchDivergedError when the log cannot be repeated."""
        self._catch_up()
        genome = self._ask()
        self.log.append(Proposal(genome))
        return genome

    def tell(self, goals: dict[Metric, float] | None, violation: float = 0.0) -> None:
        """What became of the last genome that was asked for."""
        proposal = self.log[-1]
        proposal.is_told, proposal.goals, proposal.violation = True, goals, violation
        if self._study is not None and self._goals == goals_of(self.log):
            self._tell(self._trials[-1], proposal)
        else:
            self._study = None  # another goal has appeared: the study is made again with it

    def _catch_up(self) -> None:
        """Have a study that has been asked and told the whole log."""
        if self._study is not None:
            return
        self._goals = goals_of(self.log)
        self._study, self._trials = _study(self.recipe, self._goals), []
        for number, proposal in enumerate(self.log):
            genome = self._ask()
            if genome != proposal.genome:
                raise SearchDivergedError(
                    f"proposal {number} of the search was {proposal.genome}, and is {genome} now; the log was made by "
                    "another version of optuna or with other genes: begin a new evaluation"
                )
            if proposal.is_told:
                self._tell(self._trials[-1], proposal)

    def _ask(self) -> Genome:
        trial = self._study.ask(_distributions(self.recipe.axes))
        self._trials.append(trial)
        return {axis.name: _value(axis, trial.params) for axis in self.recipe.axes}

    def _tell(self, trial: Any, proposal: Proposal) -> None:
        import optuna  # noqa: PLC0415 - 0.3 s that only a search pays

        trial.set_constraint(VIOLATION, proposal.violation)
        goals = proposal.goals
        if goals is None or any(goal not in goals for goal in self._goals):
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(trial, [goals[goal] for goal in self._goals])


def goals_of(log: Sequence[Proposal]) -> tuple[Metric, ...]:
    """What the first measured proposal of `log` has values for; perf and latency before there is one."""
    for proposal in log:
        if proposal.goals is not None:
            return tuple(goal for goal in GOALS if goal in proposal.goals)
    return GOALS[:2]


def _value(axis: Axis, params: dict[str, Any]) -> GeneValue:
    if len(axis.grid) == 1:
        return axis.grid[0]
    drawn: GeneValue = params[axis.name]
    return axis.grid[int(drawn)] if axis.is_ordered else drawn


def _distributions(axes: Sequence[Axis]) -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution, IntDistribution  # noqa: PLC0415 - as above

    return {
        axis.name: IntDistribution(0, len(axis.grid) - 1) if axis.is_ordered else CategoricalDistribution(axis.grid)
        for axis in axes
        if len(axis.grid) > 1
    }


def _study(recipe: Recipe, goals: tuple[Metric, ...]) -> "optuna.Study":
    import optuna  # noqa: PLC0415 - as above

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(directions=[DIRECTIONS[goal] for goal in goals], sampler=_sampler(recipe))


def _sampler(recipe: Recipe) -> "optuna.samplers.BaseSampler":
    import optuna  # noqa: PLC0415 - as above

    seed = recipe.seed % 2**32
    match recipe.sampler:
        case "nsga2":
            return optuna.samplers.NSGAIISampler(population_size=recipe.population, seed=seed)
        case "tpe":
            return optuna.samplers.TPESampler(n_startup_trials=recipe.population, multivariate=True, seed=seed)
        case "random":
            return optuna.samplers.RandomSampler(seed=seed)
