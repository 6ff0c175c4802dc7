"""Landlock: what a process may reach by path, decided by the kernel, without root (landlock(7)).

In: walls. Out: a process that reaches nothing beyond them by path, connects and binds no TCP port, and from ABI 6 on
no abstract socket, and signals nobody outside. Only the calling thread is bound, so a process with more than one is
refused. Descriptors that are open already stay as they are.
"""

import ctypes
import os
import platform
import stat
import struct
from pathlib import Path
from typing import Final

from bus.box.errors import BoxError
from bus.box.profiles import Walls

CREATE_RULESET: Final = 444
ADD_RULE: Final = 445
RESTRICT_SELF: Final = 446
"""The same on every machine."""
VERSION_FLAG: Final = 1
PATH_BENEATH: Final = 1
NEWEST_ABI: Final = 7
"""The newest that is known here; later kernels serve it as well."""

WRITE_FILE: Final = 1 << 1
READ_FILE: Final = 1 << 2
READ_DIR: Final = 1 << 3
REMOVE_FILE: Final = 1 << 5
MAKE_REG: Final = 1 << 8
TRUNCATE: Final = 1 << 14
HANDLED: Final = ((1, (1 << 13) - 1), (2, 1 << 13), (3, TRUNCATE), (5, 1 << 15))
"""(ABI, rights over files that came with it): REFER with 2, TRUNCATE with 3, IOCTL_DEV with 5."""
TCP_ABI: Final = 4
TCP_RIGHTS: Final = 0b11
"""Bind and connect."""
SCOPE_ABI: Final = 6
SCOPES: Final = 0b11
"""Abstract unix sockets and signals of processes outside."""

READING: Final = READ_FILE | READ_DIR
WRITING: Final = READING | WRITE_FILE | MAKE_REG | REMOVE_FILE | TRUNCATE
OF_FILES: Final = READ_FILE | WRITE_FILE | TRUNCATE
"""What can be granted on a path that is no folder."""

_libc = ctypes.CDLL(None, use_errno=True)


def landlock_abi() -> int:
    """The Landlock ABI of the kernel, 0 when it has none or it is switched off."""
    if platform.system() != "Linux":
        return 0
    return max(0, int(_libc.syscall(CREATE_RULESET, None, 0, VERSION_FLAG)))


def restrict(walls: Walls, max_abi: int | None = None) -> int:
    """Leave this process `walls` and nothing else by path; the ABI that holds then.

    `max_abi` is the newest that is used. Needs no_new_privs; raises BoxError when there is more than one thread, a path
    of the walls is not there, or the kernel refuses.
    """
    version = min(landlock_abi(), NEWEST_ABI if max_abi is None else max_abi, NEWEST_ABI)
    if version < 1:
        raise BoxError("the kernel has no Landlock")
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise BoxError(
            f"Landlock would bind one of {threads} threads; close the box before any is started "
            "(numpy starts some unless OPENBLAS_NUM_THREADS is 1)"
        )
    handled = sum(rights for since, rights in HANDLED if since <= version)
    ruleset = _create(handled, version)
    try:
        for paths, rights in ((walls.reads, READING), (walls.writes, WRITING)):
            for path in paths:
                _grant(ruleset, path, rights & handled)
        if _libc.syscall(RESTRICT_SELF, ruleset, 0) != 0:
            raise BoxError(f"the kernel does not take the Landlock rules: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(ruleset)
    return version


def _create(handled: int, version: int) -> int:
    attributes = struct.pack("=Q", handled)
    if version >= TCP_ABI:
        attributes += struct.pack("=Q", TCP_RIGHTS)
    if version >= SCOPE_ABI:
        attributes += struct.pack("=Q", SCOPES)
    ruleset = int(_libc.syscall(CREATE_RULESET, attributes, len(attributes), 0))
    if ruleset < 0:
        raise BoxError(f"the kernel makes no Landlock ruleset: {os.strerror(ctypes.get_errno())}")
    return ruleset


def _grant(ruleset: int, path: Path, rights: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise BoxError(f"{path} cannot stay open to the box: {error.strerror}") from error
    try:
        allowed = rights if stat.S_ISDIR(os.fstat(beneath).st_mode) else rights & OF_FILES
        rule = struct.pack("=Qi", allowed, beneath)
        if _libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0) != 0:
            raise BoxError(f"Landlock takes no rule for {path}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(beneath)
