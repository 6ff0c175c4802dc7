"""One run from its first process to its last: what is answered, noted, guarded and limited meanwhile.

In: the session, the folder and manifest of a run, the seats to fill, limits. Out: figures and crash reports on disk,
answers to commands, a stop when a limit is reached, a dreamer that is held while the disk is full.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from bus.box.profiles import is_boxed
from schemas.manifest import RunManifest, Seat
from supervisor.bubblewrap import BubblewrapLauncher
from supervisor.control import Answer, Request
from supervisor.crash_report import CrashReport, exit_text, last_error, last_lines
from supervisor.describing import OwnFigures, describe_actors
from supervisor.disk import DiskState, free_mib, judge_disk, tells_of_no_space
from supervisor.epochs import EpochBook
from supervisor.equipment import Equipment
from supervisor.errors import ControlError
from supervisor.events import copy_if_large, rotate_if_large
from supervisor.guests import Guests, Place, SeatRefusedError
from supervisor.left_out import LeftOut
from supervisor.log_lines import utc_text
from supervisor.log_tail import log_file
from supervisor.nightly.scheduling import NightSchedule
from supervisor.pool.orders import publish
from supervisor.processes import ForkLauncher, Launcher, RunSeats
from supervisor.reports import StatusReport
from supervisor.restarts import RestartPolicy
from supervisor.runs import RunFigures, RunFolder
from supervisor.seats import SeatRequest
from supervisor.session import Periodic, Session
from supervisor.stats import Sections, StatsReport, collect_sections
from supervisor.supervised import SupervisedActor
from supervisor.supervision import EXIT_CANNOT_START, Duty, Supervision

FIGURES_PERIOD_S: Final = 5.0
DISK_PERIOD_S: Final = 2.0
ROTATION_PERIOD_S: Final = 5.0
NIGHT_PERIOD_S: Final = 10.0


@dataclass(frozen=True)
class Limits:
    """When a run ends by itself."""

    seconds: float | None = None
    """Since its first process was started."""
    profiles: int | None = None
    """BiasProfiles that the dreamer applied."""
    caught_up: bool = False
    """Once every actor has been ready and found its inbox empty `QUIET_BEATS` times."""
    is_over: Callable[[], bool] | None = None
    """Once this says so, or an actor was given up; asked about ten times a second."""


class RunLife:
    """A run that is being conducted."""

    def __init__(
        self, session: Session, run: RunFolder, manifest: RunManifest, seats: tuple[Seat, ...], limits: Limits
    ) -> None:
        self.left_out = LeftOut()
        """What of the user's inputs the run does without."""
        self.on_settled: Callable[[tuple[str, ...]], None] | None = None
        """Called once, with the actors that were given up, when every other one has been ready."""
        self._session = session
        self._run = run
        self._manifest = manifest
        self._limits = limits
        self._began_s = time.monotonic()
        self._is_settled = False
        self._disk = DiskState.OK
        self._free_mib = free_mib(session.home.root)
        self.equipment = Equipment(session.runtime, manifest.seats, session.book)
        places = RunSeats(session.home, run.run_id, session.runtime, self.equipment)
        self.supervision = Supervision(
            seats,
            Duty(
                settings=manifest.settings.supervisor,
                launcher=self._launcher(places),
                next_epoch=EpochBook(run).next,
                say=session.events.say,
                report_crash=self._report_crash,
                seed=manifest.seed,
                isolation=manifest.isolation,
            ),
        )
        self.guests = self._receive_guests()
        self._tasks = (
            Periodic(FIGURES_PERIOD_S, self._save_figures, due_s=self._began_s + FIGURES_PERIOD_S),
            Periodic(DISK_PERIOD_S, self._guard_disk),
            Periodic(ROTATION_PERIOD_S, self._rotate_logs),
            Periodic(NIGHT_PERIOD_S, NightSchedule(run, manifest, session.events.say).turn),
        )

    def _receive_guests(self) -> Guests:
        session, manifest = self._session, self._manifest
        policy = RestartPolicy.of(manifest.settings.supervisor)
        place = Place(
            session.home, self._run, session.runtime, manifest.seats, session.book, policy, session.events.say
        )
        return Guests(place, lambda: tuple(self.supervision.actors.values()), session.admit_guests)

    def _launcher(self, places: RunSeats) -> Launcher:
        launcher = ForkLauncher(places, self._session.nursery)
        return BubblewrapLauncher(places, self._manifest, launcher) if self._manifest.isolation == "bwrap" else launcher

    def upkeep(self, now_s: float) -> None:
        """Do what is due beside supervising."""
        if self.supervision.stop_reason is None:
            self._enforce_limits(now_s)
            self._tell_settled()
        self.guests.turn(now_s, is_stopping=self.supervision.stop_reason is not None)
        for task in self._tasks:
            task.turn(now_s)

    def answer(self, request: Request) -> Answer:
        """Answer a command."""
        now_s = time.monotonic()
        match request.verb:
            case "status":
                return Answer(status=self._status(now_s))
            case "stats":
                return Answer(
                    stats=StatsReport(
                        running=True, run_id=self._run.run_id, uptime_s=now_s - self._began_s, sections=self.sections()
                    )
                )
            case "restart":
                return Answer(error=self.supervision.request_restart(request.actor or "", now_s))
            case "attach":
                return self._attach(request.seat)
            case "publish":
                return Answer(error=self._publish(request.segment or ""))
            case "stop":
                self.supervision.request_stop("down", now_s)
                return Answer()

    def _attach(self, request: SeatRequest | None) -> Answer:
        if request is None:
            return Answer(error="attach needs a seat to be asked for")
        if self.supervision.stop_reason is not None:
            return Answer(error="everything is being stopped")
        try:
            return Answer(seat=self.guests.give(request))
        except SeatRefusedError as error:
            return Answer(error=str(error), is_refused=True)
        except OSError as error:
            return Answer(error=f"the seat cannot be written down: {error}")

    def sections(self) -> Sections:
        """The last figures of all actors."""
        return collect_sections({actor.seat.role: actor.figures for actor in self.supervision.actors.values()})

    def figures(self, reason: str) -> RunFigures:
        """The figures as they are noted on disk."""
        return RunFigures(
            run_id=self._run.run_id,
            reason=reason,
            at=utc_text(time.time()),
            uptime_s=round(time.monotonic() - self._began_s, 3),
            sections=self.sections(),
        )

    def status_line(self) -> str:
        """The run in one line."""
        sections = self.sections()
        actors = self.supervision.actors.values()
        ready = sum(actor.state == "ready" for actor in actors)
        refused = sum(actor.heartbeat.traffic.refused for actor in actors if actor.heartbeat is not None)
        return (
            f"{ready}/{len(actors)} ready | dreams {sections['pool']['dreams_total']} | "
            f"epochs {sections['learner']['epochs']} | profiles {sections['bias']['profiles']}, "
            f"{sections['bias']['applied_by_dreamer']} applied | refused {refused} | {self._left_out_text()}"
            f"{time.monotonic() - self._began_s:.0f} s"
        )

    def _left_out_text(self) -> str:
        pictures = len(self.left_out.pictures)
        return f"{pictures} {'picture' if pictures == 1 else 'pictures'} left out | " if pictures else ""

    @property
    def profiles_applied(self) -> int:
        """BiasProfiles that the dreamer has applied in this run."""
        applied = self.sections()["bias"]["applied_by_dreamer"]
        return int(applied) if isinstance(applied, int | float) else 0

    def _enforce_limits(self, now_s: float) -> None:
        limits = self._limits
        if limits.caught_up and self._has_caught_up():
            self.supervision.request_stop("recovered", now_s)
        if limits.caught_up and self.supervision.failed:
            self.supervision.request_stop("failed", now_s)
        if limits.is_over is not None and (limits.is_over() or self.supervision.failed):
            self.supervision.request_stop("failed" if self.supervision.failed else "done", now_s)
        if limits.profiles is not None and self.profiles_applied >= limits.profiles:
            self.supervision.request_stop("until-profiles", now_s)
        if limits.seconds is not None and now_s - self._began_s >= limits.seconds:
            self.supervision.request_stop("for", now_s)

    def _tell_settled(self) -> None:
        if self._is_settled or not self.supervision.is_settled or self.supervision.stop_reason is not None:
            return
        self._is_settled = True
        ready = sum(actor.state == "ready" for actor in self.supervision.actors.values())
        took_ms = round((time.monotonic() - self._began_s) * 1000)
        self._session.events.say("info", "up", run=self._run.run_id, ready=ready, after_ms=took_ms)
        if self.on_settled is not None:
            self.on_settled(self.supervision.failed)

    def _has_caught_up(self) -> bool:
        """Whether every actor has read the journals of its senders to their ends; nobody writes any now."""
        actors = self.supervision.actors.values()
        return all(a.state == "ready" and a.heartbeat is not None and not a.heartbeat.traffic.queue for a in actors)

    def _publish(self, segment: str) -> str | None:
        """Let an actor read orders; why not, where it is about to leave."""
        if self.supervision.stop_reason is not None:
            return "the loop is stopping; say it again when it has stopped"
        try:
            publish(self._run, segment)
        except (ControlError, OSError) as error:
            return str(error)
        return None

    def _status(self, now_s: float) -> StatusReport:
        session = self._session
        own = OwnFigures(
            pid=os.getpid(),
            zygote_pid=session.nursery.pid,
            is_stopping=self.supervision.stop_reason is not None,
            received=session.received,
            refused=0 if session.inbox is None else session.inbox.refused,
            last_refusal=None if session.inbox is None else session.inbox.last_refusal,
        )
        return StatusReport(
            running=True,
            run_id=self._run.run_id,
            home=str(session.home.root),
            runtime=str(session.runtime),
            started_at=utc_text(self._manifest.started_at_ns / 1e9),
            uptime_s=round(now_s - self._began_s, 3),
            stopping=self.supervision.stop_reason,
            isolation=self._manifest.isolation,
            keys=self._manifest.keys,
            fsync=self._manifest.settings.journal.fsync,
            disk=self._disk.value,
            disk_free_mib=round(self._free_mib, 1),
            inputs_refused=self.left_out.lines(),
            pictures_left_out=len(self.left_out.pictures),
            facts_left_out=len(self.left_out.facts),
            actors=describe_actors(self.supervision.actors.values(), own, now_s),
            guests=self.guests.describe(),
        )

    def _save_figures(self, _now_s: float) -> None:
        try:
            self._run.write_figures(self.figures("running"))
        except OSError as error:
            self._session.events.say("warning", "figures not saved", why=str(error))

    def _guard_disk(self, now_s: float) -> None:
        settings = self._manifest.settings.supervisor
        with suppress(OSError):
            self._free_mib = free_mib(self._session.home.root)
        before, self._disk = (
            self._disk,
            judge_disk(self._free_mib, settings.disk_warn_mib, settings.disk_stop_mib, self._disk),
        )
        if self._disk is not before:
            level = "info" if self._disk is DiskState.OK else "warning"
            self._session.events.say(level, f"disk {self._disk.value}", free_mib=round(self._free_mib))
        if before is DiskState.FULL and self._disk is not DiskState.FULL:
            self.supervision.revive(now_s, tells_of_no_space)
        for actor in self.supervision.actors.values():
            if actor.seat.role != "dreamer":
                continue
            if self._disk is DiskState.FULL:
                self.supervision.hold(actor.instance, "disk", now_s)
            else:
                self.supervision.release(actor.instance, now_s)

    def _rotate_logs(self, _now_s: float) -> None:
        try:
            for actor in self.supervision.actors.values():
                log = log_file(self._session.home, actor.instance)
                if is_boxed(actor.seat.role):
                    copy_if_large(log)
                elif actor.state == "ready" and rotate_if_large(log):
                    actor.reopen_log()
            if rotate_if_large(self._session.events.path):
                self._session.reopen_log()
        except OSError as error:
            self._session.events.say("warning", "log not rotated", why=str(error))

    def _report_crash(self, actor: SupervisedActor, now_s: float) -> None:
        folder = self._session.home.logs / "crashes"
        lines = last_lines(log_file(self._session.home, actor.instance))
        if actor.exit_status == EXIT_CANNOT_START and actor.failed is None:
            actor.reason = last_error(lines) or actor.reason
        report = CrashReport(
            actor=actor.instance,
            epoch=actor.epoch,
            run_id=self._run.run_id,
            at=utc_text(time.time()),
            ended=exit_text(actor.exit_status or 0),
            reason=actor.failed.reason if actor.failed is not None else actor.reason,
            step=actor.step,
            input_reference=actor.failed.input_reference if actor.failed is not None else None,
            early_deaths_in_window=actor.history.in_window(now_s),
            restarts=actor.restarts,
            isolation=self._manifest.isolation,
            last_lines=lines,
        )
        actor.crash_report = str(folder / report.file_name)
        try:
            report.write(folder)
        except OSError as error:
            actor.crash_report = None
            self._session.events.say("warning", "crash report not written", why=str(error))
        if actor.exit_status != EXIT_CANNOT_START:
            self._say_died(report)

    def _say_died(self, report: CrashReport) -> None:
        self._session.events.say(
            "error",
            "died",
            of=report.actor,
            epoch=report.epoch,
            ended=report.ended,
            step=report.step,
            input=report.input_reference,
            report=f"logs/crashes/{report.file_name}",
        )
