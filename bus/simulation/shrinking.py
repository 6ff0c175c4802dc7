"""A failing run made short: fewer faults and less time, and the same invariant still broken.

In: the report of a broken run. Out: the shortest run that was found, on the same machine and with the same actors.
First the kinds of faults that do not matter go. A long run is hard to thin out, for each fault moves all that follows:
so short runs with faults of the kinds that matter are tried, and the one with the fewest faults is taken. Then halves,
quarters and so on of the faults go (delta debugging; Zeller and Hildebrandt, 2002), until the budget is spent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from bus.simulation.campaign import SOUND, run_plan
from bus.simulation.company import Cast
from bus.simulation.faults import HOUR_S, SECOND_NS, DrawnFaults, Fault, Faults, ListedFaults, dense_mix, kind_of
from bus.simulation.plan import Plan, Report
from bus.simulation.process import Rules

BUDGET_NS: Final = int(30 * HOUR_S * SECOND_NS)
"""Simulated time that shrinking may take."""
SHORT_NS: Final = (20 * SECOND_NS, 60 * SECOND_NS)
"""Durations of the short runs that are tried."""
SEARCHES: Final = 100
"""Short runs of each duration."""
FEW: Final = 3
"""Below so many faults, less time counts more than fewer faults."""


@dataclass
class Shrinking:
    """Shrinks one run."""

    cast: Cast
    rules: Rules = SOUND
    budget_ns: int = BUDGET_NS
    runs: int = 0

    def shrink(self, report: Report) -> Report:
        """The shortest run found that breaks the same invariant; `report` itself when its faults alone do not."""
        best = self._attempt(report, report.plan, ListedFaults(report.applied))
        if best is None:
            return report
        best = self._in_less_time(best)
        for kind in sorted({kind_of(fault) for fault in best.applied}):
            best = self._with(best, [fault for fault in best.applied if kind_of(fault) != kind]) or best
        for duration_ns in SHORT_NS:
            if _length(best) > (FEW, duration_ns):
                best = self._search(best, duration_ns)
        return self._in_less_time(self._with_fewer(best))

    def _attempt(self, best: Report, plan: Plan, faults: Faults) -> Report | None:
        """The run of `plan` with `faults`, if it breaks what `best` breaks."""
        if self.budget_ns <= 0 or best.violation is None:
            return None
        self.runs += 1
        report = run_plan(plan, self.cast, self.rules, faults)
        self.budget_ns -= report.simulated_ns
        is_same = report.violation is not None and report.violation.invariant == best.violation.invariant
        return report if is_same else None

    def _with(self, best: Report, faults: Sequence[Fault]) -> Report | None:
        return self._attempt(best, best.plan, ListedFaults(faults))

    def _search(self, best: Report, duration_ns: int) -> Report:
        """The shortest of some short runs that have the kinds of faults that `best` needs."""
        company = self.cast(best.plan.seed)
        names = [seat.instance for seat in company.seats]
        company.close()
        mix = dense_mix({kind_of(fault) for fault in best.applied})
        plan = replace(best.plan, duration_ns=duration_ns)
        for seed in range(SEARCHES):
            shorter = self._attempt(best, plan, DrawnFaults(seed, names, duration_ns, mix))
            if shorter is not None and _length(shorter) < _length(best):
                best = shorter
            if _length(best) <= (FEW, duration_ns):
                break
        return best

    def _with_fewer(self, best: Report) -> Report:
        parts = 2
        while len(best.applied) > 1 and self.budget_ns > 0:
            size = max(1, len(best.applied) // parts)
            shorter = self._without_a_part(best, size)
            if shorter is not None and len(shorter.applied) < len(best.applied):
                best, parts = shorter, max(2, parts - 1)
            elif size == 1:
                break
            else:
                parts *= 2
        return best

    def _without_a_part(self, best: Report, size: int) -> Report | None:
        for begin in range(0, len(best.applied), size):
            shorter = self._with(best, best.applied[:begin] + best.applied[begin + size :])
            if shorter is not None:
                return shorter
        return None

    def _in_less_time(self, best: Report) -> Report:
        while best.violation is not None:
            ends_at_ns = (best.violation.at_ns // SECOND_NS + 1) * SECOND_NS
            duration_ns = ends_at_ns if ends_at_ns < best.plan.duration_ns else best.plan.duration_ns // 2
            plan = replace(best.plan, duration_ns=duration_ns)
            shorter = self._attempt(best, plan, ListedFaults(best.applied)) if duration_ns >= SECOND_NS else None
            if shorter is None:
                break
            best = shorter
        return best


def _length(report: Report) -> tuple[int, int]:
    """How long a run is: by its faults, unless they are few, then by its time."""
    return max(FEW, len(report.applied)), report.plan.duration_ns
