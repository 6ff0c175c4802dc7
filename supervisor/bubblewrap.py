"""The rung `bwrap`: a process in namespaces of its own, for kernels with neither Landlock nor seccomp, or as asked for.

In: the module of an actor, its arguments, what it may read and write, the descriptors that it is handed. Out: a
process that sees no network, no other process, and no file but programs, what it loads at its start and its own
folder. What knows no namespace is closed as well: its session keyring is its own, and where the kernel filters calls,
a filter refuses keys and sockets of other kinds. Refused, as OSError: a bwrap that is missing, or that the system lets
make no namespaces; a keyring that would be shared.
"""

import importlib.util
import json
import os
import select
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Final

from bus.box import seccomp
from bus.box.calls import in_namespaces
from bus.box.ladder import BWRAP, can_disable_user_namespaces
from bus.box.profiles import Walls, is_boxed, walls_of
from bus.inheritance import arguments_for
from schemas.manifest import RunManifest, Seat
from supervisor import kernel
from supervisor.log_tail import log_file
from supervisor.processes import ChildProcess, Launcher, Process, RunSeats, start_process

PACKAGES: Final = ("actors", "bus", "schemas")
"""What an actor imports of ours; nothing of the supervisor is inside."""
SYSTEM_PLACES: Final = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime")
PATIENCE_S: Final = 10.0
"""How long bwrap may take until it says whom it has started."""
MAX_INFO_BYTES: Final = 4096
SIGNAL_BASE: Final = 128
"""Exit status of bwrap, less the number of the signal that ended the process inside."""


@dataclass(frozen=True)
class BoxedChild:
    """A bwrap that is our child, with the process inside, whose exit status it hands on."""

    outer: ChildProcess
    inner_pid: int

    @property
    def pid(self) -> int:
        """The id of bwrap, which is the id of the group."""
        return self.outer.pid

    def has_ended(self) -> bool:
        """Whether it has ended; its id stays taken until `reap`."""
        return self.outer.has_ended()

    def signal(self, number: int) -> None:
        """Send signal `number` to the process inside; nothing happens when it has ended.

        It is the first process of its namespace, which the kernel spares every signal that it does not handle: what
        would end any other process while it starts is SIGKILL for it.
        """
        if not self.outer.has_ended():
            with suppress(ProcessLookupError):
                os.kill(self.inner_pid, number if kernel.handles(self.inner_pid, number) else signal.SIGKILL)

    def kill_group(self) -> None:
        """SIGKILL to bwrap and all inside; nothing happens when they are gone."""
        kernel.kill_group(self.outer.pid)

    def reap(self) -> int:
        """The exit status of the process inside, negative for a signal; the id of bwrap is free afterwards."""
        status = self.outer.reap()
        return SIGNAL_BASE - status if SIGNAL_BASE < status < SIGNAL_BASE + signal.NSIG else status


def view_of(seat: Seat, home: Path, manifest: RunManifest) -> Walls:
    """What a process of `seat` sees of `home`: its walls, what it loads at its start, and its file of refusals.

    Makes what it writes, for only what exists can be shown. Raises OSError.
    """
    walls = walls_of(seat.role, home, manifest.run_id, seat.instance)
    for folder in walls.writes:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    refusals = home / "logs" / "refusals" / f"{seat.instance}.jsonl"
    refusals.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    refusals.touch(mode=0o600)
    loaded = (
        home / "runs" / manifest.run_id / "manifest.json",
        home / "inputs" / f"{manifest.inputs_sha256}.msgpack",
    )
    return Walls(reads=(*walls.reads, *loaded), writes=(*walls.writes, refusals))


def boxed_command(
    command: Sequence[str], view: Walls, folder: Path, info_fd: int, filter_fd: int | None = None
) -> list[str]:
    """The command that runs `command` in `folder` and sees programs and `view` alone; it tells whom on `info_fd`.

    Calls are filtered by the program that `filter_fd` holds, if there is one.
    """
    line = [BWRAP, "--unshare-all", "--die-with-parent", "--as-pid-1", "--cap-drop", "ALL"]
    line += ["--unshare-user", "--disable-userns"] if _disables_user_namespaces() else []
    line += [] if filter_fd is None else ["--seccomp", str(filter_fd)]
    line += ["--info-fd", str(info_fd), "--proc", "/proc", "--dev", "/dev"]
    line += ["--tmpfs", "/tmp"]  # noqa: S108 - a folder inside the box; first, for what is shown may lie below it
    for place in SYSTEM_PLACES:
        line += ["--ro-bind-try", place, place]
    line += _shown("--ro-bind", (*program_folders(sys.path[:], view.writes), *view.reads))
    line += _shown("--bind", view.writes)
    return [*line, "--chdir", str(folder), "--", *command]


