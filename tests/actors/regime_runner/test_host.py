"""A host is what PATH, procfs and the libraries say, looked at once."""

import stat
import time

import pytest

from actors.regime_runner.host import look


def stub(folder, name, text):
    """An executable script."""
    folder.mkdir(exist_ok=True)
    place = folder / name
    place.write_text(f"#!/bin/sh\n{text}\n")
    place.chmod(place.stat().st_mode | stat.S_IXUSR)
    return place


@pytest.mark.parametrize("path", ["", "/nonexistent"])
def test_a_path_that_names_nothing_offers_no_program(path, tmp_path):
    # issue 6, shown 3: PATH empty gives no number at all
    host = look(tmp_path, path)

    assert host.programs == {}
    assert host.versions == {}


def test_a_tool_is_found_where_path_says_and_asked_for_its_version(tmp_path):
    place = stub(tmp_path / "bin", "fio", "echo fio-9.99; echo more")

    host = look(tmp_path, str(tmp_path / "bin"))

    assert host.programs == {"fio": str(place)}
    assert host.versions == {"fio": "fio-9.99"}


def test_our_own_interpreter_is_there_when_path_has_a_python(tmp_path):
    stub(tmp_path / "bin", "python3", "exit 1")

    assert list(look(tmp_path, str(tmp_path / "bin")).programs) == ["python3"]


@pytest.mark.parametrize("text", ["exit 1", "echo", "kill -9 $$", "exec sleep 60"])
def test_a_tool_that_does_not_tell_its_version_is_unknown(text, tmp_path, monkeypatch):
    monkeypatch.setattr("actors.regime_runner.host.VERSION_SECONDS", 0.3)
    stub(tmp_path / "bin", "fio", text)
    begun = time.monotonic()

    host = look(tmp_path, f"{tmp_path / 'bin'}:/bin:/usr/bin")

    assert host.versions["fio"] == "unknown"
    assert time.monotonic() - begun < 10


def test_a_host_has_processors_memory_and_room(tmp_path):
    host = look(tmp_path / "not" / "yet" / "there", "")

    assert sorted(cpu for core in host.cores for cpu in core) == list(host.cpus)
    assert host.memory_available_bytes > 0
    assert host.scratch_free_bytes > 0
