"""A fixed amount of work a second, done evenly or in bursts: what power and heat depend on.

In: a rate, a wave, how long work is kept back, threads. Out: units a second, and how long after its own time each
unit was done. Every genome does the same work; joules are the watchdog's to read.
"""

from typing import Final

import zstandard

from actors.regime_runner.workloads.command_line import read
from actors.regime_runner.workloads.crunching import Cruncher
from actors.regime_runner.workloads.pacing import Pace, run
from actors.regime_runner.workloads.prose import prose
from actors.regime_runner.workloads.sampling import tell

UNIT_BYTES: Final = 384 * 1024
LEVEL: Final = 3
WAVE_S: Final = 0.5
"""Period of the square wave: short enough for several in the quick profile."""


def main() -> None:
    """Measure once and tell."""
    options = read("bursts")
    unit, threads = prose(UNIT_BYTES), options.whole("threads")
    chunk = options.whole("chunk-kb") * 1024
    workers = [Cruncher(unit, chunk, zstandard.ZstdCompressor(level=LEVEL)) for _ in range(threads)]
    for worker in workers:
        worker.request()
    wave = WAVE_S if options.text("wave") == "square" else 0.0
    pace = Pace(options.number("seconds"), options.number("rate"), wave, options.whole("burst-ms") / 1000)
    tally, elapsed = run(lambda worker: workers[worker].request(), pace, threads)
    tell(tally, "units/s", elapsed)


if __name__ == "__main__":
    main()
