"""Who starts before whom, and who leaves last."""

from schemas.manifest import Seat
from schemas.roles import RESIDENT_ROLES
from supervisor.plan import START_ORDER, default_seats, start_order, stop_order


def test_every_actor_role_has_exactly_one_place_in_the_order() -> None:
    assert sorted(START_ORDER) == sorted(RESIDENT_ROLES)


def test_keeper_starts_first_and_stops_last_and_the_dreamer_the_other_way_round() -> None:
    seats = tuple(reversed(default_seats()))

    started = [seat.role for seat in start_order(seats)]
    stopped = [seat.role for seat in stop_order(seats)]

    loop = ["pool-keeper", "bias-synthesizer", "learner", "dreamer"]
    assert started == [*loop, "safety-watchdog", "regime-runner", "friend", "nightly-observer"]
    assert stopped == ["nightly-observer", "friend", "regime-runner", "safety-watchdog", *reversed(loop)]


def test_instances_of_one_role_start_by_name() -> None:
    seats = (Seat(instance="learner-2", role="learner"), Seat(instance="learner", role="learner"))

    assert [seat.instance for seat in start_order(seats)] == ["learner", "learner-2"]
