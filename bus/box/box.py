"""Closing the box: from here on the kernel decides what this process may reach (design, section 3; dossier of
reliability, section 1).

In: a rung of the ladder and the walls. Out: a process that cannot leave, nor can any of its threads. All that it
imports must be there before, for nothing outside the walls can be read. Refused: a rung that the kernel cannot give,
sockets that could address anybody, and a box that turns out to be open; for `landlock+seccomp`, which binds the
calling thread and those that it starts, a process that has others already. For `seccomp-no-open` all files and
sockets must be open before; threads may run.
"""

import ctypes
import importlib
import os
import socket
import sys
from contextlib import suppress
from typing import Final, assert_never

from bus.box import landlock, seccomp
from bus.box.calls import with_paths, without_paths
from bus.box.descriptors import refuse_free_sockets
from bus.box.errors import BoxError
from bus.box.profiles import Walls
from schemas.isolation import Rung

__all__ = ["Walls", "enter"]

LATE_IMPORTS: Final = ("zmq.utils.garbage",)
"""What libraries import when first used: this one when a message is sent uncopied."""
OUTSIDE: Final = ("/", "/proc")
"""Folders of every machine that no walls leave open."""


def enter(rung: Rung, walls: Walls, *, max_abi: int | None = None) -> None:
    """Close a box with `walls` around this process for good; raises BoxError, after which the process must end.

    `bwrap` is made around a process by whoever starts it (`supervisor.bubblewrap`), since namespaces hold what they
    were started with: nothing is left to do inside. `none` is nothing. With `max_abi`, Landlock is used as a kernel of
    that ABI would, for trials.
    """
    match rung:
        case "landlock+seccomp":
            _prepare()
            landlock.restrict(walls, max_abi)
            seccomp.install(with_paths(os.getpid()))
            _prove()
        case "seccomp-no-open":
            _prepare()
            seccomp.install(without_paths(os.getpid()))
            _prove()
        case "bwrap" | "none":
            return
        case _:
            assert_never(rung)


def _prepare() -> None:
    """Load what would be looked for later, refuse sockets that reach anywhere, give up new privileges."""
    for name in LATE_IMPORTS:
        if name.partition(".")[0] in sys.modules:
            importlib.import_module(name)
    with suppress(OSError):
        ctypes.CDLL("libgcc_s.so.1")  # loaded by libc when a thread is cancelled, and by then out of reach
    refuse_free_sockets()
    seccomp.forbid_new_privileges()


def _prove() -> None:
    """Ask the kernel whether the box holds, then try the doors that matter most; raises BoxError when one opens."""
    if not seccomp.is_enforced():
        raise BoxError("the box is open: the kernel says that it filters no calls; run `supervisor doctor`")
    for path in OUTSIDE:
        with suppress(PermissionError):
            os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            raise BoxError(f"the box is open: {path} can be read; run `supervisor doctor`")
    with suppress(PermissionError):
        socket.socket(socket.AF_UNIX).close()
        raise BoxError("the box is open: a socket can be made; run `supervisor doctor`")
