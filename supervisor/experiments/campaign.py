"""Many seeds of one experiment, by a few processes; Ctrl-C keeps the seeds that are done.

In: what to do with a seed, the seeds, how many processes. Out: `Campaign`: the results in the order of the seeds, and
whether all of them are there. Each process has the environment of an actor, so that a result depends on nothing but its
seed, and a scratch folder that is gone at the end, however the work ends. SIGTERM is answered as Ctrl-C is. Refused
with `WorkerLostError`: to go on when a process was killed from outside.
"""

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Generic, NoReturn, TypeVar

from supervisor.errors import SupervisorError
from supervisor.nursery import PINNED

Result = TypeVar("Result")


class WorkerLostError(SupervisorError):
    """A process of the experiment was killed."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        super().__init__(f"a process of the experiment was killed; is there memory for --jobs {jobs}?")


@dataclass(frozen=True)
class Campaign(Generic[Result]):
    """The results of the seeds that are done."""

    seeds: tuple[int, ...]
    results: tuple[Result, ...]
    is_complete: bool


def run_seeds(
    task: Callable[[int], Result], seeds: Sequence[int], jobs: int, progress: Callable[[int], None]
) -> Campaign[Result]:
    """Do `task` with each of `seeds`; `progress` is told 1 after each. Raises what it raises, and WorkerLostError."""
    done: dict[int, Result] = {}
    with _terminated_as_interrupted(), tempfile.TemporaryDirectory(prefix="oneiros-experiments-") as scratch:
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
        except BrokenProcessPool as error:
            _end(pool)
            raise WorkerLostError(jobs) from error
        except BaseException:
            _end(pool)
            raise
        pool.shutdown()
    kept = tuple(sorted(done))
    return Campaign(kept, tuple(done[seed] for seed in kept), len(kept) == len(seeds))


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Answer SIGTERM as Ctrl-C."""

    def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _prepare(scratch: str) -> None:
    """Leave Ctrl-C to the parent, and make temporary folders where the parent removes them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tempfile.tempdir = scratch


def _end(pool: ProcessPoolExecutor) -> None:
    """End the processes in the middle of their seeds."""
    for child in multiprocessing.active_children():
        child.terminate()
    pool.shutdown(wait=True, cancel_futures=True)
