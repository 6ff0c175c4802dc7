"""A run of which nothing can be replayed is refused with the reason, and a replay is told as it came out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.base import Message
from supervisor.cli import run_cli
from supervisor.home import Home
from supervisor.recorded.replay_report import ReplayReport, draw_replay
from supervisor.recorded.retention import Retention, prune
from tests.audited_run import Court
from tests.recorded_run import BEGAN_NS

LATER_S = BEGAN_NS / 1e9 + 1e9
VERDICT: dict[str, Any] = {
    "actor": "pool-keeper",
    "steps": 7,
    "messages": 3,
    "epochs": 1,
    "recorded_s": 2.0,
    "took_s": 0.1,
    "tolerated": 0,
    "notes": [],
    "divergence": None,
    "damage": None,
    "is_identical": True,
    "content": None,
    "content_not_compared": None,
}

Replay = Callable[..., tuple[int, str]]


@pytest.fixture
def court(tmp_path: Path, examples: dict[str, Message]) -> Court:
    home = Home(tmp_path / "home")
    home.create()
    court = Court(home, examples)
    court.close()
    return court


@pytest.fixture
def refused(court: Court, capsys: pytest.CaptureFixture[str]) -> Replay:
    def run(*arguments: str) -> tuple[int, str]:
        code = run_cli(["replay", "--home", str(court.home.root), *arguments])
        return code, capsys.readouterr().err

    return run


def test_a_pruned_run_is_not_replayable_and_says_since_when(court: Court, refused: Replay) -> None:
    prune(court.home, Retention(keep_days=1.0, now_s=LATER_S, is_abandoning=True))

    code, error = refused()

    assert code == 5
    assert f"run {court.run.run_id} cannot be replayed: its journals were pruned at 2057-" in error


@pytest.mark.parametrize(
    ("content", "reason"),
    [("{", "is no JSON"), ("[]", "is no JSON object"), ('{"settings": 5}', "is of another form")],
)
def test_a_manifest_that_is_none_makes_a_run_unreplayable(
    court: Court, refused: Replay, content: str, reason: str
) -> None:
    court.run.manifest_file.write_text(content)

    code, error = refused("--json")

    assert code == 5
    assert f"manifest.json {reason}" in error and "Traceback" not in error


def test_a_run_in_which_nobody_began_has_nothing_to_replay(court: Court, refused: Replay) -> None:
    court.forget("dreamer", "learner", "pool-keeper", "bias-synthesizer")
    court.run.closed_file.unlink()

    assert refused() == (
        5,
        f"error: run {court.run.run_id} cannot be replayed: it has no journals; "
        "`supervisor record list` shows what there is\n",
    )


def test_why_the_pool_was_not_compared_is_said_and_decides_nothing() -> None:
    report = ReplayReport("run", 0, verdicts=[VERDICT | {"content_not_compared": "the run still goes on"}])

    assert report.exit_code == 0
    assert draw_replay(report).endswith("pool content not compared: the run still goes on")
    assert json.loads(json.dumps(report.tree()))["actors"][0]["content_not_compared"] == "the run still goes on"


def test_damage_is_told_as_the_verification_tells_it() -> None:
    damage = {"actor": "dreamer", "segment": "e000001-s000000000001.seg", "offset": 512, "reason": "bytes fail"}
    report = ReplayReport("run", 0, verdicts=[VERDICT | {"damage": damage, "is_identical": False}])

    assert report.exit_code == 3
    assert "damaged log: dreamer/e000001-s000000000001.seg at 512: bytes fail" in draw_replay(report)
    assert "the 7 steps before it are identical" in draw_replay(report)
