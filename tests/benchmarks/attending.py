"""Eight guest learners at once while the dreamer writes, against one alone: latency, errors, the write-ahead log.

    python -m tests.benchmarks.attending [--guests 8] [--queries 1000]

Real processes: a supervisor, its four actors, and a process for each guest. Prints p50 and p99 of a `retrieve`
(journalled, encrypted, answered and journalled again), their ratio, and the largest write-ahead log. Not run by the
test suite.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GUEST = """
import json, sys, time
from bus.client import attach
took, errors = [], 0
with attach() as learner:
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


def supervisor(home: Path, *words: str) -> str:
    """The output of a command."""
    command = [sys.executable, "-m", "supervisor.cli", *words, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def attend(home: Path, names: list[str], queries: int) -> tuple[list[dict[str, float]], int]:
    """What each guest measured, and the largest write-ahead log in bytes meanwhile."""
    offers = [json.loads(supervisor(home, "attach", name, "--json"))["offer"] for name in names]
    guests = [
        subprocess.Popen(
            [sys.executable, "-c", GUEST, str(queries)],
            env={**os.environ, "ONEIROS_SEAT": offer},
            stdout=subprocess.PIPE,
            text=True,
        )
        for offer in offers
    ]
    log, largest = home / "pool" / "dream_pool.sqlite-wal", 0
    while any(guest.poll() is None for guest in guests):
        with contextlib.suppress(FileNotFoundError):
            largest = max(largest, log.stat().st_size)
        time.sleep(0.05)
    return [json.loads(guest.communicate()[0]) for guest in guests], largest


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--guests", type=int, default=8)
    parser.add_argument("--queries", type=int, default=1000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="oneiros-") as folder:
        home = Path(folder) / "home"
        supervisor(home, "up", "--detach", "--set", "dreamer.rate_hz=20", "--set", "learner.rounds_hz=1")
        try:
            time.sleep(5.0)
            (alone,), _ = attend(home, ["alone"], asked.queries)
            together, largest = attend(home, [f"guest-{n}" for n in range(asked.guests)], asked.queries)
        finally:
            supervisor(home, "down")
    p50, p99 = (max(one[name] for one in together) for name in ("p50_ms", "p99_ms"))
    errors = sum(one["errors"] for one in together)
    print(f"alone: p50 {alone['p50_ms']:.2f} ms, p99 {alone['p99_ms']:.2f} ms, errors {alone['errors']}")
    print(f"{asked.guests} together: p50 {p50:.2f} ms, p99 {p99:.2f} ms (worst guest), errors {errors}")
    print(f"p99 together / alone: {p99 / alone['p99_ms']:.1f}; largest write-ahead log {largest / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
