"""The processes of one run: started by readiness, restarted one for one, watched, stopped in order.

In: seats, messages of the actors, ends of processes, requests, and the monotonic time, all by method call. Out:
processes started and ended, events, crash reports. It waits for nothing itself, so that a test turns it with a clock
of its own. Semantics: dossier of reliability, section 6.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bus.box.profiles import is_boxed
from schemas.base import Message
from schemas.control import Failed, Heartbeat, Ready, Stopped
from schemas.isolation import Rung
from schemas.manifest import Seat
from schemas.settings import SupervisorSettings
from supervisor.actor_names import unknown_actor
from supervisor.crash_report import exit_text
from supervisor.events import EventSink
from supervisor.plan import RENEWED, start_order, stop_order
from supervisor.processes import Launcher, Process
from supervisor.restarts import RestartHistory, RestartPolicy
from supervisor.supervised import SupervisedActor

EXIT_CANNOT_START: Final = 78
"""EX_CONFIG of sysexits(3): the actor cannot start, and trying again does not help."""
EXIT_SUCCESSOR: Final = 75
"""EX_TEMPFAIL of sysexits(3): the actor left in order, and another process is to go on from its journal. Taken at its
word where a box lets it open no next segment or its role goes on in fresh processes, and when it has come further than
where it was ready; else it died."""
LATE_GRACE_S: Final = 2.0
"""Between SIGTERM and SIGKILL for an actor that no longer answers."""


@dataclass(frozen=True)
class Duty:
    """What a supervision works with."""

    settings: SupervisorSettings
    launcher: Launcher
    next_epoch: Callable[[str], int]
    say: EventSink
    report_crash: Callable[[SupervisedActor, float], None]
    """Called with a dead actor and the monotonic time, before it is decided what follows."""
    seed: int
    """Of the jitter."""
    isolation: Rung
    """What the dreamer is boxed by in this run."""


class Supervision:
    """The actors of one run, in start order."""

    def __init__(self, seats: Iterable[Seat], duty: Duty) -> None:
        policy = RestartPolicy.of(duty.settings)
        self._duty = duty
        self._seats = start_order(seats)
        self.actors = {
            seat.instance: SupervisedActor(seat, RestartHistory(policy, f"{duty.seed}/{seat.instance}"))
            for seat in self._seats
        }
        self._to_start = deque(self.actors.values())
        self._to_stop: deque[SupervisedActor] = deque()
        self.stop_reason: str | None = None
        self.cannot_start: dict[str, str] = {}
        """The actors that say that they can never start, and why."""

    @property
    def is_settled(self) -> bool:
        """Whether every actor has been ready once, or was given up, or is held."""
        return not self._to_start

    @property
    def is_finished(self) -> bool:
        """Whether a stop was asked for and no process is left."""
        return self.stop_reason is not None and not self._to_stop

    @property
    def failed(self) -> tuple[str, ...]:
        """The actors that were given up."""
        return tuple(actor.instance for actor in self.actors.values() if actor.state == "failed")

    @property
    def never_ready(self) -> tuple[str, ...]:
        """The actors of which no process has become ready so far."""
        return tuple(actor.instance for actor in self.actors.values() if not actor.was_ever_ready)

    @property
    def has_ended_process(self) -> bool:
        """Whether a process has ended that was not dealt with yet."""
        return any(actor.process is not None and actor.process.has_ended() for actor in self.actors.values())

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that have not been reaped yet."""
        return tuple(actor.process.pid for actor in self.actors.values() if actor.process is not None)

    def receive(self, messages: Sequence[Message], now_s: float) -> None:
        """Take what actors say of themselves; what comes from an earlier process of theirs is passed over."""
        for message in messages:
            if isinstance(message, Ready | Heartbeat | Stopped | Failed):
                actor = self.actors.get(message.instance)
                if actor is not None and actor.heard(message, now_s):
                    self._say_ready(actor, now_s)

    def turn(self, now_s: float) -> None:
        """Do everything that is due at `now_s`."""
        for actor in self.actors.values():
            if actor.process is not None and actor.process.has_ended():
                self._ended(actor, actor.process, now_s)
            self._enforce_deadlines(actor, now_s)
        if self.stop_reason is None:
            self._start_due(now_s)
        else:
            self._stop_next(now_s)

    def request_restart(self, instance: str, now_s: float) -> str | None:
        """Start `instance` afresh, also when it was given up; never counted. Returns why that cannot be, or None."""
        actor = self.actors.get(instance)
        if actor is None:
            return unknown_actor(instance, self.actors)
        if self.stop_reason is not None:
            return "everything is being stopped"
        if actor.held is not None:
            return f"{instance} is held ({actor.held}) and starts again by itself"
        self._start_afresh(actor, "asked for", now_s)
        return None

    def revive(self, now_s: float, is_mended: Callable[[str], bool]) -> None:
        """Start afresh those that were given up for a reason that is mended now; never counted."""
        for actor in self.actors.values():
            if actor.state == "failed" and self.stop_reason is None and is_mended(actor.reason or ""):
                self._duty.say("info", "revived", of=actor.instance, why=actor.reason)
                self._start_afresh(actor, "its reason is mended", now_s)

    def _start_afresh(self, actor: SupervisedActor, reason: str, now_s: float) -> None:
        actor.history.clear()
        self.cannot_start.pop(actor.instance, None)
        actor.state, actor.reason = "restarting", reason
        if actor.process is None:
            actor.start_at_s = now_s
        else:
            actor.end("restart", self._duty.settings.stop_deadline_s, now_s)

    def request_stop(self, reason: str, now_s: float) -> None:
        """Stop everything in order; a later reason changes nothing."""
        if self.stop_reason is not None:
            return
        self.stop_reason = reason
        self._to_start.clear()
        self._to_stop.extend(self.actors[seat.instance] for seat in stop_order(self._seats))
        self._duty.say("info", "stopping", reason=reason)
        for actor in self.actors.values():
            actor.intent, actor.start_at_s = "stop", None
            if actor.process is None and actor.state != "failed":
                actor.state, actor.reason = "stopped", actor.reason or reason
        self._stop_next(now_s)

    def kill_all(self) -> None:
        """SIGKILL to the group of every actor, at once."""
        for actor in self.actors.values():
            if actor.process is not None:
                actor.process.kill_group()

    def hold(self, instance: str, reason: str, now_s: float) -> None:
        """Stop one actor until `release`; nothing happens when it is held already or was given up."""
        actor = self.actors[instance]
        if actor.held is not None or actor.state == "failed" or self.stop_reason is not None:
            return
        actor.held = actor.reason = reason
        actor.start_at_s = None
        if actor.process is None:
            actor.state = "stopped"
        else:
            actor.state = "stopping"
            actor.end("hold", self._duty.settings.stop_deadline_s, now_s)

    def release(self, instance: str, now_s: float) -> None:
        """Let a held actor run again."""
        actor = self.actors[instance]
        if actor.held is None or self.stop_reason is not None:
            return
        actor.held = None
        if actor.process is None:
            actor.state, actor.start_at_s = "restarting", now_s
        else:
            actor.state, actor.intent = "restarting", "restart"

    def _start_due(self, now_s: float) -> None:
        while self._to_start:
            first = self._to_start[0]
            if first.state == "stopped" and first.held is None and first.start_at_s is None:
                first.start_at_s = now_s
            if first.state not in {"ready", "failed"} and first.held is None:
                break
            self._to_start.popleft()
        for actor in self.actors.values():
            if actor.start_at_s is not None and now_s >= actor.start_at_s and actor.process is None:
                self._spawn(actor, now_s)

    def _spawn(self, actor: SupervisedActor, now_s: float) -> None:
        try:
            epoch = self._duty.next_epoch(actor.instance)
            actor.began(self._duty.launcher.spawn(actor.seat, epoch), epoch, now_s)
        except OSError as error:
            actor.ready_at_s = None
            actor.reason = f"cannot be started: {error}"
            self._decide_after_death(actor, now_s)
            return
        self._duty.say("debug", "started", of=actor.instance, epoch=actor.epoch, pid=self._pid(actor))

    def _say_ready(self, actor: SupervisedActor, now_s: float) -> None:
        took_ms = round((now_s - actor.spawned_at_s) * 1000)
        self._duty.say("info", "ready", of=actor.instance, epoch=actor.epoch, after_ms=took_ms, step=actor.step)

    def _enforce_deadlines(self, actor: SupervisedActor, now_s: float) -> None:
        settings = self._duty.settings
        if actor.process is None:
            return
        if actor.kill_at_s is not None:
            if now_s >= actor.kill_at_s:
                self._duty.say("warning", "killed", of=actor.instance, epoch=actor.epoch, why="did not end in time")
                actor.process.kill_group()
                actor.kill_at_s = now_s + LATE_GRACE_S
        elif actor.state == "starting" and now_s - actor.spawned_at_s > settings.ready_deadline_s:
            self._give_warning(actor, f"not ready after {settings.ready_deadline_s:g} s", now_s)
        elif actor.state == "ready" and now_s - (actor.beat_at_s or 0.0) > settings.heartbeat_late_s:
            self._give_warning(actor, f"no heartbeat for {settings.heartbeat_late_s:g} s", now_s)

    def _give_warning(self, actor: SupervisedActor, reason: str, now_s: float) -> None:
        self._duty.say("warning", "unresponsive", of=actor.instance, epoch=actor.epoch, why=reason)
        actor.state, actor.reason = "restarting", reason
        actor.end("run", LATE_GRACE_S, now_s)

    def _ended(self, actor: SupervisedActor, ended: Process, now_s: float) -> None:
        status = actor.clear_away(ended)
        match actor.intent:
            case "run" if status == EXIT_SUCCESSOR and self._may_have_successor(actor):
                actor.state, actor.start_at_s = "restarting", now_s
                self._duty.say("debug", "succeeded", of=actor.instance, epoch=actor.epoch)
            case "run":
                said = actor.failed.reason if actor.failed is not None else None
                actor.reason = actor.reason or said or exit_text(status)
                self._duty.report_crash(actor, now_s)
                if status == EXIT_CANNOT_START:
                    self._give_up_at_once(actor, now_s)
                else:
                    self._decide_after_death(actor, now_s)
            case "restart":
                actor.state, actor.start_at_s = "restarting", now_s
            case "hold":
                actor.state = "stopped"
                self._duty.say("warning", "held", of=actor.instance, why=actor.held)
            case "stop":
                actor.state = "stopped"
                actor.reason = exit_text(status) if status else self.stop_reason
                level = "warning" if status else "info"
                self._duty.say(level, "stopped", of=actor.instance, epoch=actor.epoch, status=exit_text(status))

    def _may_have_successor(self, actor: SupervisedActor) -> bool:
        is_bound = self._duty.isolation == "seccomp-no-open" and is_boxed(actor.seat.role)
        return (is_bound or actor.seat.role in RENEWED) and actor.has_advanced

    def _decide_after_death(self, actor: SupervisedActor, now_s: float) -> None:
        delay_s = actor.history.record_death(now_s, actor.was_ready_for_s(now_s))
        if delay_s is None:
            actor.state, actor.start_at_s = "failed", None
            self._duty.say("error", "given up", of=actor.instance, epoch=actor.epoch, why=actor.reason)
            return
        actor.state, actor.start_at_s = "restarting", now_s + delay_s
        actor.restarts += 1
        self._duty.say("warning", "restarting", of=actor.instance, delay_ms=round(delay_s * 1000), why=actor.reason)

    def _give_up_at_once(self, actor: SupervisedActor, now_s: float) -> None:
        """Take it at its word; before everything is up, nothing else is worth starting without it."""
        actor.state, actor.start_at_s = "failed", None
        reason = self.cannot_start[actor.instance] = (actor.reason or "").removeprefix("cannot start: ")
        actor.reason = reason
        self._duty.say("error", "cannot start", of=actor.instance, epoch=actor.epoch, why=reason)
        if not self.is_settled:
            self.request_stop("failed", now_s)

    def _stop_next(self, now_s: float) -> None:
        while self._to_stop and self._to_stop[0].process is None:
            self._to_stop.popleft()
        if self._to_stop and self._to_stop[0].state != "stopping":
            actor = self._to_stop[0]
            actor.state, actor.reason = "stopping", self.stop_reason
            actor.end("stop", self._duty.settings.stop_deadline_s, now_s)
            self._duty.say("debug", "waiting", of=actor.instance, deadline_s=self._duty.settings.stop_deadline_s)

    def _pid(self, actor: SupervisedActor) -> int:
        return actor.process.pid if actor.process is not None else 0
