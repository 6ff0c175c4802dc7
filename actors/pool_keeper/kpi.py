"""The figures of an epoch, computed anew from what the interface logs hold (seed 000, section 10).

In: the dreams that a learner retrieved in the epoch, the utilities that it gave, and what the epoch report says of its
measure. Out: `Kpis`, equal bit for bit to those of a learner that counted while the epoch ran. It knows no file: who
reads the logs hands in what they say. A figure without a denominator is None; so is `improvement_delta` where the
loss at the start of the epoch is unknown.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from schemas.colour import Rgb, hue_bin
from schemas.feedback import Kpis

NS_PER_DAY: Final = 86_400 * 10**9
FEEDBACK_UNIT: Final = 100
"""`improvement_delta` is per so many feedback records."""


class RetrievedDream(NamedTuple):
    """A dream of an answer."""

    colour: Rgb
    """Mean red, green and blue, [0, 1]."""
    age_ns: int
    """At the `as_of_ns` of the query; negative for a dream from after it."""


class Measure(NamedTuple):
    """By what an epoch is measured."""

    tau: float
    """A dream with a utility above this is useful."""
    recent_days: float
    """A dream younger than this is recent."""
    chroma_bins: int
    """Hue bins; the greys have one more."""
    loss_at_start: float | None
    """Probe loss of the first arm before the first step of the epoch, in nats; None when nobody said."""
    loss_at_end: float
    """The same after its last step."""


def compute_kpis(retrieved: Sequence[RetrievedDream], utilities: Sequence[float], measure: Measure) -> Kpis:
    """The five figures of an epoch with these answers and this feedback."""
    count = len(retrieved)
    bins = {hue_bin(dream.colour, measure.chroma_bins) for dream in retrieved}
    recent = sum(dream.age_ns < measure.recent_days * NS_PER_DAY for dream in retrieved)
    return Kpis(
        selection_precision=_share(sum(utility > measure.tau for utility in utilities), count),
        utilization_rate=_share(len(utilities), count),
        improvement_delta=_improvement(measure, len(utilities)),
        coverage=_share(len(bins), measure.chroma_bins + 1) if count else None,
        recency_ratio=_share(recent, count),
    )


def _improvement(measure: Measure, feedback: int) -> float | None:
    if measure.loss_at_start is None or not feedback:
        return None
    return (measure.loss_at_start - measure.loss_at_end) * FEEDBACK_UNIT / feedback


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
