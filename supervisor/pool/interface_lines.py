"""The interface logs read as records: one JSON object a line, with its place for whoever finds fault with it.

In: the folder of the logs. Out: the lines of one log, oldest first, while the bytes that were read are told. An
unfinished last line is left to the next reading: its writer is at it. A line that is no JSON object is handed out as a
fault with its number, and the reading goes on.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

Record = dict[str, Any]
Watch = Callable[[int], None]


class LogLine(NamedTuple):
    """A line as a record."""

    line: int
    """Counted from 1."""
    record: Record


class LogFault(NamedTuple):
    """A line that cannot be read."""

    log: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.log}.jsonl line {self.line}: {self.reason}"


def unwatched(_size_bytes: int) -> None:
    """Nobody wants to know how far it is."""


def read_lines(folder: Path, log: str, watch: Watch = unwatched) -> Iterator[LogLine | LogFault]:
    """The lines of `log` under `folder`; none where there is no such log. Raises OSError."""
    path = folder / f"{log}.jsonl"
    if not path.is_file():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            watch(len(line))
            if line.endswith(b"\n"):
                yield _parsed(line, log, number)


def log_bytes(folder: Path, *logs: str) -> int:
    """Size of `logs` in all; of those that are there."""
    paths = (folder / f"{log}.jsonl" for log in logs)
    return sum(path.stat().st_size for path in paths if path.is_file())


def _parsed(line: bytes, log: str, number: int) -> LogLine | LogFault:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return LogFault(log, number, f"no JSON ({error})")
    return LogLine(number, value) if isinstance(value, dict) else LogFault(log, number, "no JSON object")
