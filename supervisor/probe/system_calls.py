"""System calls made bare, so that nothing but the kernel can refuse them.

In: a name and arguments. Out: what the kernel answered; its refusals are OSError. Neither Python's audit hooks nor
libc stand between. Machines whose numbers are not known here are refused. Sources of the numbers:
arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of Linux.
"""

import ctypes
import errno
import os
import platform
from collections.abc import Callable
from typing import Final

from supervisor.probe.attempt import NotHereError

_X86_64: Final = {
    "shmget": 29, "shmat": 30, "clone": 56, "execve": 59, "shmdt": 67, "msgget": 68, "ptrace": 101, "chroot": 161,
    "mount": 165, "umount2": 166, "mq_open": 240, "mq_unlink": 241, "shmctl": 31, "msgctl": 71,
    "add_key": 248, "keyctl": 250, "openat": 257, "unshare": 272, "inotify_init1": 294,
    "inotify_add_watch": 254, "perf_event_open": 298, "name_to_handle_at": 303, "open_by_handle_at": 304, "setns": 308,
    "process_vm_readv": 310, "memfd_create": 319, "bpf": 321, "userfaultfd": 323,
}  # fmt: skip
_AARCH64: Final = {
    "shmget": 194, "shmat": 196, "clone": 220, "execve": 221, "shmdt": 197, "msgget": 186, "ptrace": 117, "chroot": 51,
    "mount": 40, "umount2": 39, "mq_open": 180, "mq_unlink": 181, "shmctl": 195, "msgctl": 187,
    "add_key": 217, "keyctl": 219, "openat": 56, "unshare": 97, "inotify_init1": 26,
    "inotify_add_watch": 27, "perf_event_open": 241, "name_to_handle_at": 264, "open_by_handle_at": 265, "setns": 268,
    "process_vm_readv": 270, "memfd_create": 279, "bpf": 280, "userfaultfd": 282,
}  # fmt: skip
_EVERYWHERE: Final = {"io_uring_setup": 425, "pidfd_open": 434, "clone3": 435, "pidfd_getfd": 438}
NUMBERS: Final = {"x86_64": _X86_64 | _EVERYWHERE, "aarch64": _AARCH64 | _EVERYWHERE}
"""Machine -> call -> number."""
AT_FDCWD: Final = -100

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_locked = ctypes.PyDLL(None, use_errno=True)
"""The same, but the interpreter stays locked: a child has no other thread that could give the lock back."""
_locked.syscall.restype = ctypes.c_long

Argument = int | bytes | None | ctypes.Array[ctypes.c_char]


def call(name: str, *arguments: Argument) -> int:
    """What the kernel answers to the system call `name`; raises OSError with its errno."""
    return _call(_libc, name, arguments)


def _call(library: ctypes.CDLL, name: str, arguments: tuple[Argument, ...]) -> int:
    numbers = NUMBERS.get(platform.machine())
    if numbers is None:
        raise NotHereError(f"the system calls of {platform.machine()} are not known here")
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    answer = int(library.syscall(ctypes.c_long(numbers[name]), *words))
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
    return answer


def open_bare(path: str, flags: int = os.O_RDONLY, folder: int = AT_FDCWD) -> int:
    """A descriptor of the file at `path`, as seen from the open `folder`; raises OSError."""
    return call("openat", folder, os.fsencode(path), flags | os.O_CLOEXEC, 0o600)


def read_bare(path: str, most_bytes: int = 1 << 16) -> bytes:
    """The first `most_bytes` of the file at `path`; raises OSError."""
    fd = open_bare(path)
    try:
        return os.read(fd, most_bytes)
    finally:
        os.close(fd)


def spawn_bare(name: str, *arguments: Argument, life: Callable[[], object] = lambda: None) -> int:
    """The id of a child made by the call `name`, which has lived its `life` and ended well; raises OSError."""
    child = _call(_locked, name, arguments)
    if child == 0:
        try:
            life()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise OSError(errno.ECHILD, "the child failed")
    return child
