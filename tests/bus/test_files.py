"""A file is replaced whole or not at all (design, section 4)."""

import os

import pytest

from bus.files import write_atomically


def test_the_new_content_replaces_the_old(tmp_path):
    path = tmp_path / "profile.json"
    path.write_bytes(b"old")

    write_atomically(path, b"new")

    assert path.read_bytes() == b"new"


def test_nothing_else_is_left_in_the_folder(tmp_path):
    write_atomically(tmp_path / "profile.json", b"x" * 3_000_000)

    assert [path.name for path in tmp_path.iterdir()] == ["profile.json"]


def test_a_reader_that_has_the_old_file_open_keeps_it_whole(tmp_path):
    path = tmp_path / "profile.json"
    write_atomically(path, b"old content")

    with path.open("rb") as reader:
        write_atomically(path, b"new")

        assert reader.read() == b"old content"


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "inside").write_bytes(b"kept")

    with pytest.raises(OSError):
        write_atomically(tmp_path / "taken", b"new")

    assert (tmp_path / "taken" / "inside").read_bytes() == b"kept"
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_missing_folder_is_told_and_not_made(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "none" / "file", b"")

    assert not (tmp_path / "none").exists()


def test_the_mode_follows_the_umask(tmp_path):
    previous = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"")
    finally:
        os.umask(previous)

    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
