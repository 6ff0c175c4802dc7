"""Reads fio's `json+`: rates, errors, and completion latencies as a histogram.

In: fio's output; lines of warnings may stand before it. Out: operations a second or MB a second, and samples made
from the bins (fio's bins are at most a sixty-fourth of their value wide); of more than 20000 every k-th in order of
size. Refused: a job that reports an error gives no rate.
"""

from typing import Any, Final

from actors.regime_runner.parsers.output import Output, OutputRefusedError, member, number, object_in, spread
from actors.regime_runner.workloads.sampling import MAX_SAMPLES

_DIRECTIONS: Final = ("read", "write")


def read(text: str, unit: str) -> Output:
    """What fio measured, in operations/s or MB/s; raises OutputRefusedError."""
    jobs = member(object_in(text), "jobs")
    if not isinstance(jobs, list) or not jobs:
        raise OutputRefusedError("there is no job in it")
    failed = [round(number(job, "error")) for job in jobs if number(job, "error")]
    if failed:
        raise OutputRefusedError(f"a job ended with error {failed[0]}")
    rate = "iops" if unit == "operations/s" else "bw_bytes"
    perf = sum(number(job, direction, rate) for job in jobs for direction in _DIRECTIONS)
    counts = [pair for job in jobs for direction in _DIRECTIONS for pair in _bins(job, direction)]
    return Output(
        perf=perf if unit == "operations/s" else perf / 1e6,
        unit=unit if unit in {"operations/s", "MB/s"} else "operations/s or MB/s",
        samples_ms=spread(counts, MAX_SAMPLES),
        errors=0,
        figures={"write_error_rate": 0.0} if any(number(job, "write", "total_ios") for job in jobs) else {},
    )


def _bins(job: Any, direction: str) -> list[tuple[float, int]]:
    """Latency in ms and how often, of one direction; none where nothing was done in it."""
    if not number(job, direction, "total_ios"):
        return []
    bins = member(job, direction, "clat_ns", "bins")
    if not isinstance(bins, dict):
        raise OutputRefusedError(f"{direction}.clat_ns.bins is no histogram")
    try:
        return [(int(value) / 1e6, round(number(bins, value))) for value in bins]
    except ValueError:
        raise OutputRefusedError(f"{direction}.clat_ns.bins has a bin that is no number") from None
