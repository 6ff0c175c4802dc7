"""The front holds what nothing beats, and never what is unsafe."""

import math

import pytest

from actors.regime_runner.pareto import Point, hypervolume, pareto_front


def point(name, perf, p95_ms, watts=None, is_eligible=True):
    values = {"perf": perf, "p95_ms": p95_ms} | ({} if watts is None else {"watts": watts})
    return Point(name, values, is_eligible)


def test_the_front_is_golden():
    points = [
        point("fast", 2.0, 1.5),
        point("smooth", 1.0, 0.5),
        point("both", 1.5, 0.8),
        point("worse", 1.4, 0.9),
        point("twin", 1.5, 0.8),
    ]

    assert pareto_front(points) == ("fast", "smooth", "both", "twin")


def test_what_is_unsafe_or_not_measured_is_never_on_it():
    points = [point("hot", 9.0, 0.1, is_eligible=False), Point("none", {}, True), point("cool", 1.0, 1.0)]

    assert pareto_front(points) == ("cool",)


def test_other_metrics_neither_beat_nor_are_beaten():
    assert pareto_front([point("metered", 1.0, 1.0, 1.0), point("unmetered", 2.0, 0.5)]) == ("metered", "unmetered")


def test_the_volume_is_that_of_the_union():
    e = math.e
    two = [point("a", e**2, 1.0 / e), point("b", e, 1.0 / e**2)]

    assert hypervolume(two, {"perf": 0.0, "p95_ms": 0.0}) == pytest.approx(3.0)
    assert hypervolume([*two, point("below", 0.5, 0.1)], {"perf": 0.0, "p95_ms": 0.0}) == pytest.approx(3.0)
    three = [point("c", e, 1.0 / e, 1.0 / e**3)]
    assert hypervolume(three, {"perf": 0.0, "p95_ms": 0.0, "watts": 0.0}) == pytest.approx(3.0)
    assert hypervolume([], {"perf": 0.0}) == 0.0
