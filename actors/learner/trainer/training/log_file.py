"""The step log on disk: a line for every row, written as it is linked.

In: linked rows in order. Out: a file of canonical JSON lines whose end a checkpoint can name. Going on from one cuts
off what came after it: those steps are taken again, to the same bytes. Refused: a file that has fewer rows than the
checkpoint counts, or that ends with another link.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from actors.learner.trainer.training.step_log import FIRST_LINK, Link, Row, StepLogError, read_rows


class TornLogError(StepLogError):
    """The last line has no end: whoever wrote it was killed, or the file was cut."""


class StepLogFile:
    """A sink that appends to one file."""

    def __init__(self, path: Path, rows: int = 0, digest: str = FIRST_LINK) -> None:
        """Append to `path` behind its first `rows` rows, which end with `digest`. Raises StepLogError, OSError."""
        self.path = path
        kept = _kept_bytes(path, rows, digest)
        self._file = path.open("ab")
        self._file.truncate(kept)

    def take(self, links: Sequence[Link]) -> None:
        """See `Sink`; raises OSError that names the file."""
        try:
            self._file.write("".join([f"{link.line}\n" for link in links]).encode())
            self._file.flush()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def settle(self) -> None:
        """See `Sink`."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Leave the file whole."""
        self.settle()
        self._file.close()


def read_log(path: Path) -> tuple[tuple[Row, ...], str]:
    """The rows in the file at `path` and their digest; raises StepLogError for the first that does not follow."""
    return read_rows(_lines(path))


def _lines(path: Path) -> list[str]:
    lines = _texts(path)
    if lines.pop() != "":
        raise TornLogError(len(lines), "the last", "is cut: its end is missing")
    return lines


def _texts(path: Path) -> list[str]:
    """What lies between the ends of lines; a byte that is no ASCII stays in its line, which is then named."""
    try:
        return path.read_bytes().decode("ascii", "surrogateescape").split("\n")
    except OSError as error:
        raise StepLogError(0, str(path), f"cannot be read ({error.strerror or error})") from error


def _kept_bytes(path: Path, rows: int, digest: str) -> int:
    """Bytes of the first `rows` rows; what follows them may be torn."""
    if rows == 0:
        return 0
    lines = _texts(path)[:-1]
    if len(lines) < rows:
        raise StepLogError(len(lines), "the last", f"{rows} rows are part of the checkpoint; go on from an older one")
    _, found = read_rows(lines[:rows])
    if found != digest:
        raise StepLogError(rows - 1, "the last that counts", "is not what the checkpoint ends with; take its own log")
    return sum(len(line) + 1 for line in lines[:rows])
