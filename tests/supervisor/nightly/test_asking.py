"""Which night is meant, and when one is asked for by itself (dossier, R2 and R26)."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bus.segment import list_segments
from schemas.errors import SettingsError
from schemas.ids import RunId
from supervisor.configuration import Sources, load_configuration
from supervisor.errors import UsageError
from supervisor.home import Home
from supervisor.manifest import Protection, make_manifest
from supervisor.nightly.asking import Asked, check_root, is_night, make_request, runtime_settings
from supervisor.nightly.scheduling import NightSchedule
from supervisor.plan import default_seats
from supervisor.run_files import freeze_settings
from supervisor.runs import RunFolder
from tests.night_examples import packaged

WINDOW = "00:00-06:00"


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def asked(date: str | None, now: str, root: Path | None = None):
    return make_request(Asked(date, root), packaged(), WINDOW, at(now))


def test_without_a_date_it_is_the_last_day_that_is_over():
    assert asked(None, "2026-11-21T03:00").date == "2026-11-20"


def test_in_the_middle_of_the_day_a_night_has_to_be_named():
    with pytest.raises(UsageError, match=r"it is 12:00 UTC.*supervisor nightly run 2026-11-20"):
        asked(None, "2026-11-21T12:00")
    assert asked("2026-11-20", "2026-11-21T12:00").date == "2026-11-20"


@pytest.mark.parametrize("date", ["yesterday", "2026-13-01", "20261120", "2026-11-22", "2026-W47-5", ""])
def test_a_date_that_is_none_or_has_not_begun_is_refused(date):
    with pytest.raises(UsageError):
        asked(date, "2026-11-21T03:00")


def test_another_system_is_named_by_its_folder(tmp_path):
    assert asked("2026-11-20", "2026-11-21T12:00", tmp_path).source == "eqnet"
    with pytest.raises(UsageError, match="no folder"):
        check_root(tmp_path / "none", Home(tmp_path / "home"))


def test_a_night_writes_nothing_below_the_folder_of_another_system(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)

    with pytest.raises(UsageError, match="inside --root"):
        check_root(tmp_path / "link", Home(tmp_path / "home"))


@pytest.mark.parametrize(
    ("window", "clock", "expected"),
    [
        ("00:00-06:00", "00:00", True),
        ("00:00-06:00", "05:59", True),
        ("00:00-06:00", "06:00", False),
        ("22:00-04:00", "23:00", True),
        ("22:00-04:00", "03:59", True),
        ("22:00-04:00", "12:00", False),
    ],
)
def test_night_is_within_its_window(window, clock, expected):
    assert is_night(window, at(f"2026-11-20T{clock}")) is expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("dream:\n  mode: write\n", "dream.mode"),
        ("dream:\n  privacy:\n    id_privacy: raw\n", "dream.privacy.id_privacy"),
        ("dream:\n  renderer:\n    stile: minimal\n", "dream.renderer.stile"),
        ("dream:\n  storage:\n    recipients: [age1x]\n", "dream.storage.recipients"),
        ("dream:\n  max_per_night: many\n", "dream.max_per_night"),
        ("defrag:\n  mode: apply\n", "defrag.mode"),
    ],
)
def test_settings_that_are_wrong_are_refused_by_name_and_line(tmp_path, text, named):
    home = Home(tmp_path)
    home.config.mkdir()
    (home.config / "runtime.yaml").write_text(text)

    with pytest.raises(SettingsError, match=rf"runtime\.yaml:[0-9]+: {named}"):
        runtime_settings(Sources(home))


def test_a_file_of_the_user_changes_what_it_names_alone(tmp_path):
    home = Home(tmp_path)
    home.config.mkdir()
    (home.config / "runtime.yaml").write_text("dream:\n  ttl_days: 7\n")

    settings = runtime_settings(Sources(home))

    expected = packaged().dream.model_copy(update={"ttl_days": 7})
    assert settings == packaged().model_copy(update={"dream": expected})


class Scheduled:
    """A run with a schedule and a clock."""

    def __init__(self, root: Path, at_utc: str) -> None:
        home = Home(root)
        home.create()
        sources = Sources(home, assignments=(f'nightly.at="{at_utc}"',))
        manifest = make_manifest(
            load_configuration(sources), "0" * 64, default_seats(), 1, datetime.now(UTC), Protection("none", "none")
        )
        self.run = RunFolder(home, RunId(manifest.run_id))
        self.run.write_manifest(manifest)
        freeze_settings(self.run, sources)
        self.now_ns = 0
        self.said: list[str] = []
        self.schedule = NightSchedule(self.run, manifest, self._say, lambda: self.now_ns)

    def _say(self, level: str, event: str, **fields: object) -> None:
        self.said.append(f"{level} {event} {fields['date']}")

    def look(self, now: str) -> int:
        """How many nights were asked for so far."""
        self.now_ns = at(now)
        self.schedule.turn(0.0)
        return len(list_segments(self.run.journal / "supervisor"))


def test_a_running_loop_asks_once_for_each_day_when_it_is_time(tmp_path):
    loop = Scheduled(tmp_path, "03:30")

    counts = [
        loop.look(now)
        for now in ("2026-11-21T03:29", "2026-11-21T03:30", "2026-11-21T04:00", "2026-11-21T12:00", "2026-11-22T05:00")
    ]

    assert counts == [0, 1, 1, 1, 2]
    assert loop.said == ["info night asked for 2026-11-20", "info night asked for 2026-11-21"]


def test_a_night_that_was_lived_is_not_asked_for_again(tmp_path):
    loop = Scheduled(tmp_path, "03:30")
    folder = tmp_path / "artifacts" / "nightly" / "2026-11-20"
    folder.mkdir(parents=True)
    (folder / "nightly.json").write_text("{}")

    assert loop.look("2026-11-21T03:30") == 0


def test_without_a_time_nothing_is_asked_for(tmp_path):
    loop = Scheduled(tmp_path, "")

    assert loop.look("2026-11-21T03:30") == 0
