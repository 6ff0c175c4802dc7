"""A light keeper for a simulation, and the company of light actors that a seed draws.

In: dreams, requests, feedback, hints. Out: a row of the pool for each message, and the answers that the real keeper
gives. Its whole state is its pool, and it commits with its cursors, as the real one does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from bus.core import Actor, Input, MessageRef, Outcome, Received, Scalar, Send
from bus.randomness import RandomSource
from bus.simulation.company import Company, Part, Surroundings, Taken
from bus.simulation.light_actors import GREY, LightDreamer, LightLearner, LightSynthesizer, name_of
from bus.simulation.memory_pool import MemoryPool
from schemas.base import Message
from schemas.dreams import DreamEntry, DreamFacts
from schemas.feedback import FeedbackBatch, FeedbackReceipt, FeedbackStored, StoredFeedback
from schemas.manifest import Seat
from schemas.retrieval import (
    BatchRequest,
    LearningBatch,
    PoolStats,
    PoolStatsRequest,
    RetrievalQuery,
    RetrievalStats,
    RetrievedEntry,
    RetrievedSet,
)

REQUESTS: Final = frozenset(cls.kind for cls in (RetrievalQuery, BatchRequest, FeedbackBatch, PoolStatsRequest))
CHOICE: Final = 16
"""A query finds one of so many newest dreams; its seed says which."""


@dataclass
class LightKeeper:
    """Stores and answers; its state is its pool."""

    pool: MemoryPool

    def handle(self, event: Input, now_ns: int) -> Outcome:
        """Decide on one input."""
        if not isinstance(event, Received):
            return Outcome()
        answer = self._answer(event.ref, event.message, now_ns)
        message = event.message
        dream = message if isinstance(message, DreamEntry) else None
        self.pool.add(Taken(event.ref, name_of(message)), dream)
        return Outcome(sends=answer)

    def _answer(self, ref: MessageRef, message: Message, now_ns: int) -> list[Send]:
        match message:
            case PoolStatsRequest(request=request):
                return [Send(self._stats(request), to=ref.sender)]
            case RetrievalQuery():
                return [Send(self._retrieve(message), to=ref.sender)]
            case BatchRequest():
                return [self._batch(message, ref.sender)]
            case FeedbackBatch():
                return self._credit(message, ref.sender, now_ns)
            case _:
                return []

    def _stats(self, request: int) -> PoolStats:
        return PoolStats(
            request=request,
            pool_sequence=len(self.pool.dreams),
            dreams_total=len(self.pool.dreams),
            coherence_mean=0.5,
            spectral_entropy_mean=0.5,
            last_compaction_at_ns=None,
        )

    def _retrieve(self, query: RetrievalQuery) -> RetrievedSet:
        entries = tuple(
            RetrievedEntry(facts=facts_of(dream), score=0.5, is_explored=False, propensity=1.0)
            for _, dream in self._choose(query)
        )
        stats = RetrievalStats(mode=query.mode, avg_coherence=0.5, avg_entropy=0.5, diversity=0.0)
        return RetrievedSet(query_id=query.query_id, pool_sequence=len(self.pool.dreams), entries=entries, stats=stats)

    def _choose(self, query: RetrievalQuery) -> list[tuple[MessageRef, DreamEntry]]:
        dreams = self.pool.dreams
        return [dreams[-1 - query.seed % min(CHOICE, len(dreams))]] if dreams else []

    def _batch(self, request: BatchRequest, learner: str) -> Send:
        found = [self.pool.found[entry_id] for entry_id in request.entry_ids if entry_id in self.pool.found]
        batch = LearningBatch(
            query_id=request.query_id,
            entry_ids=tuple(dream.id for _, dream in found),
            shapes=tuple(dream.shape for _, dream in found),
            tensor_sha256s=tuple(dream.tensor_sha256 for _, dream in found),
            tensors=tuple(dream.tensor_blob for _, dream in found),
            labels=None,
            skipped=(),
        )
        return Send(batch, to=learner, payload_origins=tuple(ref for ref, _ in found))

    def _credit(self, batch: FeedbackBatch, learner: str, now_ns: int) -> list[Send]:
        receipt = FeedbackReceipt(batch_id=batch.batch_id, stored=len(batch.records), duplicates=0, refused=())
        records = tuple(
            StoredFeedback(
                entry_id=record.entry_id,
                query_id=record.query_id,
                utility=record.utility,
                contribution=record.contribution,
                chroma_signature=GREY,
                spectral_entropy=0.5,
                source="random",
            )
            for record in batch.records
        )
        news = FeedbackStored(batch_id=batch.batch_id, learner=learner, stored_at_ns=now_ns, records=records)
        return [Send(receipt, to=learner), Send(news)]

    def snapshot(self) -> bytes:
        """Nothing: the state is the pool."""
        return b""

    def restore(self, data: bytes) -> None:
        """Take over nothing."""

    def figures(self) -> Mapping[str, Scalar]:
        """How many dreams."""
        return {"dreams": len(self.pool.dreams)}


def facts_of(dream: DreamEntry) -> DreamFacts:
    """A dream without its tensor."""
    values: dict[str, Any] = {name: getattr(dream, name) for name in DreamFacts.model_fields}
    return DreamFacts(**values)


def light_company(seed: int, pool: Callable[[], MemoryPool] = MemoryPool) -> Company:
    """The light actors of `seed`: one or two dreamers and learners, at rates of its own."""
    draws = Random(seed)
    dreamers, learners = draws.choice(((1, 1), (1, 1), (2, 1), (1, 2)))
    dream_s, pause_s = draws.uniform(3.5, 9.0) * dreamers, draws.uniform(7.0, 18.0) * learners
    kept = pool()

    def source(instance: str) -> RandomSource:
        return RandomSource(seed, 1, instance)

    def keeper(world: Surroundings) -> Actor:
        kept.open(world)
        return Actor(LightKeeper(kept), source("pool-keeper"), store=kept)

    def part(role: Any, number: int, core: Callable[[], Any]) -> Part:
        instance = role if number == 1 else f"{role}-{number}"
        return Part(Seat(instance=instance, role=role), lambda _: Actor(core(), source(instance)))

    parts = [part("dreamer", n + 1, lambda: LightDreamer(dream_s)) for n in range(dreamers)]
    parts.append(Part(Seat(instance="pool-keeper", role="pool-keeper"), keeper))
    parts += [part("learner", n + 1, lambda: LightLearner(pause_s)) for n in range(learners)]
    parts.append(part("bias-synthesizer", 1, LightSynthesizer))
    return Company(tuple(parts), kept, REQUESTS, name_of)
