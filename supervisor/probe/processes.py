"""Attempts on other processes, and on becoming one."""

import ctypes
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from typing import Final

from supervisor.probe.attempt import Attempt, Evidence, Facts, told
from supervisor.probe.system_calls import call, open_bare, read_bare, spawn_bare

PTRACE_ATTACH: Final = 16
PTRACE_DETACH: Final = 17
WAIT_ANY_KIND: Final = 0x40000000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWUTS: Final = 0x04000000
CLONE_FILES: Final = 0x400
SECRET_BYTES: Final = 32

_PRINTING: Final = b"""print('{"name": "exec", "claim": "another program runs in its place"}')"""
"""What that other program does: it tells of itself, in the form in which claims are told."""


def _of_peer(name: str) -> Callable[[Facts], str]:
    return lambda facts: told(read_bare(f"/proc/{facts.peer_pid}/{name}"))


def _read_memory(facts: Facts) -> str:
    fd = open_bare(f"/proc/{facts.peer_pid}/mem")
    try:
        return told(os.pread(fd, SECRET_BYTES, facts.peer_address))
    finally:
        os.close(fd)


def _read_memory_by_call(facts: Facts) -> str:
    found = ctypes.create_string_buffer(SECRET_BYTES)
    here = ctypes.create_string_buffer(struct.pack("=QQ", ctypes.addressof(found), SECRET_BYTES), 16)
    there = ctypes.create_string_buffer(struct.pack("=QQ", facts.peer_address, SECRET_BYTES), 16)
    call("process_vm_readv", facts.peer_pid, here, 1, there, 1, 0)
    return told(found.raw)


def _take_descriptor(facts: Facts) -> str:
    peer = call("pidfd_open", facts.peer_pid, 0)
    try:
        taken = call("pidfd_getfd", peer, facts.peer_fd, 0)
        try:
            return told(os.pread(taken, 1 << 16, 0))
        finally:
            os.close(taken)
    finally:
        os.close(peer)


def _open_peer(facts: Facts) -> str:
    os.close(call("pidfd_open", facts.peer_pid, 0))
    return "it holds the peer"


def _look_for(facts: Facts) -> str:
    os.kill(facts.peer_pid, 0)
    return "it knows that the peer lives"


def _terminate(facts: Facts) -> str:
    os.kill(facts.peer_pid, signal.SIGTERM)
    return "SIGTERM was sent"


def _terminate_group(facts: Facts) -> str:
    os.killpg(facts.peer_pid, signal.SIGUSR1)
    return "SIGUSR1 was sent to the group"


def _trace(facts: Facts) -> str:
    call("ptrace", PTRACE_ATTACH, facts.peer_pid, 0, 0)
    os.waitpid(facts.peer_pid, WAIT_ANY_KIND)
    call("ptrace", PTRACE_DETACH, facts.peer_pid, 0, 0)
    return "the peer was stopped and let go"


def _reprioritise(facts: Facts) -> str:
    os.setpriority(os.PRIO_PROCESS, facts.peer_pid, 19)
    return "the peer was made slow"


def _limit(facts: Facts) -> str:
    resource.prlimit(facts.peer_pid, resource.RLIMIT_CORE, (0, 0))
    return "a limit of the peer was set"


def _fork(_facts: Facts) -> str:
    return f"child {spawn_bare('clone', signal.SIGCHLD, 0, 0, 0, 0)}"


def _clone3(_facts: Facts) -> str:
    arguments = struct.pack("=QQQQQQQQ", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    return f"child {spawn_bare('clone3', ctypes.create_string_buffer(arguments, len(arguments)), len(arguments))}"


def _new_user(_facts: Facts) -> str:
    child = spawn_bare("clone", signal.SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0)
    return f"child {child} was root in a namespace of its own"


def _enter_namespace(facts: Facts) -> str:
    fd = open_bare(f"/proc/{facts.peer_pid}/ns/uts")
    try:
        call("setns", fd, CLONE_NEWUTS)
    finally:
        os.close(fd)
    return "it lives in the namespace of the peer"


def _unshare(_facts: Facts) -> str:
    call("unshare", CLONE_FILES)
    return "what it shared is its own"


def _execute(_facts: Facts) -> str:
    """In a child, so that the prisoner lives on; itself, where it can have none."""
    try:
        return f"child {spawn_bare('clone', signal.SIGCHLD, 0, 0, 0, 0, life=_become_another)} ran another program"
    except PermissionError:
        _become_another()
    return "unreachable"


def _become_another() -> None:
    words = [ctypes.create_string_buffer(word) for word in (sys.executable.encode(), b"-c", _PRINTING)]
    addresses = b"".join(ctypes.addressof(word).to_bytes(8, sys.byteorder) for word in words)
    call("execve", sys.executable.encode(), ctypes.create_string_buffer(addresses + bytes(8)), None)


def _attempt(name: str, evidence: Evidence, run: Callable[[Facts], str]) -> Attempt:
    return Attempt(name, "processes", evidence, run)


ATTEMPTS: Final = (
    _attempt("peer-environment", "secret", _of_peer("environ")),
    _attempt("peer-memory", "secret", _read_memory),
    _attempt("peer-memory-by-call", "secret", _read_memory_by_call),
    _attempt("peer-file", "secret", lambda facts: told(read_bare(f"/proc/{facts.peer_pid}/fd/{facts.peer_fd}"))),
    _attempt("peer-descriptor", "secret", _take_descriptor),
    _attempt("peer-open", "word", _open_peer),
    _attempt("peer-exists", "word", _look_for),
    _attempt("peer-trace", "word", _trace),
    _attempt("peer-slow", "word", _reprioritise),
    _attempt("peer-limit", "word", _limit),
    _attempt("peer-terminate", "trace", _terminate),
    _attempt("peer-signal-group", "trace", _terminate_group),
    _attempt("fork", "means", _fork),
    _attempt("clone3", "means", _clone3),
    _attempt("user-namespace", "means", _new_user),
    _attempt("enter-namespace", "word", _enter_namespace),
    _attempt("unshare", "means", _unshare),
)
LAST: Final = _attempt("exec", "means", _execute)
"""Nothing comes after it when it gets through."""
