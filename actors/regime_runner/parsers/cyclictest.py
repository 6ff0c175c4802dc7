"""Reads cyclictest's JSON: how late each wake-up was, as a histogram of whole microseconds.

In: its output, and the whole seconds that it was told to run. Out: wake-ups a second, and samples made from the
histogram; of more than 20000 every k-th in order of size. Wake-ups beyond the histogram count with the largest that
was seen. Refused: a return code but 0.
"""

from typing import Any

from actors.regime_runner.parsers.output import Output, OutputRefusedError, member, number, object_in, spread
from actors.regime_runner.workloads.sampling import MAX_SAMPLES


def read(text: str, seconds: int) -> Output:
    """What cyclictest measured; raises OutputRefusedError."""
    line = object_in(text)
    if number(line, "return_code"):
        raise OutputRefusedError(f"it ended with return code {number(line, 'return_code'):g}")
    threads = member(line, "thread")
    if not isinstance(threads, dict) or not threads:
        raise OutputRefusedError("there is no thread in it")
    counts = [pair for thread in threads.values() for pair in _histogram(thread)]
    cycles = sum(number(thread, "cycles") for thread in threads.values())
    return Output(cycles / seconds, "wakeups/s", spread(counts, MAX_SAMPLES), 0, {})


def _histogram(thread: Any) -> list[tuple[float, int]]:
    """Lateness in ms and how often, of one thread."""
    bins = member(thread, "histogram")
    if not isinstance(bins, dict):
        raise OutputRefusedError("thread.histogram is no histogram")
    try:
        counts = [(int(value) / 1000, round(number(bins, value))) for value in bins]
    except ValueError:
        raise OutputRefusedError("thread.histogram has a bin that is no number") from None
    beyond = round(number(thread, "cycles")) - sum(count for _, count in counts)
    return [*counts, (number(thread, "max") / 1000, beyond)] if beyond > 0 else counts
