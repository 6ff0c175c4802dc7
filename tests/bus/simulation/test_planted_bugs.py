"""Every planted bug is found, and the run that finds it becomes short (dossier of reliability, sections 3 and 5)."""

import time
from functools import cache
from itertools import count

import pytest

from bus.simulation.campaign import repeat
from bus.simulation.faults import SECOND_NS
from bus.simulation.plan import Report
from bus.simulation.shrinking import Shrinking
from tests.bus.simulation.flaws import OTHERS, PROTOCOL

QUARTER_HOUR_NS = 900 * SECOND_NS
LONGEST_SEARCH_S = 120.0
FLAWS = {**PROTOCOL, **OTHERS}


@cache
def found(name: str) -> Report:
    """The first seed that breaks something."""
    flaw, began = FLAWS[name], time.monotonic()
    for seed in count(1):
        report = flaw.run(seed, QUARTER_HOUR_NS)
        if report.violation is not None:
            return report
        assert time.monotonic() - began < LONGEST_SEARCH_S, f"{seed} seeds have not found it"
    raise AssertionError("no seed is left")


@pytest.mark.parametrize("name", PROTOCOL)
def test_a_planted_bug_of_the_protocol_is_found_and_its_run_made_short(name, record_property):
    flaw = PROTOCOL[name]

    report = found(name)
    shortest = Shrinking(flaw.cast, flaw.rules).shrink(report)

    record_property("seed", report.plan.seed)
    assert report.violation.invariant in flaw.invariant.split(" or ")
    assert shortest.violation.invariant == report.violation.invariant
    assert shortest.plan.duration_ns <= 60 * SECOND_NS
    assert len(shortest.applied) <= 5


@pytest.mark.parametrize("name", OTHERS)
def test_every_invariant_can_break(name, record_property):
    report = found(name)

    record_property("seed", report.plan.seed)
    assert report.violation.invariant in OTHERS[name].invariant.split(" or ")


@pytest.mark.parametrize("name", PROTOCOL)
def test_the_faults_of_a_broken_run_alone_make_the_same_run(name):
    flaw = PROTOCOL[name]
    report = found(name)

    again = repeat(report, flaw.cast, flaw.rules)

    assert again == report


def test_a_run_that_its_faults_alone_do_not_break_is_left_as_it_is():
    name = "no gap check"
    flaw, report = FLAWS[name], found(name)

    shortest = Shrinking(flaw.cast).shrink(report)

    assert shortest is report
