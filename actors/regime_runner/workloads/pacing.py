"""Closed loops, where the next unit begins when the last is done, and open ones, where each has its own time.

In: a job, a pace, a number of threads. Out: a `Tally`. In an open loop latency counts from the intended beginning,
however late the worker came to it (no coordinated omission); units that are still waiting when the grace is over are
sampled with the time that they have waited, and are not counted as done.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Barrier, Thread
from typing import Final

from actors.regime_runner.workloads.sampling import Tally, merged

GRACE: Final = 0.2
"""Share of the window that an open loop may go on to work off what waits."""

Job = Callable[[int], int]
"""Does one unit as worker n; returns the number of errors that it saw."""


@dataclass(frozen=True)
class Pace:
    """When units begin."""

    seconds: float
    """Length of the window."""
    rate: float = 0.0
    """Units a second; 0 is a closed loop."""
    wave_s: float = 0.0
    """Period of a square wave: all units of a period begin in its first half, at twice the rate; 0 is an even pace."""
    burst_s: float = 0.0
    """Units are kept back to the next multiple of this; 0 keeps none back. Latency still counts from their own time."""

    def intended_s(self, index: int) -> float:
        """When unit `index` should begin, after the beginning of the window."""
        if not self.wave_s:
            return index / self.rate
        per_wave = max(1, round(self.rate * self.wave_s))
        return index // per_wave * self.wave_s + index % per_wave / per_wave * self.wave_s / 2

    def begin_s(self, intended_s: float) -> float:
        """When it may begin."""
        if not self.burst_s:
            return intended_s
        return -(-intended_s // self.burst_s) * self.burst_s


def run(job: Job, pace: Pace, threads: int = 1) -> tuple[Tally, float]:
    """The tally of all threads, and the seconds from the beginning to the last end."""
    tallies = [Tally() for _ in range(threads)]
    begun, ended = [0.0] * threads, [0.0] * threads
    barrier = Barrier(threads)

    def work(worker: int) -> None:
        barrier.wait()
        begun[worker] = time.monotonic()
        loop = _open if pace.rate else _closed
        loop(job, pace, tallies[worker], (worker, threads))
        ended[worker] = time.monotonic()

    others = [Thread(target=work, args=(worker,)) for worker in range(1, threads)]
    for thread in others:
        thread.start()
    work(0)
    for thread in others:
        thread.join()
    return merged(tallies), max(max(ended) - min(begun), 1e-9)


def _closed(job: Job, pace: Pace, tally: Tally, place: tuple[int, int]) -> None:
    now = time.monotonic()
    end = now + pace.seconds
    while True:
        errors = job(place[0])
        done = time.monotonic()
        tally.samples.add((done - now) * 1000)
        tally.errors += errors
        tally.units += not errors
        now = done
        if now >= end:
            return


def _open(job: Job, pace: Pace, tally: Tally, place: tuple[int, int]) -> None:
    """Worker w of n takes the units w, w + n, w + 2n, ..."""
    worker, threads = place
    origin = time.monotonic()
    last = pace.seconds * (1 + GRACE)
    index = worker
    while (intended := pace.intended_s(index)) < pace.seconds:
        wait = origin + pace.begin_s(intended) - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        if time.monotonic() - origin > last:
            tally.samples.add((time.monotonic() - origin - intended) * 1000)
        else:
            errors = job(worker)
            tally.samples.add((time.monotonic() - origin - intended) * 1000)
            tally.errors += errors
            tally.units += not errors
        index += threads
    remaining = origin + pace.seconds - time.monotonic()
    if remaining > 0:
        time.sleep(remaining)
