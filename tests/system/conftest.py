"""A home with a real supervisor and real actors, driven as a user drives it: by the command line."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bus.core import Cursor
from bus.payloads import PayloadStore
from bus.stream import Journalled, SenderStream

ACTORS = (
    "dreamer",
    "pool-keeper",
    "learner",
    "bias-synthesizer",
    "safety-watchdog",
    "regime-runner",
    "friend",
    "nightly-observer",
)
FAST = (
    "--set=dreamer.rate_hz=60",
    "--set=learner.rounds_hz=30",
    "--set=bias.update_interval_steps=100",
    "--set=learner.test_per_class=8",
)
PATIENCE_S = 60.0


class House:
    """One home and the command line that works on it."""

    def __init__(self, folder: Path, runtime: Path) -> None:
        self.home = folder
        self._environment = {**os.environ, "XDG_RUNTIME_DIR": str(runtime), "NO_COLOR": "1"}
        self._supervisors: list[subprocess.Popen[bytes]] = []

    def with_environment(self, **more: str) -> None:
        """Add to the environment of what is started from now on."""
        self._environment.update(more)

    def run(self, *arguments: str, said: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, `friend show` as well as `status`; `said` is its standard input."""
        words = (*arguments[0].split(), "--home", str(self.home), *arguments[1:])
        return subprocess.run(
            [sys.executable, "-m", "supervisor.cli", *words],
            env=self._environment,
            input=said,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def socket_of(self, instance: str) -> Path:
        """Where the inbox of `instance` is going to be."""
        tag = hashlib.sha256(str(self.home.resolve()).encode()).hexdigest()[:8]
        return Path(self._environment["XDG_RUNTIME_DIR"]) / f"oneiros-{tag}" / f"{instance}.in"

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a command, and read what it says to the user."""
        command = [sys.executable, "-m", "supervisor.cli", arguments[0], "--home", str(self.home), *arguments[1:]]
        return subprocess.Popen(command, env=self._environment, stderr=subprocess.PIPE, text=True)

    def up(self, *options: str, ready: bool = True) -> subprocess.Popen[bytes]:
        """Start a supervisor in the foreground; wait until all of its actors are ready."""
        log = (self.home.parent / f"up-{len(self._supervisors)}.log").open("wb")
        command = [sys.executable, "-m", "supervisor.cli", "up", "--home", str(self.home), *options]
        supervisor = subprocess.Popen(
            command, env=self._environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        log.close()
        self._supervisors.append(supervisor)
        if ready:
            self.until(lambda: [row["state"] for row in self.actors()] == ["ready"] * (len(ACTORS) + 1))
        return supervisor

    def output(self) -> str:
        """What the last `up` printed."""
        return (self.home.parent / f"up-{len(self._supervisors) - 1}.log").read_text()

    def answer(self, command: str) -> dict[str, Any]:
        """The JSON of `status` or `stats`; empty while nothing answers."""
        done = self.run(command, "--json")
        try:
            parsed: dict[str, Any] = json.loads(done.stdout)
        except json.JSONDecodeError:
            return {}
        return parsed

    def actors(self) -> list[dict[str, Any]]:
        """The rows of `status`."""
        rows: list[dict[str, Any]] = self.answer("status").get("actors", [])
        return rows

    def pid(self, name: str) -> int:
        """The process of an actor that is ready, waited for."""
        found: list[int] = []

        def is_there() -> bool:
            found[:] = [row["pid"] for row in self.actors() if row["name"] == name and row["state"] == "ready"]
            return bool(found) and found[0] is not None

        self.until(is_there)
        return found[0]

    def figure(self, path: str) -> float:
        """A number of `stats`, by its dotted path; 0 when it is not there yet."""
        value: Any = self.answer("stats")
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value or 0

    def until(self, holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> float:
        """Wait until `holds`; the seconds that it took."""
        began = time.monotonic()
        while not holds():
            if time.monotonic() - began > patience_s:
                raise AssertionError(f"not within {patience_s} s; the supervisor said:\n{self.output()[-4000:]}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._supervisors[-1].wait(0.1)
        return time.monotonic() - began

    def stop(self) -> None:
        """End every supervisor of this house in order."""
        for supervisor in self._supervisors:
            if supervisor.poll() is None:
                supervisor.send_signal(signal.SIGTERM)
                try:
                    supervisor.wait(30)
                except subprocess.TimeoutExpired:
                    supervisor.kill()
                    supervisor.wait()

    def runs(self) -> list[str]:
        """The ids of all runs, oldest first."""
        return sorted(path.parent.name for path in (self.home / "runs").glob("*/manifest.json"))

    def said(self, sender: str, receiver: str, run: str | None = None) -> list[Journalled]:
        """Every message from one actor to another that the journals of a run hold, or of all runs."""
        messages: list[Journalled] = []
        for each in [run] if run else self.runs():
            folder = self.home / "journal" / each
            stream = SenderStream(folder, sender, receiver, PayloadStore(folder))
            items = list(stream.after(Cursor(0, 0)))
            stream.close()
            assert all(isinstance(item, Journalled) for item in items), items
            messages.extend(item for item in items if isinstance(item, Journalled))
        return messages

    def pool(self) -> sqlite3.Connection:
        """The pool, opened for reading from outside."""
        return sqlite3.connect(f"file:{self.home}/pool/dream_pool.sqlite?mode=ro", uri=True)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    runtime = Path(tempfile.mkdtemp(prefix="oneiros-rt-"))
    house = House(tmp_path / "home", runtime)
    yield house
    house.stop()
    shutil.rmtree(runtime, ignore_errors=True)


def processes_of(home: Path) -> list[int]:
    """The pids of all processes whose open files or command line belong to `home`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            is_ours = str(home) in (entry / "cmdline").read_bytes().decode(errors="replace") or os.readlink(
                entry / "cwd"
            ).startswith(str(home))
            is_zombie = ") Z " in (entry / "stat").read_text()
        except OSError:
            continue
        if is_ours and not is_zombie:
            found.append(int(entry.name))
    return found


@pytest.fixture
def living() -> Callable[[Path], list[int]]:
    return processes_of
