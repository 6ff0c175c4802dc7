"""Processes by identity, and everything that one has started.

In: process ids, and start times in clock ticks since boot: the two name one process for ever, an id alone is used
again. Out: descendants, marked processes, signals that reach exactly the process that was meant. Only the standard
library, since the guard of a trial starts with every trial. Refused: to signal a process whose start time differs.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

MARKER: Final = "ONEIROS_TRIAL"
"""Variable in the environment of a trial's processes, which what they start inherits."""
PAUSE_S: Final = 0.01

Look = Callable[[], "Iterable[Process]"]
"""Who is there now."""


class Process(NamedTuple):
    """One process: its id and when it started."""

    pid: int
    started_ticks: int


class _Row(NamedTuple):
    process: Process
    parent: int
    runs: bool
    """Not when it has ended and waits to be reaped; a process whose first thread alone has ended runs."""


def identity_of(pid: int) -> Process | None:
    """The process that has the id `pid` now; None when there is none, or when it has ended and waits to be reaped."""
    row = _row_of(pid)
    return row.process if row is not None and row.runs else None


def is_alive(process: Process) -> bool:
    """Whether exactly this process still runs."""
    return identity_of(process.pid) == process


def descendants_of(pid: int) -> list[Process]:
    """All that runs below `pid`, children first, in one look at every process there is; `pid` itself is not in it."""
    below: dict[int, list[_Row]] = {}
    for row in _rows():
        below.setdefault(row.parent, []).append(row)
    found: list[Process] = []
    level = below.get(pid, [])
    while level:
        found.extend(row.process for row in level if row.runs)
        level = [child for row in level for child in below.get(row.process.pid, [])]
    return found


def has_children(pid: int) -> bool:
    """Whether anything runs right below `pid`, at the price of one file where the kernel has it."""
    try:
        return bool(Path(f"/proc/{pid}/task/{pid}/children").read_text())
    except OSError:
        return bool(descendants_of(pid))


def marked_with(value: str) -> list[Process]:
    """Processes that were started with `MARKER` set to `value`, whoever their parent is now."""
    wanted = f"{MARKER}={value}".encode()
    return [row.process for row in _rows() if row.runs and wanted in _environment_of(row)]


def send(process: Process, number: signal.Signals) -> bool:
    """Send a signal to exactly this process; whether it was there and ours to signal."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        if identity_of(process.pid) != process:
            return False
        signal.pidfd_send_signal(handle, number)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def end(look: Look, patience_s: float, deadline_s: float, between: Callable[[], None] = lambda: None) -> int:
    """TERM to everyone that `look` finds, KILL to who is left after `patience_s`; the number of processes that it met.

    Looks again until nobody is left or `deadline_s` are over, since what is killed may have started more. `between` is
    called in every round, for a caller that has children to reap.
    """
    began = time.monotonic()
    met: set[Process] = set()
    while found := list(look()):
        fresh = [process for process in found if process not in met]
        met.update(fresh)
        waited_s = time.monotonic() - began
        if waited_s >= deadline_s:
            break
        for process in found if waited_s >= patience_s else fresh:
            send(process, signal.SIGKILL if waited_s >= patience_s else signal.SIGTERM)
        between()
        time.sleep(PAUSE_S)
    return len(met)


def _rows() -> list[_Row]:
    rows = (_row_of(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return [row for row in rows if row is not None]


def _row_of(pid: int) -> _Row | None:
    try:
        words = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        runs = words[0] not in {"Z", "X"} or int(words[17]) > 1
        return _Row(Process(pid, int(words[19])), int(words[1]), runs)
    except (OSError, IndexError, ValueError):
        return None


def _environment_of(row: _Row) -> list[bytes]:
    try:
        return Path(f"/proc/{row.process.pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
