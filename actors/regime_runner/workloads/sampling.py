"""What every kernel tells: counts, raw samples and figures, as one JSON object on one line.

In: samples as they are taken. Out: a `Tally`, and its line. Memory is bounded: of a long run every k-th sample is
kept in the order of time, k doubling as the store fills, and the line says k. A percentile is always one of the kept
samples.
"""

import json
import math
import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

MAX_SAMPLES: Final = 20_000
"""Most samples of one line."""
UNAVAILABLE: Final = 69
"""Exit status of a kernel whose device or module turns out not to be there (EX_UNAVAILABLE of sysexits.h)."""


class Samples:
    """Raw samples in ms, every `stride`-th of them."""

    def __init__(self, limit: int = MAX_SAMPLES) -> None:
        self.kept = array("d")
        self.count = 0
        self.stride = 1
        self._limit = limit

    def add(self, sample_ms: float) -> None:
        """Take one sample."""
        if self.count % self.stride == 0:
            self.kept.append(sample_ms)
            if len(self.kept) >= 2 * self._limit:
                self.thin()
        self.count += 1

    def thin(self) -> None:
        """Drop every second kept sample."""
        self.kept = self.kept[::2]
        self.stride *= 2


@dataclass
class Tally:
    """What one worker, or all of them, did."""

    units: float = 0.0
    """Units of work that were finished."""
    errors: int = 0
    samples: Samples = field(default_factory=Samples)
    figures: dict[str, float] = field(default_factory=dict)


def merged(tallies: Iterable[Tally]) -> Tally:
    """All tallies as one: units and errors added, samples brought to the widest stride, figures of the first."""
    parts = list(tallies)
    whole = Tally(sum(part.units for part in parts), sum(part.errors for part in parts))
    whole.figures = dict(parts[0].figures) if parts else {}
    stride = max((part.samples.stride for part in parts), default=1)
    for part in parts:
        while part.samples.stride < stride:
            part.samples.thin()
        whole.samples.kept.extend(part.samples.kept)
        whole.samples.count += part.samples.count
    whole.samples.stride = stride
    while len(whole.samples.kept) > MAX_SAMPLES:
        whole.samples.thin()
    return whole


def percentile(samples: Iterable[float], share: float) -> float:
    """The smallest sample that at least `share` of all are not above (nearest rank); there is at least one."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def tell(tally: Tally, unit: str, elapsed_s: float) -> None:
    """Print the line."""
    line = {
        "unit": unit,
        "perf": tally.units / elapsed_s,
        "elapsed_s": elapsed_s,
        "errors": tally.errors,
        "count": tally.samples.count,
        "kept_every": tally.samples.stride,
        "samples_ms": [float(f"{sample:.6g}") for sample in tally.samples.kept],
        "figures": tally.figures,
    }
    sys.stdout.write(json.dumps(line, allow_nan=False) + "\n")
    sys.stdout.flush()


def leave_unavailable(reason: str) -> None:
    """End this program: what it measures is not there."""
    sys.stderr.write(f"unavailable: {reason}\n")
    raise SystemExit(UNAVAILABLE)
