"""Signals of the supervisor's own process, turned into facts that its loop reads.

In: SIGINT, SIGTERM, SIGHUP, SIGCHLD. Out: how often a stop was asked for, whether logs are to be opened anew, and a
descriptor that becomes readable as soon as a signal arrives, so that the loop wakes up.
"""

import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any


class StopSignals:
    """Takes over the signals of this process until `restore`."""

    def __init__(self, is_detached: bool) -> None:
        self.stops = 0
        """SIGINT and SIGTERM so far, and SIGHUP while a terminal is attached."""
        self.wants_reopening = False
        self._is_detached = is_detached
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        handlers: dict[int, Callable[[int, FrameType | None], None]] = {
            signal.SIGINT: self._stop,
            signal.SIGTERM: self._stop,
            signal.SIGHUP: self._hang_up,
            signal.SIGCHLD: self._ignore,
        }
        self._before: dict[int, Any] = {number: signal.signal(number, take) for number, take in handlers.items()}

    def fileno(self) -> int:
        """Readable when a signal has arrived."""
        return self._reader.fileno()

    def drain(self) -> None:
        """Make the descriptor unreadable again."""
        with suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass

    def restore(self) -> None:
        """Give the signals back."""
        signal.set_wakeup_fd(self._wakeup_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._reader.close()
        self._writer.close()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stops += 1

    def _hang_up(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_detached:
            self.wants_reopening = True
        else:
            self.stops += 1

    def _ignore(self, _number: int, _frame: FrameType | None) -> None:
        return
