"""Attempts on memory that processes share, and on queues."""

import ctypes
import os
from collections.abc import Callable
from typing import Final

from supervisor.probe.attempt import Attempt, Evidence, Facts, NotHereError, told
from supervisor.probe.system_calls import call, open_bare, read_bare

SHM_RDONLY: Final = 0o10000
IPC_CREATE: Final = 0o1600
SECRET_BYTES: Final = 32


def _attach(facts: Facts) -> str:
    if facts.shared_key is None:
        raise NotHereError("the kernel has no System V shared memory")
    address = call("shmat", call("shmget", facts.shared_key, 0, 0), 0, SHM_RDONLY)
    try:
        return told(ctypes.string_at(address, SECRET_BYTES))
    finally:
        call("shmdt", address)


def _file_of(facts: Facts) -> str:
    if facts.shared_file is None:
        raise NotHereError("there is no /dev/shm")
    return facts.shared_file


def _make_segment(facts: Facts) -> str:
    name = f"{_file_of(facts)}-intruder"
    os.close(open_bare(name, os.O_RDWR | os.O_CREAT | os.O_EXCL))
    return "a segment of its own is there"


def _make_queue_of_messages(facts: Facts) -> str:
    if facts.shared_key is None:
        raise NotHereError("the kernel has no System V queues")
    return f"queue {call('msgget', facts.shared_key, IPC_CREATE)}"


def _open_queue(facts: Facts) -> str:
    if facts.queue_name is None:
        raise NotHereError("the kernel has no POSIX queues")
    os.close(call("mq_open", facts.queue_name.encode(), os.O_WRONLY, 0, None))
    return "the queue is open for writing"


def _make_memory_file(_facts: Facts) -> str:
    os.close(call("memfd_create", b"oneiros", 0))
    return "a file without a name was made"


def _attempt(name: str, evidence: Evidence, run: Callable[[Facts], str]) -> Attempt:
    return Attempt(name, "memory", evidence, run)


ATTEMPTS: Final = (
    _attempt("shared-segment", "secret", _attach),
    _attempt("shared-file-read", "secret", lambda facts: told(read_bare(_file_of(facts)))),
    _attempt("shared-file-make", "trace", _make_segment),
    _attempt("message-queue-make", "trace", _make_queue_of_messages),
    _attempt("message-queue-open", "word", _open_queue),
    _attempt("memory-file", "means", _make_memory_file),
)
