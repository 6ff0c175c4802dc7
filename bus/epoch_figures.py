"""What a guest did since its last epoch, as the five figures of seed 000, section 10.

In: what was retrieved and judged. Out: `Kpis`, by the definitions of the run's own learner: precision and utilization
divide by dreams retrieved, coverage counts the hue bins of `bias.chroma_bins` and the bin of greys, a figure without
a denominator is None.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from schemas.colour import hue_bin
from schemas.dreams import DreamFacts
from schemas.feedback import Kpis
from schemas.settings import EngineSettings, InterfaceSettings

NS_PER_DAY: Final = 86_400 * 10**9
FEEDBACK_UNIT: Final = 100
"""improvement_delta is per so many feedback records."""


class ClientSettings(NamedTuple):
    """The settings of a run that a client looks at."""

    interface: InterfaceSettings
    chroma_bins: int
    tau: float
    recent_days: float

    @classmethod
    def of(cls, settings: EngineSettings) -> "ClientSettings":
        """Those among the settings of a run."""
        learner = settings.learner
        return cls(settings.interface, settings.bias.chroma_bins, learner.tau, learner.recent_days)


@dataclass
class EpochFigures:
    """Counts of the running epoch."""

    settings: ClientSettings
    epoch: int = 1
    rounds: int = 0
    """Answers with at least one dream."""
    retrieved: int = 0
    judged: int = 0
    useful: int = 0
    recent: int = 0
    bins: set[int] = field(default_factory=set)

    def add_retrieved(self, dreams: Sequence[DreamFacts], as_of_ns: int) -> None:
        """Count an answer."""
        limit_ns = self.settings.recent_days * NS_PER_DAY
        self.rounds += bool(dreams)
        self.retrieved += len(dreams)
        self.recent += sum(as_of_ns - facts.timestamp_ns < limit_ns for facts in dreams)
        self.bins.update(hue_bin(facts.chroma_signature, self.settings.chroma_bins) for facts in dreams)

    def add_judged(self, utilities: Sequence[float]) -> None:
        """Count feedback."""
        self.judged += len(utilities)
        self.useful += sum(utility > self.settings.tau for utility in utilities)

    def kpis(self, loss_at_start: float | None, loss_at_end: float) -> Kpis:
        """The figures of the epoch; the losses are the dreaming arm's on the probe."""
        fall = None if loss_at_start is None else loss_at_start - loss_at_end
        return Kpis(
            selection_precision=self._share(self.useful),
            utilization_rate=self._share(self.judged),
            improvement_delta=fall * FEEDBACK_UNIT / self.judged if fall is not None and self.judged else None,
            coverage=len(self.bins) / (self.settings.chroma_bins + 1) if self.retrieved else None,
            recency_ratio=self._share(self.recent),
        )

    def next_epoch(self) -> "EpochFigures":
        """Counts of nothing, for the epoch after this one."""
        return EpochFigures(self.settings, self.epoch + 1)

    def _share(self, part: int) -> float | None:
        return min(1.0, part / self.retrieved) if self.retrieved else None
