"""Which genome is next: the sampler's, one drawn at random, and what the sampler is told.

In: the desk of an evaluation. Out: genomes that break no constraint. What breaks one is told to the sampler as that,
and it is asked again; after `REDRAWS` of them the default genome stands in.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from actors.regime_runner.desk import Desk
from actors.regime_runner.search import Recipe, Search
from schemas.regimes import Genome, Metric

REDRAWS: Final = 50
"""Genomes that break a constraint, or came before, until another way is taken."""


@dataclass
class Proposing:
    """Proposes the genomes of the present evaluation."""

    desk: Desk
    _search: Search | None = field(default=None)

    def ask(self) -> Genome:
        """The next genome of the sampler."""
        search, bench = self._searching(), self.desk.bench
        for _ in range(REDRAWS):
            genome = search.ask()
            if bench.is_feasible(genome):
                return genome
            search.tell(None, violation=1.0)
        return bench.default

    def tell(self, goals: dict[Metric, float] | None, violation: float) -> None:
        """What became of the last genome that `ask` gave."""
        search = self._searching()
        if search.log and not search.log[-1].is_told:
            search.tell(goals, violation)

    def draw(self) -> Genome:
        """A genome of the random arm: uniform over the grid, new where that is possible."""
        desk, bench = self.desk, self.desk.bench
        evaluation, known = desk.evaluation, [result.genome for result in desk.evaluation.results]
        genome = bench.default
        for _ in range(REDRAWS):
            rng = desk.house.randomness.at(f"random-arm/{desk.seed}/{evaluation.order.domain}", evaluation.randoms)
            evaluation.randoms += 1
            genome = {axis.name: axis.grid[int(rng.integers(len(axis.grid)))] for axis in bench.axes}
            if bench.is_feasible(genome) and genome not in known:
                return genome
        return genome if bench.is_feasible(genome) else bench.default

    def _searching(self) -> Search:
        evaluation = self.desk.evaluation
        if self._search is None or self._search.log is not evaluation.log:
            order = evaluation.order
            digest = hashlib.sha256(f"search/{self.desk.seed}/{order.domain}".encode()).digest()
            seed = int.from_bytes(digest[:4], "big")
            self._search = Search(Recipe(self.desk.bench.axes, order.sampler, order.population, seed), evaluation.log)
        return self._search
