"""What is around the process of a night: its key, and the inputs that are kept for as long as its dreams."""

import json
import os
import select
from pathlib import Path

import pytest

from actors.nightly_observer.anchors import KEY_BYTES
from actors.nightly_observer.starting import Start
from actors.nightly_observer.world import Boxing, KeyFaultError, NightWorld, key_of, make_folders
from bus.core import Ask
from schemas.night_places import INPUTS, KEY_FILE, inputs_folder
from tests.night_examples import changed, request

DATE = "2026-11-30"


def lived(home: Path, ttl_days: int) -> dict:
    """A night whose process cannot be started; what is told of it."""
    notes: list[str] = []
    asked = request(date=DATE, settings_json=changed(ttl_days=ttl_days).model_dump_json()).model_dump()
    del asked["is_fresh"]
    start = Start({"PATH": os.environ["PATH"]}, 20.0, "no_such_program")
    world = NightWorld(home, Boxing("none", "best-effort"), start, notes.append)
    world.ask(Ask("night", json.dumps({**asked, "snapshot_sha256": "", "is_partial": False}).encode()))
    select.select([world], [], [], 20.0)
    (told,) = world.answers()
    world.close()
    return {**json.loads(told.data), "said": notes}


def test_what_a_night_looked_at_is_removed_with_its_dreams_and_nothing_else_is(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for date in ("2026-10-01", "2026-10-31", "2026-11-01"):
        make_folders(tmp_path, date)
        (tmp_path / inputs_folder(date) / "snapshot.sqlite").write_bytes(b"x")
    (tmp_path / INPUTS / "2026-09-01").symlink_to(elsewhere)
    (tmp_path / INPUTS / "notes").mkdir()

    told = lived(tmp_path, 30)

    left = sorted(path.name for path in (tmp_path / INPUTS).iterdir())
    assert left == ["2026-09-01", "2026-11-01", DATE, "notes"]
    assert elsewhere.is_dir()
    assert len(told["said"]) == 2


def test_a_night_that_cannot_be_started_says_so_and_names_no_folder(tmp_path: Path) -> None:
    told = lived(tmp_path, 30)

    assert (told["standing"], told["block"]) == ("failed", None)
    assert str(tmp_path) not in json.dumps(told)


def test_the_key_is_made_once_whole_and_for_its_user_alone(tmp_path: Path) -> None:
    make_folders(tmp_path, DATE)
    keys = {key_of(tmp_path) for _ in range(3)}

    (key,) = keys
    assert len(key) == KEY_BYTES
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / KEY_FILE).parent.iterdir() if path.is_file()] == ["key"]


@pytest.mark.parametrize("is_link", [True, False])
def test_a_key_that_is_no_key_is_refused(tmp_path: Path, is_link: bool) -> None:
    make_folders(tmp_path, DATE)
    if is_link:
        (tmp_path / KEY_FILE).symlink_to("/nowhere")
    else:
        (tmp_path / KEY_FILE).write_bytes(b"")
        (tmp_path / KEY_FILE).chmod(0o600)

    with pytest.raises(KeyFaultError):
        key_of(tmp_path)
