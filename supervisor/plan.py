"""The order in which the actors of a run start and stop: the one place that knows it.

In: the seats of a run. Out: the same seats in order. Journals bridge a peer that is absent, so the order is for calm
and not for correctness: who stores is there before who produces, and leaves after it. A role without a place is
refused by `mypy` and by the test of this table.
"""

from collections.abc import Iterable
from typing import Final

from schemas.manifest import Seat
from schemas.roles import Role

LOOP: Final[tuple[Role, ...]] = ("pool-keeper", "bias-synthesizer", "learner", "dreamer")
"""The loop of dreams: what a simulation and an experiment are about."""
PAIR: Final[tuple[Role, ...]] = ("safety-watchdog", "regime-runner")
"""Those who measure the machine; they need nobody else."""
RENEWED: Final[tuple[Role, ...]] = ("regime-runner",)
"""Those who may ask for a fresh process to go on in: winners are measured again in one."""
START_ORDER: Final[tuple[Role, ...]] = (*LOOP, *PAIR, "friend", "nightly-observer")
"""Each role needs only what stands before it; stopping goes the other way."""


def default_seats() -> tuple[Seat, ...]:
    """One instance of each actor role, named as its role, in start order."""
    return seats_of(START_ORDER)


def seats_of(roles: Iterable[Role]) -> tuple[Seat, ...]:
    """One instance of each of `roles`, named as its role."""
    return tuple(Seat(instance=role, role=role) for role in roles)


def start_order(seats: Iterable[Seat]) -> tuple[Seat, ...]:
    """`seats` as they are to be started; instances of one role by name. Raises ValueError for an unknown role."""
    return tuple(sorted(seats, key=lambda seat: (START_ORDER.index(seat.role), seat.instance)))


def stop_order(seats: Iterable[Seat]) -> tuple[Seat, ...]:
    """`seats` as they are to be stopped: producers first, the pool-keeper last."""
    return tuple(reversed(start_order(seats)))
