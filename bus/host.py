"""The process around an actor: arguments, journal, sockets, signals, exit code. What every `python -m actors.ROLE`
shares.

In: `--home --run --instance --epoch --runtime`, the frozen manifest of the run, what the supervisor hands over, and
the builder of the actor. Out: exit code 0 after an ordered stop (SIGTERM), 70 when the actor cannot go on, 75 when
another process must begin the next segment, 78 when a new start would not help; the supervisor is told why. SIGHUP
reopens the log after its rotation, except in a box, where nothing can be opened.

A boxed actor (`bus.box`) is built, with all that it imports and reads, before the box closes. On the rung
`landlock+seccomp` the box closes before there is a second thread, and its sockets and journal are opened inside; on
`seccomp-no-open` it closes when everything is open.
"""

import argparse
import os
import signal
import socket
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bus.actor_log import ActorLog
from bus.box.box import enter
from bus.box.limits import apply
from bus.box.profiles import is_boxed, limits_of, walls_of
from bus.core import Actor
from bus.errors import StartError
from bus.guard import forbid_pool
from bus.inheritance import Inheritance, add_argument, inherit
from bus.intake import Intake
from bus.journal import Journal, SegmentLimits
from bus.keys import guest_keys
from bus.launch import ActorStart, load_manifest
from bus.link import Inbox, Outlet, make_context
from bus.loop import ActorLoop
from bus.recovery import History, read_history
from bus.refusals import Refusals
from bus.reporting import SUPERVISOR, tell
from bus.seating import Reception
from bus.topology import peers_of, senders_to
from schemas.catalogue import schema_digest
from schemas.control import Failed
from schemas.errors import OneirosError
from schemas.isolation import Rung
from schemas.manifest import RunManifest, Seat
from schemas.roles import Role

EXIT_FAILED: Final = 70
EXIT_SUCCESSOR: Final = 75
"""Of a process that ended in order because it may not open the next segment of its journal."""
EXIT_PERMANENT: Final = 78
"""Of a process that need not be started again before something is changed."""
FAREWELL_MS: Final = 200
HOUR_NS: Final = 3600 * 1_000_000_000
POOL_ROLE: Final[Role] = "pool-keeper"


def run(role: Role, build: Callable[[ActorStart], Actor]) -> int:
    """Be the actor `role` until told to stop; the exit code of the process."""
    arguments = _arguments(role)
    log = ActorLog(arguments.instance)
    post = Post(arguments, inherit(arguments.handed))
    try:
        manifest = load_manifest(arguments.home, arguments.run)
        start = ActorStart(arguments.home, manifest, _seat(manifest, arguments.instance, role))
        return Host(start, post, log, arguments.landlock_abi).serve(build)
    except (OneirosError, OSError) as error:
        log.error(f"cannot start: {error}")
        post.tell_failure(str(error))
        return _exit_code(error)


def _exit_code(error: Exception) -> int:
    is_permanent = isinstance(error, OneirosError) and error.is_permanent
    return EXIT_PERMANENT if is_permanent else EXIT_FAILED


def _arguments(role: Role) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"actors.{role}", description="Started by the supervisor.")
    parser.add_argument("--home", type=Path, required=True, help="state folder")
    parser.add_argument("--run", required=True, help="run id; its manifest is in HOME/runs/RUN")
    parser.add_argument("--instance", required=True, help="seat in the manifest")
    parser.add_argument("--epoch", type=int, required=True, help="number of this process start, never reused")
    parser.add_argument("--runtime", type=Path, required=True, help="folder of the sockets")
    parser.add_argument("--landlock-abi", type=int, help="use no newer Landlock than that, as an older kernel would")
    add_argument(parser)
    return parser.parse_args()


def _seat(manifest: RunManifest, instance: str, role: Role) -> Seat:
    for seat in manifest.seats:
        if seat.instance == instance and seat.role == role:
            return seat
    raise StartError(f"run {manifest.run_id} has no seat {instance!r} for a {role}")


class Post:
    """The sockets of one process, opened when they are first needed."""

    def __init__(self, arguments: argparse.Namespace, inherited: Inheritance) -> None:
        self.instance: str = arguments.instance
        self.epoch: int = arguments.epoch
        self._runtime: Path = arguments.runtime
        self._inherited = inherited
        self._context = make_context()
        """Made before any box is closed: it may read the system's randomness."""
        self._outlet: Outlet | None = None

    def outlet(self, peers: tuple[str, ...] = ()) -> Outlet:
        """The sending ends, to the supervisor at least."""
        if self._outlet is None:
            self._outlet = Outlet(
                self._context,
                self._runtime,
                (SUPERVISOR, *peers),
                awaited=(SUPERVISOR,),
                ring=self._inherited.ring,
                listeners=self._inherited.outlets,
            )
        return self._outlet

    def inbox(self, callers: tuple[str, ...], guests: Mapping[str, bytes | None]) -> Inbox:
        """The receiving end; it goes and fetches from `callers`, and lets `guests` in under their keys."""
        return Inbox(
            self._context,
            self._runtime,
            self.instance,
            ring=self._inherited.ring,
            listener=self._inherited.inbox,
            callers=callers,
            guests=guests,
        )

    def tell_failure(self, reason: str) -> None:
        """Tell the supervisor why this process never came to its loop."""
        report = Failed(instance=self.instance, epoch=self.epoch, step=0, input_reference="start", reason=reason[:2000])
        tell(self.outlet(), self.instance, self.epoch, report)
        self.outlet().close(FAREWELL_MS)
        self._context.destroy(linger=0)


