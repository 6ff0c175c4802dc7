"""How everything that a trial has started comes to its end: TERM, then KILL, then a sweep until nothing is left.

In: the guard, which adopts every orphan below it, and the trial's cgroups. Out: nothing alive, every child reaped, and
what the reaped ones used. A process that ignores TERM, leaves its session or forks on is still a descendant of the
guard, so that it is found. Refused: to signal anything outside.
"""

import ctypes
import os
import resource
import time
from dataclasses import dataclass, field
from typing import Final

from actors.regime_runner.cgroups import TrialCgroups
from bus.descendants import descendants_of, end

PR_SET_CHILD_SUBREAPER: Final = 36
TERM_PATIENCE_S: Final = 0.5
KILL_DEADLINE_S: Final = 5.0


@dataclass(frozen=True)
class Ended:
    """A child that has ended and was reaped."""

    exit_code: int
    """Negative for a signal."""
    usage: resource.struct_rusage
    """Of the child and of all that it has waited for."""


@dataclass
class Brood:
    """All that runs below this process."""

    cgroups: TrialCgroups
    ended: dict[int, Ended] = field(default_factory=dict)

    def adopt(self) -> None:
        """Let orphans below come to this process instead of leaving it."""
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "the kernel does not let this process adopt orphans")

    def reap(self) -> None:
        """Take in every child that has ended."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.ended[pid] = Ended(os.waitstatus_to_exitcode(status), usage)

    def clear(self, is_hasty: bool) -> int:
        """End everything below, in haste without TERM; the number still alive, 0 unless the kernel holds some."""
        patience_s = 0.0 if is_hasty else TERM_PATIENCE_S
        kill_at = time.monotonic() + patience_s
        own = os.getpid()

        def between() -> None:
            if time.monotonic() >= kill_at:
                self.cgroups.kill()
            self.reap()

        end(lambda: descendants_of(own), patience_s, KILL_DEADLINE_S, between)
        self.reap()
        return len(descendants_of(own))
