"""The process around an actor: arguments, journal, sockets, signals, exit code. What every `python -m actors.ROLE`
shares.

In: `--home --run --instance --epoch --runtime`, the frozen manifest of the run, and the builder of the actor.
Out: exit code 0 after an ordered stop (SIGTERM), 70 when the actor cannot go on, 78 when a new start would not
help; the supervisor is told why. SIGHUP reopens the log after its rotation.
"""

import argparse
import os
import signal
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bus.actor_log import ActorLog
from bus.core import Actor
from bus.errors import StartError
from bus.guard import forbid_pool
from bus.intake import Intake
from bus.journal import Journal, SegmentLimits
from bus.launch import ActorStart, load_manifest
from bus.link import Inbox, Outlet, make_context
from bus.loop import ActorLoop
from bus.recovery import History, read_history
from bus.refusals import Refusals
from bus.reporting import SUPERVISOR, tell
from bus.topology import peers_of
from schemas.catalogue import schema_digest
from schemas.control import Failed
from schemas.errors import OneirosError
from schemas.manifest import RunManifest, Seat
from schemas.roles import Role

EXIT_FAILED: Final = 70
EXIT_PERMANENT: Final = 78
"""Of a process that need not be started again before something is changed."""
FAREWELL_MS: Final = 200
HOUR_NS: Final = 3600 * 1_000_000_000
POOL_ROLE: Final[Role] = "pool-keeper"


def run(role: Role, build: Callable[[ActorStart], Actor]) -> int:
    """Be the actor `role` until told to stop; the exit code of the process."""
    arguments = _arguments(role)
    log = ActorLog(arguments.instance)
    try:
        manifest = load_manifest(arguments.home, arguments.run)
        seat = _seat(manifest, arguments.instance, role)
        return _serve(ActorStart(arguments.home, manifest, seat), build, arguments.epoch, arguments.runtime, log)
    except (OneirosError, OSError) as error:
        log.error(f"cannot start: {error}")
        _tell(arguments, str(error))
        return _exit_code(error)


def _exit_code(error: Exception) -> int:
    is_permanent = isinstance(error, OneirosError) and error.is_permanent
    return EXIT_PERMANENT if is_permanent else EXIT_FAILED


def _tell(arguments: argparse.Namespace, reason: str) -> None:
    """Tell the supervisor why this process never came to its loop."""
    context = make_context()
    outlet = Outlet(context, arguments.runtime, (SUPERVISOR,), awaited=(SUPERVISOR,))
    report = Failed(instance=arguments.instance, epoch=arguments.epoch, step=0, input_reference="start", reason=reason)
    tell(outlet, arguments.instance, arguments.epoch, report)
    outlet.close(FAREWELL_MS)
    context.term()


def _arguments(role: Role) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"actors.{role}", description="Started by the supervisor.")
    parser.add_argument("--home", type=Path, required=True, help="state folder")
    parser.add_argument("--run", required=True, help="run id; its manifest is in HOME/runs/RUN")
    parser.add_argument("--instance", required=True, help="seat in the manifest")
    parser.add_argument("--epoch", type=int, required=True, help="number of this process start, never reused")
    parser.add_argument("--runtime", type=Path, required=True, help="folder of the sockets")
    return parser.parse_args()


def _seat(manifest: RunManifest, instance: str, role: Role) -> Seat:
    for seat in manifest.seats:
        if seat.instance == instance and seat.role == role:
            return seat
    raise StartError(f"run {manifest.run_id} has no seat {instance!r} for a {role}")


def _serve(start: ActorStart, build: Callable[[ActorStart], Actor], epoch: int, runtime: Path, log: ActorLog) -> int:
    if start.seat.role != POOL_ROLE:
        forbid_pool(start.home / "pool")
    run_folder = start.home / "journal" / start.manifest.run_id
    refusals = Refusals(start.home / "logs" / "refusals", start.seat.instance)
    context = make_context()
    inbox = Inbox(context, runtime, start.seat.instance)
    outlet = Outlet(context, runtime, _peers(start), awaited=(SUPERVISOR,))
    history = read_history(run_folder / start.seat.instance)
    loop = ActorLoop(
        seat=start.seat,
        seats=start.manifest.seats,
        home=start.home,
        epoch=epoch,
        build=lambda: build(start),
        inbox=inbox,
        outlet=outlet,
        intake=Intake(start.seat, start.manifest.seats, run_folder, refusals, log),
        journal=_journal(start, epoch, history),
        refusals=refusals,
        log=log,
    )
    _handle_signals(loop, start.home / "logs" / f"{start.seat.instance}.log")
    return _turn(loop, history, log)


def _turn(loop: ActorLoop, history: History, log: ActorLog) -> int:
    try:
        loop.resume(history)
        loop.run()
        log.debug(f"stopped at step {loop.step}")
        return 0
    except Exception as error:  # the one place that sees every fault of a core
        log.error(f"failed at {loop.current_input}: {error}", traceback=traceback.format_exc())
        reason = str(error) if isinstance(error, OneirosError) else f"{type(error).__name__}: {error}"
        loop.reporter.failed(loop.step, loop.current_input, reason)
        return _exit_code(error)
    finally:
        loop.close(FAREWELL_MS)


def _peers(start: ActorStart) -> tuple[str, ...]:
    roles = peers_of(start.seat.role)
    return (SUPERVISOR, *(seat.instance for seat in start.manifest.seats if seat.role in roles))


def _journal(start: ActorStart, epoch: int, history: History) -> Journal:
    settings = start.settings.journal
    head = {
        "actor": start.seat.instance,
        "role": start.seat.role,
        "run": start.manifest.run_id,
        "predecessor": tuple(history.last),
        "cut_bytes": history.cut_bytes,
        "schema": schema_digest(),
        "fingerprint": start.manifest.fingerprint.model_dump(),
    }
    limits = SegmentLimits(settings.segment_mib * 1024 * 1024, int(settings.segment_hours * HOUR_NS))
    return Journal(history.folder, head, epoch, settings.fsync, limits)


def _handle_signals(loop: ActorLoop, log_path: Path) -> None:
    """SIGTERM and SIGINT ask for an ordered stop and wake the loop; SIGHUP reopens the log."""
    receiver, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    loop.wake_on(receiver, waker)

    def stop(*_: object) -> None:
        loop.is_stopping = True

    def reopen(*_: object) -> None:
        fd = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        os.close(fd)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, reopen)
