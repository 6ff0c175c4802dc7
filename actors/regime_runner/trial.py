"""One trial from its order to its result, in the process of its guard.

In: the order as JSON gave it, a scratch root, somebody to ask whether the trial shall go on. Out: a result of the shape
of `schemas.regimes.TrialResult`, as a plain mapping; afterwards nothing of the trial is alive and its folder is gone.
A trial ends by itself, by its time limit, by its scratch quota, when the watchdog is gone, or when it is told to.
Refused: a trial whose settings do not hold, whose program is not there, or for which the disk has too little room.
"""

import os
import resource
import selectors
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any, Final, NamedTuple

from actors.regime_runner import cgroups, scratch
from actors.regime_runner.capture import Capture
from actors.regime_runner.liveness import Liveness
from actors.regime_runner.noise import NoiseWatch, absent
from actors.regime_runner.process_settings import APPLIED
from actors.regime_runner.spawning import Spawned, Surroundings, spawn
from actors.regime_runner.sweeping import Brood, Ended
from bus.descendants import MARKER, Process, descendants_of

TICK_S: Final = 0.1
PLACEHOLDER: Final = "{scratch}"
ROOM_FACTOR: Final = 2
"""The disk has to have this many times what a trial may write."""
SLACK_BYTES: Final = 64 * 1024
"""What any trial may leave in its folder while it runs."""
LOOK_SHARE: Final = 20
"""The folder is looked at again after this many times what the last look took."""

Order = Mapping[str, Any]
"""A TrialOrder as JSON gives it: its types were checked where it was made."""


class Ending(NamedTuple):
    """How a trial came to its end, if not by itself."""

    status: str
    reason: str


