"""The protocol as it is holds in simulated worlds, and the same seed is the same world."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bus.core import MessageRef
from bus.simulation.campaign import Summary, repeat, run_all, run_plan
from bus.simulation.faults import SECOND_NS, DrawnFaults, ListedFaults, Transmission, dense_mix, describe, kind_of
from bus.simulation.light_keeper import light_company
from bus.simulation.plan import Plan

ROOT = Path(__file__).parents[3]
MINUTE_NS = 60 * SECOND_NS
KINDS = {
    "drop", "delay", "reorder", "duplicate", "stray", "Crash", "PowerCut", "ClockJump", "DiskFull", "Stall",
}  # fmt: skip

FOUND = (7, 27, 36, 42, 47, 55, 91, 171, 194, 518)
"""Seeds whose runs broke something, in the protocol or in the simulation, when they were first run."""

SCRIPT = """
from bus.simulation.campaign import run_plan
from bus.simulation.light_keeper import light_company
from bus.simulation.plan import Plan
print(run_plan(Plan(7, 300 * 10**9), light_company).trace_sha256)
"""


@pytest.mark.parametrize("seed", FOUND)
def test_what_a_seed_once_found_is_mended(seed):
    report = run_plan(Plan(seed, 15 * MINUTE_NS), light_company)

    assert report.violation is None


@pytest.mark.parametrize("seed", [*range(1, 5), 975, 1206, 1468, 1627])
def test_everything_at_once_breaks_nothing(seed):
    names = [seat.instance for seat in light_company(seed).seats]
    faults = DrawnFaults(seed, names, 10 * MINUTE_NS, dense_mix(KINDS))

    report = run_plan(Plan(seed, 10 * MINUTE_NS), light_company, faults=faults)

    assert report.violation is None
    assert set(report.faults) == KINDS


def test_many_seeds_hold_and_meet_every_kind_of_fault():
    summary = Summary()

    for report in run_all([Plan(seed, 5 * MINUTE_NS) for seed in range(1, 41)], light_company, jobs=1):
        summary.add(report)

    assert summary.broken == []
    assert set(summary.faults) == KINDS
    assert set(summary.losses) == {"process", "power"}


def test_two_processes_show_what_one_shows():
    plans = [Plan(seed, MINUTE_NS) for seed in range(1, 10)]

    alone, together = (list(run_all(plans, light_company, jobs)) for jobs in (1, 2))

    assert together == alone
    assert [report.plan for report in alone] == plans


def test_the_same_seed_leaves_the_same_trace_whatever_the_hash_seed():
    here = run_plan(Plan(7, 300 * SECOND_NS), light_company)

    for hash_seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == here.trace_sha256


def test_another_seed_leaves_another_trace():
    traces = {run_plan(Plan(seed, MINUTE_NS), light_company).trace_sha256 for seed in range(1, 6)}

    assert len(traces) == 5


def test_a_world_without_faults_says_what_it_says_once():
    report = run_plan(Plan(3, 10 * MINUTE_NS), light_company, faults=ListedFaults(()))

    assert report.violation is None
    assert report.faults == {}
    assert report.applied == ()
    assert report.steps > 500


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_of_fault_changes_the_run_and_breaks_nothing(kind):
    names = [seat.instance for seat in light_company(5).seats]
    quiet = run_plan(Plan(5, 5 * MINUTE_NS), light_company, faults=ListedFaults(()))

    faults = DrawnFaults(5, names, 5 * MINUTE_NS, dense_mix({kind}))
    report = run_plan(Plan(5, 5 * MINUTE_NS), light_company, faults=faults)

    assert report.violation is None
    assert set(report.faults) == {kind}
    assert report.trace_sha256 != quiet.trace_sha256


def test_the_list_of_faults_makes_the_run_again():
    report = run_plan(Plan(2, 20 * MINUTE_NS), light_company)

    again = repeat(report, light_company)

    assert again == report
    assert Counter(map(kind_of, report.applied)) == report.faults


def test_every_fault_can_be_told_in_words():
    report = run_plan(Plan(9, 10 * MINUTE_NS), light_company)
    faults = DrawnFaults(1, ["dreamer", "learner"], 10 * MINUTE_NS, dense_mix(KINDS))

    lines = [describe(fault) for fault in (*report.applied, *faults.timed())]

    assert all(lines)
    assert describe(Transmission("drop", MessageRef("learner", 1, 2), ())) == "learner/1/2 is dropped"
