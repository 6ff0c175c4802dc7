"""Feedback is stored once per (query, entry, learner), and told to the bias-synthesizer (seed 000, 3.6 and 6).

In: a FeedbackBatch. Out: a FeedbackReceipt to the learner, and a FeedbackStored when at least one record is new. All
that is stored of a batch is stored in one transaction. Refused, record by record: a query that this learner never
asked, an entry that was not in its answer. A record given before counts as a duplicate and changes nothing.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from actors.pool_keeper.persisting import Step
from actors.pool_keeper.store import PoolStore
from bus.core import Outcome, Send
from schemas.feedback import (
    FeedbackBatch,
    FeedbackReceipt,
    FeedbackRecord,
    FeedbackStored,
    RefusedFeedback,
    StoredFeedback,
)


class Verdict(NamedTuple):
    """What becomes of one record."""

    event: Literal["stored", "duplicate", "refused"]
    record: FeedbackRecord
    reason: str | None


def credit(store: PoolStore, batch: FeedbackBatch, step: Step) -> Outcome:
    """Store what is new of `batch`, and tell the learner and the bias-synthesizer."""
    verdicts = list(_judge(store, batch, step))
    stored = [_stored(store, verdict.record) for verdict in verdicts if verdict.event == "stored"]
    duplicates = [verdict.record for verdict in verdicts if verdict.event == "duplicate"]
    refused = tuple(
        RefusedFeedback(query_id=verdict.record.query_id, entry_id=verdict.record.entry_id, reason=verdict.reason)
        for verdict in verdicts
        if verdict.reason is not None
    )
    for verdict in verdicts:
        store.log("feedback", _line(batch, verdict, step))
    store.count("feedback_total", len(stored))
    store.count("feedback_duplicates", len(duplicates))
    store.count("feedback_refused", len(refused))
    learner = step.ref.sender
    receipt = FeedbackReceipt(batch_id=batch.batch_id, stored=len(stored), duplicates=len(duplicates), refused=refused)
    outcome = Outcome(sends=[Send(receipt, to=learner)], refusal=_refusal(batch, duplicates, refused, learner))
    if stored:
        news = FeedbackStored(batch_id=batch.batch_id, learner=learner, stored_at_ns=step.now_ns, records=tuple(stored))
        outcome.sends.append(Send(news))
    return outcome


def _judge(store: PoolStore, batch: FeedbackBatch, step: Step) -> Iterator[Verdict]:
    """The verdict on each record; a record judged `stored` is in its table when the next is judged."""
    learner = step.ref.sender
    offered: dict[str, set[str]] = {}
    for record in batch.records:
        if record.query_id not in offered:
            offered[record.query_id] = {i for text in store.answers(record.query_id, learner) for i in text.split()}
        if not offered[record.query_id]:
            reason = "the query has no answer that this learner got"
            yield Verdict("refused", record, reason)
        elif record.entry_id not in offered[record.query_id]:
            yield Verdict("refused", record, "the entry is not in the answer to the query")
        elif _is_known(store, record, learner):
            yield Verdict("duplicate", record, None)
        else:
            what = (record.entry_id, record.query_id, record.utility, record.contribution)
            store.insert("feedback", (*what, step.now_ns, learner, batch.batch_id, record.notes, store.run_id))
            sequence = store.sequence_of(record.entry_id)
            if sequence is not None:
                store.add_utility(sequence, record.utility)
            yield Verdict("stored", record, None)


def _is_known(store: PoolStore, record: FeedbackRecord, learner: str) -> bool:
    sql = "SELECT 1 FROM feedback WHERE query_id = ? AND entry_id = ? AND learner = ?"
    return store.row(sql, record.query_id, record.entry_id, learner) is not None


def _stored(store: PoolStore, record: FeedbackRecord) -> StoredFeedback:
    facts = store.measures_of(record.entry_id)
    return StoredFeedback(
        entry_id=record.entry_id,
        query_id=record.query_id,
        utility=record.utility,
        contribution=record.contribution,
        chroma_signature=facts.colour,
        spectral_entropy=facts.entropy,
        source=facts.source,
    )


def _refusal(
    batch: FeedbackBatch, duplicates: list[FeedbackRecord], refused: tuple[RefusedFeedback, ...], learner: str
) -> str | None:
    """One sentence on what was not stored, naming the first record; None when all was."""
    what = f"FeedbackBatch {batch.batch_id} from {learner}: "
    if refused:
        first = refused[0]
        at = f"entry {first.entry_id} of query {first.query_id}: {first.reason}"
        return f"{what}{len(refused)} of {len(batch.records)} records refused, first {at}"
    if duplicates:
        at = f"entry {duplicates[0].entry_id} of query {duplicates[0].query_id}"
        return f"{what}{len(duplicates)} of {len(batch.records)} records were given before, first {at}"
    return None


def _line(batch: FeedbackBatch, verdict: Verdict, step: Step) -> dict[str, object]:
    learner, epoch, seq = step.ref
    return {
        "event": verdict.event,
        "ts_ns": step.now_ns,
        "learner": learner,
        "epoch": epoch,
        "seq": seq,
        "batch_id": batch.batch_id,
        **verdict.record.model_dump(),
        "reason": verdict.reason,
    }
