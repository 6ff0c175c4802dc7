"""The regime-runner decides: which trial is run next, and what trials say of a candidate (seed 003).

In: EvaluateDomain, CancelEvaluation, SafetyVerdict, CapBreached, answers of the world about guards and the machine, the
settings files of the run, timers. Out: what the world is asked for (`survey`, `prepare`, `go`, `drop`), TrialStarted,
TrialFinished, PackWritten, files. Trials are inputs: a replay repeats every decision and runs nothing. Until the first
order it only remembers how the run began, and loads nothing of what evaluations need (`actors.regime_runner.runner`).
It refuses messages and observations that it does not know; an order that cannot be carried out ends with the reason in
its report.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from actors.regime_runner.house import House
from bus.core import Input, Observed, Outcome, Received, Scalar, Started
from schemas.regimes import EvaluateDomain

if TYPE_CHECKING:
    from actors.regime_runner.runner import Runner

OPENING: Final = ("regimes.yaml", "caps.yaml", "baselines.json", "domain_evolution")
"""Observations at the beginning of a run."""
ASLEEP: Final = "asleep"


class RegimeRunner:
    """The state machine of the regime-runner."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._opening: dict[str, str] = {}
        self._epoch = 0
        self._runner: Runner | None = None

    @property
    def runner(self) -> "Runner":
        """What carries orders out; it is made when it is first needed."""
        if self._runner is None:
            from actors.regime_runner.runner import Runner  # noqa: PLC0415 - a run without orders does not pay for it

            self._runner = Runner.woken(self._house, self._opening)
            self._runner.state.epoch = self._epoch
        return self._runner

    def handle(self, event: Input, now_ns: int) -> Outcome:
        """Decide on one input."""
        if self._runner is not None:
            return self._runner.handle(event, now_ns)
        match event:
            case Started(epoch=epoch):
                self._epoch = epoch
            case Observed(name=name, data=data) if name in OPENING:
                self._opening[name] = data.decode(errors="replace")
            case Observed(name=name):
                return Outcome(refusal=f"observation {name}: nobody has given an order")
            case Received(message=EvaluateDomain()):
                return self.runner.handle(event, now_ns)
            case Received(message=message):
                return Outcome(refusal=f"{message.kind}: nobody has given an order")
        return Outcome()

    def snapshot(self) -> bytes:
        """The state as JSON."""
        if self._runner is not None:
            return self._runner.snapshot()
        return json.dumps({ASLEEP: self._opening, "epoch": self._epoch}).encode()

    def restore(self, data: bytes) -> None:
        """Take over a snapshot; raises SnapshotRefusedError when it is of another version."""
        if data.startswith(f'{{"{ASLEEP}"'.encode()):
            told = json.loads(data)
            self._opening, self._epoch, self._runner = told[ASLEEP], told["epoch"], None
            return
        from actors.regime_runner.runner import Runner  # noqa: PLC0415 - as above

        self._runner = Runner.restored(self._house, data)

    def figures(self) -> Mapping[str, Scalar]:
        """How far it has come."""
        return {"trials": 0, "evaluations": 0} if self._runner is None else self._runner.figures()
