"""Many simulated runs, one for each seed, and the summary of what they showed.

In: a range of seeds, a duration, a cast. Out: reports in the order of seeds, however many processes work; a summary
whose hash is over the traces of all runs. A broken invariant ends only its own run.
"""

import gc
import hashlib
import multiprocessing
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from bus.simulation.company import Cast
from bus.simulation.faults import DrawnFaults, Faults, ListedFaults, draw_mix
from bus.simulation.invariants import Losses
from bus.simulation.plan import Plan, Report
from bus.simulation.process import Rules
from bus.simulation.world import World

SEEDS_PER_TASK: Final = 4
COLLECT_EVERY: Final = 8
"""Runs between two collections: a run leaves cycles, and collecting costs more than a part of it."""
SOUND: Final = Rules()


def run_plan(plan: Plan, cast: Cast, rules: Rules = SOUND, faults: Faults | None = None) -> Report:
    """One run; its faults are drawn from its seed unless they are given."""
    company = cast(plan.seed)
    try:
        if faults is None:
            names = [seat.instance for seat in company.seats]
            faults = DrawnFaults(plan.seed, names, plan.duration_ns, draw_mix(plan.seed, company.can_lose_power))
        return World(plan, company, faults, rules).run()
    finally:
        company.close()


def repeat(report: Report, cast: Cast, rules: Rules = SOUND) -> Report:
    """The run of `report` again, from the list of its faults instead of its seed."""
    return run_plan(report.plan, cast, rules, ListedFaults(report.applied))


def run_all(plans: Iterable[Plan], cast: Cast, jobs: int) -> Iterator[Report]:
    """The reports of `plans`, in their order, by `jobs` processes; faults are listed for broken runs alone."""
    if jobs == 1:
        yield from map(partial(_run_briefly, cast=cast), plans)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_prepare) as pool:
        try:
            yield from pool.map(partial(_run_briefly, cast=cast), plans, chunksize=SEEDS_PER_TASK)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _prepare() -> None:
    """Leave Ctrl-C to the parent, and keep the collector away: it would look at everything again and again."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
    gc.freeze()


def _run_briefly(plan: Plan, cast: Cast) -> Report:
    report = run_plan(plan, cast)
    if plan.seed % COLLECT_EVERY == 0:
        gc.collect()
    return report if report.violation is not None else replace(report, applied=())


@dataclass
class Summary:
    """What many runs showed."""

    runs: int = 0
    simulated_ns: int = 0
    events: int = 0
    steps: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    losses: dict[str, Losses] = field(default_factory=dict)
    """By fsync policy."""
    window_ns: dict[str, int] = field(default_factory=dict)
    """The longest window of all runs, by fsync policy."""
    cut_bytes: int = 0
    broken: list[Report] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._sha256 = hashlib.sha256()

    def add(self, report: Report) -> None:
        """The next run."""
        self.runs += 1
        self.simulated_ns += report.simulated_ns
        self.events += report.events
        self.steps += report.steps
        self.faults.update(report.faults)
        self.losses[report.policy] = self.losses.get(report.policy, Losses()).with_more(report.losses)
        self.window_ns[report.policy] = max(self.window_ns.get(report.policy, 0), report.window_ns)
        self.cut_bytes += report.cut_bytes
        self._sha256.update(report.trace_sha256.encode())
        if report.violation is not None:
            self.broken.append(report)

    @property
    def trace_sha256(self) -> str:
        """One hash over the traces of all runs."""
        return self._sha256.hexdigest()
