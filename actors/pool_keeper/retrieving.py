"""A learner asks, and gets ranked dreams, tensors or figures (seed 000, sections 3.3 to 3.5, 4 and 5).

In: RetrievalQuery, BatchRequest, PoolStatsRequest. Out: RetrievedSet, LearningBatch, PoolStats, or RequestRefused
with the reason. Every answer is a function of the request and the pool. A tensor leaves only after its SHA-256 has
been verified once by this process, and who takes it verifies it again; one that fails is skipped with the reason, ids
and tensors staying aligned. Tensors are served for dreams of an answer alone.
"""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from actors.pool_keeper.persisting import Step
from actors.pool_keeper.ranking import Ranking, rank
from actors.pool_keeper.rows import StoredTensor, facts_of
from actors.pool_keeper.store import PoolStore
from bus.core import MessageRef, Note, Outcome, Send
from schemas.base import Message
from schemas.dreams import DreamFacts
from schemas.errors import TensorRefusedError
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
    SkippedEntry,
)
from schemas.tensor import decode

MAX_BATCH_BYTES: Final = 64 * 1024 * 1024
"""Payload of one LearningBatch."""
READ_AT_ONCE: Final = 8
"""Tensors that are in memory before the first of them is looked at."""
MAX_ANSWER_BYTES: Final = 3_900_000
"""Upper bound of one RetrievedSet as encoded; the bus carries bodies up to 4 MiB."""


def retrieve(store: PoolStore, query: RetrievalQuery, step: Step) -> Outcome:
    """Rank, remember the answer for later feedback, and send it."""
    ranking = rank(store.atlas, query)
    outcome = Outcome()
    entries = _entries(store, ranking, outcome)
    facts = [entry.facts for entry in entries]
    size = sum(map(encoded_bytes, facts))
    if size > MAX_ANSWER_BYTES:
        reason = f"an answer of {len(facts)} dreams has {size} bytes, the limit is {MAX_ANSWER_BYTES}; ask for fewer"
        return refuse(store, query, step, reason)
    answer = RetrievedSet(
        query_id=query.query_id,
        pool_sequence=store.columns.last_sequence,
        entries=tuple(entries),
        stats=stats_of(query, facts),
    )
    ids = " ".join(fact.id for fact in facts)
    store.insert(
        "retrievals", (None, query.query_id, step.ref.sender, step.now_ns, answer.pool_sequence, ids, store.run_id)
    )
    store.count("retrievals")
    store.log("retrieval", _answer_line(store, query, answer, ranking, step))
    outcome.sends.append(Send(answer, to=step.ref.sender))
    return outcome


def stats_of(query: RetrievalQuery, facts: list[DreamFacts]) -> RetrievalStats:
    """Statistics of the returned dreams; all zero for none. Sums are exact, so that they do not depend on an order."""
    count = len(facts)
    signatures = np.array([fact.chroma_signature for fact in facts], dtype=np.float64).reshape(count, 3)
    distances: list[float] = []
    for first in range(count - 1):
        red, green, blue = (signatures[first + 1 :] - signatures[first]).T
        distances += np.sqrt(red * red + green * green + blue * blue).tolist()
    return RetrievalStats(
        mode=query.mode,
        avg_coherence=math.fsum(fact.coherence for fact in facts) / max(count, 1),
        avg_entropy=math.fsum(fact.spectral_entropy for fact in facts) / max(count, 1),
        diversity=math.fsum(distances) / max(len(distances), 1),
    )


def encoded_bytes(facts: DreamFacts) -> int:
    """Upper bound of what one entry of a RetrievedSet takes on the bus."""
    ids = len(facts.parents) + len(facts.factoid_ids)
    return 900 + len(facts.metadata_json.encode()) + 40 * ids + 110 * len(facts.ancestry)


def materialize(store: PoolStore, request: BatchRequest, step: Step) -> Outcome:
    """Send the verified tensors of dreams that an answer named."""
    answers = store.answers(request.query_id, step.ref.sender)
    if not answers:
        return refuse(store, request, step, f"query {request.query_id} was never asked by {step.ref.sender}")
    offered = {dream_id for text in answers for dream_id in text.split()}
    outcome = Outcome()
    served: dict[str, StoredTensor] = {}
    skipped: list[SkippedEntry] = []
    size = 0
    for entry_id, stored in _tensors(store, request.entry_ids, offered):
        found = "asked for twice" if entry_id in served else stored
        if isinstance(found, StoredTensor) and size + len(found.blob) > MAX_BATCH_BYTES:
            found = f"the batch is full at {MAX_BATCH_BYTES} bytes; ask again for the rest"
        if isinstance(found, StoredTensor):
            found = _verified(store, entry_id, found, outcome)
        if isinstance(found, str):
            skipped.append(SkippedEntry(entry_id=entry_id, reason=found))
        else:
            served[entry_id] = found
            size += len(found.blob)
    batch = LearningBatch(
        query_id=request.query_id,
        entry_ids=tuple(served),
        shapes=tuple(tensor.shape for tensor in served.values()),
        tensor_sha256s=tuple(tensor.sha256 for tensor in served.values()),
        tensors=tuple(tensor.blob for tensor in served.values()),
        labels=None,
        skipped=tuple(skipped),
    )
    store.count("batches")
    store.log("retrieval", _batch_line(batch, size, step))
    origins = tuple(_origin(store, tensor) for tensor in served.values())
    outcome.sends.append(Send(batch, to=step.ref.sender, payload_origins=origins))
    return outcome


