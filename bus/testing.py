"""What a learner must do, as tests that anyone can run on theirs, without a loop.

In: a function of the user's that lives some rounds with a `Learner`. Out: `LearnerConformance`, a class of tests to
inherit from, and `MemoryPool`, the other end of a link without sockets: a pool of random dreams that answers at once,
keeps what it was told, and refuses what the pool-keeper refuses. Everything is encoded and decoded as on the bus.
"""

import math
from typing import Final

import numpy as np

from bus.client import Learner, Seating
from bus.codec import decode_body, encode_body, payloads_of
from bus.core import MessageRef, Received
from bus.epoch_figures import ClientSettings
from bus.step import Numbering, Outgoing
from schemas.base import Message
from schemas.dreams import DreamFacts
from schemas.feedback import EpochReport, FeedbackBatch, FeedbackReceipt, FeedbackRecord, RefusedFeedback
from schemas.ids import derived_id
from schemas.retrieval import (
    BatchRequest,
    LearningBatch,
    PoolStats,
    PoolStatsRequest,
    RequestRefused,
    RetrievalQuery,
    RetrievalStats,
    RetrievedEntry,
    RetrievedSet,
)
from schemas.settings import InterfaceSettings
from schemas.tensor import encode

SHAPE: Final = (8, 8, 2)
KEEPER: Final = "pool-keeper"
SETTINGS: Final = ClientSettings(
    InterfaceSettings(retrieval_default="mixed", alpha_cosine=0.6, recency_decay=0.02, k=8, exploration=0.1),
    chroma_bins=24,
    tau=0.0,
    recent_days=1.0,
)


class MemoryPool:
    """A link whose other end is a pool in memory."""

    def __init__(self, dreams: int = 64, corrupt: int = 0, seed: int = 7) -> None:
        """`dreams` random tensors, of which the last `corrupt` fail their hash."""
        self.seating = Seating("guest", "20260101T000000Z-0001", 1, SETTINGS)
        self.answers: dict[str, tuple[str, ...]] = {}
        """The ids in the answer to each query."""
        self.served: list[str] = []
        self.feedback: list[FeedbackRecord] = []
        self.refused: list[RefusedFeedback] = []
        self.reports: list[EpochReport] = []
        self._numbering = Numbering(1)
        self._waiting: list[Received] = []
        generator = np.random.Generator(np.random.Philox(seed))
        made = [_dream(generator, number, number >= dreams - corrupt) for number in range(dreams)]
        self._dreams = dict(made)
        self.corrupt = {dream_id for dream_id, _ in made[dreams - corrupt :]}
        """The ids of those that fail their hash."""

    def say(self, message: Message, because: str) -> Outgoing:
        """Take `message` as the pool-keeper would, and have the answer ready."""
        del because
        out = self._numbering.outgoing(KEEPER, message)
        heard = decode_body(type(message), encode_body(message), payloads_of(message), message.version)
        for answer in self._answer(heard, out.seq):
            told = decode_body(type(answer), encode_body(answer), payloads_of(answer), answer.version)
            self._waiting.append(Received(MessageRef(KEEPER, 1, out.seq), told))
        return out

    def hear(self, timeout_s: float) -> list[Received]:
        """The answers so far."""
        del timeout_s
        taken, self._waiting = self._waiting, []
        return taken

    def look_back(self) -> list[Received]:
        """Nothing: no answer is ever lost here."""
        return []

    def call_again(self) -> None:
        """Nothing: there is no socket."""

    def beat(self) -> None:
        """Nothing: nobody watches."""

    def close(self) -> None:
        """Nothing is held."""

    def _answer(self, message: Message, seq: int) -> list[Message]:
        match message:
            case RetrievalQuery():
                return [self._retrieve(message)]
            case BatchRequest() if message.query_id not in self.answers:
                reason = f"query {message.query_id} was never asked"
                return [RequestRefused(request_kind=message.kind, request_epoch=1, request_seq=seq, reason=reason)]
            case BatchRequest():
                return [self._materialize(message)]
            case FeedbackBatch():
                return [self._credit(message)]
            case PoolStatsRequest():
                return [self._stats(message)]
            case EpochReport():
                self.reports.append(message)
        return []

    def _retrieve(self, query: RetrievalQuery) -> RetrievedSet:
        wanted = query.query_signature
        found = [facts for facts, _ in self._dreams.values()]
        ranked = sorted(found, key=lambda facts: (math.dist(facts.chroma_signature, wanted), facts.id))[: query.k]
        self.answers[query.query_id] = tuple(facts.id for facts in ranked)
        entries = tuple(RetrievedEntry(facts=facts, score=0.5, is_explored=False, propensity=1.0) for facts in ranked)
        stats = RetrievalStats(mode=query.mode, avg_coherence=0.5, avg_entropy=0.5, diversity=0.0)
        return RetrievedSet(query_id=query.query_id, pool_sequence=len(found), entries=entries, stats=stats)

    def _materialize(self, request: BatchRequest) -> LearningBatch:
        known = [self._dreams[entry_id] for entry_id in request.entry_ids if entry_id in self.answers[request.query_id]]
        self.served += [facts.id for facts, _ in known]
        return LearningBatch(
            query_id=request.query_id,
            entry_ids=tuple(facts.id for facts, _ in known),
            shapes=tuple(facts.shape for facts, _ in known),
            tensor_sha256s=tuple(facts.tensor_sha256 for facts, _ in known),
            tensors=tuple(blob for _, blob in known),
            labels=None,
            skipped=(),
        )

    def _credit(self, batch: FeedbackBatch) -> FeedbackReceipt:
        refused = tuple(
            RefusedFeedback(query_id=record.query_id, entry_id=record.entry_id, reason="not in the answer to the query")
            for record in batch.records
            if record.entry_id not in self.answers.get(record.query_id, ())
        )
        self.refused += refused
        stored = [record for record in batch.records if record.entry_id in self.answers.get(record.query_id, ())]
        self.feedback += stored
        return FeedbackReceipt(batch_id=batch.batch_id, stored=len(stored), duplicates=0, refused=refused)

    def _stats(self, request: PoolStatsRequest) -> PoolStats:
        return PoolStats(
            request=request.request,
            pool_sequence=len(self._dreams),
            dreams_total=len(self._dreams),
            coherence_mean=0.5,
            spectral_entropy_mean=0.5,
            last_compaction_at_ns=None,
        )


