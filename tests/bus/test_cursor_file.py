"""The file of cursors: what it says is right or nothing, and no accident to it lasts."""

import os
import time
import zlib
from pathlib import Path

import pytest

from bus.codec import pack
from bus.core import Cursor
from bus.cursor_file import FILE_NAME, CursorFile, read_cursors

SENDER = "bias-synthesizer"

BAD_CURSORS: dict[str, bytes] = {
    "text for numbers": pack({SENDER: ("a", "b")}),
    "none": pack({SENDER: (None, None)}),
    "floats": pack({SENDER: (0.0, 0.5)}),
    "negative": pack({SENDER: (-5, -5)}),
    "huge": pack({SENDER: (2**63, 2**63)}),
    "three numbers": pack({SENDER: (1, 2, 3)}),
    "one number": pack({SENDER: 1}),
    "nameless": pack({1: (1, 1)}),
    "no map": pack(((SENDER, 1, 1),)),
    "two values": pack({}) + pack({}),
    "too long": pack({f"instance-{number}": (1, 1) for number in range(1000)}),
}


def write_cursors(folder: Path, content: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE_NAME).write_bytes(zlib.crc32(content).to_bytes(4, "big") + content)


@pytest.mark.parametrize("name", BAD_CURSORS)
def test_a_cursor_file_that_says_nonsense_under_a_good_checksum_says_nothing(tmp_path: Path, name: str) -> None:
    write_cursors(tmp_path, BAD_CURSORS[name])

    assert read_cursors(tmp_path) is None


def test_only_so_much_of_a_cursor_file_is_read(tmp_path: Path) -> None:
    with (tmp_path / FILE_NAME).open("wb") as file:
        file.truncate(1 << 40)

    assert read_cursors(tmp_path) is None


@pytest.mark.parametrize("kind", ["fifo", "link", "folder"])
def test_a_cursor_file_that_is_no_file_says_nothing_and_hangs_nobody(tmp_path: Path, kind: str) -> None:
    path = tmp_path / FILE_NAME
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "link":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()

    assert read_cursors(tmp_path) is None


@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_a_writer_puts_aside_what_is_no_file(tmp_path: Path, kind: str) -> None:
    path, elsewhere = tmp_path / FILE_NAME, tmp_path / "elsewhere"
    elsewhere.write_bytes(b"kept")
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(elsewhere)

    file = CursorFile(tmp_path)
    file.write({SENDER: Cursor(1, 1)})
    file.close()

    assert read_cursors(tmp_path) == {SENDER: Cursor(1, 1)}
    assert elsewhere.read_bytes() == b"kept"


class Clock:
    """A clock that is set by hand."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.mark.parametrize("accident", ["removed", "replaced", "garbled"])
def test_a_cursor_file_that_came_to_harm_is_soon_whole_again(tmp_path: Path, clock: Clock, accident: str) -> None:
    file, path = CursorFile(tmp_path), tmp_path / FILE_NAME
    file.write({SENDER: Cursor(1, 1)})
    match accident:
        case "removed":
            path.unlink()
        case "replaced":
            path.unlink()
            path.write_bytes(b"another")
        case "garbled":
            path.write_bytes(os.urandom(30))

    file.write({SENDER: Cursor(1, 1)})
    at_once = read_cursors(tmp_path)
    clock.now_s += 1.5
    file.write({SENDER: Cursor(1, 1)})
    file.close()

    assert at_once is None
    assert read_cursors(tmp_path) == {SENDER: Cursor(1, 1)}


def test_a_writer_that_may_not_open_goes_on_with_the_file_that_it_has(tmp_path: Path, clock: Clock) -> None:
    file = CursorFile(tmp_path, reopens=False)
    (tmp_path / FILE_NAME).unlink()

    file.write({SENDER: Cursor(1, 1)})
    file.close()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"\0\0\0\0", b"nonsense that is no record", b"\xff" * 40])
def test_a_cursor_file_that_is_just_being_written_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)

    assert read_cursors(tmp_path) is None


def test_a_cursor_file_tells_what_was_written_last(tmp_path: Path) -> None:
    file = CursorFile(tmp_path)

    file.write({"a-rather-long-instance-name": Cursor(3, 2**39), "b": Cursor(1, 1)})
    file.write({"b": Cursor(1, 2)})
    file.close()

    assert read_cursors(tmp_path) == {"b": Cursor(1, 2)}
