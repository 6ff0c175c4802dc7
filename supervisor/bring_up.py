"""`up` from the configuration to the end of the run.

In: where the settings come from, the limits of the run. Out: a finished run and how it ended. Before a new run
begins, every run that was interrupted is brought to its end: its pool-keeper alone is started under that run's own
manifest, takes in what the journals of that run still hold, and stops. Refused: a home that is in use, wrong
settings, inputs that do not do.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from bus.box.ladder import choose
from bus.segment import list_segments
from schemas.ids import RunId
from schemas.isolation import Rung
from schemas.manifest import RunManifest
from schemas.roles import Role
from supervisor.advice import advise
from supervisor.configuration import Configuration, Sources, load_configuration
from supervisor.errors import CannotStartError, RecoveryError, UsageError
from supervisor.home import Home, runtime_folder
from supervisor.inputs import PreparedInputs, prepare_inputs, store_inputs
from supervisor.lock import Holder, hold_home
from supervisor.log_lines import utc_text
from supervisor.manifest import Protection, make_manifest
from supervisor.nursery import Nursery
from supervisor.plan import default_seats
from supervisor.quiet_session import QuietSession
from supervisor.run_files import freeze_settings
from supervisor.run_life import Limits, RunLife
from supervisor.runs import RunFigures, RunFolder, list_runs, next_ordinal
from supervisor.session import Session

KEEPER: Role = "pool-keeper"
EXIT_FINDING = 1
EXIT_FAILED = 3
EXIT_KILLED = 130


@dataclass(frozen=True)
class UpRequest:
    """What `up` was asked for."""

    sources: Sources
    limits: Limits
    is_detached: bool = False
    has_keys: bool = True


@dataclass(frozen=True)
class Ending:
    """How it ended."""

    exit_code: int
    message: str | None = None
    """What the user must know, when there is something."""


@dataclass(frozen=True)
class Preparation:
    """What a run is to be made of."""

    configuration: Configuration
    prepared: PreparedInputs
    rung: Rung


Settled = Callable[[tuple[str, ...], tuple[str, ...]], None]
"""Called once, when every actor is ready or was given up: with those given up, and what to know of the inputs."""


def bring_up(request: UpRequest, nursery: Nursery, on_settled: Settled) -> Ending:
    """Live one run; raises OneirosError when none can be begun."""
    configuration = load_configuration(request.sources)
    home = request.sources.home
    rung = choose(configuration.settings.supervisor.strongest_box, configuration.settings.supervisor.isolation)
    home.create()
    runtime = runtime_folder(home.root)
    holder = Holder(pid=os.getpid(), started_at=utc_text(time.time()), runtime=str(runtime))
    with hold_home(home, holder):
        prepared = prepare_inputs(configuration.settings.run)
        store_inputs(prepared, home.inputs)
        session = Session(home, runtime, nursery, is_detached=request.is_detached, has_keys=request.has_keys)
        try:
            for run in (run for run in list_runs(home) if run.is_open):
                if not close_silent(run) and not close_interrupted(session, run):
                    return Ending(EXIT_KILLED if session.was_killed else 0, "stopped before the run began")
            return _live(session, request, Preparation(configuration, prepared, rung), on_settled)
        finally:
            session.close()
            clear_runtime(runtime)


def finish_interrupted(home: Home, runtime: Path) -> None:
    """Bring every interrupted run of a home that is held to its end. Raises RecoveryError, or UsageError on a stop."""
    runs = [run for run in list_runs(home) if run.is_open and not close_silent(run)]
    if not runs:
        return
    with QuietSession(home, runtime) as session:
        for run in runs:
            if not close_interrupted(session, run):
                raise UsageError(f"stopped while run {run.run_id} was brought to its end; nothing else was done")


def close_silent(run: RunFolder) -> bool:
    """Close an interrupted run in which nothing was said, so that no process is needed; whether it was one."""
    if _has_messages(run):
        return False
    last = run.last_figures()
    run.close(_closing(run, "nothing was said", {} if last is None else last.sections))
    return True


def close_interrupted(session: Session, run: RunFolder) -> bool:
    """Bring an interrupted run to its end; False when a stop was asked for meanwhile. Raises RecoveryError."""
    say = session.events.say
    last = run.last_figures()
    say("info", "recovering", run=run.run_id)
    try:
        manifest = run.read_manifest()
    except (OSError, ValidationError) as error:
        reason = "its manifest cannot be read" if isinstance(error, OSError) else "its manifest is of another version"
        raise RecoveryError(run.run_id, reason, str(run.path), str(run.home.root)) from error
    keepers = tuple(seat for seat in manifest.seats if seat.role == KEEPER)
    life = RunLife(session, run, manifest, keepers, Limits(caught_up=True))
    session.conduct(life)
    if not was_stored(life):
        if life.supervision.stop_reason in {"interrupted", "down"}:
            return False
        for instance, why in life.supervision.cannot_start.items():
            raise CannotStartError(run.run_id, instance, why)
        reasons = (actor.reason or actor.state for actor in life.supervision.actors.values())
        raise RecoveryError(run.run_id, ", ".join(reasons), str(run.path), str(run.home.root))
    known = {} if last is None else last.sections
    run.close(_closing(run, "recovered", {**life.sections(), **known, "pool": life.sections()["pool"]}))
    say("info", "recovered", run=run.run_id)
    return life.supervision.stop_reason == "recovered"


def _live(
    session: Session,
    request: UpRequest,
    plan: Preparation,
    on_settled: Settled,
) -> Ending:
    prepared, ordinal = plan.prepared, next_ordinal(session.home)
    protection = Protection(plan.rung, "none" if session.book is None else "curve")
    manifest = make_manifest(
        plan.configuration, prepared.sha256, default_seats(), ordinal, datetime.now(UTC), protection
    )
    run = _begin(session, manifest)
    freeze_settings(run, request.sources)
    for line in prepared.left_out.lines():
        session.events.say("warning", "input left out", what=line)
    for warning in prepared.warnings:
        session.events.say("warning", "inputs", why=warning)
    life = RunLife(session, run, manifest, manifest.seats, request.limits)
    life.left_out = prepared.left_out
    life.on_settled = lambda given_up: on_settled(given_up, prepared.notices)
    session.conduct(life)
    is_closed = _end_run(session, run, life)
    ending = _judge(session, life, request.limits)
    if not is_closed and ending.exit_code == 0:
        return Ending(EXIT_FINDING, f"run {run.run_id} is left open; the next {_up(session)} recovers it")
    return ending


def _end_run(session: Session, run: RunFolder, life: RunLife) -> bool:
    """Close the run when all that was said is stored, or nothing was said before the stop; whether it is closed."""
    reason = life.supervision.stop_reason or "finished"
    was_asked = reason in {"interrupted", "down"}
    if was_stored(life):
        run.close(life.figures(reason))
    elif not (was_asked and close_silent(run)):
        run.write_figures(life.figures(reason))
        session.events.say("warning", "left open", run=run.run_id, why=f"the next {_up(session)} recovers it")
        return False
    session.events.say("info", "closed", run=run.run_id, reason=reason)
    return True


def _begin(session: Session, manifest: RunManifest) -> RunFolder:
    run = RunFolder(session.home, RunId(manifest.run_id))
    run.write_manifest(manifest)
    session.events.say("info", "run", run=run.run_id, **_facts(manifest))
    if manifest.isolation == "none":
        session.events.say("warning", "no box", run=run.run_id)
    if manifest.keys == "none":
        session.events.say("warning", "no keys", run=run.run_id)
    return run


def _facts(manifest: RunManifest) -> dict[str, str | int]:
    return {
        "seed": manifest.seed,
        "config": manifest.config_sha256[:12],
        "isolation": manifest.isolation,
        "keys": manifest.keys,
    }


def _judge(session: Session, life: RunLife, limits: Limits) -> Ending:
    if session.was_killed:
        return Ending(EXIT_KILLED, f"everything was killed; the next {_up(session)} recovers the run")
    supervision = life.supervision
    if supervision.cannot_start:
        lines = (f"{name} cannot start: {why}" for name, why in supervision.cannot_start.items())
        return Ending(EXIT_FAILED, "\n".join(lines))
    if supervision.failed:
        see = advise("logs --level error", session.home.root)
        return Ending(EXIT_FAILED, f"given up: {', '.join(supervision.failed)}; see {see}")
    if supervision.stop_reason == "for" and supervision.never_ready:
        return Ending(EXIT_FINDING, f"never ready within the time given: {', '.join(supervision.never_ready)}")
    if limits.profiles is not None and supervision.stop_reason == "for" and life.profiles_applied < limits.profiles:
        return Ending(
            EXIT_FINDING, f"{life.profiles_applied} of {limits.profiles} profiles applied within the time given"
        )
    return Ending(0)


def _up(session: Session) -> str:
    return advise("up", session.home.root)


def was_stored(life: RunLife) -> bool:
    """Whether the keeper left in order, and so has taken in everything that was journalled."""
    keepers = [actor for actor in life.supervision.actors.values() if actor.seat.role == KEEPER]
    return all(actor.state == "stopped" and actor.exit_status == 0 for actor in keepers)


def _has_messages(run: RunFolder) -> bool:
    if not run.journal.is_dir():
        return False
    return any(list_segments(folder) for folder in run.journal.iterdir() if folder.is_dir() and folder.name != KEEPER)


def _closing(run: RunFolder, reason: str, sections: dict[str, dict[str, float | int | str | None]]) -> RunFigures:
    last = run.last_figures()
    uptime_s = 0.0 if last is None else last.uptime_s
    return RunFigures(run_id=run.run_id, reason=reason, at=utc_text(time.time()), uptime_s=uptime_s, sections=sections)


def clear_runtime(runtime: Path) -> None:
    """Remove the sockets that killed processes left; nobody is alive to listen on them."""
    with suppress(OSError):
        for socket in (*runtime.glob("*.in"), *runtime.glob("*.out"), *runtime.glob("*.ctl"), *runtime.glob("*.seat")):
            socket.unlink(missing_ok=True)
        runtime.rmdir()
