"""Many seeds of one experiment, by a few processes; Ctrl-C keeps the seeds that are done.

In: what to do with a seed, the seeds, how many processes. Out: `Campaign`: the results in the order of the seeds, and
whether all of them are there. Each process has the environment of an actor, so that a result depends on nothing but its
seed, and a scratch folder that is gone at the end, however the work ends.
"""

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Generic, TypeVar

from supervisor.nursery import PINNED

Result = TypeVar("Result")


@dataclass(frozen=True)
class Campaign(Generic[Result]):
    """The results of the seeds that are done."""

    seeds: tuple[int, ...]
    results: tuple[Result, ...]
    is_complete: bool


def run_seeds(
    task: Callable[[int], Result], seeds: Sequence[int], jobs: int, progress: Callable[[int], None]
) -> Campaign[Result]:
    """Do `task` with each of `seeds`; `progress` is told 1 after each. Raises what `task` raises."""
    done: dict[int, Result] = {}
    with tempfile.TemporaryDirectory(prefix="oneiros-experiments-") as scratch:
        os.environ.update(PINNED)
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(min(jobs, len(seeds)), context, initializer=_prepare, initargs=(scratch,))
        try:
            futures: dict[Future[Result], int] = {pool.submit(task, seed): seed for seed in seeds}
            for future in as_completed(futures):
                done[futures[future]] = future.result()
                progress(1)
        except KeyboardInterrupt:
            _end(pool)
        except BaseException:
            _end(pool)
            raise
        pool.shutdown()
    kept = tuple(sorted(done))
    return Campaign(kept, tuple(done[seed] for seed in kept), len(kept) == len(seeds))


def _prepare(scratch: str) -> None:
    """Leave Ctrl-C to the parent, and make temporary folders where the parent removes them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tempfile.tempdir = scratch


def _end(pool: ProcessPoolExecutor) -> None:
    """End the processes in the middle of their seeds."""
    for child in multiprocessing.active_children():
        child.terminate()
    pool.shutdown(wait=True, cancel_futures=True)
