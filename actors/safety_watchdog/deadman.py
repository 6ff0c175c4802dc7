"""The dead-man's switch: a file that is locked while the watchdog lives and fresh while it watches.

In: a path. Out: a locked file whose time is moved on with every touch. A guard that finds it unlocked, or unchanged for
a second, ends its trial. Refused: a second watchdog of the same home, which would make the file say nothing.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from schemas.errors import OneirosError

PATIENCE_S: Final = 2.0
"""A guard that looks at the lock holds it for a moment."""
PAUSE_S: Final = 0.01


class SecondWatchdogError(OneirosError):
    """Somebody else holds the dead-man file."""


class DeadMan:
    """The watchdog's side of the switch."""

    def __init__(self, path: Path) -> None:
        """Raises SecondWatchdogError, or OSError where the file cannot be made."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)
        end = time.monotonic() + PATIENCE_S
        while not self._lock():
            if time.monotonic() > end:
                os.close(self._descriptor)
                raise SecondWatchdogError(f"{path} is locked: another watchdog watches this home; end it first")
            time.sleep(PAUSE_S)

    def touch(self) -> None:
        """Say that the watchdog is at work."""
        os.utime(self._descriptor)

    def close(self) -> None:
        """Let go: what still runs is ended by its guard."""
        os.close(self._descriptor)

    def _lock(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
