"""The write-ahead log on its way to the disk while commits go on (policy `process`; design, section 3).

In: a request after each commit. Out: the log synced in a thread, at most once every `GROUP_SYNC_S`. A power cut costs
no more than the commits since the last sync, and a checkpoint finds little left to write, so that it holds up no commit
for long. It decides nothing and reads nothing: SQLite orders its own writes with or without it.
"""

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

GROUP_SYNC_S: Final = 0.01


class GroupSync:
    """Syncs one file on request."""

    def __init__(self, path: Path) -> None:
        """Open `path`, a log of SQLite's; never a file on which SQLite holds locks. Raises OSError."""
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._wanted = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pool-sync", daemon=True)
        self._thread.start()

    def request(self) -> None:
        """Sync soon what has been written until now."""
        self._wanted.set()

    def stop(self) -> None:
        """End the thread and close the file."""
        self._ending.set()
        self._wanted.set()
        self._thread.join()
        os.close(self._descriptor)

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            if self._ending.is_set():
                return
            self._wanted.clear()
            with suppress(OSError):  # a disk that fails shows in the next commit or checkpoint, which can say so
                os.fdatasync(self._descriptor)
            self._ending.wait(GROUP_SYNC_S)
