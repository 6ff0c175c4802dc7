"""The supervisor's own log, `home/logs/supervisor.log`, and the size limit of every log.

In: events with their fields. Out: one JSON line each, and rotated files. A disk that takes no line does not stop the
supervisor: the line is lost, and counted.
"""

import os
import shutil
import time
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from supervisor.log_lines import format_line
from supervisor.log_tail import KEPT_FILES
from supervisor.stats import Scalar

ROTATE_BYTES: Final = 10 * 1000 * 1000
"""A log that is longer is rotated."""
COPY_BYTES: Final = 1 << 20


class EventSink(Protocol):
    """Takes events."""

    def __call__(self, level: str, event: str, **fields: Scalar) -> None:
        """Write down that `event` happened, with its facts."""


class EventLog:
    """The supervisor's own lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lost = 0
        self._file = -1
        self.reopen()

    def reopen(self) -> None:
        """Append to the file that has the name now: the old one was renamed."""
        self.close()
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def say(self, level: str, event: str, **fields: Scalar) -> None:
        """Write down that `event` happened, with its facts."""
        line = format_line(time.time(), level, "supervisor", event, fields) + "\n"
        try:
            os.write(self._file, line.encode())
        except OSError:
            self.lost += 1

    def take_over_output(self) -> None:
        """Let what is printed in this process go to the log as well."""
        os.dup2(self._file, 1)
        os.dup2(self._file, 2)

    def close(self) -> None:
        """Release the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def rotate_if_large(path: Path, limit_bytes: int = ROTATE_BYTES) -> bool:
    """Move `path` to `path.1`, that to `path.2` and so on, when it is over the limit; whether it was moved.

    Whoever writes the file must open it anew. Raises OSError.
    """
    try:
        if path.stat().st_size <= limit_bytes:
            return False
    except FileNotFoundError:
        return False
    _make_room(path)
    path.replace(path.with_name(f"{path.name}.1"))
    return True


def copy_if_large(path: Path, limit_bytes: int = ROTATE_BYTES) -> bool:
    """As `rotate_if_large`, for a writer in a box, which cannot open a file anew: the content moves, the file stays.

    The writer appends, so the file can be emptied under it. What it writes within the microseconds between the last
    look at its end and the emptying is lost. A disk without room for the copy leaves everything as it is. Raises
    OSError.
    """
    try:
        if path.stat().st_size <= limit_bytes:
            return False
    except FileNotFoundError:
        return False
    unfinished = path.with_name(f"{path.name}.copy")
    try:
        with path.open("rb+") as log, unfinished.open("wb") as copy:
            _append(log, copy)
            _make_room(path)
            unfinished.replace(path.with_name(f"{path.name}.1"))
            _append(log, copy)
            log.truncate(0)
    finally:
        unfinished.unlink(missing_ok=True)
    return True


def _append(log: BinaryIO, copy: BinaryIO) -> None:
    shutil.copyfileobj(log, copy, COPY_BYTES)
    copy.flush()


def _make_room(path: Path) -> None:
    for number in range(KEPT_FILES - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
