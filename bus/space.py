"""Waiting for disk space: inputs stay where they are until a write has room.

In: writes that may find the disk full. Out: their results, however long that takes; each wait is a refusal in the
counts, an error in the log and a heartbeat. An actor that is stopping waits for nothing: the error goes on.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from bus.actor_log import NO_SPACE, ActorLog
from bus.core import StoreFullError
from bus.errors import JournalFullError
from bus.refusals import Refusals

DISK_RETRY_S: Final = 0.5

T = TypeVar("T")


@dataclass(frozen=True)
class Space:
    """The patience of one process with its disk."""

    instance: str
    refusals: Refusals
    log: ActorLog
    is_stopping: Callable[[], bool]
    heartbeat: Callable[[], None]

    def secure(self, write: Callable[[], T]) -> T:
        """Do `write`, waiting for disk space as long as it takes; when stopping, fail instead of waiting."""
        while True:
            try:
                return write()
            except (JournalFullError, StoreFullError, OSError) as error:
                is_full = not isinstance(error, OSError) or error.errno in NO_SPACE
                if self.is_stopping() or not is_full:
                    raise
                self.wait(str(error))

    def wait(self, reason: str) -> None:
        """Say so, and let some time pass."""
        self.refusals.add(self.instance, "disk", reason)
        self.log.error(f"waiting for disk space: {reason}")
        self.heartbeat()
        time.sleep(DISK_RETRY_S)
