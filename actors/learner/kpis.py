"""The five figures of an epoch, counted while it runs (seed 000, section 10).

In: what was retrieved, used and judged in each round. Out: `Kpis`. Every figure can be recomputed from the retrieval
and feedback logs: precision and utilization divide by dreams retrieved, not by dreams used; the judged utility is
the one sent as feedback; coverage counts the hue bins of `bias.chroma_bins` and the bin of greys. A figure without a
denominator is None.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from schemas.colour import hue_bin
from schemas.dreams import DreamFacts
from schemas.feedback import Kpis
from schemas.settings import EngineSettings

NS_PER_DAY: Final = 86_400 * 10**9
FEEDBACK_UNIT: Final = 100
"""improvement_delta is per so many feedback records."""


@dataclass(slots=True)
class EpochTally:
    """Counts of the running epoch."""

    retrieved: int = 0
    used: int = 0
    useful: int = 0
    recent: int = 0
    bins_seen: list[int] = field(default_factory=list)
    """Bins that retrieved dreams fell into, in the order of their first."""
    feedback: int = 0

    def add_retrieved(self, dreams: Iterable[DreamFacts], as_of_ns: int, settings: EngineSettings) -> None:
        """Count an answer; a dream is recent when younger than `learner.recent_days` at `as_of_ns`."""
        limit_ns = settings.learner.recent_days * NS_PER_DAY
        for facts in dreams:
            self.retrieved += 1
            self.recent += as_of_ns - facts.timestamp_ns < limit_ns
            index = hue_bin(facts.chroma_signature, settings.bias.chroma_bins)
            if index not in self.bins_seen:
                self.bins_seen.append(index)

    def add_judged(self, utilities: Iterable[float], tau: float) -> None:
        """Count dreams that entered a step and were fed back with these utilities."""
        for utility in utilities:
            self.used += 1
            self.feedback += 1
            self.useful += utility > tau

    def kpis(self, chroma_bins: int, loss_at_start: float, loss_at_end: float) -> Kpis:
        """The figures of the epoch; the losses are the dreaming arm's on the probe, in nats."""
        return Kpis(
            selection_precision=_share(self.useful, self.retrieved),
            utilization_rate=_share(self.used, self.retrieved),
            improvement_delta=(loss_at_start - loss_at_end) * FEEDBACK_UNIT / self.feedback if self.feedback else None,
            coverage=_share(len(self.bins_seen), chroma_bins + 1) if self.retrieved else None,
            recency_ratio=_share(self.recent, self.retrieved),
        )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
