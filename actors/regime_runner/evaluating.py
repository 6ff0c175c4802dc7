"""An evaluation from its order to its last pack: which candidate is next, and when it is over.

In: the order, the survey of the machine, concluded trials. Out: trials to begin, packs, telemetry, reports, at the end
of a search the wish for a fresh process. A search is generations of candidates: those of the sampler and, from the
second generation on, as many drawn at random, so that what the search is worth can be seen at equal budget. A genome
that comes again is measured on further pairs. The best are measured once more, on fresh pairs, by a fresh process.

An order is refused that is over the budget, that names a genome or settings which do not exist here, or whose settings
files are wrong; it waits while another is carried out. An order that is cancelled ends its trial first; candidates that
were measured are kept, the one that was being measured is not. An order that a process of another version began, or
that can no longer be carried out, ends with the reason in its report.
"""

from typing import Final

from actors.regime_runner.appraising import Appraising
from actors.regime_runner.attempting import Concluded
from actors.regime_runner.baselines import Baselines
from actors.regime_runner.desk import Desk
from actors.regime_runner.house import House
from actors.regime_runner.measuring import Measuring
from actors.regime_runner.packing import candidate_id
from actors.regime_runner.planning import Plan, Shape, check_budget, plan_cost
from actors.regime_runner.proposing import Proposing
from actors.regime_runner.publishing import report, report_lost
from actors.regime_runner.state import Candidate, Evaluation, Origin, State
from actors.regime_runner.survey import Survey
from actors.regime_runner.telemetry import run_name
from bus.core import Ask, Note, Outcome, SetTimer
from schemas.errors import OneirosError
from schemas.regimes import EvaluateDomain, Genome
from schemas.settings import RegimesSettings
from schemas.tiers import check_opt_in

NEXT: Final = "next"
SURVEY: Final = "survey"
MAX_PENDING: Final = 16
CANCELLED: Final = "cancelled by the user; the candidates that were measured are kept"


class OrderRefusedError(OneirosError):
    """An order cannot be carried out as it was given."""


