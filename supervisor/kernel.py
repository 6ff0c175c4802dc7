"""What the kernel does for a supervisor, and what it tells about processes.

In: process ids. Out: death signals, the subreaper's duty, memory that nobody looks into, keyrings, process groups,
children, proportional memory. Nothing here knows an actor.
"""

import ctypes
import errno
import os
import platform
import resource
import signal
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PR_GET_PDEATHSIG: Final = 2
PR_SET_DUMPABLE: Final = 4
PR_SET_NAME: Final = 15
PR_SET_CHILD_SUBREAPER: Final = 36
ORPHAN_STATUS: Final = 71
"""Exit status of a child whose supervisor died before it could ask for its death signal."""

KEYCTL: Final = {
    "x86_64": 250,
    "aarch64": 219,
    "riscv64": 219,
    "loongarch64": 219,
    "i686": 288,
    "armv7l": 311,
    "ppc64le": 271,
    "s390x": 280,
}
"""Machine -> number of keyctl(2)."""
JOIN_SESSION_KEYRING: Final = 1

_libc = ctypes.CDLL(None, use_errno=True)


def bind_to_parent(parent: int) -> None:
    """Let the kernel kill this process when the thread that started it ends, and leave no core dump.

    For a child between fork and exec; ends it at once when `parent` is already gone.
    """
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(ORPHAN_STATUS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def keep_memory_private() -> None:
    """Leave no core dump, and let no process of this user look into this one; root may.

    The limit alone does not do: the kernel ignores it where dumps go to a program. What is started from here leaves no
    dump either, and may be looked into once it runs another program.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def leave_session_keyring() -> None:
    """Join a session keyring without a name, new and empty, which what is started from here shares.

    Raises OSError when that cannot be done; a kernel without keyrings has nothing to share.
    """
    number = KEYCTL.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, f"the number of keyctl on {platform.machine()} is not known here")
    if _libc.syscall(number, JOIN_SESSION_KEYRING, None) < 0 and ctypes.get_errno() != errno.ENOSYS:
        raise OSError(ctypes.get_errno(), f"no session keyring: {os.strerror(ctypes.get_errno())}")


def name_process(name: str) -> None:
    """Let `ps` and `top` show this process as `name`, of which the kernel keeps 15 bytes."""
    _libc.prctl(PR_SET_NAME, name.encode(), 0, 0, 0)


def has_death_signal() -> bool:
    """Whether the kernel can kill a process when its parent dies."""
    found = ctypes.c_int(0)
    return bool(_libc.prctl(PR_GET_PDEATHSIG, ctypes.byref(found), 0, 0, 0) == 0)


def become_subreaper() -> bool:
    """Let orphans of our children come to us; whether the kernel agreed."""
    return bool(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def raise_open_files_limit() -> int:
    """Raise the limit of open files as far as an ordinary user may; the limit that holds then."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def has_ended(pid: int) -> bool:
    """Whether our child `pid` has ended; it stays unreaped, so that its id is not used again yet."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def is_alive(pid: int) -> bool:
    """Whether a process `pid` runs, of whoever; one that has ended and was not reaped runs no more."""
    return _state_of(pid) not in {"Z", "X", ""}


def handles(pid: int, number: int) -> bool:
    """Whether `pid` handles or ignores signal `number`; False when there is no such process."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigCgt:", "SigIgn:"))]
    return any(mask >> (number - 1) & 1 for mask in masks)


def is_suspended(pid: int) -> bool:
    """Whether `pid` was stopped by a signal (Ctrl-Z, SIGSTOP) or a debugger, and does nothing until it is continued."""
    return _state_of(pid) in {"T", "t"}


def has_open(pid: int, path: Path) -> bool:
    """Whether `pid` is a process of this user that has the file at `path` open.

    Of one that nobody may look into it is known whether it holds a lock on that file.
    """
    folder = Path(f"/proc/{pid}")
    try:
        wanted = path.stat()
        if folder.stat().st_uid != os.getuid():
            return False
    except OSError:
        return False
    return _is_among(folder / "fd", wanted) or _has_locked(pid, wanted.st_ino)


def _is_among(descriptors: Path, wanted: os.stat_result) -> bool:
    with suppress(OSError):  # gone, or not to be looked into
        for entry in descriptors.iterdir():
            with suppress(OSError):  # closed while we looked
                if os.path.samestat(entry.stat(), wanted):
                    return True
    return False


def _has_locked(pid: int, inode: int) -> bool:
    """Whether proc(5) lists a lock of `pid` on a file of this number; file systems differ in how they name devices."""
    with suppress(OSError):
        rows = [row.split() for row in Path("/proc/locks").read_text().splitlines()]
        return any(str(pid) in row and any(word.endswith(f":{inode}") for word in row) for row in rows)
    return False


def _state_of(pid: int) -> str:
    """The letter of its state in proc(5), empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def kill_group(pid: int) -> None:
    """SIGKILL to the group of `pid`; nothing happens when there is none."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def clear_orphans(known: Collection[int]) -> None:
    """Kill and reap every child that is not in `known`: what a dead actor left behind has no work any more."""
    for pid in children_of(os.getpid()):
        if pid in known:
            continue
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, os.WNOHANG)
        except (ProcessLookupError, ChildProcessError):
            continue


def children_of(pid: int) -> list[int]:
    """The ids of the children of all threads of `pid`; empty when it is gone."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            found.extend(int(word) for word in Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    except OSError:
        return found
    return found


def memory_bytes(pid: int) -> int | None:
    """Proportional memory (PSS) of `pid` and of what it started, bytes; None when it is gone or not ours to see."""
    own = own_memory_bytes(pid)
    if own is None:
        return None
    return own + sum(memory_bytes(child) or 0 for child in children_of(pid))


def own_memory_bytes(pid: int) -> int | None:
    """Proportional memory (PSS) of `pid` alone, bytes; None when it is gone or not ours to see."""
    import psutil

    try:
        return int(psutil.Process(pid).memory_full_info().pss)
    except psutil.Error:
        return None
