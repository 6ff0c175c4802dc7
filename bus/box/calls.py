"""What a boxed process may ask of the kernel: every call by name, some only with harmless arguments.

In: the id of the process. Out: rules, with paths left to Landlock, with none at all, or for a program that starts in
namespaces of its own. All that is not named is refused: making, binding, connecting and shutting down sockets, starting
programs or processes, signals to others, tracing, shared memory, keys, namespaces, links, modes, times, mounts,
io_uring.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

PROT_EXEC: Final = 4
O_ACCMODE: Final = 3
O_TRUNC: Final = 0o1000
CLONE_OF_THREADS: Final = 0x00010100
"""CLONE_VM and CLONE_THREAD: in the same memory and process."""
CLONE_NEW_ANYTHING: Final = 0x7E020000
"""All namespace flags that clone() has."""
WHOLE: Final = 0xFFFFFFFF
CONTROLS: Final = (0, 1, 2, 3, 4, 1030)
"""fcntl: duplicate, descriptor flags, status flags. Not F_SETOWN, which sends signals to anybody."""
REQUESTS: Final = (0x5401, 0x541B, 0x5421, 0x5450, 0x5451)
"""ioctl: is it a terminal, bytes waiting, blocking, close on exec."""
PROCESS_OPTIONS: Final = (2, 3, 15, 16, 21, 39, 0x53564D41)
"""prctl: get death signal, dumpability, name, filter mode and no_new_privs; set the name; name memory."""
SOL_SOCKET: Final = 1
AF_UNIX: Final = 1


class Test(NamedTuple):
    """Whether `argument`, counted from 0, under `mask`, equals `value`; a `wide` one is 0 in all of its 64 bits."""

    argument: int
    value: int
    mask: int = WHOLE
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One call. Allowed as it is, or when all tests of one of the alternatives hold."""

    name: str
    alternatives: tuple[tuple[Test, ...], ...] = ()
    is_pretended: bool = False
    """Answered with 0, and not done."""


def _one_of(name: str, index: int, values: Iterable[int]) -> Rule:
    return Rule(name, tuple((Test(index, value),) for value in values))


_ALWAYS: Final = (
    "read", "readv", "pread64", "preadv", "write", "writev", "pwrite64", "pwritev", "lseek", "close", "close_range",
    "fsync", "fdatasync", "ftruncate", "fallocate", "dup", "dup2", "dup3", "getdents64",
    "stat", "lstat", "fstat", "newfstatat", "statx", "getcwd",
    "accept", "accept4", "getsockopt", "getsockname", "getpeername", "recvfrom",
    "poll", "ppoll", "select", "pselect6", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "eventfd2",
    "munmap", "mremap", "madvise", "brk",
    "futex", "set_robust_list", "get_robust_list", "rseq", "membarrier", "set_tid_address", "exit", "exit_group",
    "gettid", "sched_yield", "sched_getaffinity", "getcpu",
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait", "rt_sigsuspend", "pause",
    "sigaltstack", "restart_syscall",
    "getrandom", "uname", "sysinfo", "getrusage", "getrlimit", "getpid", "getppid", "getuid", "geteuid", "getgid",
    "getegid",
)  # fmt: skip
"""Of sockets only what works on those that are there. Neither sendmsg nor recvmsg: no descriptor comes or goes. No
shutdown: a listener that was handed over is used by later processes as well, and would be deaf for all of them."""

_PRETENDED: Final = ("sched_getparam", "sched_getscheduler", "sched_setscheduler")
"""ZeroMQ asks for the ordinary scheduling of each of its threads, which all of them have anyway."""

_PATHS: Final = ("unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir")
"""Calls by path that Landlock judges completely at every ABI; truncate() is not among them."""


_STARTING: Final = (
    "execve", "wait4", "arch_prctl", "access", "faccessat", "readlink", "readlinkat", "mmap", "mprotect",
)  # fmt: skip
"""What a program needs beside to be started and to load its libraries, whose code is mapped to be run."""
FIRST_PID: Final = 1
"""Of the first process in a namespace of processes."""


def without_paths(own_pid: int) -> list[Rule]:
    """The rules of the process `own_pid` that has all open that it will ever need: no call takes a path but stat."""
    return [
        *(Rule(name) for name in _ALWAYS),
        *(Rule(name, is_pretended=True) for name in _PRETENDED),
        *(Rule(name, ((Test(2, 0, PROT_EXEC),),)) for name in ("mmap", "mprotect")),
        Rule("clone", ((Test(0, CLONE_OF_THREADS, CLONE_OF_THREADS | CLONE_NEW_ANYTHING),),)),
        Rule("tgkill", ((Test(0, own_pid),),)),
        Rule("prlimit64", ((Test(0, 0), Test(2, 0, wide=True)),)),
        Rule("sendto", ((Test(4, 0, wide=True),),)),
        Rule("setsockopt", ((Test(1, SOL_SOCKET),),)),
        _one_of("fcntl", 1, CONTROLS),
        _one_of("ioctl", 1, REQUESTS),
        _one_of("prctl", 0, PROCESS_OPTIONS),
    ]


def with_paths(own_pid: int) -> list[Rule]:
    """The rules of the process `own_pid` whose paths Landlock judges: files can be opened, renamed and removed."""
    return [*without_paths(own_pid), *(Rule(name) for name in _PATHS), _open("open", 1), _open("openat", 2)]


def in_namespaces() -> list[Rule]:
    """The rules of a program that is started under them, as the first process of namespaces that hide all files.

    It makes processes and programs within them, pairs of unix sockets and limits of its own; neither namespaces nor
    what knows none: keys, and sockets of other kinds.
    """
    wider = [
        *(Rule(name) for name in _STARTING),
        Rule("clone", ((Test(0, 0, CLONE_NEW_ANYTHING),),)),
        Rule("prlimit64", ((Test(0, 0),),)),
        Rule("socketpair", ((Test(0, AF_UNIX),),)),
    ]
    names = {rule.name for rule in wider}
    return [*(rule for rule in with_paths(FIRST_PID) if rule.name not in names), *wider]


def _open(name: str, index: int) -> Rule:
    """Opening by path, but for reading and cutting at once: Landlock before ABI 3 takes that for mere reading."""
    cuts = Test(index, O_TRUNC, O_TRUNC)
    return Rule(
        name, ((Test(index, 0, O_TRUNC),), (cuts, Test(index, 1, O_ACCMODE)), (cuts, Test(index, 2, O_ACCMODE)))
    )
