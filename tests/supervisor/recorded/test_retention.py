"""Pruning: old runs go whole and leave a note; what is pinned, young, open or not taken stays, and says why."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bus.core import Fired
from schemas.dreams import DreamEntry
from schemas.ids import RunId
from supervisor.cli import run_cli
from supervisor.configuration import Sources, load_configuration
from supervisor.home import Home
from supervisor.manifest import Protection, make_manifest
from supervisor.plan import default_seats
from supervisor.recorded.recordings import list_recordings, read_pruned
from supervisor.recorded.retention import DAY_S, PrunedLine, Retention, pin, prune, unpin
from supervisor.runs import RunFigures, RunFolder
from tests.recorded_run import Loop, Writer, flip, recorded_loop

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
BOXED = Protection("landlock+seccomp", "curve")
NOW_S = MOMENT.timestamp() + 100 * DAY_S


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    return made


@pytest.fixture
def dream(examples: dict[str, object]) -> DreamEntry:
    found = examples["DreamEntry"]
    assert isinstance(found, DreamEntry)
    return found


def begin(home: Home, ordinal: int = 1) -> RunFolder:
    manifest = make_manifest(load_configuration(Sources(home)), "ab" * 32, default_seats(), ordinal, MOMENT, BOXED)
    run = RunFolder(home, RunId(manifest.run_id))
    run.write_manifest(manifest)
    return run


def close(run: RunFolder, reason: str = "down") -> None:
    run.close(RunFigures(run_id=run.run_id, reason=reason, at="2026-01-01T00:00:00.000Z", uptime_s=60.0, sections={}))


@pytest.fixture
def run(home: Home, dream: DreamEntry) -> RunFolder:
    """A whole run that was closed a hundred days ago."""
    made = begin(home)
    recorded_loop(made.journal, dream)
    close(made)
    return made


def prune_all(home: Home, keep_days: float = 90.0, **how: bool) -> tuple[PrunedLine, ...]:
    return prune(home, Retention(keep_days, NOW_S, **how)).runs


def test_an_old_run_goes_and_leaves_its_manifest_and_a_note(home: Home, run: RunFolder) -> None:
    size_bytes = sum(path.stat().st_size for path in run.journal.rglob("*.seg"))

    report = prune(home, Retention(90.0, NOW_S))

    assert [(line.action, line.reason) for line in report.runs] == [("pruned", "closed 100.0 days ago, kept for 90")]
    assert report.freed_bytes == size_bytes
    assert list(home.journal.iterdir()) == []
    assert run.manifest_file.exists()
    note = read_pruned(run)
    assert note is not None
    assert (note.steps, note.messages, note.size_bytes, len(note.journal_sha256)) == (15, 8, size_bytes, 64)
    (line,) = list_recordings(home).runs
    assert (line.is_pruned, line.messages, line.size_bytes) == (True, 8, 0)


def test_a_dry_run_says_what_would_go_and_deletes_nothing(home: Home, run: RunFolder) -> None:
    before = sorted(home.root.rglob("*"))

    (line,) = prune_all(home, is_dry_run=True)

    assert line.action == "would prune"
    assert sorted(home.root.rglob("*")) == before


def test_a_young_run_stays(home: Home, run: RunFolder) -> None:
    (line,) = prune_all(home, keep_days=101.0)

    assert (line.action, line.reason) == ("kept", "closed 100.0 days ago, kept for 101")


def test_a_pinned_run_stays_until_it_is_unpinned(home: Home, run: RunFolder) -> None:
    pin(run, "the run of the paper", NOW_S)

    (kept,) = prune_all(home)
    was_pinned = unpin(run)
    (gone,) = prune_all(home)

    assert (kept.action, kept.reason, was_pinned, gone.action) == ("kept", "pinned", True, "pruned")
    assert not unpin(run)


def test_a_run_that_was_never_closed_stays(home: Home, dream: DreamEntry) -> None:
    recorded_loop(begin(home).journal, dream)

    (line,) = prune_all(home, keep_days=0.0)

    assert line.action == "kept" and "not closed" in line.reason


def test_journals_without_a_manifest_stay(home: Home, run: RunFolder) -> None:
    run.manifest_file.unlink()

    (line,) = prune_all(home)

    assert line.action == "kept" and "no manifest" in line.reason


@pytest.mark.parametrize("reason", ["down", "recovered"])
def test_last_words_to_an_actor_that_had_stopped_hold_nothing(home: Home, dream: DreamEntry, reason: str) -> None:
    run = begin(home)
    loop = Loop(run.journal, dream)
    loop.turn(is_answer_taken=False)
    loop.stop()
    close(run, reason)

    (line,) = prune_all(home)

    assert line.action == "pruned"


@pytest.mark.parametrize("reason", ["down", "recovered"])
def test_a_message_to_the_pool_keeper_that_was_not_taken_holds_a_run(
    home: Home, dream: DreamEntry, reason: str
) -> None:
    run = begin(home)
    writer = Writer(run.journal, "dreamer")
    writer.step(Fired("episode"), [("pool-keeper", dream)])
    writer.stop()
    close(run, reason)

    (line,) = prune_all(home)

    assert line.action == "kept" and "dreamer to pool-keeper were never taken" in line.reason


def test_a_damaged_run_stays_unless_it_is_abandoned(home: Home, run: RunFolder) -> None:
    path = next(run.journal.glob("learner/*.seg"))
    flip(path, path.stat().st_size // 2, 2)

    (kept,) = prune_all(home)
    (gone,) = prune_all(home, is_abandoning=True)

    assert kept.action == "kept" and f"learner/{path.name} at" in kept.reason
    assert gone.action == "pruned"


def test_a_deletion_that_was_interrupted_is_finished_by_the_next(home: Home, run: RunFolder) -> None:
    hidden = home.journal / f".pruned-{run.run_id}"
    run.journal.rename(hidden)

    lines = prune_all(home)

    assert lines == ()
    assert list(home.journal.iterdir()) == []


def test_a_run_that_cannot_be_deleted_is_said_and_the_others_go(
    home: Home, run: RunFolder, dream: DreamEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = begin(home, 2)
    recorded_loop(second.journal, dream)
    close(second)
    (run.path / "pruned.json").mkdir()

    failed, gone = prune_all(home)

    assert (failed.action, gone.action) == ("failed", "pruned")
    assert run.journal.is_dir()


def test_the_setting_decides_unless_days_are_given(
    home: Home, run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--dry-run", "--json", "--home", str(home.root)]

    run_cli(["record", "prune", *options, "--set", "journal.keep_days=36500"])
    by_setting = json.loads(capsys.readouterr().out)
    code = run_cli(["record", "prune", *options, "--older-than", "0"])
    by_option = json.loads(capsys.readouterr().out)

    assert code == 0
    assert (by_setting["keep_days"], by_setting["runs"][0]["action"]) == (36500.0, "kept")
    assert (by_option["keep_days"], by_option["runs"][0]["action"]) == (0.0, "would prune")
    assert by_option["freed_bytes"] == by_option["runs"][0]["size_bytes"]


def test_what_was_pruned_can_neither_be_pinned_nor_read(
    home: Home, run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    prune_all(home)

    codes = [run_cli(["record", name, "latest", "--home", str(home.root)]) for name in ("pin", "info", "verify")]

    assert codes == [1, 1, 1]
    assert capsys.readouterr().err.count("were pruned at 2026-04-11") == 3


def test_pin_and_unpin_say_what_they_did(home: Home, run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("pin", "unpin", "unpin"):
        assert run_cli(["record", name, "1", "--home", str(home.root)]) == 0

    assert capsys.readouterr().out.splitlines() == [
        f"pinned {run.run_id}",
        f"unpinned {run.run_id}",
        f"{run.run_id} was not pinned",
    ]
