"""Simulated runs for `supervisor simulate`: many seeds, a summary, and the shortest form of what broke.

In: how many seeds, for how long, with which actors. Out: a `SimulationReport`. The light actors are the default; the
real cores take seconds for a simulated minute and get a scratch home for each seed.
"""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bus.simulation.campaign import Summary, run_all
from bus.simulation.company import Cast
from bus.simulation.faults import HOUR_S, SECOND_NS, describe
from bus.simulation.invariants import Losses
from bus.simulation.light_keeper import light_company
from bus.simulation.plan import Plan, Policy, Report
from bus.simulation.shrinking import Shrinking
from supervisor.rendering import duration_text

REAL_RATES: Final = ("dreamer.rate_hz=2", "learner.rounds_hz=1")
"""Settings of the real actors: as many messages as an hour of a workstation has, not more."""
SHOWN_BROKEN: Final = 10
EXIT_FINDING: Final = 1


@dataclass(frozen=True)
class Wanted:
    """What to simulate."""

    seeds: int
    hours: float
    first_seed: int
    policy: Policy | None
    """Fsync policy; None lets each seed draw it."""
    is_real: bool
    jobs: int

    @property
    def total_s(self) -> float:
        """Virtual time with faults, of all runs together."""
        return self.seeds * self.hours * HOUR_S


@dataclass(frozen=True)
class SimulationReport:
    """What the runs showed."""

    wanted: Wanted
    summary: Summary
    took_s: float
    shortest: Report | None
    """The shortest run that breaks what the first broken seed broke."""

    @property
    def exit_code(self) -> int:
        """0 when every invariant held, else 1."""
        return EXIT_FINDING if self.summary.broken else 0

    @property
    def simulated_h(self) -> float:
        """Virtual time of all runs together."""
        return self.summary.simulated_ns / SECOND_NS / HOUR_S

    def tree(self) -> dict[str, Any]:
        """The report as one JSON object."""
        wanted, summary = self.wanted, self.summary
        return {
            "ok": not summary.broken,
            "seeds": wanted.seeds,
            "first_seed": wanted.first_seed,
            "hours": wanted.hours,
            "actors": "real" if wanted.is_real else "light",
            "jobs": wanted.jobs,
            "simulated_h": round(self.simulated_h, 3),
            "events": summary.events,
            "steps": summary.steps,
            "took_s": round(self.took_s, 3),
            "trace_sha256": summary.trace_sha256,
            "faults": dict(sorted(summary.faults.items())),
            "power_cuts": {policy: _loss_tree(summary, policy) for policy in sorted(summary.losses)},
            "cut_bytes": summary.cut_bytes,
            "broken": [_broken_tree(report) for report in summary.broken],
            "shortest": None if self.shortest is None else _shortest_tree(self.shortest),
        }


def simulate(wanted: Wanted, progress: Callable[[int], None]) -> SimulationReport:
    """Run what is wanted; `progress` is told 1 after each seed."""
    began = time.perf_counter()
    cast, summary = _cast(wanted), Summary()
    duration_ns = int(wanted.hours * HOUR_S * SECOND_NS)
    seeds = range(wanted.first_seed, wanted.first_seed + wanted.seeds)
    plans = [Plan(seed, duration_ns, wanted.policy) for seed in seeds]
    for report in run_all(plans, cast, min(wanted.jobs, wanted.seeds)):
        summary.add(report)
        progress(1)
    took_s = time.perf_counter() - began
    shortest = Shrinking(cast).shrink(summary.broken[0]) if summary.broken else None
    return SimulationReport(wanted, summary, took_s, shortest)


