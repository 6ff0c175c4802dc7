"""How a workload comes to be: a fork that arranges itself, tells what it could arrange, and becomes the program.

In: a command, an environment, a folder, settings, cgroups, the descriptors for its output. Out: a `Spawned` with what
was applied, or why nothing runs. The child is in the session of the guard and in a process group of its own, dies with
the guard, leaves no core dump, and is the first that the kernel takes when memory is short. No shell takes part.
Refused: to run anything when a setting does not hold.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

from actors.regime_runner import cgroups
from actors.regime_runner.process_settings import APPLIED, limit_private_memory, make_settings, refused

PR_SET_PDEATHSIG: Final = 1
OOM_PREFERENCE: Final = "800"
"""Of 1000: a trial goes before anything that the user runs."""
NOT_STARTED: Final = 126
ORDINARY_SIGNALS: Final = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Surroundings:
    """What the commands of one trial share."""

    folder: Path
    environment: Mapping[str, str]
    cgroup_paths: tuple[Path, ...]
    private_memory_bytes: int | None
    """Limit of each process, where no cgroup limits the whole."""
    file_bytes: int | None
    """Largest file that a process may write."""
    errors: int
    """Descriptor that takes standard error."""


@dataclass(frozen=True)
class Spawned:
    """A child of the guard, or why there is none."""

    pid: int
    applied: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    """Why the program does not run; the child has ended then, and was reaped."""
    began_s: float = 0.0
    """Monotonic moment just before it became the program."""
    prior_cpu_s: float = 0.0
    """CPU time that it had used until then."""


def spawn(argv: tuple[str, ...], settings: Mapping[str, object], around: Surroundings, output: int) -> Spawned:
    """Start `argv`, its standard output going to descriptor `output`; waits until it is the program or has failed."""
    receiver, teller = os.pipe2(os.O_CLOEXEC)
    guard = os.getpid()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.close(receiver)
        _be_the_child(argv, settings, around, output, teller, guard)
    os.close(teller)
    with os.fdopen(receiver, "rb") as told:
        reports = told.read().splitlines()
    spawned = Spawned(pid, **json.loads(reports[-1])) if reports else Spawned(pid, problem="it died at its start")
    if spawned.problem is not None:
        os.waitpid(pid, 0)
    return spawned


def _be_the_child(
    argv: tuple[str, ...], settings: Mapping[str, object], around: Surroundings, output: int, teller: int, guard: int
) -> NoReturn:
    """Become the program, or tell why not; returns to no caller."""
    applied: dict[str, str] = {}
    try:
        _arrange(around, output, guard)
        applied = make_settings(settings)
        if around.private_memory_bytes is not None:
            why = limit_private_memory(around.private_memory_bytes)
            applied["max_memory_bytes"] = APPLIED if why is None else refused(why)
        missing = sorted(name for name, how in applied.items() if how != APPLIED)
        if missing:
            _tell(teller, applied, f"not run, since these settings do not hold: {', '.join(missing)}")
            os._exit(NOT_STARTED)
        _tell(teller, applied, None)
        os.execve(argv[0], argv, dict(around.environment))  # noqa: S606 - no shell is the point
    except BaseException as error:  # a child of a fork must not return into the guard
        _tell(teller, applied, f"{argv[0]} cannot be run: {error}")
    os._exit(NOT_STARTED)


def _arrange(around: Surroundings, output: int, guard: int) -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != guard:
        os._exit(NOT_STARTED)
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in ORDINARY_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o077)
    os.chdir(around.folder)
    cgroups.join(around.cgroup_paths)
    with suppress(OSError):  # it stands higher already
        Path("/proc/self/oom_score_adj").write_text(OOM_PREFERENCE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if around.file_bytes is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        most = around.file_bytes if hard == resource.RLIM_INFINITY else min(around.file_bytes, hard)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor, target in ((nothing, 0), (output, 1), (around.errors, 2)):
        os.dup2(descriptor, target)


def _tell(teller: int, applied: dict[str, str], problem: str | None) -> None:
    """Add a report; the last one counts."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    report = {
        "applied": applied,
        "problem": problem,
        "began_s": time.monotonic(),
        "prior_cpu_s": used.ru_utime + used.ru_stime,
    }
    os.write(teller, json.dumps(report).encode() + b"\n")
