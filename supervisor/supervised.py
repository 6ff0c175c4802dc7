"""One actor as its supervisor sees it: its process, what it said last, and what follows its end.

In: processes started and ended, messages of the actor, monotonic times. Out: the state that `status` shows. Nothing
here decides for several actors; that is `supervisor.supervision`.
"""

import signal
from dataclasses import dataclass
from typing import Literal

from schemas.control import Failed, Figure, Heartbeat, Ready, Stopped
from schemas.manifest import Seat
from supervisor.processes import Process
from supervisor.restarts import RestartHistory

State = Literal["starting", "ready", "restarting", "stopping", "stopped", "failed"]

Intent = Literal["run", "restart", "hold", "stop"]
"""What the end of the process means: a death, or what was asked for."""


@dataclass
class SupervisedActor:
    """The state of one seat. All `_s` are readings of the monotonic clock, seconds."""

    seat: Seat
    history: RestartHistory
    state: State = "stopped"
    intent: Intent = "run"
    reason: str | None = None
    """Why it is in a state that is not `ready`."""
    held: str | None = None
    """Why it must not run now."""
    epoch: int = 0
    restarts: int = 0
    """Restarts that nobody asked for, in this run."""
    process: Process | None = None
    exit_status: int | None = None
    """How the last process ended; negative for a signal."""
    start_at_s: float | None = None
    kill_at_s: float | None = None
    spawned_at_s: float = 0.0
    ready_at_s: float | None = None
    was_ever_ready: bool = False
    """Whether any of its processes has become ready."""
    crash_report: str | None = None
    """The file that its last death was written to."""
    beat_at_s: float | None = None
    step: int = 0
    ready_at_step: int | None = None
    """Where its present or last process was when it became ready; None when it never did."""
    heartbeat: Heartbeat | None = None
    failed: Failed | None = None
    figures: tuple[Figure, ...] = ()
    """The last figures, whichever process they came from."""
    last_refusal: str | None = None
    """The last refusal, whichever process told it."""
    refused_before: int = 0
    """Refusals of its earlier processes."""

    @property
    def instance(self) -> str:
        """The name of its seat."""
        return self.seat.instance

    def began(self, process: Process, epoch: int, now_s: float) -> None:
        """A process of it was started."""
        if self.heartbeat is not None:
            self.refused_before += self.heartbeat.traffic.refused
        self.process, self.epoch, self.spawned_at_s = process, epoch, now_s
        self.state, self.intent, self.reason = "starting", "run", None
        self.start_at_s = self.kill_at_s = self.ready_at_s = self.beat_at_s = None
        self.heartbeat = self.failed = self.exit_status = self.ready_at_step = None

    def heard(self, message: Ready | Heartbeat | Stopped | Failed, now_s: float) -> bool:
        """Take a message of its present process; whether it says that the actor has become ready.

        A socket may drop the one Ready; a heartbeat says as much, because an actor's loop turns after it is ready.
        """
        if message.epoch != self.epoch or self.process is None:
            return False
        self.step = message.step
        match message:
            case Ready():
                return self._became_ready(now_s)
            case Heartbeat():
                self.beat_at_s, self.heartbeat, self.figures = now_s, message, message.figures
                self.last_refusal = message.last_refusal or self.last_refusal
                return self._became_ready(now_s)
            case Failed():
                self.failed = message
            case Stopped():
                pass
        return False

    def end(self, intent: Intent, grace_s: float, now_s: float) -> None:
        """Ask the process to end in order, and let it be killed after `grace_s`."""
        self.intent = intent
        self.kill_at_s = now_s + grace_s
        if self.process is not None:
            self.process.signal(signal.SIGTERM)

    def reopen_log(self) -> None:
        """Tell the process that its log file was renamed."""
        if self.process is not None:
            self.process.signal(signal.SIGHUP)

    def clear_away(self, ended: Process) -> int:
        """Kill what the ended process left in its group, and reap it; its exit status."""
        ended.kill_group()
        self.exit_status = ended.reap()
        self.process = self.kill_at_s = None
        return self.exit_status

    def was_ready_for_s(self, now_s: float) -> float | None:
        """How long the present or last process has been ready, None when it never was."""
        return None if self.ready_at_s is None else now_s - self.ready_at_s

    @property
    def has_advanced(self) -> bool:
        """Whether its present or last process has come further than where it was when it became ready."""
        return self.ready_at_step is not None and self.step > self.ready_at_step

    def _became_ready(self, now_s: float) -> bool:
        if self.ready_at_s is not None:
            return False
        self.ready_at_s = self.beat_at_s = now_s
        self.ready_at_step = self.step
        self.was_ever_ready = True
        if self.state == "starting":
            self.state = "ready"
        return True
