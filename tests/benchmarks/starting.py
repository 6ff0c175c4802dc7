"""How fast the loop starts, how fast an actor is back after kill -9, how much memory all take, and a large pool opens.

In: nothing. Out: one JSON object: seconds from `supervisor up` to the first dream in the pool, seconds from kill -9 of
each actor until it is ready again, and the proportional set size of all processes together, taken with the loop at
work. Run: `make bench BENCH=starting`. Exit code 1 when a target is missed. Everything goes through the real command
line, at default settings, in a home of its own for each of several lives; figures are medians over the lives, beside
the anchor of the same life: seconds until a bare interpreter that imports numpy has ended. What is waited for is
looked at every `GLANCE_S`, so that much is the error. A pool of a million dreams is opened several times from its
tables and from the file of its columns, each in a process of its own, with the most memory that takes beside the
imports; `--no-pool` leaves it out. Its times are those of a processor, which waiting for one is no part of.
"""

import argparse
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from schemas.roles import RESIDENT_ROLES
from tests.large_pool import make

LIVES = 5
DREAMS = 30
"""Dreams in the pool when actors are killed and memory is measured: the learner is at work by then."""
GLANCE_S = 0.002
PATIENCE_S = 60.0
MB = 1_000_000
POOL_DREAMS = 1_000_000
OPENINGS = 3
POOL_TARGETS = {"tables_open_cpu_s": 2.5, "file_open_cpu_s": 1.0}
TARGETS = {"first_dream_s": 3.0, "pss_mb": 350.0} | {
    f"{actor.replace('-', '_')}_back_s": 0.5 for actor in RESIDENT_ROLES
}


@dataclass(frozen=True)
class Life:
    """One supervisor in a home of its own."""

    home: Path
    process: subprocess.Popen[bytes]
    began_s: float

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for it; raises RuntimeError when it takes too long or the supervisor ends."""
        deadline = time.perf_counter() + PATIENCE_S
        while not holds():
            if time.perf_counter() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"no {what}; the supervisor said:\n{(self.home / 'up.log').read_text()[-4000:]}")
            time.sleep(GLANCE_S)

    def dreams(self) -> int:
        """Dreams in the pool; 0 while there is none."""
        try:
            with closing(sqlite3.connect(f"file:{self.home}/pool/dream_pool.sqlite?mode=ro", uri=True)) as pool:
                return int(pool.execute("SELECT count(*) FROM signatures").fetchone()[0])
        except sqlite3.OperationalError:
            return 0

    def last(self, event: str, actor: str) -> dict[str, int]:
        """The last `event` of `actor` in the supervisor's log; raises StopIteration when there is none."""
        lines = (self.home / "logs" / "supervisor.log").read_bytes().splitlines()
        told = (json.loads(line) for line in reversed(lines) if line.startswith(b"{") and line.endswith(b"}"))
        return next(line for line in told if line["event"] == event and line["of"] == actor)

    def kill(self, actor: str) -> float:
        """Seconds from kill -9 of `actor` until it is ready again."""
        started = self.last("started", actor)
        start = time.perf_counter()
        os.kill(started["pid"], signal.SIGKILL)
        self.until(lambda: self.last("ready", actor)["epoch"] > started["epoch"], f"{actor} after kill -9")
        return time.perf_counter() - start

    def pss_mb(self) -> float:
        """Proportional set size of the supervisor and all that descends from it."""
        supervisor = psutil.Process(self.process.pid)
        processes = [supervisor, *supervisor.children(recursive=True)]
        return float(sum(process.memory_full_info().pss for process in processes)) / MB


@contextmanager
def living() -> Iterator[Life]:
    """A loop just started by the command line; it is stopped and its folders are removed, whatever happens."""
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as home,
        tempfile.TemporaryDirectory(prefix="one-") as runtime,
        (Path(home) / "up.log").open("wb") as output,
    ):
        command = [sys.executable, "-m", "supervisor.cli", "up", "--home", home]
        environment = {**os.environ, "XDG_RUNTIME_DIR": runtime, "NO_COLOR": "1"}
        began_s = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield Life(Path(home), process, began_s)
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def live() -> dict[str, float]:
    """The figures of one life."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import numpy"], check=True)
    figures = {"bare_numpy_s": time.perf_counter() - start}
    with living() as life:
        life.until(lambda: life.dreams() > 0, "dream in the pool")
        figures["first_dream_s"] = time.perf_counter() - life.began_s
        life.until(lambda: life.dreams() >= DREAMS, f"{DREAMS} dreams in the pool")
        figures["pss_mb"] = life.pss_mb()
        for actor in RESIDENT_ROLES:
            figures[f"{actor.replace('-', '_')}_back_s"] = life.kill(actor)
        figures["pss_after_kills_mb"] = life.pss_mb()
    return figures


def open_pool() -> dict[str, float]:
    """Medians of opening a large pool from its tables and from the file of its columns."""
    found: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as home:
        make(Path(home), POOL_DREAMS)
        for _ in range(OPENINGS):
            for way in ("tables", "file"):  # the first leaves the file behind that the second takes
                told = subprocess.run(
                    [sys.executable, "-m", "tests.large_pool", home], check=True, capture_output=True
                ).stdout
                for name, figure in json.loads(told).items():
                    found[f"{way}_{name}"].append(figure)
            for file in (Path(home) / "pool").glob("columns-*"):
                found["file_mb"].append(file.stat().st_size / MB)
                file.unlink()
    return {name: round(statistics.median(values), 3) for name, values in found.items()}


def main() -> int:
    """Print one JSON object; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--no-pool", action="store_true", help="without the pool of a million dreams")
    parser.add_argument("--pool-only", action="store_true", help="that alone")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that nothing is left behind
    pool = {} if arguments.no_pool else open_pool()
    pool_targets = {
        name: {"figure": pool[name], "at_most": limit, "ok": pool[name] <= limit}
        for name, limit in POOL_TARGETS.items()
        if pool
    }
    if arguments.pool_only:
        print(json.dumps({"pool": pool, "targets": pool_targets}, indent=1))
        return int(not all(target["ok"] for target in pool_targets.values()))
    lives = [live() for _ in range(LIVES)]
    figures = {name: round(statistics.median(life[name] for life in lives), 3) for name in lives[0]}
    slowest = {f"slowest_{name}": round(max(life[name] for life in lives), 3) for name in TARGETS if name != "pss_mb"}
    targets = {
        name: {"figure": figures[name], "at_most": limit, "ok": figures[name] <= limit}
        for name, limit in TARGETS.items()
    }
    targets |= pool_targets
    print(json.dumps({**figures, **slowest, "pool": pool, "targets": targets}, indent=1))
    return int(not all(target["ok"] for target in targets.values()))


if __name__ == "__main__":
    raise SystemExit(main())
