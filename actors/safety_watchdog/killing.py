"""How the watchdog ends a trial by itself, whoever else may have stopped working.

In: the guard of the trial, by id and start time, and the mark of its processes. Out: nothing of the trial alive, and
how many processes there were. The guard itself is only told, so that it can clear up and report; a guard that overstays
is killed. Refused: to signal a process that is not below the guard and does not carry the mark.
"""

import signal
from collections.abc import Iterable
from typing import Final

from bus.descendants import Process, descendants_of, end, is_alive, marked_with, send

TERM_PATIENCE_S: Final = 0.2
KILL_DEADLINE_S: Final = 3.0


def mark_of(trial_id: str, guard: Process) -> str:
    """What the environment of the trial's processes carries."""
    return f"{trial_id}-{guard.pid}-{guard.started_ticks}"


def kill_trial(trial_id: str, guard: Process) -> int:
    """End everything of the trial but its guard, which is told to end; the number of processes that were met."""
    mark = mark_of(trial_id, guard)
    send(guard, signal.SIGTERM)
    return end(lambda: _members(guard, mark), TERM_PATIENCE_S, KILL_DEADLINE_S)


def kill_guard(guard: Process) -> None:
    """End a guard that does not end by itself."""
    send(guard, signal.SIGKILL)


def _members(guard: Process, mark: str) -> Iterable[Process]:
    below = descendants_of(guard.pid) if is_alive(guard) else []
    return dict.fromkeys((*below, *(process for process in marked_with(mark) if process != guard)))
