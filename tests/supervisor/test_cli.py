"""The command line: what it lists, how it refuses, and with which exit code."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from schemas.errors import SettingsError
from supervisor.cli import COMMANDS, cli, exit_code_of, run_cli
from supervisor.commands.logs import Moment
from supervisor.errors import AlreadyRunningError, NotRunningError
from supervisor.home import Home
from supervisor.runs import RunFigures, RunFolder, name_run
from supervisor.stats import Sections


def test_every_listed_command_exists_and_summarises_itself_as_listed() -> None:
    with click.Context(cli) as context:
        for name, summary in COMMANDS.items():
            command = cli.get_command(context, name)
            assert command is not None
            assert (command.help or "").splitlines()[0] == summary, name


def test_help_imports_no_command() -> None:
    code = (
        "import sys\n"
        "from supervisor.cli import run_cli\n"
        "assert run_cli(['--help']) == 0\n"
        "heavy = [name for name in ('pydantic', 'numpy', 'zmq') if name in sys.modules]\n"
        "heavy += [name for name in sys.modules if name.startswith('supervisor.commands.')]\n"
        "assert not heavy, heavy\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["--version"]) == 0
    assert capsys.readouterr().out.startswith("oneiros ")


def test_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["dance"]) == 2
    assert "dance" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["status"], ["stats"], ["down"], ["restart", "learner"]])
def test_command_without_a_running_supervisor_ends_with_3_and_says_so(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli([*command, "--home", str(tmp_path)]) == 3
    assert str(tmp_path) in capsys.readouterr().err


def test_status_as_json_says_that_nothing_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["status", "--json", "--home", str(tmp_path)]) == 3

    found = json.loads(capsys.readouterr().out)
    assert found["running"] is False and found["actors"] == []


def test_stats_as_json_say_that_nothing_ever_ran(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["stats", "--json", "--home", str(tmp_path)]) == 3

    assert json.loads(capsys.readouterr().out) == {"running": False, "home": str(tmp_path)}


@pytest.mark.parametrize("seconds", ["nan", "inf", "-inf", "0", "-1"])
def test_time_that_is_no_time_is_refused(seconds: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["up", "--home", str(tmp_path), "--images", "/none", "--for", seconds]) == 2
    assert "--for" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["status", "--home", ""], ["up", "--config", ""]])
def test_empty_folder_name_is_refused_with_what_may_have_happened(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli(arguments) == 2
    assert "is an unset variable meant?" in capsys.readouterr().err


def test_hint_names_the_home_unless_it_is_the_default_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    run_cli(["down", "--home", str(tmp_path / "my dreams")])
    assert f"`supervisor up --home '{tmp_path}/my dreams'`" in capsys.readouterr().err

    run_cli(["down"])

    assert "`supervisor up`" in capsys.readouterr().err


def test_error_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_cli(["status", "--home", str(tmp_path / "a\x07b")])

    said = capsys.readouterr().err
    assert "\x07" not in said and r"a\x07b" in said


def test_stats_of_a_closed_run_are_shown_when_nothing_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path)
    home.create()
    run = RunFolder(home, name_run(datetime(2030, 1, 1, tzinfo=UTC), 1))
    run.path.mkdir()
    sections: Sections = {"pool": {"dreams_total": 12, "source.image": 5}}
    run.close(RunFigures(run_id=run.run_id, reason="down", at="x", uptime_s=2.0, sections=sections))

    assert run_cli(["stats", "--json", "--home", str(tmp_path)]) == 0

    found = json.loads(capsys.readouterr().out)
    assert found["running"] is False
    assert found["pool"] == {"dreams_total": 12, "source": {"image": 5}}


def test_logs_of_an_unknown_actor_are_refused_with_the_names_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "learner.log").touch()

    assert run_cli(["logs", "--actor", "Lerner", "--home", str(tmp_path)]) == 2
    said = "no actor is called 'Lerner'; did you mean learner? there are learner"
    assert said in capsys.readouterr().err


def test_wrong_setting_ends_up_with_2_and_no_traceback(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["up", "--home", str(tmp_path), "--set", "dreamer.rate=3"]) == 2

    said = capfd.readouterr().err
    assert "dreamer.rate" in said
    assert "Traceback" not in said


def test_doctor_finds_nothing_wrong_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_cli(["doctor", "--json", "--home", str(tmp_path)])

    found = {check["name"]: check["verdict"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert found["packages"] == found["python"] == found["home"] == found["death signal"] == "PASS"


def test_doctor_fails_for_a_pool_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "dream_pool.sqlite").write_bytes(b"x" * 500)

    assert run_cli(["doctor", "--json", "--home", str(tmp_path)]) == 1

    found = {check["name"]: check["verdict"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert (found["pool"], found["sockets"]) == ("FAIL", "PASS")


def test_exit_codes_follow_the_kind_of_error() -> None:
    assert exit_code_of(SettingsError(("x",))) == 2
    assert exit_code_of(AlreadyRunningError("/x", 1, "now", "/run")) == 2
    assert exit_code_of(NotRunningError("/x")) == 3
    assert exit_code_of(OSError("x")) == 1


def test_moments_are_ages_or_iso_times() -> None:
    moment = Moment()

    assert moment.convert("1970-01-01T00:01:00", None, None) == 60.0
    assert moment.convert("1970-01-01T01:00:00+01:00", None, None) == 0.0
    assert moment.convert("5m", None, None) == pytest.approx(moment.convert("300s", None, None), abs=5.0)
    with pytest.raises(click.BadParameter, match="yesterday"):
        moment.convert("yesterday", None, None)