@dataclass
class Trial:
    """One order that is being carried out."""

    order: Order
    root: Path
    owner: Process
    why_stop: Callable[[], str | None]
    """Why the trial shall not go on, None as long as it shall."""
    _notes: list[str] = field(default_factory=list)
    _applied: dict[str, str] = field(default_factory=dict)
    _wall_s: float = 0.0
    _peak_bytes: int = 0
    _look_at: float = 0.0
    _ending: Ending | None = None
    _main: Spawned | None = None
    _others: dict[int, str] = field(default_factory=dict)
    """Background commands, by process id."""

    def __post_init__(self) -> None:
        self._planned = cgroups.plan(f"oneiros-{self.order['trial_id']}-{self.owner.pid}")
        self.scratch = scratch.make(self.root, self.order["trial_id"], self.owner, self._planned.paths)
        self._cgroups = cgroups.make(self._planned)
        self._brood = Brood(self._cgroups)
        self._brood.adopt()
        self._liveness = Liveness(self.order["deadman"])
        self._noise = NoiseWatch()
        self._capture = Capture()
        self._cgroups.begin_counting()
        self._ending = self._why_not()

    @property
    def is_refused(self) -> bool:
        """Whether it is known already that nothing will be run."""
        return self._ending is not None

    def look_for_watchdog(self) -> None:
        """Look whether the watchdog is at work; to be called ten times a second before `run`."""
        self._liveness.look()

    def leave(self, reason: str) -> None:
        """Nothing is to be run after all."""
        self._ending = Ending("killed", reason)

    def run(self) -> None:
        """Run the commands to their end, whatever it is."""
        self._noise.end_quiet_window()
        self._liveness.begin()
        self._ending = self._wait_for_watchdog()
        if self._ending is None:
            self._start()
        self._capture.close_writers()
        if self._ending is None:
            self._attend()

    def finish(self, is_hasty: bool) -> dict[str, object]:
        """Clear everything away, in haste when nobody waits for the result; the result."""
        survivors = self._brood.clear(is_hasty)
        if survivors:
            self._notes.append(f"{survivors} processes could not be ended: the kernel holds them")
        self._capture.read()
        oom = self._cgroups.oom_kills() if self._main is not None else absent(cgroups.UNIT, "nothing was run")
        written = max(self._peak_bytes, _written_bytes())
        self._notes += filter(None, (self._cgroups.remove(), self.scratch.remove()))
        ended = self._main_ended
        return {
            "trial_id": self.order["trial_id"],
            "status": self._status(oom["value"]),
            "exit_code": ended.exit_code if ended else None,
            "wall_s": self._wall_s,
            "cpu_s": self._cpu_s(),
            "max_rss_kib": ended.usage.ru_maxrss if ended else 0,
            "stdout": self._capture.output_text(),
            "stderr_tail": self._errors_text(),
            "oom": oom,
            "argv": list(self._argv(self.order["argv"])),
            "background": [list(self._argv(argv)) for argv in self.order["background"]],
            "env": self._environment(),
            "applied": self._applied,
            "noise": self._noise.readings(),
            "written_bytes": written,
        }

    def _why_not(self) -> Ending | None:
        """Why nothing can be run at all."""
        for argv in (self.order["argv"], *self.order["background"]):
            if not os.path.isabs(argv[0]) or not os.access(argv[0], os.X_OK):
                return Ending("refused", f"{argv[0]!r} is no absolute path of a program")
        free, wanted = self.scratch.free_bytes(), ROOM_FACTOR * self.order["max_bytes"]
        if free < wanted:
            return Ending("refused", f"the disk has {free} bytes left, the trial needs {wanted}")
        return None

    def _wait_for_watchdog(self) -> Ending | None:
        """Wait until the watchdog was seen at work, a second at most."""
        while (why := self._liveness.why_gone()) is None:
            self._liveness.look()
            if self._liveness.is_seen:
                return None
            time.sleep(TICK_S / 5)
        return Ending("watchdog-gone", why)

    def _start(self) -> None:
        limit = self.order["max_memory_bytes"]
        private_limit = None
        if limit is not None:
            problem = self._cgroups.limit_memory(limit)
            private_limit = None if problem is None else limit
            self._applied["max_memory_bytes"] = APPLIED
        around = Surroundings(
            folder=self.scratch.folder,
            environment=self._environment(),
            cgroup_paths=self._cgroups.paths,
            private_memory_bytes=private_limit,
            file_bytes=self.order["max_bytes"] or None,
            errors=self._capture.errors,
        )
        with open(os.devnull, "wb") as nowhere:
            for argv in self.order["background"]:
                spawned = spawn(self._argv(argv), {}, around, nowhere.fileno())
                self._others[spawned.pid] = argv[0]
                if self._is_refused_by(spawned):
                    return
        spawned = spawn(self._argv(self.order["argv"]), self.order, around, self._capture.output)
        self._applied |= spawned.applied
        if not self._is_refused_by(spawned):
            self._main = spawned

    def _is_refused_by(self, spawned: Spawned) -> bool:
        if spawned.problem is not None:
            self._ending = Ending("refused", spawned.problem)
        return spawned.problem is not None

    def _attend(self) -> None:
        """Read, look and wait until the measured command has ended or has to."""
        if self._main is None:
            return
        handle = os.pidfd_open(self._main.pid)
        with selectors.DefaultSelector() as selector:
            for descriptor in (handle, *self._capture.readers):
                selector.register(descriptor, selectors.EVENT_READ)
            while self._ending is None:
                ready = {key.fd for key, _ in selector.select(TICK_S)}
                self._wall_s = time.monotonic() - self._main.began_s
                for reader in self._capture.read():
                    selector.unregister(reader)
                self._brood.reap()
                if handle in ready:
                    self._ending = self._why_background_ends()
                    break
                self._ending = self._why_end()
        os.close(handle)

    def _why_end(self) -> Ending | None:
        """Why the trial has to end now, None as long as it may go on."""
        self._liveness.look()
        if (why := self._liveness.why_gone()) is not None:
            return Ending("watchdog-gone", why)
        if (why := self.why_stop()) is not None:
            return Ending("killed", why)
        if self._wall_s >= self.order["timeout_s"]:
            return Ending("timeout", f"not done after {self.order['timeout_s']:g} s")
        return self._why_background_ends() or self._why_quota_ends()

    def _why_background_ends(self) -> Ending | None:
        for pid, name in self._others.items():
            if (ended := self._brood.ended.get(pid)) is not None:
                return Ending("failed", f"{name}, which had to run beside it, ended before it with {ended.exit_code}")
        return None

    def _why_quota_ends(self) -> Ending | None:
        now = time.monotonic()
        if now < self._look_at:
            return None
        used = self.scratch.used_bytes(process.pid for process in descendants_of(self.owner.pid))
        self._look_at = now + LOOK_SHARE * (time.monotonic() - now)
        self._peak_bytes = max(self._peak_bytes, used)
        quota = max(self.order["max_bytes"], SLACK_BYTES)
        return Ending("failed", f"{used} bytes in its folder, its quota is {quota}") if used > quota else None

    def _status(self, oom_kills: object) -> str:
        if self._ending is not None:
            return self._ending.status
        exit_code = self._main_ended.exit_code if self._main_ended else None
        if exit_code == 0:
            return "done"
        return "killed" if exit_code in {-SIGKILL, -SIGTERM} and not oom_kills else "failed"

    @property
    def _main_ended(self) -> Ended | None:
        """How the measured command ended, None if it never began."""
        return self._brood.ended.get(self._main.pid) if self._main is not None else None

    def _cpu_s(self) -> float:
        """CPU time of the measured command and of all that it has waited for."""
        if self._main is None or self._main_ended is None:
            return 0.0
        usage = self._main_ended.usage
        return max(0.0, usage.ru_utime + usage.ru_stime - self._main.prior_cpu_s)

    def _errors_text(self) -> str:
        reasons = [self._ending.reason] if self._ending is not None else []
        lines = [f"trial guard: {line}" for line in (*reasons, *self._notes)]
        return "\n".join(filter(None, (self._capture.errors_text(), *lines)))

    def _argv(self, argv: list[str]) -> tuple[str, ...]:
        return tuple(word.replace(PLACEHOLDER, str(self.scratch.folder)) for word in argv)

    def _environment(self) -> dict[str, str]:
        own = {"HOME": str(self.scratch.folder), "TMPDIR": str(self.scratch.folder), MARKER: self.scratch.mark}
        return {**self.order["env"], **own}


def _written_bytes() -> int:
    """What all reaped children have written, as the kernel counts it: blocks of 512 bytes, when pages get dirty."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_oublock * scratch.BLOCK_BYTES