class LearnerConformance:
    """Inherit from it, say in `live` how your learner lives a few rounds, and run pytest."""

    def live(self, learner: Learner) -> None:
        """Some rounds of the learner under test."""
        raise NotImplementedError("say in `live` how your learner lives a few rounds")

    def test_it_asks_for_dreams_and_says_what_they_were_worth(self) -> None:
        """At least one query, one batch, one record of feedback."""
        pool = self._lived(MemoryPool())

        assert pool.answers, "it never asked for dreams"
        assert pool.served, "it never asked for tensors"
        assert pool.feedback, "it never said what a dream was worth"

    def test_all_its_feedback_is_about_dreams_that_it_was_given(self) -> None:
        """No made-up ids, and no dream whose tensor it has never seen."""
        pool = self._lived(MemoryPool())

        assert pool.refused == []
        assert {record.entry_id for record in pool.feedback} <= set(pool.served)

    def test_its_feedback_tells_dreams_apart(self) -> None:
        """A utility that is the same for every dream says nothing."""
        pool = self._lived(MemoryPool())

        assert len({record.utility for record in pool.feedback}) > 1

    def test_an_empty_pool_does_not_end_it(self) -> None:
        """The first dreams may still be dreamt."""
        pool = self._lived(MemoryPool(dreams=0))

        assert pool.feedback == []

    def test_tensors_that_fail_their_hash_are_not_judged(self) -> None:
        """They are skipped, and what is left stays aligned with its ids."""
        pool = self._lived(MemoryPool(dreams=4, corrupt=2))

        assert {record.entry_id for record in pool.feedback}.isdisjoint(pool.corrupt)
        assert pool.feedback, "the sound ones were not judged either"

    def _lived(self, pool: MemoryPool) -> MemoryPool:
        with Learner(pool) as learner:
            self.live(learner)
        return pool


def _dream(generator: np.random.Generator, number: int, is_corrupt: bool) -> tuple[str, tuple[DreamFacts, bytes]]:
    """A dream of one random colour with some noise; a corrupt one has the blob of another tensor."""
    tensor = np.clip(generator.random(3) + generator.normal(0.0, 0.1, (*SHAPE, 3)), 0.0, 1.0).astype(np.float32)
    blob, digest = encode(tensor)
    red, green, blue = (float(value) for value in tensor.reshape(-1, 3).mean(axis=0, dtype=np.float64))
    dream_id = derived_id("memory pool", number)
    facts = DreamFacts(
        id=dream_id,
        timestamp_ns=number,
        source="random",
        factoid_ids=(),
        image_id=None,
        parents=(),
        lineage_root=dream_id,
        generation=0,
        ancestry=(),
        coherence=0.5,
        energy=0.1,
        chroma_signature=(red, green, blue),
        spectral_entropy=0.5,
        shape=SHAPE,
        tensor_sha256=digest,
        metadata_json='{"schema_version": 1}',
        profile_id=None,
    )
    return dream_id, (facts, encode(1.0 - tensor)[0] if is_corrupt else blob)
