"""What makes one arm differ from another: cores that pass a real core's decisions on, changed in one thing.

In: a real core. Out: a core of the same shape. `Unheard` keeps every BiasProfile from the dreamer, and says it to the
pool-keeper as usual. `ShuffledCredit` gives each feedback record the utility of a record that is drawn from the last
`SHUFFLED_RECORDS`, its own among them: utilities keep their distribution and lose what they say of dreams. Neither has
a snapshot of its own; an experiment runs without interruption.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from bus.core import Actor, Core, Input, Outcome, Scalar, Send
from bus.launch import ActorStart
from bus.randomness import RandomSource
from schemas.bias import BiasProfile
from schemas.feedback import FeedbackBatch

SHUFFLED_RECORDS: Final = 400
"""Long enough that records of one answer, which resemble each other, seldom meet."""


@dataclass
class PassingOn:
    """A core that decides as the one inside, but for what `changed` does to its outcome."""

    inner: Core

    def handle(self, event: Input, now_ns: int) -> Outcome:
        """What the core inside decides, changed."""
        return self.changed(self.inner.handle(event, now_ns))

    def changed(self, outcome: Outcome) -> Outcome:
        """The outcome of this arm."""
        return outcome

    def snapshot(self) -> bytes:
        """Of the core inside."""
        return self.inner.snapshot()

    def restore(self, data: bytes) -> None:
        """Take over a snapshot of the core inside."""
        self.inner.restore(data)

    def figures(self) -> Mapping[str, Scalar]:
        """Of the core inside."""
        return self.inner.figures()


@dataclass
class Unheard(PassingOn):
    """A bias-synthesizer whose profiles reach the pool-keeper alone."""

    def changed(self, outcome: Outcome) -> Outcome:
        """Without the dreamer among the receivers."""
        outcome.sends = [
            send._replace(to="pool-keeper") if isinstance(send.message, BiasProfile) else send for send in outcome.sends
        ]
        return outcome


@dataclass
class ShuffledCredit(PassingOn):
    """A learner whose feedback says nothing of the dreams that it names."""

    randomness: RandomSource
    batches: int = 0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=SHUFFLED_RECORDS))

    def changed(self, outcome: Outcome) -> Outcome:
        """With shuffled utilities."""
        outcome.sends = [self._shuffled(send) for send in outcome.sends]
        return outcome

    def _shuffled(self, send: Send) -> Send:
        if not isinstance(send.message, FeedbackBatch):
            return send
        batch = send.message
        self.recent.extend(record.utility for record in batch.records)
        rng: np.random.Generator = self.randomness.at("shuffled-credit", self.batches)
        self.batches += 1
        places = rng.integers(len(self.recent), size=len(batch.records)).tolist()
        records = tuple(
            record.model_copy(update={"utility": self.recent[place]})
            for record, place in zip(batch.records, places, strict=True)
        )
        return send._replace(message=batch.model_copy(update={"records": records}))


def unheard(_: ActorStart, actor: Actor) -> Actor:
    """The bias-synthesizer `actor`, heard by the pool-keeper alone."""
    return Actor(Unheard(actor.core), actor.randomness, actor.store, actor.observations)


def shuffled(start: ActorStart, actor: Actor) -> Actor:
    """The learner `actor` with shuffled feedback; the draws come from a source of their own."""
    return Actor(ShuffledCredit(actor.core, start.randomness()), actor.randomness, actor.store, actor.observations)
