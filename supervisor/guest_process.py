"""A command of the user's that is run in a guest's seat: started, restarted with backoff, stopped with the run.

In: a command line with the folder and environment that it was given in, monotonic times. Out: one process at a time,
its output appended to `logs/NAME.log`. An exit with 0 is the end of it, and one of `MISUSED` as well, for it would end
like that again; any other end is answered as the end of an actor is (`supervisor.restarts`). It never decides about the
run: a guest that is given up is shown, and nothing else.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from supervisor.crash_report import exit_text
from supervisor.events import EventSink
from supervisor.processes import ChildProcess, start_process
from supervisor.restarts import RestartHistory
from supervisor.seats import CommandLine

ProcessState = Literal["waiting", "running", "restarting", "finished", "failed", "stopped"]
GRACE_S: Final = 3.0
"""Between SIGTERM and SIGKILL."""
MISUSED: Final = (2, 78)
"""Exit statuses by which a program says that its command line or its configuration is wrong (getopt, sysexits.h)."""


@dataclass
class GuestProcess:
    """The process in one seat."""

    instance: str
    command: CommandLine
    seat: Path
    log: Path
    history: RestartHistory
    say: EventSink
    is_admitted: Callable[[], bool]
    """Whether the actors know the seat, so that the command can begin."""
    state: ProcessState = "waiting"
    reason: str | None = None
    restarts: int = 0
    process: ChildProcess | None = None
    _start_at_s: float = 0.0
    _started_at_s: float = 0.0
    _kill_at_s: float | None = None

    def turn(self, now_s: float) -> None:
        """Do what is due."""
        if self.process is not None:
            if self.process.has_ended():
                self._ended(self.process, now_s)
            elif self._kill_at_s is not None and now_s >= self._kill_at_s:
                self.process.kill_group()
        elif self.state in {"waiting", "restarting"} and now_s >= self._start_at_s and self.is_admitted():
            self._start(now_s)

    def stop(self, now_s: float) -> None:
        """Ask it to end, and kill it when it does not."""
        if self.state in {"waiting", "restarting"}:
            self.state = "stopped"
        if self.process is not None and self._kill_at_s is None:
            self._kill_at_s = now_s + GRACE_S
            self.process.signal(signal.SIGTERM)

    def close(self) -> None:
        """Kill what is left of it."""
        if self.process is not None:
            self.process.kill_group()
            self.process.reap()
            self.process, self.state = None, "stopped"

    def _start(self, now_s: float) -> None:
        environment = {**self.command.environment, "ONEIROS_SEAT": str(self.seat)}
        try:
            self.process = start_process(
                list(self.command.words), Path(self.command.folder), self.log, environment=environment
            )
        except OSError as error:
            self._decide(f"cannot be started: {error}", None, now_s)
            return
        self.state, self.reason, self._started_at_s = "running", None, now_s
        self.say("info", "guest started", of=self.instance, pid=self.process.pid)

    def _ended(self, ended: ChildProcess, now_s: float) -> None:
        ended.kill_group()
        status = ended.reap()
        self.process = None
        if self._kill_at_s is not None:
            self.state = "stopped"
        elif status == 0:
            self.state = "finished"
            self.say("info", "guest finished", of=self.instance)
        elif status in MISUSED:
            self._give_up(f"{exit_text(status)}: it says that its command line or its settings are wrong")
        else:
            self._decide(exit_text(status), now_s - self._started_at_s, now_s)

    def _decide(self, reason: str, lived_s: float | None, now_s: float) -> None:
        delay_s = self.history.record_death(now_s, lived_s)
        if delay_s is None:
            self._give_up(reason)
            return
        self.reason = reason
        self.state, self._start_at_s = "restarting", now_s + delay_s
        self.restarts += 1
        self.say("warning", "guest restarting", of=self.instance, delay_ms=round(delay_s * 1000), why=reason)

    def _give_up(self, reason: str) -> None:
        self.state, self.reason = "failed", reason
        self.say("error", "guest given up", of=self.instance, why=reason)
