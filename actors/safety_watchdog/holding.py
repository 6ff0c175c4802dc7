"""One machine, one watchdog that changes it: a lock on the folder of its settings, which the kernel lets go with us.

In: a folder, such as `/sys`. Out: whether this process holds it. Nothing is written, and a process that is killed
holds nothing. Refused: to wait for another holder.
"""

import fcntl
import os
from pathlib import Path


class Hold:
    """The lock of one process on one machine, or on one tree of files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Hold it from now on; False while another does. There is nothing to hold where there is no such folder."""
        if self._descriptor is not None or not self._folder.is_dir():
            return True
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def drop(self) -> None:
        """Let it go; nothing where it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
