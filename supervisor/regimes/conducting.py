"""An order to the regime-runner brought to its end: by the running loop, or by a company brought up for it alone.

In: where the settings come from, the order. Out: `Conducted`; meanwhile `Progress`, read from the report that the
runner writes after each trial. Where a loop runs, its supervisor publishes the order to the runner that sits there.
Where none runs, interrupted runs are brought to their end first; then a run of the safety-watchdog and the
regime-runner alone carries the order out. Such a run is recorded, replayed and audited like any other. An interrupt
stops that run in order; a running loop is told to cancel the order, and a second interrupt waits for nothing. What was
measured by then is kept, and the report of the order says how it ended.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bus.files import write_atomically
from schemas.ids import RunId
from schemas.regimes import CancelEvaluation, EvaluateDomain
from schemas.roles import Role
from supervisor.asking import ask_home
from supervisor.bring_up import clear_runtime
from supervisor.company import Company
from supervisor.configuration import Sources
from supervisor.control import Request
from supervisor.errors import ControlError
from supervisor.home import Home, runtime_folder
from supervisor.lock import Holder, find_holder, hold_home
from supervisor.log_lines import utc_text
from supervisor.plan import PAIR
from supervisor.pool.orders import stage, writing_orders
from supervisor.runs import RunFolder

RUNNER: Final[Role] = "regime-runner"
REPORTS: Final = "artifacts/evaluations"
LOOK_S: Final = 0.2
CANCEL_S: Final = 60.0
"""Longest wait for a running loop to end the trial of an order that is cancelled."""
STOPPED: Final = "the loop was stopped before the order was carried out"
COMPANY: Final = Company(PAIR, RUNNER, "regimes")


@dataclass(frozen=True)
class Progress:
    """How far an evaluation has come."""

    trial: int
    trials: int
    """Most that there will be, retries and repeats left out."""
    seconds_left: float | None
    text: str


@dataclass(frozen=True)
class Conducted:
    """An order that is over, or that nobody waits for any more."""

    run_id: str
    """Of the evaluation, in the form of the seed; empty where it was refused before it had one."""
    pack_paths: tuple[str, ...]
    """Relative to home."""
    refusals: tuple[str, ...]
    """Why something was not measured, or not taken."""
    is_complete: bool
    """Whether the order was carried out whole."""
    is_interrupted: bool = False
    noisy: int = 0
    retried: int = 0
    elapsed_s: float = 0.0


Told = Callable[[Progress], None]


def conduct(sources: Sources, order: EvaluateDomain, told: Told) -> Conducted:
    """Have `order` carried out; `told` hears of each change. Raises OneirosError when nobody can carry it out."""
    home = sources.home
    home.create()
    look = _Look(home, order, told)
    if find_holder(home) is not None:
        return _by_the_running(home, order, look)
    runtime = runtime_folder(home.root)
    holder = Holder(pid=os.getpid(), started_at=utc_text(time.time()), runtime=str(runtime))
    with hold_home(home, holder):
        try:
            return _by_a_company(sources, runtime, order, look)
        finally:
            clear_runtime(runtime)


@dataclass
class _Look:
    """Looks at the report of one order."""

    home: Home
    order: EvaluateDomain
    told: Told
    _seen: Progress | None = None

    @property
    def path(self) -> Path:
        """Where the runner writes its report."""
        return self.home.root / REPORTS / f"{self.order.order_id}.json"

    def report(self) -> dict[str, Any] | None:
        """The report; None while there is none."""
        try:
            found: dict[str, Any] = json.loads(self.path.read_bytes())
            return found
        except (OSError, ValueError):
            return None

    def is_over(self) -> bool:
        """Whether the order has ended; tells of progress by the way."""
        report = self.report()
        if report is None:
            return False
        text = f"{report['phase']} {report['candidate'] or ''}".strip()
        progress = Progress(report["trial"], report["trials"], report["seconds_left"], text)
        if progress != self._seen:
            self._seen = progress
            self.told(progress)
        return bool(report["standing"] != "running")

    def end(self, standing: str, *notes: str) -> None:
        """Have the report of an order that nobody carries out any more say so, and why."""
        report = self.report()
        if report is not None and report["standing"] == "running":
            ended = {**report, "standing": standing, "seconds_left": 0.0, "refusals": [*report["refusals"], *notes]}
            write_atomically(self.path, f"{json.dumps(ended, indent=1)}\n".encode())

    def conducted(self, *notes: str, is_interrupted: bool = False) -> Conducted:
        """What became of the order."""
        report = self.report()
        if report is None:
            return Conducted("", (), notes or ("the regime-runner never took the order",), is_complete=False)
        return Conducted(
            run_id=report["run_id"],
            pack_paths=tuple(report["packs"]),
            refusals=tuple(dict.fromkeys((*report["refusals"], *notes))),
            is_complete=report["standing"] == "done",
            is_interrupted=is_interrupted,
            noisy=report["noisy"],
            retried=report["retried"],
            elapsed_s=report["elapsed_s"],
        )


def _by_the_running(home: Home, order: EvaluateDomain, look: _Look) -> Conducted:
    status = ask_home(home, Request(verb="status")).status
    if status is None:
        raise ControlError("the supervisor's answer does not say which run it lives")
    runners = [actor.name for actor in status.actors if actor.role == RUNNER]
    if not runners:
        raise ControlError("no regime-runner sits in the run; stop it and say the command again")
    run, runner = RunFolder(home, RunId(status.run_id)), runners[0]
    _say(home, run, runner, order)
    try:
        while not look.is_over():
            if find_holder(home) is None:
                look.end("stopped", STOPPED)
                return look.conducted(STOPPED)
            time.sleep(LOOK_S)
    except KeyboardInterrupt:
        return _cancelled(home, run, runner, look)
    return look.conducted()


def _say(home: Home, run: RunFolder, runner: str, message: EvaluateDomain | CancelEvaluation) -> None:
    """Say `message` to the runner of the run that is lived."""
    with writing_orders(run):
        staged = stage(run, run.read_manifest(), [message], lambda _count: None, runner)
        ask_home(home, Request(verb="publish", segment=staged.segment))


def _cancelled(home: Home, run: RunFolder, runner: str, look: _Look) -> Conducted:
    """Have the running loop cancel the order, and wait until it has; another interrupt leaves it to that."""
    try:
        _say(home, run, runner, CancelEvaluation(order_id=look.order.order_id))
        end = time.monotonic() + CANCEL_S
        while time.monotonic() < end and find_holder(home) is not None and not look.is_over():
            time.sleep(LOOK_S)
    except KeyboardInterrupt:
        return look.conducted("interrupted twice; the running loop was told to cancel the order", is_interrupted=True)
    late = () if look.is_over() else (f"the running loop has not cancelled the order within {CANCEL_S:.0f} s",)
    return look.conducted(*late, is_interrupted=True)


def _by_a_company(sources: Sources, runtime: Path, order: EvaluateDomain, look: _Look) -> Conducted:
    life = COMPANY.carry_out(sources, runtime, order, look.is_over)
    reasons = [f"{name} cannot start: {why}" for name, why in life.supervision.cannot_start.items()]
    was_interrupted = life.supervision.stop_reason == "interrupted"
    if was_interrupted:
        reasons.append("interrupted; what was measured is kept")
    reasons += [f"{name} was given up" for name in life.supervision.failed if name not in life.supervision.cannot_start]
    look.end("interrupted" if was_interrupted else "stopped", *reasons)
    return look.conducted(*reasons, is_interrupted=was_interrupted)
