"""`supervisor simulate`: many seeds, one answer, and what broke in its shortest form."""

import json

import pytest
from click.testing import CliRunner

from bus.simulation.campaign import Summary, run_plan
from bus.simulation.faults import SECOND_NS
from bus.simulation.plan import Plan
from supervisor.commands.simulate import command
from supervisor.configuration import Sources, load_configuration
from supervisor.home import Home
from supervisor.real_company import RealCast
from supervisor.simulating import REAL_RATES, SimulationReport, Wanted, draw_simulation, simulate
from tests.bus.simulation.flaws import PROTOCOL

BRIEF = ("--seeds", "3", "--hours", "0.02", "--jobs", "1")


def run(*arguments: str):
    return CliRunner().invoke(command, arguments)


def broken_report() -> SimulationReport:
    """What the command would show if the gap check were missing."""
    flaw, summary = PROTOCOL["no gap check"], Summary()
    report = flaw.run(1, 900 * SECOND_NS)
    summary.add(report)
    return SimulationReport(Wanted(1, 0.25, 1, "power", False, 1), summary, 1.0, report)


def test_seeds_that_hold_end_with_0_and_say_so():
    result = run(*BRIEF)

    assert result.exit_code == 0
    assert result.output.startswith("seeds 1 to 3 with light actors: ")
    assert result.output.rstrip().endswith("every invariant held")


def test_the_same_seeds_give_the_same_object():
    one, other = (json.loads(run(*BRIEF, "--seed", "7", "--json").output) for _ in range(2))

    assert {**one, "took_s": 0} == {**other, "took_s": 0}
    assert one["ok"] is True
    assert (one["seeds"], one["first_seed"], one["hours"], one["actors"]) == (3, 7, 0.02, "light")
    assert one["simulated_h"] > 0.06
    assert one["broken"] == []
    assert len(one["trace_sha256"]) == 64


def test_what_was_asked_for_and_what_was_simulated_are_both_said():
    summary = Summary(runs=2, simulated_ns=724 * SECOND_NS)

    said = draw_simulation(SimulationReport(Wanted(2, 0.05, 1, None, False, 1), summary, 1.0, None))

    assert "6 min 0 s asked for, 12 min 4 s simulated with the quiet ends" in said


@pytest.mark.parametrize("policy", ["process", "power"])
def test_the_policy_can_be_fixed(policy):
    answer = json.loads(run(*BRIEF, "--policy", policy, "--json").output)

    assert list(answer["power_cuts"]) == [policy]


def test_a_broken_invariant_is_shown_with_its_seed_and_its_shortest_run():
    report = broken_report()

    text = draw_simulation(report)

    assert report.exit_code == 1
    assert "broken by seed 1 (policy power) at " in text
    assert "exactly once: pool-keeper has " in text
    assert "again: supervisor simulate --seeds 1 --seed 1 --hours 0.25 --policy power" in text
    assert "shortest run found: 900 s, 1 faults" in text


def test_a_broken_invariant_is_in_the_object_with_its_faults():
    tree = broken_report().tree()

    assert tree["ok"] is False
    assert tree["broken"][0]["seed"] == 1
    assert tree["broken"][0]["invariant"] == "exactly once"
    assert tree["shortest"]["faults"] == ["learner/1/3 arrives 25.081 s late"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(("--seeds", "0"), "--seeds"), (("--hours", "0"), "--hours"), (("--policy", "never"), "--policy")],
)
def test_a_value_out_of_range_is_named(arguments, named):
    result = run(*arguments)

    assert result.exit_code == 2
    assert named in result.output


def test_progress_is_told_after_each_seed():
    told: list[int] = []

    simulate(Wanted(3, 0.01, 1, None, False, 1), told.append)

    assert told == [1, 1, 1]


def test_the_real_cores_live_in_the_same_world(tmp_path):
    cast = RealCast(load_configuration(Sources(Home(tmp_path), assignments=REAL_RATES)))
    plan = Plan(7, 3 * SECOND_NS)

    report, again = run_plan(plan, cast), run_plan(plan, cast)

    assert report.violation is None
    assert report == again
    assert report.steps > 300
    assert "PowerCut" not in report.faults
