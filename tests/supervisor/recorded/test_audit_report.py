"""The report of an audit: what was refused, what is counted, what is shown, and which questions are not answered."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schemas.base import Message
from supervisor.cli import run_cli
from supervisor.home import Home
from supervisor.recorded.audit_text import draw_audit
from supervisor.recorded.auditing import UnauditableError
from supervisor.recorded.judging import MOST_FINDINGS
from tests.audited_run import PROFILE, Court, counts
from tests.recorded_run import BEGAN_NS


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    return made


@pytest.fixture
def court(home: Home, examples: dict[str, Message]) -> Iterator[Court]:
    court = Court(home, examples)
    yield court
    court.leave()


@pytest.fixture
def command(court: Court, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = run_cli(["audit", "--home", str(court.home.root), *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_run_whose_every_input_was_allowed_passes(court: Court, command: Callable[..., tuple[int, str, str]]) -> None:
    # seed 000, section 9: dreamer only consumes BiasProfile
    court.close()

    code, text, _ = command()

    assert code == 0
    assert text.startswith(f"run {court.run.run_id}: every input was allowed\n")
    assert "dreamer received 1 message: 1 BiasProfile from bias-synthesizer, nothing else\n" in text
    assert "frames/s" in text


def test_the_table_has_a_row_of_the_topology_each_and_counts_what_was_taken(court: Court) -> None:
    report = court.audit()

    assert counts(report) == {
        ("dreamer", "DreamEntry", "pool-keeper"): (2, 0),
        ("learner", "PoolStatsRequest", "pool-keeper"): (2, 0),
        ("pool-keeper", "LearningBatch", "learner"): (2, 0),
        ("pool-keeper", "PoolStats", "learner"): (2, 0),
        ("pool-keeper", "FeedbackStored", "bias-synthesizer"): (1, 0),
        ("bias-synthesizer", "BiasProfile", "dreamer"): (1, 0),
        ("bias-synthesizer", "BiasProfile", "pool-keeper"): (1, 0),
    }
    assert [row.message for row in report.rows][:2] == ["DreamEntry", "RetrievalQuery"]
    assert len(report.rows) == 16


def test_refusals_of_the_time_of_the_run_are_counted_by_row_and_the_others_are_listed(court: Court) -> None:
    court.close()
    court.refuse_on_socket("dreamer", sender="bias-synthesizer", kind="BiasProfile", reason="bad body")
    court.refuse_on_socket("dreamer", {"reason": "first"}, {"reason": "last\x1b", "left_out_before": 7})
    court.refuse_on_socket("dreamer", {"ts_ns": BEGAN_NS - 1}, {"ts_ns": BEGAN_NS + 61 * 10**9})

    report = court.audit()

    assert counts(report)["bias-synthesizer", "BiasProfile", "dreamer"] == (1, 1)
    assert [(a.sender, a.message, a.receiver, a.refused, a.reason) for a in report.attempts] == [
        ("stranger", "DreamEntry", "dreamer", 2, "last\x1b")
    ]
    assert (report.exit_code, report.refusals_left_out) == (0, 7)
    assert "2 DreamEntry from stranger to dreamer: last\\x1b" in draw_audit(report)


def test_a_refusal_that_is_in_the_journal_and_in_the_file_counts_once(court: Court) -> None:
    asked = court.say(court.learner, "pool-keeper", "RetrievalQuery")
    court.keeper.step(asked, refusal="k = 0")
    court.refuse_on_socket("pool-keeper", sender="learner", kind="RetrievalQuery", reason="k = 0")

    assert counts(court.audit())["learner", "RetrievalQuery", "pool-keeper"] == (0, 1)


def test_lines_of_a_refusals_file_that_are_none_are_counted(court: Court) -> None:
    court.refuse_on_socket("dreamer", "{", "[]", '{"ts_ns": "now"}', {"sender": "learner"})

    report = court.audit()

    assert (report.bad_refusal_lines, len(report.attempts)) == (3, 1)
    assert "3 lines of the refusals files cannot be read" in draw_audit(report)


def test_many_findings_are_counted_and_the_first_are_told(court: Court) -> None:
    for seq in range(100, 101 + MOST_FINDINGS):
        court.dreamer.step(PROFILE._replace(seq=seq))

    report = court.audit()

    assert report.findings_by_kind == {"never said": MOST_FINDINGS + 1}
    assert len(report.findings) == MOST_FINDINGS
    assert f"and {MOST_FINDINGS + 1 - 20} more findings; see --json" in draw_audit(report)


def test_the_json_form_holds_rows_findings_verdict_and_dreamers(
    court: Court, command: Callable[..., tuple[int, str, str]]
) -> None:
    code, text, _ = command("--json")

    found = json.loads(text)
    assert (code, found["exit_code"], found["verdict"], found["findings"]) == (0, 0, "lawful", [])
    assert found["dreamers"][0]["by_kind"][0]["message"] == "BiasProfile"
    assert found["rows"][0] == {
        "sender": "dreamer",
        "message": "DreamEntry",
        "receiver": "pool-keeper",
        "count": 2,
        "refused": 0,
        "is_allowed": True,
    }


def test_the_box_and_the_keys_of_the_run_are_shown(court: Court, command: Callable[..., tuple[int, str, str]]) -> None:
    _, text, _ = command()
    found = json.loads(command("--json")[1])

    assert text.splitlines()[2] == "it ran with box landlock+seccomp, and keys curve"
    assert (found["isolation"], found["keys"]) == ("landlock+seccomp", "curve")


def test_a_run_without_box_and_keys_says_so_plainly(court: Court, command: Callable[..., tuple[int, str, str]]) -> None:
    told = json.loads(court.run.manifest_file.read_bytes())
    court.run.manifest_file.write_text(json.dumps(told | {"isolation": "none", "keys": "none"}))

    _, text, _ = command()

    assert text.splitlines()[2] == "it ran with no box around the dreamer, and no keys, so that no inbox was locked"


def test_a_run_that_never_came_to_its_end_is_not_said_to_hold_everything(court: Court) -> None:
    line = draw_audit(court.audit()).splitlines()[1]

    assert line.endswith("nothing else as far as its journal goes: it has no closing frame")


def test_a_manifest_of_another_form_is_enough_when_it_names_the_seats(court: Court) -> None:
    seats = json.loads(court.run.manifest_file.read_bytes())["seats"]
    court.run.manifest_file.write_text(json.dumps({"seats": seats}))

    assert court.audit().exit_code == 0


@pytest.mark.parametrize("content", ["{", "{}"])
def test_a_run_of_which_nobody_knows_the_seats_is_refused(court: Court, content: str) -> None:
    court.run.manifest_file.write_text(content)

    with pytest.raises(UnauditableError, match="nobody knows who had which role"):
        court.audit()


def test_an_actor_that_the_run_does_not_have_is_refused(
    court: Court, command: Callable[..., tuple[int, str, str]]
) -> None:
    code, _, error = command("--actor", "nobody")

    assert code == 2
    assert "it has bias-synthesizer, dreamer, learner, pool-keeper" in error


def test_a_run_whose_journals_are_gone_is_refused(court: Court, command: Callable[..., tuple[int, str, str]]) -> None:
    court.leave()
    shutil.rmtree(court.run.journal)

    code, _, error = command()

    assert code != 0
    assert "it has no journals" in error
