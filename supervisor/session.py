"""The supervisor process while it holds a home: its inbox, its control socket, its signals, its loop.

In: a supervision to conduct. Out: nothing; it returns when the supervision has finished. One wait:
messages, requests, signals and ended children wake it, and a tick makes sure that nothing due is late.
"""

import os
import selectors
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from bus.control_inbox import ControlInbox
from bus.keys import KeyBook
from bus.reporting import SUPERVISOR
from schemas.guests import GuestBook
from supervisor import kernel
from supervisor.console import Console
from supervisor.control import Answer, ControlServer, Request
from supervisor.equipment import Equipment
from supervisor.events import EventLog
from supervisor.guests import Guests
from supervisor.home import Home
from supervisor.log_tail import log_file
from supervisor.nursery import Nursery
from supervisor.plan import default_seats
from supervisor.stop_signals import StopSignals
from supervisor.supervision import Supervision

TICK_S: Final = 0.05
LAST_WORDS_MS: Final = 20
"""How long the messages of a process that has just ended may still be on their way."""


class Conducted(Protocol):
    """A supervision with what is done beside it."""

    supervision: Supervision
    equipment: Equipment
    guests: Guests

    def answer(self, request: Request) -> Answer:
        """Answer a command."""

    def upkeep(self, now_s: float) -> None:
        """Do what is due beside supervising."""

    def status_line(self) -> str:
        """The run in one line."""


@dataclass
class Periodic:
    """An action that is due every `period_s`."""

    period_s: float
    action: Callable[[float], None]
    due_s: float = 0.0

    def turn(self, now_s: float) -> None:
        """Act when it is due."""
        if now_s >= self.due_s:
            self.due_s = now_s + self.period_s
            self.action(now_s)


class Session:
    """What the supervisor process owns from the lock of its home to the end."""

    def __init__(
        self,
        home: Home,
        runtime: Path,
        nursery: Nursery,
        *,
        is_detached: bool,
        is_quiet: bool = False,
        has_keys: bool = True,
    ) -> None:
        self.home = home
        self.runtime = runtime
        self.nursery = nursery
        self.book = KeyBook() if has_keys else None
        """Keys of every instance, made for this session."""
        self.is_detached = is_detached
        self.was_killed = False
        self.received = 0
        self._conducted: Conducted | None = None
        kernel.become_subreaper()
        kernel.raise_open_files_limit()
        self.events = EventLog(log_file(home, "supervisor"))
        self._console = None if is_detached or is_quiet else Console(sys.stdout, self._logs(), os.environ)
        self.inbox: ControlInbox | None = None
        self.signals = StopSignals(is_detached)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.signals.fileno(), selectors.EVENT_READ, self.signals.drain)
        self._server = ControlServer(runtime, self._answer, self._selector)
        self._sweeps = (Periodic(1.0, self._server.drop_silent), Periodic(1.0, self._clear_orphans))

    def conduct(self, conducted: Conducted) -> None:
        """Turn until the supervision of `conducted` has finished."""
        self._conducted = conducted
        inbox = self._open_inbox(conducted.equipment)
        try:
            while not conducted.supervision.is_finished:
                self._turn(conducted, inbox)
            self._clear_orphans(time.monotonic())
        finally:
            for descriptor in inbox.filenos():
                self._selector.unregister(descriptor)
            inbox.close()
            conducted.guests.close()
            conducted.equipment.close()

    def admit_guests(self, book: GuestBook) -> None:
        """Hear the guests in `book`."""
        if self.inbox is not None:
            self.inbox.admit_guests(book)

    def _open_inbox(self, equipment: Equipment) -> ControlInbox:
        """The inbox on which the actors of one run report."""
        callers = tuple(seat.instance for seat in equipment.boxed)
        inbox = self.inbox = ControlInbox(self.runtime, ring=equipment.ring(SUPERVISOR), callers=callers)
        for descriptor in inbox.filenos():
            self._selector.register(descriptor, selectors.EVENT_READ, lambda: None)
        return inbox

    def _turn(self, conducted: Conducted, inbox: ControlInbox) -> None:
        self._wait()
        now_s = time.monotonic()
        self._hear(conducted, inbox, now_s)
        self._heed_signals(conducted.supervision, now_s)
        conducted.supervision.turn(now_s)
        conducted.upkeep(now_s)
        for sweep in self._sweeps:
            sweep.turn(now_s)
        if self._console is not None:
            self._console.turn(now_s, conducted.status_line)

    def reopen_log(self) -> None:
        """Write to the file that has the name of our log now, also what libraries print when nobody watches."""
        self.events.reopen()
        if self.is_detached:
            self.events.take_over_output()

    def close(self) -> None:
        """Give everything back."""
        if self._console is not None:
            self._console.finish()
        self._server.close()
        self._selector.close()
        self.signals.restore()
        self.events.close()

    def _wait(self) -> None:
        for key, _ in self._selector.select(TICK_S):
            key.data()

    def _hear(self, conducted: Conducted, inbox: ControlInbox, now_s: float) -> None:
        supervision = conducted.supervision
        messages = inbox.drain(0)
        if supervision.has_ended_process:
            messages += inbox.drain(LAST_WORDS_MS)
        self.received += len(messages)
        supervision.receive(messages, now_s)
        conducted.guests.hear(messages)

    def _heed_signals(self, supervision: Supervision, now_s: float) -> None:
        if self.signals.wants_reopening:
            self.signals.wants_reopening = False
            self.reopen_log()
        if self.signals.stops >= 1:
            supervision.request_stop("interrupted", now_s)
        if self.signals.stops >= 2:
            self.was_killed = True
            supervision.kill_all()

    def _clear_orphans(self, _now_s: float) -> None:
        if self._conducted is not None:
            ours = (*self._conducted.supervision.pids, *self._conducted.guests.pids)
            kernel.clear_orphans((self.nursery.pid, *ours))

    def _answer(self, request: Request) -> Answer:
        if self._conducted is None:
            return Answer(error="the supervisor is about to start; try again")
        return self._conducted.answer(request)

    def _logs(self) -> list[Path]:
        return [self.events.path, *(log_file(self.home, seat.instance) for seat in default_seats())]
