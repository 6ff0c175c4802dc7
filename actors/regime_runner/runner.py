"""The regime-runner at work: inputs handed to whom they concern.

In: the same inputs as `actors.regime_runner.core`, from the first order on. Out: the same outcomes.
"""

import json
from collections.abc import Mapping

from actors.regime_runner.attempting import COOL, PATIENCE, Concluded
from actors.regime_runner.evaluating import NEXT, Evaluating
from actors.regime_runner.house import House
from actors.regime_runner.state import State, Tail, from_bytes, to_bytes
from actors.regime_runner.telemetry import last_generation
from bus.core import Fired, Input, Observed, Outcome, Received, Scalar, Started
from schemas.errors import OneirosError
from schemas.regimes import CancelEvaluation, CapBreached, EvaluateDomain, SafetyVerdict


class Runner:
    """A regime-runner that has had an order."""

    def __init__(self, house: House, state: State) -> None:
        self.state = state
        self._evaluating = Evaluating(state, house)

    @classmethod
    def woken(cls, house: House, opening: Mapping[str, str]) -> "Runner":
        """One that knows what the world looked like when the run began."""
        ends: dict[str, tuple[int, str]] = json.loads(opening.get("domain_evolution") or "{}")
        tails = {domain: _tail(length, lines) for domain, (length, lines) in ends.items()}
        state = State(
            regimes=opening.get("regimes.yaml", ""),
            caps=opening.get("caps.yaml", ""),
            baselines=opening.get("baselines.json", ""),
            tails=tails,
        )
        return cls(house, state)

    @classmethod
    def restored(cls, house: House, data: bytes) -> "Runner":
        """One with the state of a snapshot; raises SnapshotRefusedError."""
        return cls(house, from_bytes(data))

    def handle(self, event: Input, now_ns: int) -> Outcome:
        """Decide on one input."""
        outcome = Outcome()
        try:
            self._take(event, now_ns, outcome)
        except OneirosError as error:
            if self.state.evaluation is None:
                raise
            outcome = Outcome()
            self._evaluating.give_up(str(error), now_ns, outcome)
        return outcome

    def snapshot(self) -> bytes:
        """The state as JSON."""
        return to_bytes(self.state)

    def figures(self) -> Mapping[str, Scalar]:
        """How far it has come."""
        state, evaluation = self.state, self.state.evaluation
        figures: dict[str, Scalar] = {
            "trials": state.trials,
            "evaluations": state.evaluations,
            "orders_waiting": len(state.pending),
        }
        if evaluation is not None:
            figures |= {
                "order": evaluation.order.order_id,
                "phase": evaluation.phase,
                "trials_done": evaluation.trials_done,
                "trials_planned": evaluation.trials_planned,
                "candidates": len(evaluation.results),
                "noisy": evaluation.noisy,
                "retried": evaluation.retried,
            }
        return figures

    def _take(self, event: Input, now_ns: int, outcome: Outcome) -> None:
        match event:
            case Started(epoch=epoch):
                self.state.epoch = epoch
                self._evaluating.resume(now_ns, outcome)
            case Fired(name=name):
                self._fire(name, now_ns, outcome)
            case Observed(name=name, data=data):
                self._observe(name, data, now_ns, outcome)
            case Received(message=EvaluateDomain() as order):
                self._evaluating.order(order, now_ns, outcome)
            case Received(message=CancelEvaluation() as cancel):
                self._evaluating.cancel(cancel.order_id, now_ns, outcome)
            case Received(message=SafetyVerdict() as verdict):
                self._conclude(self._evaluating.measuring.conversation.judged(verdict, outcome), now_ns, outcome)
            case Received(message=CapBreached() as breach):
                self._evaluating.measuring.conversation.breached(breach)
            case Received(message=message):
                outcome.refusal = f"{message.kind} is nothing that a regime-runner receives"

    def _fire(self, name: str, now_ns: int, outcome: Outcome) -> None:
        conversation = self._evaluating.measuring.conversation
        if name == PATIENCE:
            self._conclude(conversation.ran_out(outcome), now_ns, outcome)
        elif name == COOL:
            conversation.cooled(outcome)
        elif name == NEXT:
            self._evaluating.go_on(now_ns, outcome)

    def _observe(self, name: str, data: bytes, now_ns: int, outcome: Outcome) -> None:
        conversation = self._evaluating.measuring.conversation
        match name:
            case "survey":
                self._evaluating.surveyed(data, now_ns, outcome)
            case "prepared":
                conversation.prepared(data, outcome)
            case "trial":
                self._conclude(conversation.ended(data, outcome), now_ns, outcome)
            case _:
                outcome.refusal = f"observation {name}: nothing that a regime-runner observes"

    def _conclude(self, concluded: Concluded | None, now_ns: int, outcome: Outcome) -> None:
        if concluded is not None:
            self._evaluating.concluded(concluded, now_ns, outcome)


def _tail(length: int, lines: str) -> Tail:
    last = last_generation(lines.encode())
    return Tail(length, -1 if last is None else last)
