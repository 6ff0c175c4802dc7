"""What one simulated run is, and what it showed.

In: a seed, a duration, a policy. Out: the setting of the machine that the seed draws, and the types of the report.
"""

from dataclasses import dataclass
from random import Random
from typing import Literal

from bus.simulation.faults import SECOND_NS, Fault
from bus.simulation.invariants import Losses
from bus.simulation.ports import Setting

Policy = Literal["process", "power"]


@dataclass(frozen=True)
class Plan:
    """One run."""

    seed: int
    duration_ns: int
    """Virtual time with faults; a quiet time follows."""
    policy: Policy | None = None
    """Fsync policy; None leaves it to the seed."""


@dataclass(frozen=True)
class Violation:
    """A broken invariant."""

    at_ns: int
    invariant: str
    text: str


@dataclass(frozen=True)
class Report:
    """What a run showed."""

    plan: Plan
    policy: Policy
    trace_sha256: str
    simulated_ns: int
    events: int
    steps: int
    faults: dict[str, int]
    """How often each kind of fault happened."""
    cut_bytes: int
    """Bytes of torn tails that the actors have cut and told of."""
    losses: Losses
    window_ns: int
    """The longest that a write may be without being synced."""
    violation: Violation | None
    applied: tuple[Fault, ...]
    """Every fault that happened, in order: these faults alone make the same run."""


def draw_setting(plan: Plan) -> Setting:
    """The machine of a run."""
    draws = Random(plan.seed)
    is_power_safe = draws.random() < 0.5
    return Setting(
        is_power_safe=is_power_safe if plan.policy is None else plan.policy == "power",
        sync_ns=int(draws.uniform(0.0002, 0.01) * SECOND_NS),
        latency_ns=int(draws.uniform(0.0001, 0.003) * SECOND_NS),
        look_back_ns=int(draws.uniform(0.2, 2.2) * SECOND_NS),
        snapshot_steps=draws.randint(10, 60),
        segment_bytes=draws.choice((4, 16, 64)) * 1024,
    )
