"""Workers that are processes: each does its own part and hands its tally back through a pipe.

In: jobs, one for each process. Out: their tallies in the same order; a process that ends without one counts as an
error. Call it before any thread is started.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence

from actors.regime_runner.workloads.sampling import Tally


def run_forked(jobs: Sequence[Callable[[], Tally]]) -> list[Tally]:
    """Run every job in a process of its own, all at once."""
    started = [_start(job) for job in jobs]
    tallies = []
    for pid, reading in started:
        with os.fdopen(reading, "rb") as pipe:
            told = pipe.read()
        _, status = os.waitpid(pid, 0)
        tallies.append(_unpacked(told) if status == 0 and told else Tally(errors=1))
    return tallies


def _start(job: Callable[[], Tally]) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    os.close(reading)
    status = 1
    try:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(_packed(job()))
        status = 0
    except Exception:  # the parent counts it, the trial's stderr shows it
        traceback.print_exc(file=sys.stderr)
    finally:
        os._exit(status)


def _packed(tally: Tally) -> bytes:
    head = {
        "units": tally.units,
        "errors": tally.errors,
        "figures": tally.figures,
        "count": tally.samples.count,
        "stride": tally.samples.stride,
    }
    return json.dumps(head).encode() + b"\n" + tally.samples.kept.tobytes()


def _unpacked(told: bytes) -> Tally:
    line, _, raw = told.partition(b"\n")
    head = json.loads(line)
    tally = Tally(head["units"], head["errors"], figures=head["figures"])
    tally.samples.kept.frombytes(raw)
    tally.samples.count, tally.samples.stride = head["count"], head["stride"]
    return tally
