"""Old runs go, whole and at once, and their manifests stay with what was taken and why."""

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from actors.learner.trainer.configuration.loading import open_config
from supervisor.home import Home
from supervisor.training import retention
from supervisor.training.conducting import Company, begin
from supervisor.training.retention import prune
from supervisor.training.run_folder import TrainingFolder
from supervisor.training.run_manifest import read_manifest
from tests.supervisor.training.conftest import Workshop

BEGAN = datetime(2026, 1, 10, 23, 30, tzinfo=UTC)


def day(age: int) -> date:
    return date.fromordinal(BEGAN.date().toordinal() + age)


def old_run(workshop: Workshop, **changes: str) -> TrainingFolder:
    loaded = open_config(workshop.write(**changes))
    return begin(loaded, Home(workshop.home), Company(now=lambda: BEGAN)).folder


@pytest.mark.parametrize(("age", "is_kept"), [(89, True), (90, True), (91, False)])
def test_a_run_stays_for_90_days(workshop: Workshop, age: int, is_kept: bool) -> None:
    folder = old_run(workshop)

    found = prune(Home(workshop.home), day(age))

    assert (found.runs == []) is is_kept
    assert folder.steps_file.exists() is is_kept


def test_the_manifest_keeps_the_hash_of_all_that_went_and_the_reason(workshop: Workshop) -> None:
    folder = old_run(workshop)
    before = read_manifest(folder)
    log = hashlib.sha256(folder.steps_file.read_bytes()).hexdigest()

    prune(Home(workshop.home), day(91))

    after = read_manifest(folder)
    removal = after.envelope.removal
    assert removal is not None
    assert [path.name for path in folder.path.iterdir()] == ["manifest.json"]
    assert (after.sha256, after.result) == (before.sha256, before.result)
    assert (removal.date, removal.reason) == ("2026-04-11", "91 days old, kept for 90")
    assert removal.files["steps.jsonl"] == log
    assert {"reports/train_summary.json", "reports/report_manifest.json"} <= set(removal.files)


def test_a_removed_run_is_listed_verified_and_still_replayed(workshop: Workshop) -> None:
    folder = old_run(workshop)
    assert workshop.answer("prune", "--as-of", "2026-04-11")["removed"] == [folder.run_id]

    assert workshop.answer("list")["runs"][0]["status"] == "removed"
    assert "removed on 2026-04-11" in workshop.do("verify", folder.run_id)[1]
    assert "was removed on 2026-04-11" in workshop.do("report", folder.run_id)[2]
    assert workshop.answer("replay", folder.run_id)["identical"]


def test_days_are_those_of_the_configuration_and_a_dry_run_takes_nothing(workshop: Workshop) -> None:
    folder = old_run(workshop, plots="plots = false\nkeep_days = 7")

    dry = workshop.answer("prune", "--as-of", day(8).isoformat(), "--dry-run")

    assert dry["removed"] == [folder.run_id]
    assert folder.steps_file.exists()
    assert workshop.answer("prune", "--as-of", day(7).isoformat())["removed"] == []
    assert workshop.answer("prune", "--as-of", day(8).isoformat())["removed"] == [folder.run_id]


def test_a_new_run_takes_old_ones_away_first(workshop: Workshop) -> None:
    folder = old_run(workshop, plots="plots = false\nkeep_days = 0")

    _, tree = workshop.train()

    assert tree["removed"] == [folder.run_id]


def test_a_run_that_a_process_works_on_is_kept(workshop: Workshop) -> None:
    folder = old_run(workshop)

    with folder.held():
        assert prune(Home(workshop.home), day(500)).runs == []


def test_what_a_killed_removal_left_behind_is_taken_by_the_next(workshop: Workshop) -> None:
    folder = old_run(workshop)
    prune(Home(workshop.home), day(91))
    folder.reports.mkdir()
    (folder.reports / "left.md").write_text("left behind")

    prune(Home(workshop.home), day(91))

    assert [path.name for path in folder.path.iterdir()] == ["manifest.json"]


def test_the_manifest_says_what_goes_before_anything_goes(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = old_run(workshop)

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(retention, "_remove_path", refuse)
    with pytest.raises(PermissionError):
        prune(Home(workshop.home), day(91))
    removal = read_manifest(folder).envelope.removal
    monkeypatch.undo()
    prune(Home(workshop.home), day(92))

    assert removal is not None
    assert read_manifest(folder).envelope.removal == removal
    assert [path.name for path in folder.path.iterdir()] == ["manifest.json"]


def test_a_manifest_that_cannot_be_read_keeps_its_run_and_is_named(workshop: Workshop) -> None:
    folder = old_run(workshop)
    folder.manifest_file.write_text(folder.manifest_file.read_text().replace("0.05", "0.06"))

    found = workshop.answer("prune", "--as-of", "2030-01-01", code=1)

    assert found["removed"] == []
    assert folder.run_id in found["faults"][0]
    assert folder.steps_file.exists()


def test_a_day_that_is_none_is_refused(workshop: Workshop) -> None:
    code, _, error = workshop.do("prune", "--as-of", "yesterday")

    assert code == 2
    assert "2026-01-31" in error
