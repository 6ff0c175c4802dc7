"""Several learners, one profile: what each one's feedback may weigh.

In: stored feedback with the name of its learner. Out: the worth of each dream, and the share of each learner in it.
Every learner has a window of its own, so that a flood by one pushes nobody else's feedback out. A guest, which is
whoever is not a resident of the run, weighs at most `bias.max_learner_share` of all records, and its utilities at most
as much on average as those of the residents (of all others, when no resident says anything): neither many records nor
large numbers buy influence. A learner that is alone is taken as it is. All sums are exact, so that no order matters.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, NamedTuple

from actors.bias_synthesizer.aggregation import UNIT_BITS, DreamWorth, Entry, Features, Plain, Window
from schemas.feedback import StoredFeedback
from schemas.settings import BiasSettings

WHOLE: Final = Fraction(1)
MOST_LEARNERS: Final = 96
"""Windows that are kept; the feedback of further ones is not heard."""


class Standing(NamedTuple):
    """What one learner weighs in an update."""

    records: int
    """In its window."""
    weight: Fraction
    """Of one of its records, in (0, 1]."""
    scale: Fraction
    """That its utilities are multiplied by, in (0, 1]."""
    share: Fraction
    """Of all that is weighed."""


@dataclass
class Learners:
    """The feedback that the next profile rests on."""

    settings: BiasSettings
    residents: Collection[str] = ()
    """The learners of the run itself."""
    windows: dict[str, Window] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """Feedback records in all windows."""
        return sum(window.records for window in self.windows.values())

    def add(self, learner: str, records: Iterable[StoredFeedback]) -> bool:
        """Take the records of `learner`; False when there are too many learners already."""
        if learner not in self.windows:
            if len(self.windows) >= MOST_LEARNERS:
                return False
            self.windows[learner] = Window(self.settings.update_interval_steps, self.settings.min_feedback)
        self.windows[learner].add(records)
        return True

    def standings(self) -> dict[str, Standing]:
        """What each learner weighs now, by name."""
        counts = {name: self.windows[name].records for name in sorted(self.windows)}
        masses = {name: self.windows[name].mass for name in counts}
        weights = record_weights(counts, self.residents, Fraction(self.settings.max_learner_share))
        total = sum((weights[name] * count for name, count in counts.items()), Fraction(0))
        return {
            name: Standing(count, weights[name], self._scale(name, counts, masses), weights[name] * count / total)
            for name, count in counts.items()
        }

    def dreams(self, standings: Mapping[str, Standing]) -> tuple[DreamWorth, ...]:
        """The dreams of all windows, by id."""
        judged: dict[str, list[tuple[Standing, Entry]]] = {}
        for name, standing in standings.items():
            for dream_id, entry in self.windows[name].entries().items():
                judged.setdefault(dream_id, []).append((standing, entry))
        return tuple(_worth(dream_id, judged[dream_id]) for dream_id in sorted(judged))

    def to_plain(self) -> dict[str, Plain]:
        """The windows as msgpack can hold them, by name."""
        return {name: self.windows[name].to_plain() for name in sorted(self.windows)}

    def take_plain(self, plain: Mapping[str, Plain]) -> None:
        """Take over what `to_plain` gave."""
        self.windows.clear()
        for name, held in plain.items():
            self.windows[name] = Window(self.settings.update_interval_steps, self.settings.min_feedback)
            self.windows[name].take_plain(held)

    def _scale(self, name: str, counts: Mapping[str, int], masses: Mapping[str, int]) -> Fraction:
        """What brings the mean size of a guest's utilities down to that of those whom it is measured by."""
        others = [other for other in counts if other in self.residents] or [other for other in counts if other != name]
        if name in self.residents or not others or not masses[name]:
            return WHOLE
        usual = Fraction(sum(masses[other] for other in others), sum(counts[other] for other in others))
        return min(WHOLE, usual * counts[name] / masses[name]) if usual else WHOLE


def record_weights(counts: Mapping[str, int], residents: Collection[str], most: Fraction) -> dict[str, Fraction]:
    """The weight of a record of each learner: 1, unless a guest would make up more than `most` of all that is weighed.

    As few guests as possible are held down. Where even equal shares are above `most`, shares are equal.
    """
    weights = dict.fromkeys(counts, WHOLE)
    guests = sorted((name for name in counts if name not in residents), key=lambda name: (-counts[name], name))
    rest = sum(counts.values())
    for held in range(len(guests)):
        if held * most >= 1 or not rest:
            break
        limit = most * rest / (1 - held * most)
        if counts[guests[held]] <= limit:
            return {**weights, **{name: limit / counts[name] for name in guests[:held]}}
        rest -= counts[guests[held]]
    if rest and len(guests) * most < 1:
        limit = most * rest / (1 - len(guests) * most)
        return {**weights, **{name: limit / counts[name] for name in guests}}
    least = min(counts.values(), default=0)
    return {name: Fraction(least, count) for name, count in counts.items()} if len(counts) > 1 else weights


def _worth(dream_id: str, judged: Sequence[tuple[Standing, Entry]]) -> DreamWorth:
    weighed = sum((standing.weight * entry.records for standing, entry in judged), Fraction(0))
    total = sum((standing.weight * standing.scale * entry.total for standing, entry in judged), Fraction(0))
    records = sum(entry.records for _, entry in judged)
    features: Features = min(entry.features for _, entry in judged)
    return DreamWorth(dream_id, float(total / (weighed * 2**UNIT_BITS)), records, *features, float(weighed / records))
