"""Eight guest learners at once while the dreamer writes, against one alone: latency, errors, the write-ahead log.

Run: `make bench BENCH=attending`. Exit code 1 when a target is missed. Real processes: a supervisor, its actors, and a
process for each guest, all of which begin together. A query is a `retrieve`: journalled, encrypted, answered and
journalled again. Rounds of one guest and of all take turns in the same run of the loop; the ratio is the median over
the rounds of the slowest guest's p99 to that of the one alone. Printed as one JSON object.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROUNDS: Final = 5
DREAMS_HZ: Final = 20
MIB: Final = 2**20
TARGETS: Final = {"errors": 0, "p99_ratio": 5.0, "wal_mib": 128.0}
"""The log is folded at `pool.checkpoint_mib`, 96 by default, and may grow by what is being written meanwhile."""
GUEST: Final = """
import json, sys, time
from bus.client import attach
took, errors = [], 0
with attach() as learner:
    learner.pool_stats()
    print("seated", flush=True)
    sys.stdin.readline()
    for number in range(int(sys.argv[1])):
        began = time.perf_counter()
        try:
            learner.retrieve(k=8, query_signature=(number % 10 / 10, 0.5, 0.2))
        except Exception as error:
            errors += 1
            print(error, file=sys.stderr)
        took.append(time.perf_counter() - began)
took.sort()
print(json.dumps({"p50_ms": took[len(took) // 2] * 1e3, "p99_ms": took[len(took) * 99 // 100] * 1e3, "errors": errors}))
"""


class Round(NamedTuple):
    """What some guests measured at the same time."""

    p50_ms: float
    p99_ms: float
    """Of the slowest guest, both."""
    errors: int
    queries_hz: float
    wal_bytes: int


def supervisor(home: Path, *words: str) -> str:
    """The output of a command."""
    command = [sys.executable, "-m", "supervisor.cli", *words, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@contextlib.contextmanager
def living(home: Path) -> Iterator[None]:
    """A loop that dreams and learns."""
    settings = ("--set", f"dreamer.rate_hz={DREAMS_HZ}", "--set", "learner.rounds_hz=1")
    try:
        supervisor(home, "up", "--detach", *settings)
        while json.loads(supervisor(home, "stats", "--json"))["pool"].get("dreams_total", 0) < 100:
            time.sleep(0.2)
        yield
    finally:
        supervisor(home, "down")


def sit_down(offer: str, queries: int) -> "subprocess.Popen[str]":
    """A guest that waits for the word to begin."""
    command = [sys.executable, "-c", GUEST, str(queries)]
    environment = {**os.environ, "ONEIROS_SEAT": offer}
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def attend(home: Path, names: list[str], queries: int) -> Round:
    """Let as many guests as there are names ask at the same time."""
    offers = [json.loads(supervisor(home, "attach", name, "--replace", "--json"))["offer"] for name in names]
    guests = [sit_down(offer, queries) for offer in offers]
    for guest in guests:
        assert guest.stdout is not None and guest.stdout.readline() == "seated\n", "a guest found no seat"
    for guest in guests:
        assert guest.stdin is not None
        guest.stdin.write("\n")
        guest.stdin.flush()
    log, wal_bytes, began_s = home / "pool" / "dream_pool.sqlite-wal", 0, time.perf_counter()
    while any(guest.poll() is None for guest in guests):
        with contextlib.suppress(FileNotFoundError):
            wal_bytes = max(wal_bytes, log.stat().st_size)
        time.sleep(0.05)
    took_s = time.perf_counter() - began_s
    told = [json.loads(guest.communicate()[0]) for guest in guests]
    slowest = {name: max(one[name] for one in told) for name in ("p50_ms", "p99_ms")}
    errors = sum(one["errors"] for one in told)
    return Round(**slowest, errors=errors, queries_hz=len(names) * queries / took_s, wal_bytes=wal_bytes)


def measure(guests: int, queries: int) -> dict[str, float]:
    """The figures of all rounds."""
    alone, together = [], []
    with tempfile.TemporaryDirectory(prefix="oneiros-") as folder, living(Path(folder) / "home"):
        for _ in range(ROUNDS):
            alone.append(attend(Path(folder) / "home", ["alone"], queries))
            together.append(attend(Path(folder) / "home", [f"guest-{n}" for n in range(guests)], queries))
    ratios = [many.p99_ms / one.p99_ms for one, many in zip(alone, together, strict=True)]
    return {
        **{f"alone_{name}": statistics.median(getattr(one, name) for one in alone) for name in Round._fields[:2]},
        **{f"together_{name}": statistics.median(getattr(one, name) for one in together) for name in Round._fields[:2]},
        "together_queries_hz": statistics.median(one.queries_hz for one in together),
        "p99_ratio": statistics.median(ratios),
        "worst_p99_ratio": max(ratios),
        "errors": sum(one.errors for one in (*alone, *together)),
        "wal_mib": max(one.wal_bytes for one in (*alone, *together)) / MIB,
    }


def main() -> int:
    """Print one JSON object; 1 when a target is missed."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that nothing is left behind
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--guests", type=int, default=8)
    parser.add_argument("--queries", type=int, default=1000)
    asked = parser.parse_args()
    figures = {name: round(value, 3) for name, value in measure(asked.guests, asked.queries).items()}
    targets = {
        name: {"figure": figures[name], "at_most": limit, "ok": figures[name] <= limit}
        for name, limit in TARGETS.items()
    }
    print(json.dumps({**vars(asked), **figures, "targets": targets}, indent=1))
    return int(not all(target["ok"] for target in targets.values()))


if __name__ == "__main__":
    raise SystemExit(main())
