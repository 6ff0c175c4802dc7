"""What is written down when an actor dies."""

import json
from pathlib import Path

from supervisor.crash_report import LAST_LINES, CrashReport, exit_text, last_error, last_lines


def make_report() -> CrashReport:
    return CrashReport(
        actor="learner",
        epoch=3,
        run_id="20300101T000000Z-0001",
        at="2030-01-01T00:00:00Z",
        ended=exit_text(-11),
        reason="ValueError: loss is NaN",
        step=17,
        input_reference="LearningBatch pool-keeper/1/9",
        early_deaths_in_window=2,
        restarts=4,
        isolation="none",
        last_lines=("one", "two"),
    )


def test_signals_are_named() -> None:
    assert exit_text(-9) == "killed by SIGKILL"
    assert exit_text(-11) == "killed by SIGSEGV"
    assert exit_text(-99) == "killed by signal 99"
    assert exit_text(70) == "exited with 70"


def test_last_error_of_a_log_is_found_among_its_lines() -> None:
    lines = ('{"level": "error", "event": "first"}', '{"level": "error", "event": "second"}', "Traceback", "  x")

    assert last_error(lines) == "second"
    assert last_error(("one", "two")) is None


def test_file_is_json_and_named_by_run_actor_and_epoch(tmp_path: Path) -> None:
    make_report().write(tmp_path / "crashes")

    found = json.loads((tmp_path / "crashes" / "20300101T000000Z-0001-learner-e3.json").read_text())

    assert found["ended"] == "killed by SIGSEGV"
    assert found["last_lines"] == ["one", "two"]


def test_only_the_last_fifty_lines_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "learner.log"
    log.write_text("".join(f"line {number}\n" for number in range(10_000)))

    found = last_lines(log)

    assert len(found) == LAST_LINES == 50
    assert found[-1] == "line 9999"


def test_missing_log_has_no_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none.log") == ()