class Evaluating:
    """Carries out the order in `state.evaluation`."""

    def __init__(self, state: State, house: House) -> None:
        self._state = state
        self._house = house
        self._turn_over()

    def _turn_over(self) -> None:
        """A clean desk for another evaluation."""
        self._desk = Desk(self._state, self._house)
        self._proposing = Proposing(self._desk)
        self._appraising = Appraising(self._desk, self._proposing)
        self.measuring = Measuring(self._desk)

    def order(self, order: EvaluateDomain, now_ns: int, outcome: Outcome) -> None:
        """Begin `order`, or let it wait for its turn."""
        state = self._state
        if state.evaluation is None:
            self._begin(order, now_ns, outcome)
        elif len(state.pending) < MAX_PENDING:
            state.pending.append(order)
        else:
            outcome.refusal = f"order {order.order_id}: {MAX_PENDING} orders wait already; give it again later"

    def cancel(self, order_id: str, now_ns: int, outcome: Outcome) -> None:
        """End the order `order_id`; a trial that runs for it is ended first."""
        evaluation, state = self._state.evaluation, self._state
        if evaluation is not None and evaluation.order.order_id == order_id:
            evaluation.is_cancelled = True
            self.measuring.conversation.drop(outcome)
            if state.attempt is None:
                self._end("cancelled", CANCELLED, now_ns, outcome)
        elif waiting := [order for order in state.pending if order.order_id == order_id]:
            state.pending = [order for order in state.pending if order.order_id != order_id]
            report(Evaluation(waiting[0], 0, now_ns, notes=[CANCELLED]), "cancelled", now_ns, outcome)
        else:
            outcome.refusal = f"order {order_id} is neither carried out nor waiting"

    def give_up(self, reason: str, now_ns: int, outcome: Outcome) -> None:
        """End an order that can no longer be carried out, whatever it is at."""
        if self._state.attempt is not None:
            outcome.asks.append(Ask("drop", self._state.attempt.trial_id.encode()))
            self._state.attempt = None
        self._desk.evaluation.generation_packs.clear()
        self._end("stopped", reason, now_ns, outcome)

    def resume(self, now_ns: int, outcome: Outcome) -> None:
        """Go on in a fresh process: what the world was asked before went with the process before."""
        evaluation = self._state.evaluation
        if self._state.lost is not None:
            report_lost(self._state.lost, outcome)
            self._state.lost = None
        if evaluation is None:
            return
        match evaluation.phase:
            case "surveying":
                outcome.asks.append(Ask(SURVEY, b""))
            case "renewing":
                evaluation.phase = "confirming"
                self._next_candidate(now_ns, outcome)
            case "searching" | "confirming":
                if self.measuring.resume(outcome):
                    self.go_on(now_ns, outcome)

    def surveyed(self, data: bytes, now_ns: int, outcome: Outcome) -> None:
        """The machine was looked at: plan, and begin or refuse."""
        evaluation = self._state.evaluation
        if evaluation is None or evaluation.phase != "surveying":
            return
        evaluation.survey = Survey.model_validate_json(data)
        try:
            plan = self._plan(evaluation)
        except OneirosError as error:
            self._end("refused", str(error), now_ns, outcome)
            return
        evaluation.trials_planned, evaluation.seconds_planned = plan.trials, plan.seconds
        evaluation.run_name = run_name(evaluation.started_ns, self._house.ordinal)
        tail = self._state.tails.get(evaluation.order.domain)
        evaluation.first_generation = 0 if tail is None else tail.last_generation + 1
        evaluation.phase = "searching"
        self._appraising.publisher().manifest(now_ns, outcome)
        self._next_candidate(now_ns, outcome)

    def concluded(self, concluded: Concluded, now_ns: int, outcome: Outcome) -> None:
        """A trial is over: note what it showed, and go on after a pause."""
        self.measuring.note(concluded, outcome)
        report(self._desk.evaluation, "running", now_ns, outcome)
        delay_s = self._desk.bench.delay_s
        if delay_s > 0.0 and not self._desk.evaluation.is_cancelled:
            outcome.timers.append(SetTimer(NEXT, delay_s))
        else:
            self.go_on(now_ns, outcome)

    def go_on(self, now_ns: int, outcome: Outcome) -> None:
        """Begin the next trial, unless one is being run."""
        evaluation = self._state.evaluation
        if evaluation is None or evaluation.candidate is None or self._state.attempt is not None:
            return
        if evaluation.is_cancelled:
            self._end("cancelled", CANCELLED, now_ns, outcome)
            return
        match self.measuring.next_trial(now_ns, outcome):
            case "begun":
                return
            case "done":
                self._appraising.appraise(evaluation.candidate, now_ns, outcome)
                evaluation.candidate = None
                self._next_candidate(now_ns, outcome)
            case reason:
                self._end("stopped", reason, now_ns, outcome)

    # -- beginning and end --

    def _begin(self, order: EvaluateDomain, now_ns: int, outcome: Outcome) -> None:
        self._state.evaluations += 1
        self._state.evaluation = Evaluation(order, self._state.evaluations, now_ns)
        self._turn_over()
        outcome.asks.append(Ask(SURVEY, b""))
        outcome.notes.append(Note("info", f"order {order.order_id}: {order.domain}, profile {order.profile}"))
        report(self._desk.evaluation, "running", now_ns, outcome)

    def _plan(self, evaluation: Evaluation) -> Plan:
        """What the order takes; raises OneirosError when it cannot be carried out."""
        order, settings = evaluation.order, self._house.settings
        check_opt_in(order.tier_b)
        if surplus := [name for name in order.tier_b if name not in settings.tier_b.split()]:
            raise OrderRefusedError(f"{', '.join(surplus)}: not opted in to; name it in regimes.tier_b")
        bench = self._desk.bench
        Baselines.from_bytes(self._state.baselines.encode())
        if order.genome is not None and (problems := bench.problems_of(order.genome)):
            raise OrderRefusedError(f"genome of {order.domain}: {'; '.join(problems)}")
        plan = plan_cost(bench.costs(), shape_of(order, settings, bench.delay_s))
        check_budget(plan, settings.budget_s, settings.budget_mib * 2**20)
        return plan

    def _end(self, standing: str, reason: str | None, now_ns: int, outcome: Outcome) -> None:
        evaluation = self._desk.evaluation
        if evaluation.generation_packs:
            self._close_generation(evaluation, now_ns, outcome)
        if reason is not None:
            evaluation.notes.append(reason)
        report(evaluation, standing, now_ns, outcome)
        why = "" if reason is None else f": {reason}"
        text = f"order {evaluation.order.order_id} {standing}{why}"
        outcome.notes.append(Note("info", text) if standing == "done" else Note("warning", text))
        self._state.evaluation = None
        if self._state.pending:
            self._begin(self._state.pending.pop(0), now_ns, outcome)

    # -- candidates --

    def _next_candidate(self, now_ns: int, outcome: Outcome) -> None:
        evaluation = self._desk.evaluation
        if evaluation.standing_still is not None:
            self._end("stopped", evaluation.standing_still, now_ns, outcome)
        elif evaluation.phase == "confirming":
            self._confirm_next(evaluation, now_ns, outcome)
        elif self._is_single(evaluation):
            self._given(evaluation, now_ns, outcome)
        else:
            self._proposed(evaluation, now_ns, outcome)

    def _is_single(self, evaluation: Evaluation) -> bool:
        """Whether there is nothing to search: a genome was given, or no regime can be run here."""
        return evaluation.order.genome is not None or not any(self._desk.bench.costs().values())

    def _given(self, evaluation: Evaluation, now_ns: int, outcome: Outcome) -> None:
        if evaluation.index:
            self._close_generation(evaluation, now_ns, outcome)
            self._choose_winners(evaluation, now_ns, outcome)
            return
        genome = evaluation.order.genome
        self._measure(self._desk.bench.default if genome is None else genome, "given", now_ns, outcome)

    def _proposed(self, evaluation: Evaluation, now_ns: int, outcome: Outcome) -> None:
        order = evaluation.order
        if evaluation.index >= self._size_of_generation(evaluation):
            self._close_generation(evaluation, now_ns, outcome)
        if evaluation.generation >= order.generations:
            self._choose_winners(evaluation, now_ns, outcome)
        elif evaluation.index < order.population:
            self._measure(self._proposing.ask(), "search", now_ns, outcome)
        else:
            self._measure(self._proposing.draw(), "random", now_ns, outcome)

    def _size_of_generation(self, evaluation: Evaluation) -> int:
        order = evaluation.order
        has_random = self._house.settings.has_random_arm and order.sampler != "random" and evaluation.generation > 0
        return order.population * (2 if has_random else 1)

    def _close_generation(self, evaluation: Evaluation, now_ns: int, outcome: Outcome) -> None:
        number, best_random = evaluation.first_generation + evaluation.generation, self._appraising.best_random()
        self._appraising.publisher().generation(number, best_random, now_ns, outcome)
        evaluation.generation += 1
        evaluation.index = 0

    def _measure(self, genome: Genome, origin: Origin, now_ns: int, outcome: Outcome) -> None:
        """Begin the next candidate of the generation; a genome that was measured before gets further pairs."""
        evaluation = self._desk.evaluation
        generation = evaluation.first_generation + evaluation.generation
        cand_id = candidate_id(generation, evaluation.index)
        evaluation.index += 1
        known = next((result for result in evaluation.results if result.genome == genome), None)
        if known is not None:
            candidate = Candidate(known.cand_id, known.generation, genome, origin, "repeat", [])
        else:
            candidate = Candidate(cand_id, generation, genome, origin, "measure", [])
        self._start(candidate, now_ns, outcome)

    def _confirm_next(self, evaluation: Evaluation, now_ns: int, outcome: Outcome) -> None:
        if not evaluation.to_confirm:
            self._end("done", None, now_ns, outcome)
            return
        result = self._desk.result_of(evaluation.to_confirm.pop(0))
        candidate = Candidate(result.cand_id, result.generation, result.genome, result.origin, "confirm", [])
        self._start(candidate, now_ns, outcome)

    def _start(self, candidate: Candidate, now_ns: int, outcome: Outcome) -> None:
        evaluation, house = self._desk.evaluation, self._house
        key = f"{self._desk.seed}/{evaluation.order.domain}/{candidate.cand_id}/{candidate.purpose}"
        evaluation.candidate = candidate
        candidate.works = self._desk.bench.works(
            candidate.genome, (key, self._state.trials), house.randomness, house.settings.noise_repeats
        )
        self.go_on(now_ns, outcome)

    def _choose_winners(self, evaluation: Evaluation, now_ns: int, outcome: Outcome) -> None:
        """Have the best measured again by a fresh process, or end."""
        winners = self._appraising.winners(has_to_be_better=self._is_single(evaluation))
        if not winners:
            self._end("done", None, now_ns, outcome)
            return
        evaluation.to_confirm = winners
        evaluation.phase = "renewing"
        outcome.wants_successor = True
        outcome.notes.append(Note("info", f"a fresh process measures {', '.join(winners)} again"))
        report(evaluation, "running", now_ns, outcome)


def shape_of(order: EvaluateDomain, settings: RegimesSettings, delay_s: float) -> Shape:
    """How much `order` asks for."""
    return Shape(
        trials=order.trials,
        generations=order.generations,
        population=order.population,
        confirmed=settings.confirmed,
        has_random_arm=settings.has_random_arm and order.sampler != "random",
        is_single=order.genome is not None,
        delay_s=delay_s,
    )
