"""Where state and sockets live (design, section 4)."""

import os
import sqlite3
import stat
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from supervisor.advice import default_home
from supervisor.errors import FolderRefusedError
from supervisor.home import LONGEST_HOME, LONGEST_SOCKET_NAME, SOCKET_PATH_LIMIT, Home, runtime_folder

STRANGE = os.fsdecode(b"\xff\xfe home")
"""A name that is no UTF-8."""


@pytest.fixture
def session(monkeypatch):
    """A short session folder, as a login would give: that of pytest grows with the number of its runs."""
    with tempfile.TemporaryDirectory(prefix="s-", dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def test_the_default_home_is_in_the_xdg_state_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert default_home() == tmp_path / "oneiros"


@pytest.mark.parametrize("declared", ["", "relative/folder"])
def test_an_unset_or_relative_state_folder_falls_back_to_the_standard_one(monkeypatch, tmp_path, declared):
    monkeypatch.setenv("XDG_STATE_HOME", declared)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert default_home() == tmp_path / ".local" / "state" / "oneiros"


def test_a_home_is_made_with_all_its_folders(tmp_path):
    home = Home(tmp_path / "a" / "home")

    home.create()
    home.create()

    assert home.pool_file.parent.is_dir()
    assert home.interface_logs == tmp_path / "a" / "home" / "logs" / "interface"
    for folder in (home.data, home.interface_logs, home.journal, home.runs, home.inputs, home.artifacts):
        assert folder.is_dir()


def test_a_home_that_is_a_file_is_refused_by_name(tmp_path):
    (tmp_path / "home").write_text("")

    with pytest.raises(FolderRefusedError, match=r"home.*choose another folder with --home"):
        Home(tmp_path / "home").create()


def long_folder(parent: Path, size_bytes: int) -> Path:
    """A folder under `parent` whose path has so many bytes."""
    path = str(parent)
    while len(path) < size_bytes:
        left = size_bytes - len(path) - 1
        path += "/" + "d" * (left if left <= 200 else min(200, left - 2))
    assert len(path) == size_bytes
    return Path(path)


def can_hold_a_pool(home: Path) -> bool:
    (home / "pool").mkdir(parents=True)
    try:
        with closing(sqlite3.connect(home / "pool" / "dream_pool.sqlite")) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("CREATE TABLE dreams (id TEXT)")
    except sqlite3.OperationalError:
        return False
    return True


def test_a_home_that_is_no_utf8_is_refused_by_name(tmp_path):
    with pytest.raises(FolderRefusedError, match="no UTF-8 text; choose another folder with --home"):
        Home(tmp_path / STRANGE)


def test_a_link_to_a_folder_that_is_no_utf8_has_a_runtime_folder(session, tmp_path):
    (tmp_path / STRANGE).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / STRANGE)

    assert runtime_folder(tmp_path / "link").parent == session


def test_the_longest_home_is_the_longest_that_can_hold_a_pool(tmp_path):
    longest, longer = (long_folder(tmp_path, LONGEST_HOME + more) for more in (0, 1))

    Home(longest).check_length()
    with pytest.raises(FolderRefusedError, match=f"has {LONGEST_HOME + 1} bytes, at most {LONGEST_HOME}"):
        Home(longer).create()

    assert (can_hold_a_pool(longest), can_hold_a_pool(longer)) == (True, False)


def test_a_link_to_a_home_that_is_too_long_is_refused(tmp_path):
    long = long_folder(tmp_path, LONGEST_HOME + 1)
    long.mkdir(parents=True)
    (tmp_path / "link").symlink_to(long)

    with pytest.raises(FolderRefusedError, match=f"at most {LONGEST_HOME}"):
        Home(tmp_path / "link").create()


def test_a_name_that_is_too_long_is_refused_with_its_length_in_bytes(tmp_path):
    with pytest.raises(FolderRefusedError, match="has 256 bytes, at most 255"):
        Home(tmp_path / ("é" * 128)).create()


def test_links_in_a_circle_have_a_runtime_folder(session, tmp_path):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")

    assert runtime_folder(tmp_path / "circle").parent == session


def test_the_runtime_folder_is_private_and_stays_the_same(session, tmp_path):
    folder = runtime_folder(tmp_path)

    assert folder.parent == session
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert runtime_folder(tmp_path) == folder


def test_two_homes_have_two_runtime_folders(session, tmp_path):
    assert runtime_folder(tmp_path / "a") != runtime_folder(tmp_path / "b")


def test_a_home_reached_by_a_link_has_the_same_runtime_folder(session, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "home")

    assert runtime_folder(tmp_path / "link") == runtime_folder(tmp_path / "home")


def test_a_runtime_folder_that_others_could_read_is_closed_to_them(session, tmp_path):
    runtime_folder(tmp_path).chmod(0o755)

    assert stat.S_IMODE(runtime_folder(tmp_path).stat().st_mode) == 0o700


def test_a_link_in_place_of_the_runtime_folder_is_refused(session, tmp_path):
    folder = runtime_folder(tmp_path)
    folder.rmdir()
    folder.symlink_to(tmp_path)

    with pytest.raises(FolderRefusedError, match="a link or a file"):
        runtime_folder(tmp_path)


@pytest.mark.parametrize("declared", ["", "relative", "/nowhere/at/all"])
def test_without_a_session_folder_the_runtime_folder_is_a_short_one(monkeypatch, tmp_path, declared):
    monkeypatch.setenv("XDG_RUNTIME_DIR", declared)

    folder = runtime_folder(tmp_path)
    folder.rmdir()

    assert str(folder).startswith(f"/tmp/oneiros-{os.getuid()}-")


def test_a_session_folder_too_long_for_sockets_is_passed_over(monkeypatch, tmp_path):
    long = tmp_path / ("x" * 80)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))

    folder = runtime_folder(tmp_path)
    folder.rmdir()

    assert len(os.fsencode(folder / ("y" * LONGEST_SOCKET_NAME))) <= SOCKET_PATH_LIMIT
