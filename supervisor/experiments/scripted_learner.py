"""A learner that loves one hue: it asks for dreams of all colours and says how near each is to the hue that it hides.

In: the timer "round", RetrievedSet. Out: in each round a RetrievalQuery for a colour whose hue is drawn uniformly, so
that what is judged does not follow what is loved; and a FeedbackBatch with, for each dream, the cosine of the angle
between its hue and the hidden one, plus normal noise. A dream of uniformly drawn hue is thus worth 0 on average, one of
the hidden hue 1, one of the opposite hue -1; a grey has no hue and is worth 0. It trains nothing and needs no tensors.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgpack

from bus.core import Fired, Input, Outcome, Received, Scalar, Send, SetTimer, Started
from bus.randomness import RandomSource
from schemas.colour import Rgb, is_grey, to_hsv, to_rgb
from schemas.feedback import FeedbackBatch, FeedbackRecord
from schemas.retrieval import RetrievalQuery, RetrievedEntry, RetrievedSet
from schemas.settings import EngineSettings

NOISE: Final = 0.5
"""Standard deviation of the noise on a utility; utilities without it lie in [-1, 1]."""
ASKED_SATURATION: Final = 0.8
ASKED_VALUE: Final = 0.8


@dataclass(slots=True)
class ScriptedState:
    """What the learner carries from round to round."""

    hidden_hue: float
    """Degrees."""
    rounds: int = 0
    answers: int = 0
    records: int = 0


def hue_utility(colour: Rgb, hidden_hue: float) -> float:
    """What a dream of this mean colour is worth, without noise."""
    return 0.0 if is_grey(colour) else math.cos(math.radians(to_hsv(colour)[0] - hidden_hue))


class ScriptedLearner:
    """The state machine; `move_to` is what the experiment does to it from outside."""

    def __init__(self, hidden_hue: float, settings: EngineSettings, randomness: RandomSource) -> None:
        self._settings = settings
        self._randomness = randomness
        self._state = ScriptedState(hidden_hue)

    @property
    def hidden_hue(self) -> float:
        """Degrees."""
        return self._state.hidden_hue

    def move_to(self, hidden_hue: float) -> None:
        """Love another hue from now on."""
        self._state.hidden_hue = hidden_hue

    def handle(self, event: Input, now_ns: int) -> Outcome:
        """Decide on one input."""
        match event:
            case Started():
                return Outcome(timers=[SetTimer("round", 1.0)])
            case Fired(name="round"):
                rounds_hz = self._settings.learner.rounds_hz or 1.0
                return Outcome(sends=[Send(self._query(now_ns))], timers=[SetTimer("round", 1.0 / rounds_hz)])
            case Received(message=RetrievedSet() as answer) if answer.entries:
                return Outcome(sends=[Send(self._feedback(answer))])
            case _:
                return Outcome()

    def snapshot(self) -> bytes:
        """The state as msgpack."""
        state = self._state
        packed: bytes = msgpack.packb([state.hidden_hue, state.rounds, state.answers, state.records])
        return packed

    def restore(self, data: bytes) -> None:
        """Take over a snapshot."""
        self._state = ScriptedState(*msgpack.unpackb(data))

    def figures(self) -> Mapping[str, Scalar]:
        """The hidden hue and what was judged."""
        state = self._state
        return {"hidden_hue": state.hidden_hue, "rounds": state.rounds, "feedback_sent": state.records}

    def _query(self, now_ns: int) -> RetrievalQuery:
        state, interface = self._state, self._settings.interface
        state.rounds += 1
        rng = self._randomness.at("query", state.rounds)
        return RetrievalQuery(
            query_id=self._randomness.identify("query", state.rounds),
            k=interface.k,
            mode=interface.retrieval_default,
            query_signature=to_rgb((360.0 * rng.random(), ASKED_SATURATION, ASKED_VALUE)),
            min_coherence=None,
            max_entropy=None,
            recency_decay=interface.recency_decay,
            allow_duplicates=False,
            seed=int(rng.integers(0, 2**63)),
            as_of_ns=now_ns,
            alpha=interface.alpha_cosine,
            exploration=interface.exploration,
        )

    def _feedback(self, answer: RetrievedSet) -> FeedbackBatch:
        state = self._state
        state.answers += 1
        state.records += len(answer.entries)
        noise = self._randomness.at("noise", state.answers).normal(0.0, NOISE, len(answer.entries)).tolist()
        records = (self._judged(answer.query_id, *pair) for pair in zip(answer.entries, noise, strict=True))
        return FeedbackBatch(batch_id=self._randomness.identify("feedback", state.answers), records=tuple(records))

    def _judged(self, query_id: str, entry: RetrievedEntry, noise: float) -> FeedbackRecord:
        utility = hue_utility(entry.facts.chroma_signature, self._state.hidden_hue)
        return FeedbackRecord(
            query_id=query_id,
            entry_id=entry.facts.id,
            utility=utility + noise,
            contribution=(1.0 + utility) / 2.0,
            notes=None,
        )
