"""The lines of an append-only log that are of a stretch of time, one at a time.

In: a file of JSON lines that each name their time as `ts_ns`. Out: the objects of complete lines inside the span, and
what was read, with a digest of these lines. Counted and passed over: lines that are no JSON object with finite
numbers, without a time, longer than `LONGEST_LINE`, and a last line without an end. Lines outside the span are not
decoded. A file that cannot be read is named, and ends the reading.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from actors.nightly_observer.collectors.span import Span, Troubles
from actors.nightly_observer.day import ABSENT, UNREADABLE, InputFile
from bus.files import open_to_read

LONGEST_LINE: Final = 8 * 1024 * 1024
BUFFER_BYTES: Final = 1024 * 1024
NUL: Final = b"\0"
BOM: Final = b"\xef\xbb\xbf"
_TIME: Final = re.compile(rb'"ts_ns":\s*(\d{1,19})[,}\s]')

Fields = dict[str, Any]


class LogLines:
    """Reads one log once; `file` tells what was read when the reading is over."""

    def __init__(self, home: Path, path: str, span: Span, troubles: Troubles, limit: int | None = None) -> None:
        """`path`: relative to `home`; `limit`: bytes from the beginning that are known to be committed."""
        self.path = path
        self.tonight = 0
        """Records of the day."""
        self._file = home / path
        self._span = span
        self._troubles = troubles
        self._limit = limit
        self._digest = hashlib.sha256()
        self._counted = self._size = 0
        self._is_there = False

    @property
    def file(self) -> InputFile | None:
        """What was read; None for a file that is not there."""
        if not self._is_there:
            return None
        return InputFile(self.path, self._size, self._digest.hexdigest(), self._counted)

    def __iter__(self) -> Iterator[tuple[int, Fields]]:
        """Time and fields of each record of the span."""
        try:
            with os.fdopen(open_to_read(self._file), "rb", BUFFER_BYTES) as log:
                self._is_there = True
                self._size = os.fstat(log.fileno()).st_size
                for line in self._lines(log):
                    record = self._record(line)
                    if record is not None:
                        yield record
        except FileNotFoundError:
            self._troubles.add(self.path, ABSENT)
        except OSError:
            self._troubles.add(self.path, UNREADABLE)

    def _lines(self, log: BinaryIO) -> Iterator[bytes]:
        end = self._size if self._limit is None else min(self._size, self._limit)
        at = 0
        while at < end:
            line = log.readline(min(LONGEST_LINE, end - at))
            if not line:
                return
            at += len(line)
            if line.endswith(b"\n"):
                yield line
                continue
            self._troubles.add(self.path, "line without an end" if at >= end else "line too long")
            while at < end and not line.endswith(b"\n"):
                line = log.readline(min(LONGEST_LINE, end - at))
                if not line:
                    return
                at += len(line)

    def _record(self, line: bytes) -> tuple[int, Fields] | None:
        found = _TIME.search(line)
        ts_ns = int(found[1]) if found else -1
        if found and not self._span.holds(ts_ns):
            return None
        fields = _decoded(line) if found else None
        if fields is None or fields.get("ts_ns") != ts_ns:
            if line.strip():
                self._troubles.add(self.path, "line is no record")
            return None
        self._digest.update(line)
        self._counted += len(line)
        self.tonight += self._span.is_tonight(ts_ns)
        return ts_ns, fields


def _decoded(line: bytes) -> Fields | None:
    try:
        value = json.loads(line.removeprefix(BOM).decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse(name: str) -> object:
    raise ValueError(name)
