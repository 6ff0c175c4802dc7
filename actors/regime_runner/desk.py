"""What an evaluation has at hand: the state, the house, and what follows from both.

In: the state and what the run gives. Out: the present evaluation, its candidate, its bench, its seed. The bench is made
again after a restart. Refused, as a programming error: to ask for what there is not.
"""

from dataclasses import dataclass, field

from actors.regime_runner.bench import Bench
from actors.regime_runner.house import House
from actors.regime_runner.state import Candidate, Evaluation, Result, State, Work
from schemas.regimes import Regime


@dataclass
class Desk:
    """The state with what belongs to the present evaluation."""

    state: State
    house: House
    _bench: Bench | None = field(default=None)

    @property
    def evaluation(self) -> Evaluation:
        """The order that is being carried out."""
        if self.state.evaluation is None:
            raise ValueError("there is no evaluation")
        return self.state.evaluation

    @property
    def candidate(self) -> Candidate:
        """The genome that is being measured."""
        candidate = self.evaluation.candidate
        if candidate is None:
            raise ValueError("there is no candidate")
        return candidate

    @property
    def bench(self) -> Bench:
        """What the evaluation works with; raises SettingsError where the settings files are wrong."""
        evaluation = self.evaluation
        if self._bench is None or self._bench.order is not evaluation.order:
            if evaluation.survey is None:
                raise ValueError("the machine was not surveyed")
            self._bench = Bench.of(evaluation.order, evaluation.survey, self.state.regimes, self.state.caps)
        return self._bench

    @property
    def seed(self) -> int:
        """Of the order, else of the run."""
        seed = self.evaluation.order.seed
        return self.house.seed if seed is None else seed

    def work_of(self, regime: Regime) -> Work:
        """The trials of the candidate in `regime`."""
        return next(work for work in self.candidate.works if work.regime == regime)

    def result_of(self, cand_id: str) -> Result:
        """What is known of a candidate that was measured."""
        return next(result for result in self.evaluation.results if result.cand_id == cand_id)
