"""Pairs of processes that pass messages to and fro over pipes: what waking another process costs.

In: pairs, messages of one write. Out: messages a second, and the time of each round trip. A message that comes back
otherwise than it went is an error.
"""

import os
import time
from typing import Final

from actors.regime_runner.workloads.command_line import read
from actors.regime_runner.workloads.forking import run_forked
from actors.regime_runner.workloads.sampling import MAX_SAMPLES, Samples, Tally, merged, tell

MESSAGE: Final = 64
"""Bytes of a message; 64 of them fit a pipe."""


def play(seconds: float, batch: int, pairs: int) -> Tally:
    """One pair: this process calls, a child of it answers until the pipe ends."""
    to_child, from_parent = os.pipe()
    to_parent, from_child = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(from_parent)
        os.close(to_parent)
        while heard := os.read(to_child, MESSAGE * batch):
            os.write(from_child, heard)
        os._exit(0)
    os.close(to_child)
    os.close(from_child)
    tally = Tally(samples=Samples(max(100, MAX_SAMPLES // pairs)))
    end = time.monotonic() + seconds
    begun = time.monotonic()
    while begun < end:
        number = tally.samples.count % 251
        sent = bytes([number]) * (MESSAGE * batch)
        os.write(from_parent, sent)
        heard = b""
        while len(heard) < len(sent):
            heard += os.read(to_parent, len(sent) - len(heard))
        done = time.monotonic()
        tally.samples.add((done - begun) * 1000)
        tally.errors += heard != sent
        tally.units += 2 * batch
        begun = done
    os.close(from_parent)
    os.waitpid(child, 0)
    return tally


def main() -> None:
    """Measure once and tell."""
    options = read("pipes")
    pairs, seconds, batch = options.whole("pairs"), options.number("seconds"), options.whole("batch")
    begun = time.monotonic()
    tallies = run_forked([lambda: play(seconds, batch, pairs)] * pairs)
    tell(merged(tallies), "messages/s", time.monotonic() - begun)


if __name__ == "__main__":
    main()
