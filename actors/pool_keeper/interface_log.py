"""The append-only logs under `logs/interface/`: what was stored, answered and credited (seed 000, section
7), and which candidate packs were written (seed 003).

In: records, one JSON object each. Out: lines in NAME.jsonl, written before the pool's COMMIT, whose committed length
is kept in the pool by that COMMIT. So a line is in the log if and only if its effect is in the pool: at start a tail
that was never committed is cut, and a log shorter than its committed length is reported. Committed bytes are never
rewritten.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

LogName = Literal["persist", "retrieval", "feedback", "kpi", "packs"]
LOGS: Final[tuple[LogName, ...]] = ("persist", "retrieval", "feedback", "kpi", "packs")

LogRecord = Mapping[str, object]


class InterfaceLog:
    """The five logs of one home, open for appending."""

    def __init__(self, folder: Path, committed: Mapping[str, int] | None, is_synced: bool) -> None:
        """Open the logs in `folder`. `committed` holds the committed lengths, or is None for a new pool, which takes
        the logs as they are. `is_synced`: fsync before each commit. Raises OSError.
        """
        self.cut_bytes: dict[LogName, int] = {}
        """Bytes of uncommitted tails that were cut at start, by log."""
        self.missing_bytes: dict[LogName, int] = {}
        """Committed bytes that were not there at start, by log."""
        self._is_synced = is_synced
        self._buffers: dict[LogName, list[bytes]] = {name: [] for name in LOGS}
        folder.mkdir(parents=True, exist_ok=True)
        self._files = {name: _open(folder / f"{name}.jsonl") for name in LOGS}
        self._lengths = {name: os.fstat(self._files[name]).st_size for name in LOGS}
        if committed is not None:
            for name in LOGS:
                self._repair(name, committed.get(name, self._lengths[name]))
        self._folder = folder

    @property
    def lengths(self) -> Mapping[LogName, int]:
        """Committed length of each log, bytes."""
        return self._lengths

    @property
    def repairs(self) -> tuple[str, ...]:
        """What was found and mended at start, in words."""
        cut = [f"{name}.jsonl: cut {size} bytes that were never committed" for name, size in self.cut_bytes.items()]
        lost = [
            f"{name}.jsonl: {size} committed bytes are missing; the log goes on from its present end"
            for name, size in self.missing_bytes.items()
        ]
        return (*cut, *lost)

    @property
    def has_lines(self) -> bool:
        """Whether lines wait for `write`."""
        return any(self._buffers.values())

    def append(self, name: LogName, record: LogRecord) -> None:
        """Keep `record` for the next `write`."""
        line = json.dumps(record, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
        self._buffers[name].append(line.encode("utf-8", "backslashreplace") + b"\n")

    def write(self) -> dict[LogName, int]:
        """Write what was appended; the new lengths of the logs that grew. Raises OSError; then call `roll_back`."""
        grown: dict[LogName, int] = {}
        for name, lines in self._buffers.items():
            if not lines:
                continue
            data = self._separator(name) + b"".join(lines)
            _write_all(self._files[name], data)
            if self._is_synced:
                os.fsync(self._files[name])
            grown[name] = self._lengths[name] + len(data)
        return grown

    def settle(self, grown: Mapping[LogName, int]) -> None:
        """The commit that names the lengths `grown` is done."""
        self._lengths.update(grown)
        for lines in self._buffers.values():
            lines.clear()

    def roll_back(self) -> None:
        """Forget what was appended, and cut what was written of it."""
        for name, lines in self._buffers.items():
            lines.clear()
            if os.fstat(self._files[name]).st_size > self._lengths[name]:
                os.ftruncate(self._files[name], self._lengths[name])

    def close(self) -> None:
        """Close the files; what was not written is dropped."""
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files = {}

    def _repair(self, name: LogName, committed: int) -> None:
        surplus = self._lengths[name] - committed
        if surplus > 0:
            os.ftruncate(self._files[name], committed)
            self._lengths[name] = committed
            self.cut_bytes[name] = surplus
        elif surplus < 0:
            self.missing_bytes[name] = -surplus

    def _separator(self, name: LogName) -> bytes:
        """A line break where a shortened log ends in the middle of a line."""
        length = self._lengths[name]
        if name not in self.missing_bytes or not length:
            return b""
        with open(self._folder / f"{name}.jsonl", "rb") as log:
            log.seek(length - 1)
            return b"" if log.read(1) == b"\n" else b"\n"


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
