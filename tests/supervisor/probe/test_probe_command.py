"""`supervisor doctor --probe`, as it is typed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bus.box.ladder import offer_of
from supervisor.cli import run_cli

pytestmark = pytest.mark.system


@pytest.fixture
def run_doctor(tmp_path: Path) -> Callable[..., int]:
    return lambda *words: run_cli(["doctor", "--home", str(tmp_path / "home"), *words])


def test_a_box_that_holds_ends_with_0_and_leaves_the_home_alone(
    run_doctor: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not offer_of("seccomp-no-open").is_available:
        pytest.skip(offer_of("seccomp-no-open").why)

    status = run_doctor("--probe", "--rung", "seccomp-no-open")

    lines = capsys.readouterr().out.splitlines()
    assert status == 0
    assert lines[0].startswith("box seccomp-no-open")
    assert lines[-1].endswith("through, as is known: pool-stat")
    assert not (tmp_path / "home").exists()


def test_an_open_box_ends_with_1_and_json_names_what_got_through(
    run_doctor: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    status = run_doctor("--probe", "--rung", "none", "--json")

    report = json.loads(capsys.readouterr().out)
    assert status == 1
    assert report["ok"] is False
    assert {"pool-read", "pool-append", "unix-connect"} <= {
        one["name"] for one in report["attempts"] if one["status"] == "through" and not one["is_expected"]
    }


def test_a_box_that_is_not_there_is_said_to_be_missing(
    run_doctor: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    status = run_doctor("--probe", "--rung", "bwrap")

    assert status == 1
    assert "the box bwrap cannot be tried here: bwrap is not installed" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--rung", "bwrap"), ("--landlock-abi", "4"), ("--probe", "--rung", "moat")])
def test_options_that_mean_nothing_are_refused(run_doctor: Callable[..., int], words: tuple[str, ...]) -> None:
    assert run_doctor(*words) == 2
