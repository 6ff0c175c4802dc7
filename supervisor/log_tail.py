"""Reading logs: what is there, merged by time, and what is added, also across a rotation.

In: the files `ACTOR.log`, with `ACTOR.log.1` and so on before them. Out: lines. A line that says no time belongs to
the line before it. A half-written last line waits for its rest.
"""

import errno
import heapq
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from supervisor.home import Home
from supervisor.log_lines import LogLine, parse_line

READ_BYTES: Final = 1024 * 1024
KEPT_FILES: Final = 3
"""Rotated files of each log."""


class Tail:
    """The growing end of one log file."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.actor = path.name.removesuffix(".log")
        self._offset = offset
        self._inode: int | None = _inode_of(path)
        self._rest = b""

    def read_lines(self) -> list[LogLine]:
        """The whole lines that were added since the last call; the end of a rotated file comes first."""
        inode = _inode_of(self.path)
        if inode is None:
            return []
        data = b""
        if inode != self._inode:
            data = self._read_rotated()
            self._inode, self._offset = inode, 0
        data = self._rest + data + self._read(self.path)
        whole, self._rest = data[: data.rfind(b"\n") + 1], data[data.rfind(b"\n") + 1 :]
        return [parse_line(line.decode("utf-8", "replace"), self.actor) for line in whole.splitlines() if line.strip()]

    def _read(self, path: Path) -> bytes:
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._offset:
                    return self._read_emptied()
                file.seek(self._offset)
                data = file.read(READ_BYTES)
        except OSError:
            return b""
        self._offset += len(data)
        return data

    def _read_emptied(self) -> bytes:
        """What was not read yet of a log that was copied aside and emptied; the next reading begins anew."""
        at, self._offset = self._offset, 0
        with self.path.with_name(f"{self.path.name}.1").open("rb") as copy:
            copy.seek(at)
            return copy.read(READ_BYTES)

    def _read_rotated(self) -> bytes:
        before = self.path.with_name(f"{self.path.name}.1")
        return self._read(before) if self._inode is not None and _inode_of(before) == self._inode else b""


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines are wanted."""

    actors: tuple[str, ...] = ()
    """Empty for all."""
    since_s: float | None = None
    """Seconds since the Unix epoch."""
    least_rank: int = 0

    def wants(self, line: LogLine) -> bool:
        """Whether `line` is to be shown."""
        if self.actors and line.actor not in self.actors:
            return False
        if self.since_s is not None and (line.at_s is None or line.at_s < self.since_s):
            return False
        return line.rank >= self.least_rank


def log_file(home: Home, instance: str) -> Path:
    """The file that the output of `instance` is appended to."""
    return home.logs / f"{instance}.log"


def log_names(folder: Path) -> list[str]:
    """The actors that have a log in `folder`, by name; nobody has one in a folder whose path is too long for one."""
    try:
        return sorted(path.name.removesuffix(".log") for path in folder.glob("*.log"))
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return []
        raise


def merged_history(tails: Sequence[tuple[Sequence[Path], Tail]]) -> Iterator[LogLine]:
    """Every line of every log, oldest first; each tail is left at the end of what was read."""
    histories = [_stamped(_history(rotated, tail)) for rotated, tail in tails]
    for _, line in heapq.merge(*histories, key=lambda pair: pair[0]):
        yield line


def rotated_files(path: Path) -> list[Path]:
    """The rotated files of the log at `path`, oldest first."""
    numbered = [path.with_name(f"{path.name}.{number}") for number in range(KEPT_FILES, 0, -1)]
    return [file for file in numbered if file.is_file()]


def _history(rotated: Iterable[Path], tail: Tail) -> Iterator[LogLine]:
    for path in rotated:
        with path.open("r", encoding="utf-8", errors="replace", newline="\n") as file:
            for text in file:
                if text.strip():
                    yield parse_line(text.rstrip("\r\n"), tail.actor)
    while lines := tail.read_lines():
        yield from lines


def _stamped(lines: Iterable[LogLine]) -> Iterator[tuple[float, LogLine]]:
    """Each line with its time, which never falls within a file: a line that says none has that of the line before."""
    at_s = 0.0
    for line in lines:
        at_s = max(at_s, line.at_s or 0.0)
        yield at_s, line if line.at_s is not None else _dated(line, at_s)


def _dated(line: LogLine, at_s: float) -> LogLine:
    return LogLine(at_s or None, line.level, line.actor, line.event, line.fields, line.raw)


def _inode_of(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None
