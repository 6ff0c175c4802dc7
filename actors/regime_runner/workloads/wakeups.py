"""Wakes up at a fixed interval and does nothing: what an idle machine does to a sleeper.

In: an interval. Out: wake-ups a second, and how late each one was, ms.
"""

from actors.regime_runner.workloads.command_line import read
from actors.regime_runner.workloads.pacing import Pace, run
from actors.regime_runner.workloads.sampling import tell


def main() -> None:
    """Measure once and tell."""
    options = read("wakeups")
    pace = Pace(options.number("seconds"), 1e6 / options.whole("interval-us"))
    tally, elapsed = run(lambda _worker: 0, pace)
    tell(tally, "wakeups/s", elapsed)


if __name__ == "__main__":
    main()