def usable_cores() -> int:
    """How many processes can work at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def draw_simulation(report: SimulationReport) -> str:
    """The report as text."""
    wanted, summary = report.wanted, report.summary
    actors = "real" if wanted.is_real else "light"
    rate = report.simulated_h / report.took_s if report.took_s else 0.0
    lines = [
        f"{_seeds_text(wanted)} with {actors} actors: {duration_text(wanted.total_s)} asked for, "
        f"{duration_text(report.simulated_h * HOUR_S)} simulated with the quiet ends, "
        f"{summary.events} events, {summary.steps} steps in {duration_text(report.took_s)} ({rate:.1f} h a second)",
        f"faults: {_faults_text(summary)}",
        *(_loss_text(summary, policy) for policy in sorted(summary.losses) if summary.losses[policy].power_cuts),
        f"trace {summary.trace_sha256}",
    ]
    if not summary.broken:
        return "\n".join([*lines, "every invariant held"])
    lines += [_broken_text(broken) for broken in summary.broken[:SHOWN_BROKEN]]
    if len(summary.broken) > SHOWN_BROKEN:
        lines.append(f"and {len(summary.broken) - SHOWN_BROKEN} more seeds")
    return "\n".join([*lines, *_advice(report)])


def _cast(wanted: Wanted) -> Cast:
    if not wanted.is_real:
        return light_company
    from supervisor.configuration import Sources, load_configuration
    from supervisor.home import Home
    from supervisor.real_company import RealCast

    with tempfile.TemporaryDirectory() as nowhere:
        return RealCast(load_configuration(Sources(Home(Path(nowhere)), assignments=REAL_RATES)))


def _seeds_text(wanted: Wanted) -> str:
    last = wanted.first_seed + wanted.seeds - 1
    return f"seed {last}" if wanted.seeds == 1 else f"seeds {wanted.first_seed} to {last}"


def _faults_text(summary: Summary) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(summary.faults.items())) or "none"


def _loss_text(summary: Summary, policy: str) -> str:
    losses, window_ms = summary.losses[policy], summary.window_ns[policy] / 1e6
    taken = f"{losses.messages} unsynced messages taken, {losses.sent} of them sent"
    oldest = f"the oldest {losses.oldest_ns / 1e6:.1f} ms old (window {window_ms:.1f} ms)"
    return f"power cuts under policy {policy}: {losses.power_cuts}; {taken}; {oldest}"


def _broken_text(report: Report) -> str:
    violation = report.violation
    if violation is None:
        return ""
    where = f"seed {report.plan.seed} (policy {report.policy}) at {violation.at_ns / SECOND_NS:.3f} s"
    return f"broken by {where}: {violation.invariant}: {violation.text}"


def _advice(report: SimulationReport) -> list[str]:
    broken, wanted = report.summary.broken[0], report.wanted
    real = " --real" if wanted.is_real else ""
    policy = f" --policy {wanted.policy}" if wanted.policy else ""
    lines = [f"again: supervisor simulate --seeds 1 --seed {broken.plan.seed} --hours {wanted.hours:g}{policy}{real}"]
    shortest = report.shortest
    if shortest is None or shortest.violation is None:
        return lines
    text = f"shortest run found: {shortest.plan.duration_ns / SECOND_NS:.0f} s, {len(shortest.applied)} faults"
    lines.append(f"{text}: {shortest.violation.invariant}: {shortest.violation.text}")
    return lines + [f"  {describe(fault)}" for fault in shortest.applied]


def _loss_tree(summary: Summary, policy: str) -> dict[str, Any]:
    losses: Losses = summary.losses[policy]
    return {
        "power_cuts": losses.power_cuts,
        "messages_taken": losses.messages,
        "of_them_sent": losses.sent,
        "oldest_ms": round(losses.oldest_ns / 1e6, 3),
        "window_ms": round(summary.window_ns[policy] / 1e6, 3),
        "requests_unanswered": losses.unanswered,
    }


def _broken_tree(report: Report) -> dict[str, Any]:
    violation = report.violation
    found = {} if violation is None else {"at_s": violation.at_ns / SECOND_NS, "invariant": violation.invariant}
    text = "" if violation is None else violation.text
    return {"seed": report.plan.seed, "policy": report.policy, **found, "text": text}


def _shortest_tree(report: Report) -> dict[str, Any]:
    return {
        **_broken_tree(report),
        "duration_s": report.plan.duration_ns / SECOND_NS,
        "faults": [describe(fault) for fault in report.applied],
    }