def report_stats(store: PoolStore, request: PoolStatsRequest, step: Step) -> Outcome:
    """Send the pool in figures."""
    coherence, entropy = store.columns.means()
    compacted = store.row("SELECT value FROM meta WHERE key = 'last_compaction_at_ns'")
    stats = PoolStats(
        request=request.request,
        pool_sequence=store.columns.last_sequence,
        dreams_total=store.columns.dreams,
        coherence_mean=coherence,
        spectral_entropy_mean=entropy,
        last_compaction_at_ns=None if compacted is None else int(str(compacted[0])),
    )
    return Outcome(sends=[Send(stats, to=step.ref.sender)])


def refuse(store: PoolStore, request: Message, step: Step, reason: str) -> Outcome:
    """Tell the learner why its request is not answered."""
    reply = RequestRefused(
        request_kind=request.kind, request_epoch=step.ref.epoch, request_seq=step.ref.seq, reason=reason
    )
    store.count("refused_requests")
    store.log("retrieval", _line("refused", step) | {"kind": request.kind, "reason": reason})
    refusal = f"{request.kind} {step.ref.epoch}/{step.ref.seq} from {step.ref.sender}: {reason}"
    return Outcome(sends=[Send(reply, to=step.ref.sender)], refusal=refusal)


def _entries(store: PoolStore, ranking: Ranking, outcome: Outcome) -> list[RetrievedEntry]:
    entries: list[RetrievedEntry] = []
    first_explored = len(ranking.rows) - ranking.explored
    sequences = store.columns.sequence
    for place, (row, score) in enumerate(zip(ranking.rows, ranking.scores, strict=True)):
        sequence = int(sequences[row])
        try:
            facts = facts_of(store.facts_row(sequence) or ())
        except ValueError as error:
            _report_damage(store, f"dream {sequence}", str(error), outcome)
            continue
        is_explored = place >= first_explored
        propensity = ranking.propensities[place]
        entries.append(RetrievedEntry(facts=facts, score=score, is_explored=is_explored, propensity=propensity))
    return entries


def _tensors(
    store: PoolStore, entry_ids: tuple[str, ...], offered: set[str]
) -> Iterator[tuple[str, StoredTensor | str]]:
    """Of each dream its tensor, or why there is none; a few are read at a time."""
    for start in range(0, len(entry_ids), READ_AT_ONCE):
        some = entry_ids[start : start + READ_AT_ONCE]
        found = store.tensors([entry_id for entry_id in some if entry_id in offered])
        for entry_id in some:
            yield entry_id, found.get(entry_id) or _reason(store, entry_id, offered)


def _reason(store: PoolStore, entry_id: str, offered: set[str]) -> str:
    """Why a dream has no tensor for a learner."""
    if entry_id not in offered and store.sequence_of(entry_id) is not None:
        return "not in the answer to this query"
    return "the pool holds no such dream" if store.trace(entry_id) is None else "evicted from the pool"


def _verified(store: PoolStore, entry_id: str, tensor: StoredTensor, outcome: Outcome) -> StoredTensor | str:
    if tensor.is_sound:
        return tensor
    try:
        decode(tensor.blob, tensor.shape, tensor.sha256)
        store.call_sound(tensor)
    except (TensorRefusedError, TypeError, ValueError) as error:
        _report_damage(store, f"tensor of dream {entry_id}", str(error), outcome)
        return f"damaged in the pool: {error}"
    return tensor


def _report_damage(store: PoolStore, what: str, why: str, outcome: Outcome) -> None:
    store.count("corrupt_rows")
    outcome.refusal = f"{what} is damaged in the pool file and not served: {why}"
    outcome.notes.append(Note("error", outcome.refusal))


def _origin(store: PoolStore, tensor: StoredTensor) -> MessageRef | None:
    return tensor.origin if tensor.run_id == store.run_id else None


def _line(event: str, step: Step) -> dict[str, object]:
    learner, epoch, seq = step.ref
    return {"event": event, "ts_ns": step.now_ns, "learner": learner, "epoch": epoch, "seq": seq}


def _answer_line(
    store: PoolStore, query: RetrievalQuery, answer: RetrievedSet, ranking: Ranking, step: Step
) -> dict[str, object]:
    id_of = store.columns.id_of
    return _line("answered", step) | {
        "query": query.model_dump(),
        "pool_sequence": answer.pool_sequence,
        "entry_ids": [entry.facts.id for entry in answer.entries],
        "scores": [entry.score for entry in answer.entries],
        "explored": [entry.is_explored for entry in answer.entries],
        "propensities": [entry.propensity for entry in answer.entries],
        "candidates_by_cosine": [id_of(row) for row in ranking.by_cosine],
        "candidates_by_coherence": [id_of(row) for row in ranking.by_coherence],
        "stats": answer.stats.model_dump(),
    }


def _batch_line(batch: LearningBatch, size: int, step: Step) -> dict[str, object]:
    return _line("materialized", step) | {
        "query_id": batch.query_id,
        "entry_ids": batch.entry_ids,
        "tensor_sha256s": [sha256.hex() for sha256 in batch.tensor_sha256s],
        "payload_bytes": size,
        "skipped": [skip.model_dump() for skip in batch.skipped],
    }
