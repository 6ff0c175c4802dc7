"""The search is its log: what was asked and told leads to the same proposals, in whatever process."""

import itertools

import pytest

from actors.regime_runner.pareto import Point, hypervolume
from actors.regime_runner.search import Axis, Proposal, Recipe, Search, SearchDivergedError
from schemas.regimes import Genome, Metric, Sampler

AXES = (
    Axis("threads", (1, 2, 3, 4, 5, 6, 7, 8), is_ordered=True),
    Axis("policy", ("other", "batch", "idle"), is_ordered=False),
    Axis("level", (1, 2, 3, 4, 5, 6, 7, 8, 9), is_ordered=True),
    Axis("fixed", (64,), is_ordered=False),
)


def goals_of(genome: Genome) -> dict[Metric, float]:
    threads, level = int(genome["threads"]), int(genome["level"])
    punished = {"other": 0.0, "batch": 0.1, "idle": 0.3}[str(genome["policy"])]
    return {
        "perf": threads / 4 - punished - level / 90,
        "p95_ms": 0.2 + threads**2 / 40 + abs(level - 6) / 9 + punished,
    }


def searched(
    proposals: int, *, sampler: Sampler = "nsga2", seed: int = 7, restarts: tuple[int, ...] = ()
) -> list[Genome]:
    """The genomes of a search in which every seventh cannot be measured and every ninth is unsafe."""
    log: list[Proposal] = []
    search = Search(Recipe(AXES, sampler, 8, seed), log)
    for number in range(proposals):
        if number in restarts:
            search = Search(Recipe(AXES, sampler, 8, seed), log)
        genome = search.ask()
        search.tell(None if number % 7 == 6 else goals_of(genome), violation=1.0 if number % 9 == 8 else 0.0)
    return [proposal.genome for proposal in log]


@pytest.mark.parametrize("sampler", ["nsga2", "tpe", "random"])
def test_proposals_after_a_kill_at_trial_57_equal_those_of_an_uninterrupted_search(sampler: Sampler) -> None:
    uninterrupted = searched(80, sampler=sampler)

    resumed = searched(80, sampler=sampler, restarts=(57,))

    assert resumed == uninterrupted


def test_a_kill_between_asking_and_telling_changes_nothing() -> None:
    whole, broken = Search(Recipe(AXES, "nsga2", 4, 1), []), Search(Recipe(AXES, "nsga2", 4, 1), [])

    for _ in range(20):
        whole.tell(goals_of(whole.ask()))
        genome = broken.ask()
        broken = Search(broken.recipe, broken.log)
        broken.tell(goals_of(genome))

    assert [p.genome for p in broken.log] == [p.genome for p in whole.log]


def test_another_seed_proposes_others() -> None:
    assert searched(8, seed=1) != searched(8, seed=2)


def test_a_gene_with_one_value_keeps_it() -> None:
    assert {genome["fixed"] for genome in searched(20)} == {64}


def test_a_log_of_other_genes_is_refused_in_words() -> None:
    log = [Proposal({"threads": 99, "policy": "other", "level": 1, "fixed": 64})]

    with pytest.raises(SearchDivergedError, match="proposal 0"):
        Search(Recipe(AXES, "nsga2", 8, 7), log).ask()


def test_watts_become_a_goal_with_the_first_candidate_that_has_them() -> None:
    search = Search(Recipe(AXES, "nsga2", 4, 7), [])
    for _ in range(12):
        genome = search.ask()
        search.tell({**goals_of(genome), "watts": 1.0})

    again = Search(search.recipe, search.log)

    assert again.ask() == Search(search.recipe, search.log[:12]).ask()


def test_a_search_in_which_everything_fails_goes_on() -> None:
    search = Search(Recipe(AXES, "nsga2", 4, 7), [])

    for _ in range(12):
        search.ask()
        search.tell(None)

    assert len(search.log) == 12


WIDE = (
    Axis("threads", tuple(range(1, 33)), is_ordered=True),
    AXES[1],
    Axis("level", tuple(range(40)), is_ordered=True),
)


def ratios_of(genome: Genome) -> dict[Metric, float]:
    """Two goals that pull in opposite directions, with one best level and one best policy."""
    threads, level = int(genome["threads"]), int(genome["level"])
    spoilt = {"other": 1.0, "batch": 0.8, "idle": 0.6}[str(genome["policy"])] * (1.0 - abs(level - 29) / 45)
    return {"perf": (1.0 + threads / 16) * spoilt, "p95_ms": (0.5 + (threads / 24) ** 2) / spoilt}


def volume_of(genomes: list[Genome]) -> float:
    points = [Point(str(number), ratios_of(genome), is_eligible=True) for number, genome in enumerate(genomes)]
    return hypervolume(points, {"perf": -3.0, "p95_ms": -4.0})


def test_at_equal_budget_the_search_covers_more_than_chance_in_eight_of_ten_seeds() -> None:
    def front(sampler: Sampler, seed: int) -> float:
        search = Search(Recipe(WIDE, sampler, 20, seed), [])
        for _ in range(200):
            search.tell(ratios_of(search.ask()))
        return volume_of([proposal.genome for proposal in search.log])

    wins = sum(front("nsga2", seed) > front("random", seed) for seed in range(10))

    assert wins >= 8


def test_no_proposal_leaves_the_grid() -> None:
    for genome, axis in itertools.product(searched(40), AXES):
        assert genome[axis.name] in axis.grid