@dataclass(frozen=True)
class Start:
    """What is started in a box, and how."""

    module: str
    arguments: Sequence[str]
    folder: Path
    """Where it runs, a folder that holds some of what it sees."""
    log: Path
    handed: tuple[int, ...] = ()
    """Descriptors that it inherits."""
    has_filter: bool = field(default_factory=lambda: seccomp.missing() is None)
    """Whether its calls are filtered; by default where the kernel can."""


def start_boxed(start: Start, view: Walls) -> BoxedChild:
    """Start `python -P -m MODULE ARGUMENTS` in a box where it sees `view`; raises OSError when there is no box."""
    reader, writer = os.pipe()
    filter_fd = _filter() if start.has_filter else None
    ours = [reader, writer] if filter_fd is None else [reader, writer, filter_fd]
    try:
        python = [sys.executable, "-P", "-m", start.module, *start.arguments]
        line = boxed_command(python, view, start.folder, writer, filter_fd)
        handed = (*start.handed, *ours[1:])
        leave = partial(_leave_keyring, start.has_filter)
        outer = start_process(line, start.folder, start.log, handed, prepare=leave)
        os.close(ours.pop(1))
        return BoxedChild(outer, _inner_pid(reader, outer))
    finally:
        for end in ours:
            os.close(end)


def _filter() -> int:
    """The read end of a pipe that holds the filter of calls."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(seccomp.code_of(in_namespaces()))
    return reader


def _leave_keyring(is_filtered: bool) -> None:
    """Share no session keyring; where calls are filtered none can be used, so that failing is no harm."""
    try:
        kernel.leave_session_keyring()
    except OSError:
        if not is_filtered:
            raise


@cache
def _disables_user_namespaces() -> bool:
    return can_disable_user_namespaces()


def _inner_pid(reader: int, outer: ChildProcess) -> int:
    """Whom bwrap says that it has started; raises OSError, with bwrap gone, when it does not say."""
    said = b""
    while select.select([reader], [], [], PATIENCE_S)[0]:
        piece = os.read(reader, MAX_INFO_BYTES)
        said += piece
        if not piece:
            break
    try:
        return int(json.loads(said)["child-pid"])
    except (ValueError, KeyError, TypeError) as error:
        outer.kill_group()
        outer.reap()
        raise OSError("bwrap started nothing; its reason is in the log of the actor") from error


def program_folders(searched: Sequence[str], written: Sequence[Path] = ()) -> tuple[Path, ...]:
    """Where Python, its libraries and our packages are, with the places of `searched` that hold other libraries.

    Not shown, though searched: what holds the user's home or one of `written`, and so much more than programs, and a
    checkout of ours beyond the packages themselves.
    """
    ours = [Path(place) for name in PACKAGES for place in _places_of(name)]
    private = (Path.home().resolve(), *(path.resolve() for path in written))
    libraries = [
        place
        for place in map(Path, searched)
        if place.is_absolute()
        and place.exists()
        and not any(path.is_relative_to(place.resolve()) for path in private)
        and (place not in {path.parent for path in ours} or any(place.glob("*.dist-info")))
    ]
    found = {Path(sys.prefix), Path(sys.base_prefix), *ours, *libraries}
    return tuple(sorted(path for path in found if path != Path("/usr")))


def _places_of(package: str) -> list[str]:
    spec = importlib.util.find_spec(package)
    return list((spec and spec.submodule_search_locations) or ())


def _shown(option: str, places: Iterable[Path]) -> list[str]:
    return [word for place in places for word in (option, str(place), str(place))]


@dataclass(frozen=True)
class BubblewrapLauncher:
    """Starts boxed seats in bwrap, and all others as `others` does."""

    seats: RunSeats
    manifest: RunManifest
    others: Launcher

    def spawn(self, seat: Seat, epoch: int) -> Process:
        """Start the `epoch`-th process of `seat`; raises OSError when that cannot be done."""
        if not is_boxed(seat.role):
            return self.others.spawn(seat, epoch)
        home = self.seats.home
        view = view_of(seat, home.root, self.manifest)
        with self.seats.equipment.of(seat) as handed:
            told = [*self.seats.arguments(seat, epoch), *arguments_for(handed.descriptors)]
            log, descriptors = log_file(home, seat.instance), tuple(handed.descriptors.values())
            return start_boxed(Start(self.seats.module(seat), told, home.root, log, descriptors), view)
