"""Answers of a world that come from threads: told there, waited for by the loop (`bus.core.World`).

In: observations, from any thread. Out: the same in their order, and a descriptor that is readable while some wait.
What is told after the end is dropped.
"""

import os
import threading
from collections import deque

from bus.core import Observed


class Answering:
    """A queue with a bell."""

    def __init__(self) -> None:
        self._told: deque[Observed] = deque()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.Lock()

    def tell(self, observed: Observed) -> None:
        """Let the loop hear `observed`."""
        self._told.append(observed)
        with self._lock:
            if self._bell >= 0:
                os.eventfd_write(self._bell, 1)

    def answers(self) -> list[Observed]:
        """What has come since the last call."""
        try:
            os.eventfd_read(self._bell)
        except BlockingIOError:
            return []
        return [self._told.popleft() for _ in range(len(self._told))]

    def fileno(self) -> int:
        """Readable while answers wait."""
        return self._bell

    def close(self) -> None:
        """Nobody listens any more; closing twice does nothing more."""
        with self._lock:
            bell, self._bell = self._bell, -1
        if bell >= 0:
            os.close(bell)
