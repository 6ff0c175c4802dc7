"""Attempts on the kernel's side doors: io_uring, mounts, watches, programs, keys, handlers."""

import ctypes
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from supervisor.probe.attempt import Attempt, Evidence, Facts, told
from supervisor.probe.system_calls import call

RING_PARAMETERS_BYTES: Final = 120
PERF_ATTRIBUTE_BYTES: Final = 112
PERF_SOFTWARE: Final = 1
PERF_USER_ONLY: Final = 0b1100000
"""exclude_kernel and exclude_hv."""
MAP_CREATE: Final = 0
MAP_ARRAY: Final = 2
FAULTS_OF_USER_MODE: Final = 1
SESSION_KEYRING: Final = -3
SEARCH_KEY: Final = 10
READ_KEY: Final = 11
SECRET_BYTES: Final = 64
WATCH_ALL: Final = 0xFFF
DEPTH: Final = 64


def _ring(_facts: Facts) -> str:
    os.close(call("io_uring_setup", 1, ctypes.create_string_buffer(RING_PARAMETERS_BYTES)))
    return "calls can be made without making them"


def _watch(facts: Facts) -> str:
    fd = call("inotify_init1", os.O_CLOEXEC)
    try:
        call("inotify_add_watch", fd, os.fsencode(facts.victims), WATCH_ALL)
    finally:
        os.close(fd)
    return "the pool is watched"


def _mount(facts: Facts) -> str:
    call("mount", b"none", os.fsencode(facts.own_folder), b"tmpfs", 0, None)
    call("umount2", os.fsencode(facts.own_folder), 2)
    return "a file system was mounted"


def _change_root(facts: Facts) -> str:
    call("chroot", os.fsencode(facts.own_folder))
    with suppress(OSError):
        for _ in range(DEPTH):
            os.chdir("..")
        call("chroot", b".")  # the working folder was outside of the new root, so the way back is open
    return "its root was changed"


def _perf(_facts: Facts) -> str:
    attributes = struct.pack("=IIQQQQQ", PERF_SOFTWARE, PERF_ATTRIBUTE_BYTES, 0, 0, 0, 0, PERF_USER_ONLY)
    os.close(call("perf_event_open", ctypes.create_string_buffer(attributes, PERF_ATTRIBUTE_BYTES), 0, -1, -1, 0))
    return "a counter was opened"


def _bpf(_facts: Facts) -> str:
    attributes = struct.pack("=IIII", MAP_ARRAY, 4, 4, 1)
    os.close(call("bpf", MAP_CREATE, ctypes.create_string_buffer(attributes, PERF_ATTRIBUTE_BYTES), 72))
    return "a map was made"


def _add_key(facts: Facts) -> str:
    call("add_key", b"user", facts.key_name.encode(), b"intruder", 8, SESSION_KEYRING)
    return "a key was added"


def _read_key(facts: Facts) -> str:
    key = call("keyctl", SEARCH_KEY, SESSION_KEYRING, b"user", f"{facts.key_name}-secret".encode(), 0)
    found = ctypes.create_string_buffer(SECRET_BYTES)
    call("keyctl", READ_KEY, key, found, SECRET_BYTES)
    return told(found.raw)


def _userfaultfd(_facts: Facts) -> str:
    os.close(call("userfaultfd", FAULTS_OF_USER_MODE))
    return "faults can be handled"


def _attempt(name: str, evidence: Evidence, run: Callable[[Facts], str]) -> Attempt:
    return Attempt(name, "kernel", evidence, run)


ATTEMPTS: Final = (
    _attempt("io-uring", "means", _ring),
    _attempt("watch-pool", "word", _watch),
    _attempt("mount", "means", _mount),
    _attempt("perf", "means", _perf),
    _attempt("bpf", "means", _bpf),
    _attempt("key-add", "trace", _add_key),
    _attempt("session-key-read", "secret", _read_key),
    _attempt("fault-handler", "means", _userfaultfd),
    _attempt("change-root", "means", _change_root),
)