@dataclass(frozen=True)
class Host:
    """One process on its way to its loop."""

    start: ActorStart
    post: Post
    log: ActorLog
    max_abi: int | None
    """Newest Landlock ABI that the box may use; None for what the kernel has."""

    def serve(self, build: Callable[[ActorStart], Actor]) -> int:
        """Be the actor until told to stop; the exit code."""
        start, seat = self.start, self.start.seat
        apply(limits_of(seat.role, start.settings))
        if seat.role != POOL_ROLE:
            forbid_pool(start.home / "pool")
        built = [build(start)] if is_boxed(seat.role) else []
        refusals = Refusals(start.home / "logs" / "refusals", seat.instance)
        wakers = socket.socketpair()
        self._close_box("landlock+seccomp")
        history = read_history(self._run_folder / seat.instance)
        loop = self._loop(lambda: built.pop() if built else build(start), refusals, history)
        _handle_signals(loop, wakers, None if is_boxed(seat.role) else start.home / "logs" / f"{seat.instance}.log")
        return self._turn(loop, history)

    @property
    def _run_folder(self) -> Path:
        return self.start.home / "journal" / self.start.manifest.run_id

    def _close_box(self, rung: Rung) -> None:
        """Enter the box of this run if it is the one called `rung`, and this actor has one."""
        manifest, seat = self.start.manifest, self.start.seat
        if manifest.isolation != rung or not is_boxed(seat.role):
            return
        (self._run_folder / seat.instance).mkdir(parents=True, exist_ok=True, mode=0o700)
        walls = walls_of(seat.role, self.start.home.resolve(), manifest.run_id, seat.instance)
        enter(rung, walls, max_abi=self.max_abi)

    def _loop(self, build: Callable[[], Actor], refusals: Refusals, history: History) -> ActorLoop:
        start, seat, seats = self.start, self.start.seat, self.start.manifest.seats
        return ActorLoop(
            seat=seat,
            seats=seats,
            home=start.home,
            epoch=self.post.epoch,
            build=build,
            inbox=self.post.inbox(_boxed_senders(start), _guests(start)),
            outlet=self.post.outlet(_peers(start)),
            intake=Intake(seat, seats, self._run_folder, refusals, self.log),
            journal=_journal(start, self.post.epoch, history),
            refusals=refusals,
            log=self.log,
            can_open=not (is_boxed(seat.role) and start.manifest.isolation == "seccomp-no-open"),
        )

    def _turn(self, loop: ActorLoop, history: History) -> int:
        try:
            loop.resume(history)
            self._close_box("seccomp-no-open")
            loop.run()
            self.log.debug(f"stopped at step {loop.step}")
            return EXIT_SUCCESSOR if loop.wants_successor else 0
        except Exception as error:  # the one place that sees every fault of a core
            self.log.error(f"failed at {loop.current_input}: {error}", traceback=traceback.format_exc())
            reason = str(error) if isinstance(error, OneirosError) else f"{type(error).__name__}: {error}"
            loop.reporter.failed(loop.step, loop.current_input, reason)
            return _exit_code(error)
        finally:
            loop.close(FAREWELL_MS)


def _peers(start: ActorStart) -> tuple[str, ...]:
    roles = peers_of(start.seat.role)
    return tuple(seat.instance for seat in start.manifest.seats if seat.role in roles)


def _boxed_senders(start: ActorStart) -> tuple[str, ...]:
    """Those who say something to this actor and wait for it to fetch that."""
    senders = senders_to(start.seat.role)
    return tuple(seat.instance for seat in start.manifest.seats if seat.role in senders and is_boxed(seat.role))


def _guests(start: ActorStart) -> dict[str, bytes | None]:
    """The keys of the guests that may say something to this actor: they call as soon as there is an inbox."""
    role = start.seat.role
    book = Reception(role, start.home / "runs" / start.manifest.run_id).book
    return guest_keys(book, senders_to(role))


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


def _handle_signals(loop: ActorLoop, wakers: tuple[socket.socket, socket.socket], log_path: Path | None) -> None:
    """SIGTERM and SIGINT ask for an ordered stop and wake the loop; SIGHUP reopens the log at `log_path`."""
    receiver, waker = wakers
    waker.setblocking(False)
    loop.inbox.wake_on(receiver, waker)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)

    def stop(*_: object) -> None:
        loop.is_stopping = True

    def reopen(*_: object) -> None:
        if log_path is not None:
            fd = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(fd, 1)
            os.dup2(fd, 2)
            os.close(fd)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, reopen)
