"""How near the pool is to its limits (seed 004: budget_pressure).

In: the bounds of a day and the thresholds. Out: one finding, for the rule that is furthest over its limit, with the
numbers of all; none where no rule can be judged. The rules:

- fill: the larger of dreams / most dreams and bytes / most bytes, at least `max_fill`.
- nights to full: (most dreams - dreams) / (inserted - evicted), at most `min_nights_to_full`; only while it grows.
- churn: evicted / inserted, at least `max_churn`, with `min_inserted` dreams.
- compaction: time since the last one in the median of the times between them, at least `max_compaction_age`; with three
  of these. A pool is compacted when it has lost enough, so it has an interval only from its own history.

How long messages waited for the pool-keeper is in no journal and takes no part.
"""

from itertools import pairwise
from typing import Final, NamedTuple

from actors.nightly_observer.anchors import Anchors
from actors.nightly_observer.day import Bounds, Day
from actors.nightly_observer.spread import median
from schemas.dream_seeds import Finding, Number, Op, evidence
from schemas.night_settings import BudgetPressureSettings

LEAST_INTERVALS: Final = 3


class Rule(NamedTuple):
    """One rule that could be judged."""

    name: str
    value: float
    op: Op
    limit: float
    n: int

    @property
    def holds(self) -> bool:
        """Whether the value is beyond the limit, or on it."""
        return self.value >= self.limit if self.op == ">=" else self.value <= self.limit

    @property
    def strength(self) -> float:
        """The value in limits, or the other way round where low is worse; above 1 is over."""
        over, under = (self.value, self.limit) if self.op == ">=" else (self.limit, self.value)
        return over / under if under > 0.0 else float("inf")


def find_pressure(day: Day, settings: BudgetPressureSettings, anchors: Anchors) -> tuple[Finding, ...]:
    """The finding on the budget of the pool."""
    rules = rules_of(day.bounds, day.to_ns, settings)
    if not rules:
        return ()
    worst = max(rules, key=lambda rule: (rule.holds, rule.strength))
    numbers: dict[str, Number | None] = {rule.name: rule.value for rule in rules}
    bounds = day.bounds
    shown = evidence(
        f"budget_pressure.{worst.name}",
        worst.value,
        worst.op,
        worst.limit,
        worst.n,
        dreams=bounds.dreams,
        size_bytes=bounds.size_bytes,
        max_dreams=bounds.max_dreams,
        max_bytes=bounds.max_bytes,
        inserted=bounds.inserted,
        evicted=bounds.evicted,
        **numbers,
    )
    anchor = anchors.of("budget", "pool")
    return (Finding(seed_type="budget_pressure", fires=worst.holds, evidence=shown, anchors=(anchor,), bins=()),)


def rules_of(bounds: Bounds, to_ns: int, settings: BudgetPressureSettings) -> tuple[Rule, ...]:
    """The rules that `bounds` allow to judge."""
    rules = []
    fills = [
        held / most
        for held, most in ((bounds.dreams, bounds.max_dreams), (bounds.size_bytes, bounds.max_bytes))
        if most
    ]
    if fills:
        rules.append(Rule("fill", max(fills), ">=", settings.max_fill, bounds.dreams))
    growth = bounds.inserted - bounds.evicted
    if bounds.max_dreams and growth > 0:
        left = max(0, bounds.max_dreams - bounds.dreams) / growth
        rules.append(Rule("nights_to_full", left, "<=", settings.min_nights_to_full, bounds.inserted))
    if bounds.inserted >= max(1, settings.min_inserted):
        churn = bounds.evicted / bounds.inserted
        rules.append(Rule("churn", churn, ">=", settings.max_churn, bounds.inserted))
    age = _compaction_age(bounds, to_ns)
    if age is not None:
        rules.append(Rule("compaction_age", age, ">=", settings.max_compaction_age, len(bounds.compactions_ns)))
    return tuple(rules)


def _compaction_age(bounds: Bounds, to_ns: int) -> float | None:
    times = bounds.compactions_ns
    gaps = [later - earlier for earlier, later in pairwise(times)]
    if len(gaps) < LEAST_INTERVALS or median(gaps) <= 0:
        return None
    return (to_ns - times[-1]) / median(gaps)
