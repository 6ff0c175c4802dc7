"""Light actors for a simulation: they speak as the real ones do and compute nothing.

In: the inputs of a dreamer, a learner, a synthesizer. Out: messages: tiny dreams, questions and feedback, hints. Which
message follows which is as in `actors`; the tensor work is left out, so that an hour passes in a blink. The keeper is
in `bus.simulation.light_keeper`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bus.codec import pack, unpack
from bus.core import Fired, Input, Outcome, Received, Scalar, Send, SetTimer, Started
from schemas.base import Message
from schemas.bias import BiasProfile, Exemplar, SeedWeights
from schemas.dreams import DreamEntry
from schemas.feedback import FeedbackBatch, FeedbackReceipt, FeedbackRecord, FeedbackStored
from schemas.retrieval import (
    BatchRequest,
    LearningBatch,
    PoolStats,
    PoolStatsRequest,
    RetrievalQuery,
    RetrievedSet,
)

POLL_S: Final = 0.5
PATIENCE_S: Final = 60.0
PROFILE_EVERY: Final = 4
"""Batches of feedback between two profiles."""
BURST_EVERY: Final = 5
"""Of so many timers of a dreamer one gives two dreams."""
MIN_POOL: Final = 4
GREY: Final = (0.5, 0.5, 0.5)
EMPTY_DIGEST: Final = bytes(32)


def name_at(kind: int, counter: int, now_ns: int) -> str:
    """An id (the form of a UUIDv5) from a counter and the reading of the clock in which it was given."""
    return f"{counter:08x}-{now_ns >> 48 & 0xFFFF:04x}-5{kind:03x}-8000-{now_ns & 0xFFFFFFFFFFFF:012x}"


def name_of(message: Message) -> str:
    """What a message is known by."""
    match message:
        case DreamEntry():
            return message.id
        case RetrievalQuery() | RetrievedSet() | BatchRequest() | LearningBatch():
            return message.query_id
        case FeedbackBatch() | FeedbackReceipt() | FeedbackStored():
            return message.batch_id
        case BiasProfile():
            return message.profile_id
        case PoolStatsRequest() | PoolStats():
            return str(message.request)
        case _:
            return message.kind


@dataclass
class LightDreamer:
    """Dreams at a steady rate, now and then twice at once."""

    period_s: float
    ticks: int = 0
    dreams: int = 0
    profile_id: str | None = None

    def handle(self, event: Input, now_ns: int) -> Outcome:
        """Decide on one input."""
        match event:
            case Started():
                return Outcome(timers=[SetTimer("episode", self.period_s)])
            case Fired():
                self.ticks += 1
                count = 2 if self.ticks % BURST_EVERY == 0 else 1
                sends = [Send(self._dream(now_ns)) for _ in range(count)]
                return Outcome(sends=sends, timers=[SetTimer("episode", self.period_s)])
            case Received(message=BiasProfile() as profile):
                self.profile_id = profile.profile_id
                return Outcome()
            case _:
                return Outcome(refusal="a dreamer hears BiasProfile alone")

    def _dream(self, now_ns: int) -> DreamEntry:
        self.dreams += 1
        dream_id = name_at(1, self.dreams, now_ns)
        return DreamEntry(
            id=dream_id,
            timestamp_ns=now_ns,
            source="random",
            factoid_ids=(),
            image_id=None,
            parents=(),
            lineage_root=dream_id,
            generation=0,
            ancestry=(),
            coherence=0.5,
            energy=0.25,
            chroma_signature=GREY,
            spectral_entropy=0.5,
            shape=(1, 1, 1),
            tensor_sha256=EMPTY_DIGEST,
            metadata_json="{}",
            profile_id=self.profile_id,
            tensor_blob=dream_id.encode(),
        )

    def snapshot(self) -> bytes:
        """The whole state."""
        return pack((self.ticks, self.dreams, self.profile_id))

    def restore(self, data: bytes) -> None:
        """Take over a snapshot."""
        self.ticks, self.dreams, self.profile_id = unpack(data)

    def figures(self) -> Mapping[str, Scalar]:
        """How many dreams."""
        return {"dreams": self.dreams}


@dataclass
class LightLearner:
    """Asks, trains on nothing, and says what helped."""

    pause_s: float
    phase: str = "pool"
    asked: int = 0
    query_id: str = ""
    rounds: int = 0
    receipts: int = 0
    given_up: int = 0

    def handle(self, event: Input, now_ns: int) -> Outcome:
        """Decide on one input."""
        match event:
            case Started():
                return self._start()
            case Fired(name=name):
                return self._fire(name, now_ns)
            case Received(message=message):
                return self._hear(message, now_ns)
            case _:
                return Outcome()

    def _start(self) -> Outcome:
        match self.phase:
            case "pool":
                return self._poll()
            case "pause":
                return Outcome(timers=[SetTimer("round", self.pause_s)])
            case _:
                return Outcome(timers=[SetTimer("patience", PATIENCE_S)])

    def _fire(self, name: str, now_ns: int) -> Outcome:
        if name == "poll" and self.phase == "pool":
            return self._poll()
        if name == "round" and self.phase == "pause":
            return self._begin_round(now_ns)
        if name == "patience" and self.phase in ("answer", "batch"):
            self.given_up += 1
            return self._begin_round(now_ns)
        return Outcome()

    def _poll(self) -> Outcome:
        self.asked += 1
        return Outcome(sends=[Send(PoolStatsRequest(request=self.asked))], timers=[SetTimer("poll", POLL_S)])

    def _begin_round(self, now_ns: int) -> Outcome:
        self.asked += 1
        self.phase = "answer"
        self.query_id = name_at(2, self.asked, now_ns)
        query = RetrievalQuery(
            query_id=self.query_id,
            k=1,
            mode="composite",
            query_signature=GREY,
            min_coherence=None,
            max_entropy=None,
            recency_decay=None,
            allow_duplicates=True,
            seed=7 * self.asked,
            as_of_ns=now_ns,
            alpha=0.5,
            exploration=0.0,
        )
        return Outcome(sends=[Send(query)], timers=[SetTimer("patience", PATIENCE_S)])

    def _hear(self, message: Message, now_ns: int) -> Outcome:
        match message:
            case PoolStats(dreams_total=total) if self.phase == "pool" and total >= MIN_POOL:
                return self._begin_round(now_ns)
            case RetrievedSet() if self.phase == "answer" and message.query_id == self.query_id:
                self.phase = "batch"
                ids = tuple(entry.facts.id for entry in message.entries)
                request = BatchRequest(query_id=self.query_id, entry_ids=ids)
                return Outcome(sends=[Send(request)], timers=[SetTimer("patience", PATIENCE_S)])
            case LearningBatch() if self.phase == "batch" and message.query_id == self.query_id:
                return self._end_round(message, now_ns)
            case FeedbackReceipt():
                self.receipts += 1
        return Outcome()

    def _end_round(self, batch: LearningBatch, now_ns: int) -> Outcome:
        self.phase = "pause"
        self.rounds += 1
        timers = [SetTimer("round", self.pause_s)]
        records = tuple(
            FeedbackRecord(query_id=self.query_id, entry_id=entry_id, utility=0.5, contribution=0.5, notes=None)
            for entry_id in batch.entry_ids
        )
        if not records:
            return Outcome(timers=timers)
        feedback = FeedbackBatch(batch_id=name_at(3, self.asked, now_ns), records=records)
        return Outcome(sends=[Send(feedback)], timers=timers)

    def snapshot(self) -> bytes:
        """The whole state."""
        return pack((self.phase, self.asked, self.query_id, self.rounds, self.receipts, self.given_up))

    def restore(self, data: bytes) -> None:
        """Take over a snapshot."""
        self.phase, self.asked, self.query_id, self.rounds, self.receipts, self.given_up = unpack(data)

    def figures(self) -> Mapping[str, Scalar]:
        """How many rounds."""
        return {"rounds": self.rounds}


@dataclass
class LightSynthesizer:
    """Hints after every few batches of feedback."""

    heard: int = 0
    profiles: int = 0

    def handle(self, event: Input, now_ns: int) -> Outcome:
        """Decide on one input."""
        match event:
            case Received(message=FeedbackStored() as stored):
                self.heard += 1
                if self.heard % PROFILE_EVERY == 0:
                    return Outcome(sends=[Send(self._profile(stored, now_ns))])
                return Outcome()
            case _:
                return Outcome()

    def _profile(self, stored: FeedbackStored, now_ns: int) -> BiasProfile:
        self.profiles += 1
        quarter = 0.25
        return BiasProfile(
            profile_id=name_at(4, self.profiles, now_ns),
            updated_at_ns=now_ns,
            chroma_prior=GREY,
            hue_concentration=0.0,
            entropy_window=(0.25, 0.75),
            seed_weights=SeedWeights(
                factoid_weight=quarter, image_weight=quarter, pool_seed_weight=quarter, random_weight=quarter
            ),
            bins=(),
            chroma_bins=24,
            exemplars=(Exemplar(dream_id=stored.records[-1].entry_id, weight=1.0),),
            feedback_total=self.heard,
        )

    def snapshot(self) -> bytes:
        """The whole state."""
        return pack((self.heard, self.profiles))

    def restore(self, data: bytes) -> None:
        """Take over a snapshot."""
        self.heard, self.profiles = unpack(data)

    def figures(self) -> Mapping[str, Scalar]:
        """How many profiles."""
        return {"profiles": self.profiles}
