"""Copies between two mapped areas: single pages, blocks in order, patterns that are read back, or allocations between.

In: a pattern, bytes of both areas, a block size, threads, advice on huge pages. Out: MiB a second, or copies a second
where the rate is fixed, and the time of each. Every worker has its own part of the areas. A pattern that is read back
otherwise than it was written is an error.
"""

import mmap
from typing import Final

import numpy as np
from numpy.typing import NDArray

from actors.regime_runner.workloads.command_line import Options, read
from actors.regime_runner.workloads.pacing import Pace, run
from actors.regime_runner.workloads.sampling import tell

Bytes = NDArray[np.uint8]

MEBIBYTE: Final = 1024 * 1024
PAGE: Final = mmap.PAGESIZE
SMALL: Final = 64 * 1024
"""Size of the allocations of the mixed pattern."""
_ADVICE: Final = {"hugepage": mmap.MADV_HUGEPAGE, "nohugepage": mmap.MADV_NOHUGEPAGE}


def area(size: int, options: Options) -> Bytes:
    """A mapped area of `size` bytes, advised and touched as the options say."""
    mapped = mmap.mmap(-1, size)
    if options.text("thp") in _ADVICE:
        mapped.madvise(_ADVICE[options.text("thp")])
    whole = np.frombuffer(mapped, dtype=np.uint8)
    if options.is_on("prefault"):
        whole[::PAGE] = 1
    return whole


class Worker:
    """One thread's part of both areas."""

    def __init__(self, number: int, source: Bytes, target: Bytes, block: int) -> None:
        self._source, self._target = source, target
        self._block = min(block, len(source))
        self._places = max(1, len(source) // self._block)
        self._random = np.random.Generator(np.random.Philox(number))
        self._count = number
        self.bytes = 0

    def sequential(self) -> int:
        """Copy the next block."""
        begin = self._count % self._places * self._block
        self._target[begin : begin + self._block] = self._source[begin : begin + self._block]
        self._count += 1
        self.bytes += self._block
        return 0

    def random(self) -> int:
        """Copy a block at one place to another."""
        begin, end = (int(place) * self._block for place in self._random.integers(0, self._places, size=2))
        self._target[end : end + self._block] = self._source[begin : begin + self._block]
        self.bytes += self._block
        return 0

    def verify(self) -> int:
        """Write a pattern to the next block and read it back."""
        begin = self._count % self._places * self._block
        block, pattern = self._target[begin : begin + self._block], self._count * 37 % 251
        block.fill(pattern)
        self._count += 1
        self.bytes += 2 * self._block
        return int(bool((block != pattern).any()))

    def mixed(self) -> int:
        """A fresh allocation of 64 KiB, filled from a random place, then the next block."""
        begin = int(self._random.integers(0, max(1, len(self._source) - SMALL)))
        taken = self._source[begin : begin + SMALL].copy()
        self.bytes += len(taken)
        return self.sequential()


def main() -> None:
    """Measure once and tell."""
    options = read("memory")
    threads, half = options.whole("threads"), options.whole("bytes") // 2
    source, target = area(half, options), area(half, options)
    part = half // threads // PAGE * PAGE
    block = options.whole("block-kb") * 1024
    workers = [
        Worker(number, source[number * part :][:part], target[number * part :][:part], block)
        for number in range(threads)
    ]
    jobs = [getattr(worker, options.text("pattern")) for worker in workers]
    pace = Pace(options.number("seconds"), options.number("rate"))
    tally, elapsed = run(lambda number: int(jobs[number]()), pace, threads)
    if pace.rate:
        tell(tally, "copies/s", elapsed)
        return
    tally.units = sum(worker.bytes for worker in workers) / MEBIBYTE
    tell(tally, "MiB/s", elapsed)


if __name__ == "__main__":
    main()
