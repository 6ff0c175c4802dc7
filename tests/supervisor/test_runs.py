"""Run folders: names that are never used twice, epochs that are never repeated, runs that were closed or not."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.ids import RunId
from supervisor.bring_up import close_silent
from supervisor.configuration import Sources, load_configuration
from supervisor.epochs import EpochBook
from supervisor.home import Home
from supervisor.manifest import Protection, make_manifest
from supervisor.nursery import PINNED
from supervisor.plan import default_seats
from supervisor.runs import RunFigures, RunFolder, list_runs, name_run, next_ordinal
from supervisor.stats import Sections

MOMENT = datetime(2030, 1, 31, 12, 0, 5, tzinfo=UTC)
BOXED = Protection("landlock+seccomp", "curve")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.create()
    return made


def begin(home: Home, ordinal: int) -> RunFolder:
    manifest = make_manifest(load_configuration(Sources(home)), "ab" * 32, default_seats(), ordinal, MOMENT, BOXED)
    run = RunFolder(home, RunId(manifest.run_id))
    run.write_manifest(manifest)
    return run


def figures(run: RunFolder, reason: str) -> RunFigures:
    sections: Sections = {"pool": {"dreams_total": 3}}
    return RunFigures(run_id=run.run_id, reason=reason, at="2030-01-31T12:00:05Z", uptime_s=1.0, sections=sections)


def test_run_is_named_by_its_start_and_its_ordinal() -> None:
    assert name_run(MOMENT, 7) == "20300131T120005Z-0007"
    assert name_run(MOMENT, 12345) == "20300131T120005Z-12345"


def test_manifest_freezes_configuration_seats_and_machine(home: Home) -> None:
    configuration = load_configuration(Sources(home, assignments=("run.seed=9",)))

    manifest = make_manifest(configuration, "ab" * 32, default_seats(), 1, MOMENT, BOXED)

    assert (manifest.seed, manifest.settings, manifest.config_sha256) == (
        9,
        configuration.settings,
        configuration.sha256,
    )
    assert set(PINNED) <= set(manifest.pinned_environment)
    assert manifest.fingerprint.numpy and manifest.fingerprint.simd and manifest.fingerprint.cpu
    assert datetime.fromtimestamp(manifest.started_at_ns / 1e9, UTC) == MOMENT


def test_manifest_is_read_back_as_it_was_written(home: Home) -> None:
    run = begin(home, 1)

    again = RunFolder(home, run.run_id).read_manifest()

    assert again.run_id == run.run_id
    assert again.model_dump_json() == run.read_manifest().model_dump_json()


def test_ordinal_is_never_used_twice_even_when_the_run_folder_is_gone(home: Home) -> None:
    first = next_ordinal(home)
    run = begin(home, first)
    run.manifest_file.unlink()
    run.path.rmdir()

    assert next_ordinal(home) == first + 1


def test_ordinal_follows_the_folders_when_its_note_is_gone(home: Home) -> None:
    begin(home, 41)

    assert next_ordinal(home) == 42


def test_runs_are_listed_by_ordinal_and_other_files_are_passed_over(home: Home) -> None:
    for ordinal in (10000, 2, 9999):
        begin(home, ordinal)
    (home.runs / "notes.txt").touch()

    assert [run.run_id[-5:].lstrip("-") for run in list_runs(home)] == ["0002", "9999", "10000"]


def test_run_is_open_from_its_manifest_to_its_close(home: Home) -> None:
    run = RunFolder(home, name_run(MOMENT, 1))
    run.path.mkdir()
    assert not run.is_open

    run = begin(home, 1)
    assert run.is_open

    run.close(figures(run, "down"))
    assert not run.is_open


def test_final_figures_win_over_the_last_ones_and_damage_counts_as_absence(home: Home) -> None:
    run = begin(home, 1)
    assert run.last_figures() is None
    run.write_figures(figures(run, "running"))
    run.close(figures(run, "down"))
    found = run.last_figures()
    assert found is not None and found.reason == "down"

    run.closed_file.write_text("{")

    found = run.last_figures()
    assert found is not None and found.reason == "running"


def test_epochs_count_up_for_each_instance_and_survive_the_supervisor(home: Home) -> None:
    run = begin(home, 1)
    book = EpochBook(run)
    assert [book.next("learner"), book.next("learner"), book.next("dreamer")] == [1, 2, 1]

    assert EpochBook(run).next("learner") == 3


def test_epoch_is_above_every_journalled_one_when_the_note_is_lost(home: Home) -> None:
    run = begin(home, 1)
    folder = run.journal / "learner"
    folder.mkdir(parents=True)
    (folder / "e000007-s000000000001.seg").touch()
    run.epochs_file.write_text("not json")

    assert EpochBook(run).next("learner") == 8


def test_interrupted_run_in_which_nothing_was_said_is_closed_without_a_process(home: Home) -> None:
    run = begin(home, 1)
    keeper = run.journal / "pool-keeper"
    keeper.mkdir(parents=True)
    (keeper / "e000001-s000000000001.seg").touch()

    assert close_silent(run)

    closed = run.last_figures()
    assert closed is not None and closed.reason == "nothing was said"
    assert not run.is_open


def test_interrupted_run_in_which_something_was_said_needs_its_keeper(home: Home) -> None:
    run = begin(home, 1)
    dreamer = run.journal / "dreamer"
    dreamer.mkdir(parents=True)
    (dreamer / "e000001-s000000000001.seg").touch()

    assert not close_silent(run)
    assert run.is_open


def test_epoch_is_given_out_also_when_it_cannot_be_noted(home: Home) -> None:
    run = begin(home, 1)
    run.epochs_file.mkdir()
    book = EpochBook(run)

    assert [book.next("learner"), book.next("learner")] == [1, 2]
