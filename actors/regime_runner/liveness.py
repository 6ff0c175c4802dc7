"""Whether the watchdog lives: the guard's side of the dead-man's switch.

In: the file that the watchdog holds locked and touches ten times a second. Out: alive or not. Alive is a file that
somebody has locked and whose time changed within the last second, by a clock that nobody sets. A watchdog that is
stopped holds its lock and touches nothing; one that is dead holds no lock. It never creates the file.
"""

import fcntl
import os
import time
from typing import Final

STALE_S: Final = 1.0


class Liveness:
    """Looks at one dead-man file, again and again."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._touched_ns: int | None = None
        self._changed_at: float | None = None
        """Monotonic moment of the last change that was seen; None before the first."""
        self._since = time.monotonic()

    def look(self) -> None:
        """Look at the file; to be called ten times a second."""
        try:
            touched_ns = os.stat(self._path).st_mtime_ns
        except OSError:
            return
        if self._touched_ns is not None and touched_ns != self._touched_ns:
            self._changed_at = time.monotonic()
        self._touched_ns = touched_ns

    def begin(self) -> None:
        """From now on, a second without a change is the end."""
        self._since = time.monotonic()

    @property
    def is_seen(self) -> bool:
        """Whether the watchdog was seen at work within the last second."""
        return self._changed_at is not None and time.monotonic() - self._changed_at < STALE_S

    def why_gone(self) -> str | None:
        """Why the watchdog counts as gone, None while it does not."""
        if not self._is_locked():
            return f"nobody holds the lock of {self._path}: there is no watchdog"
        if self.is_seen or time.monotonic() - self._since < STALE_S:
            return None
        return f"{self._path} was not refreshed for {STALE_S:g} s: the watchdog does not watch"

    def _is_locked(self) -> bool:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False
