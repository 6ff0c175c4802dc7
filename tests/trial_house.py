"""What tests of trials need: a guard that was started for real, a watchdog's hand on the switch, a tree of sensors."""

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from actors.regime_runner.scratch import sweep
from bus.descendants import Process
from schemas.regimes import TrialResult

ROOT = Path(__file__).parents[1]
DEADLINE_S = 20.0
GUARD = "actors.regime_runner.trial_guard"
PARENT = """
import subprocess, sys
command = [sys.executable, "-P", "-m", "actors.regime_runner.trial_guard", "--scratch-root", sys.argv[1]]
guard = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
for line in sys.stdin:
    guard.stdin.write(line.encode())
    guard.stdin.flush()
    if line[0] in "{g":
        print(guard.stdout.readline().decode(), end="", flush=True)
"""
"""A runner that is nothing but the parent of a guard: it hands lines on, until it is killed."""


def until(holds: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Wait for something to hold; what it is then."""
    end = time.monotonic() + deadline_s
    while not (found := holds()):
        assert time.monotonic() < end, f"{what} did not come about within {deadline_s:g} s"
        time.sleep(0.01)
    return found


class Hand:
    """Holds the dead-man file like a watchdog, until it is told to rest or to let go."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        self._rests = threading.Event()
        self._thread = threading.Thread(target=self._touch)
        self._thread.start()

    def _touch(self) -> None:
        while not self._rests.wait(0.05):
            os.utime(self.path)

    def rest(self) -> None:
        """Hold on, and touch it no more: a watchdog that is stopped."""
        self._rests.set()
        self._thread.join()

    def unlock(self) -> None:
        """A watchdog that is dead, whose file somebody else keeps fresh."""
        with suppress(OSError):  # it was done before
            os.close(self._descriptor)

    def let_go(self) -> None:
        """A watchdog that is dead."""
        self.rest()
        self.unlock()


class Guarded:
    """A trial under its guard."""

    def __init__(self, house: "TrialHouse", order: dict[str, Any]) -> None:
        command = [sys.executable, "-P", "-m", GUARD, "--scratch-root", str(house.scratch)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.order = order
        self.process = subprocess.Popen(
            [*house.prefix, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )
        self.say(json.dumps(order))
        self.first = self.process.stdout.readline()

    @property
    def guard(self) -> Process:
        """Who the guard says it is."""
        _, pid, ticks = self.first.split()
        return Process(int(pid), int(ticks))

    def say(self, line: str) -> None:
        """Tell the guard something."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def result(self) -> TrialResult:
        """What the guard says at the end; it is gone then."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline() if self.first.startswith("ready") else self.first
        self.process.wait(DEADLINE_S)
        return TrialResult.model_validate_json(line)

    def end(self) -> None:
        """Whatever has become of it."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with suppress(OSError):  # what it was told last cannot be flushed any more
                stream.close()


class TrialHouse:
    """A home in which trials are run."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.scratch = home / "regimes" / "scratch"
        self.deadman = home / "regimes" / "watchdog.alive"
        self.scratch.mkdir(parents=True)
        self.prefix: tuple[str, ...] = ()
        self.hand: Hand | None = None
        self._guarded: list[Guarded] = []

    def watched(self) -> "TrialHouse":
        """With a hand on the switch."""
        self.hand = Hand(self.deadman)
        return self

    def order(self, *argv: str, **changes: Any) -> dict[str, Any]:
        """An order to run `argv`."""
        plain: dict[str, Any] = {
            "trial_id": "trial-1",
            "domain": "cpu",
            "regime": "idle",
            "argv": list(argv),
            "background": [],
            "env": {"PATH": os.environ["PATH"]},
            "timeout_s": 15.0,
            "max_bytes": 1_000_000,
            "deadman": str(self.deadman),
        }
        for name in ("nice", "policy", "ionice", "cpus", "timer_slack_ns", "max_memory_bytes"):
            plain[name] = None
        return plain | changes

    def prepare(self, *argv: str, **changes: Any) -> Guarded:
        """A guard that is ready, or has said why not."""
        guarded = Guarded(self, self.order(*argv, **changes))
        self._guarded.append(guarded)
        return guarded

    def start(self, *argv: str, **changes: Any) -> Guarded:
        """A trial that runs."""
        guarded = self.prepare(*argv, **changes)
        if guarded.first.startswith("ready"):
            guarded.say("go")
        return guarded

    def run(self, *argv: str, **changes: Any) -> TrialResult:
        """A trial from its order to its result."""
        return self.start(*argv, **changes).result()

    def close(self) -> None:
        """End whatever a test has left."""
        for guarded in self._guarded:
            guarded.end()
        sweep(self.scratch)
        if self.hand is not None:
            self.hand.let_go()


class SensorFiles:
    """A tree of sensor files, as `/sys` has them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def write(self, path: str, content: object) -> Path:
        """Let a file say something."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{content}\n")
        return file

    def chip(self, name: str, millidegrees: int | None = None, **files: object) -> None:
        """A hwmon chip of this name."""
        folder = f"class/hwmon/{name}"
        self.write(f"{folder}/name", name)
        if millidegrees is not None:
            self.write(f"{folder}/temp1_input", millidegrees)
        for file, content in files.items():
            self.write(f"{folder}/{file}", content)

    def package(self, microjoules: int, wraps_at: int = 262_143_328_850, index: int = 0) -> Path:
        """A RAPL package."""
        folder = f"class/powercap/intel-rapl:{index}"
        self.write(f"{folder}/name", f"package-{index}")
        self.write(f"{folder}/max_energy_range_uj", wraps_at)
        return self.write(f"{folder}/energy_uj", microjoules)

    def throttle(self, count: int, cpu: int = 0) -> None:
        """The throttle counters of a CPU in package 0."""
        self.write(f"devices/system/cpu/cpu{cpu}/topology/physical_package_id", 0)
        self.write(f"devices/system/cpu/cpu{cpu}/thermal_throttle/core_throttle_count", count)
        self.write(f"devices/system/cpu/cpu{cpu}/thermal_throttle/package_throttle_count", count)

    def everything(self, millidegrees: int = 50_000) -> "SensorFiles":
        """Every sensor that some domain has a cap on, on an idle machine."""
        self.write("proc/loadavg", "0.00 0.00 0.00 1/100 1")
        self.write("proc/vmstat", "pswpin 0\npswpout 0\noom_kill 0")
        for chip in ("coretemp", "amdgpu", "spd5118", "nvme", "corsairpsu"):
            self.chip(chip, millidegrees)
        self.chip("amdgpu", millidegrees, power1_average=20_000_000)
        self.package(1_000_000)
        self.throttle(0)
        self.write("devices/system/edac/mc/mc0/ce_count", 0)
        self.write("devices/system/edac/mc/mc0/ue_count", 0)
        self.write("block/sda/device/ioerr_cnt", "0x0")
        self.write("class/drm/card0/gt/gt0/throttle_reason_thermal", 0)
        self.write("class/drm/card0/device/ras/umc_err_count", "ue: 0\nce: 0")
        return self
