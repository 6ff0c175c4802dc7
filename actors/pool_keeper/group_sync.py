"""What happens to the write-ahead log while commits go on: synced (policy `process`; design, section 3), and folded.

In: a request after each commit. Out: in a thread, the segments of blobs and then the log synced at most once every
`GROUP_SYNC_S`, and the log folded into the pool file whenever it has grown by a given size. A power cut costs no more
than the commits since the last sync. Under load no fold of the thread reaches the end of a log that goes on growing, so
that a commit folds the rest when the log is long and the rest is short, and begins it anew. It decides nothing and
reads nothing: SQLite orders its own writes with or without it.
"""

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

GROUP_SYNC_S: Final = 0.01
FOLDED_PARTS: Final = 12
"""In how many parts the log is folded before it is so long that a commit folds the rest."""
SHORT_PARTS: Final = 1
"""A rest of up to so many parts is short."""


class GroupSync:
    """Syncs and folds one log on request."""

    def __init__(
        self, path: Path | None, sync_blobs: Callable[[int], None], connection: sqlite3.Connection, fold_bytes: int
    ) -> None:
        """Sync `path`, a log of SQLite's, never a file on which SQLite holds locks; None: commits sync themselves.

        Before the log, `sync_blobs` syncs the segment of blobs that its rows name. The log is folded by way of
        `connection`, which is this object's own from now on, after every `fold_bytes`. Raises OSError.
        """
        self._descriptor = None if path is None else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._sync_blobs = sync_blobs
        self._segment = 0
        self._connection = connection
        self._fold_bytes = fold_bytes
        self._logged_bytes = 0
        self._begun_bytes = 0
        """Of what was logged, how much the last fold set out to fold,"""
        self._folded_bytes = 0
        """and how much is folded."""
        self._log_bytes = 0
        """Length of the log after the last fold."""
        self._page_bytes = int(connection.execute("PRAGMA page_size").fetchone()[0])
        self._wanted = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pool-sync", daemon=True)
        self._thread.start()

    def request(self, logged_bytes: int, segment: int) -> None:
        """Sync soon what has been written until now: `logged_bytes` more of log, and blobs up to `segment`."""
        self._segment = segment
        self._logged_bytes += logged_bytes
        self._wanted.set()

    @property
    def is_rest_due(self) -> bool:
        """Whether a commit is to fold the rest: the log is long, and little of it is not folded."""
        rest = self._logged_bytes - self._folded_bytes
        is_long = self._log_bytes + rest >= FOLDED_PARTS * self._fold_bytes
        return is_long and rest <= SHORT_PARTS * self._fold_bytes

    def fold(self, connection: sqlite3.Connection) -> None:
        """Fold what there is, by way of `connection`; what is being written meanwhile stays. Raises sqlite3.Error."""
        begun = self._begun_bytes = self._logged_bytes
        is_busy, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if not is_busy:
            self._folded_bytes, self._log_bytes = begun, pages * self._page_bytes

    def close(self) -> None:
        """End the thread and close the file."""
        self._ending.set()
        self._wanted.set()
        self._thread.join()
        self._connection.close()
        if self._descriptor is not None:
            os.close(self._descriptor)

    def _sync(self, done: int) -> int:
        """Sync the segments from `done` on, then the log; the last segment."""
        segment = self._segment
        if self._descriptor is not None:
            with suppress(OSError):  # a disk that fails shows in the next commit or checkpoint, which can say so
                for number in range(done or segment, segment + 1):
                    self._sync_blobs(number)
                os.fdatasync(self._descriptor)
        return segment

    def _run(self) -> None:
        synced = self._segment
        while True:
            self._wanted.wait()
            if self._ending.is_set():
                return
            self._wanted.clear()
            synced = self._sync(synced)
            if self._logged_bytes - self._begun_bytes >= self._fold_bytes:
                with suppress(sqlite3.Error):  # what fails here is left to the commits
                    self.fold(self._connection)
            self._ending.wait(GROUP_SYNC_S)
