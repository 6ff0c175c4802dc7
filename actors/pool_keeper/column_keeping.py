"""When the columns are written to their file: after many new dreams, when the keeper is idle, when it stops.

In: columns right after a commit. Out: a file, written by a thread while commits go on, and its digest once the file is
on the disk, for the pool file to vouch for in a commit of its own. No decision depends on whether it was written. A
file that cannot be written (the disk is full) is left out until as many dreams have come again, and one that takes long
when the keeper stops is left out.
"""

import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from actors.pool_keeper.column_file import remove_others, write_columns
from actors.pool_keeper.columns import Columns, Frozen

WORTH_ROWS: Final = 32768
"""So many new dreams are worth a file when there is time; fewer are read from the tables in a moment."""
MOST_STOP_S: Final = 2.0
"""So long the end may take for it; then the next start reads the tables."""
BUSY_PARTS: Final = 8
"""So many times more of them, when there is none."""


class ColumnKeeping:
    """The file of one pool."""

    def __init__(self, folder: Path, digest: str | None, last_sequence: int, worth_rows: int) -> None:
        """`digest`: of the file that the columns came from, up to dream `last_sequence`, if they came from one."""
        self._folder = folder
        self._written = last_sequence
        self._worth_rows = worth_rows
        self._finished: str | None = None
        self._vouched: str | None = None
        """What the open transaction vouches for."""
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        with suppress(OSError):  # a file that nobody vouches for is in nobody's way
            remove_others(folder, digest)

    def begin(self, columns: Columns, is_idle: bool) -> None:
        """Start to write when it is worth it."""
        if self._thread is None and self._finished is None and self._is_worth(columns, 1 if is_idle else BUSY_PARTS):
            self._written = columns.last_sequence
            self._thread = threading.Thread(target=self._write, args=(columns.freeze(),), name="columns", daemon=True)
            self._thread.start()

    def finished(self) -> str | None:
        """The digest of a file that is on the disk and that the pool file is to vouch for."""
        if self._thread is not None and not self._thread.is_alive():
            self._thread.join()
            self._thread = None
        return self._finished if self._thread is None else None

    def vouch(self) -> str | None:
        """The same, for which the open transaction vouches from now on."""
        self._vouched = self.finished()
        return self._vouched

    def settle(self) -> None:
        """The transaction is committed: other files than the one that it vouches for can go."""
        if self._vouched is not None:
            with suppress(OSError):  # the next start removes them
                remove_others(self._folder, self._vouched)
            self._finished = self._vouched = None

    def end(self, columns: Columns) -> str | None:
        """Write for the last time when it is worth it; the digest to vouch for. Ends the thread."""
        if self._thread is not None:
            self._ending.set()
            self._thread.join()
            self._thread = None
            self._ending.clear()
            self._written = 0 if self._finished is None else self._written
        if self._finished is None and self._is_worth(columns, 1):
            limit = threading.Timer(MOST_STOP_S, self._ending.set)
            limit.start()
            self._write(columns.freeze())
            limit.cancel()
            limit.join()
        return self._finished

    def _is_worth(self, columns: Columns, parts: int) -> bool:
        return columns.last_sequence - self._written >= parts * self._worth_rows

    def _write(self, frozen: Frozen) -> None:
        with suppress(OSError):
            self._finished = write_columns(self._folder, frozen, self._ending)
