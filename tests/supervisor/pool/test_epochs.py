"""Each figure of an epoch can be computed again from the logs (seed 000, section 10)."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from supervisor.cli import run_cli
from supervisor.pool.epochs import read_epochs


def rewrite(filled: Any, log: str, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    path = filled.home.interface_logs / f"{log}.jsonl"
    lines = change([json.loads(line) for line in path.read_text().splitlines()])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def taught(filled: Any) -> Any:
    """A home with two epochs: the first with two answers, the second with one."""
    filled.dream(*range(1, 9))
    filled.judge(filled.ask(), 0.25)
    filled.judge(filled.ask(k=2), -0.25)
    filled.report()
    filled.judge(filled.ask(k=5), 0.5)
    filled.report()
    filled.ask()
    return filled


def test_recomputed_figures_are_the_reported_ones(taught: Any) -> None:
    report = read_epochs(taught.home, is_recomputing=True)

    assert [(epoch.epoch, epoch.retrieved, epoch.feedback) for epoch in report.epochs] == [(1, 5, 5), (2, 5, 5)]
    assert all(epoch.recomputed == epoch.reported for epoch in report.epochs)
    assert not report.has_finding


def test_the_command_ends_with_0_and_says_so(taught: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["kpi", "--home", taught.root, "--recompute"]) == 0
    assert "2 of 2 epochs recomputed from the logs are the same" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["selection_precision", "utilization_rate", "coverage", "recency_ratio"])
def test_a_figure_that_the_logs_do_not_give_is_named(
    taught: Any, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def lie(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        lines[1]["kpis"][name] = 0.123
        return lines

    rewrite(taught, "kpi", lie)

    assert run_cli(["kpi", "--home", taught.root, "--recompute", "--json"]) == 1

    epochs = json.loads(capsys.readouterr().out)["epochs"]
    assert [epoch["differences"] for epoch in epochs] == [[], [name]]


def test_feedback_that_is_missing_from_the_log_is_found(taught: Any) -> None:
    rewrite(taught, "feedback", lambda lines: lines[1:])

    first, second = read_epochs(taught.home, is_recomputing=True).epochs

    assert set(first.differences) == {"selection_precision", "utilization_rate", "improvement_delta"}
    assert second.differences == ()


def test_a_dream_that_no_log_tells_of_is_named_and_not_guessed(taught: Any) -> None:
    rewrite(taught, "persist", lambda lines: lines[:1])

    report = read_epochs(taught.home, is_recomputing=True)

    assert all(epoch.recomputed is None for epoch in report.epochs)
    assert all("persist.jsonl does not tell" in (epoch.reason or "") for epoch in report.epochs)
    assert not report.has_finding


def test_a_loss_that_nobody_told_of_is_no_difference(filled: Any) -> None:
    filled.dream(1, 2)
    filled.judge(filled.ask(k=1), 0.5)
    filled.report(probe_loss_at_start=None)

    (epoch,) = read_epochs(filled.home, is_recomputing=True).epochs

    assert epoch.differences == ()
    assert "improvement_delta" in (epoch.reason or "")


def test_a_damaged_line_is_named_with_its_number(taught: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with (taught.home.interface_logs / "feedback.jsonl").open("a") as log:
        log.write("{broken\n")
        log.write('{"event":"stored"}\n')
        log.write('{"event":"unfin')

    assert run_cli(["kpi", "--home", taught.root, "--recompute"]) == 1

    said = capsys.readouterr().out
    assert "feedback.jsonl line 11" in said
    assert "feedback.jsonl line 12" in said
    assert "line 13" not in said, "an unfinished last line is being written"


def test_epochs_of_one_learner_and_the_last_ones_can_be_asked_for(taught: Any) -> None:
    report = read_epochs(taught.home, is_recomputing=False)

    assert [epoch.epoch for epoch in report.only(learner=None, run_id=None, last=1).epochs] == [2]
    assert report.only(learner="nobody", run_id=None, last=None).epochs == ()
    assert len(report.only(learner="learner", run_id=taught.run.run_id, last=None).epochs) == 2
