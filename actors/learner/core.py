"""The learner's conversation with the pool-keeper, round by round (seed 000, sections 3.3 to 3.6, 10 and 12).

In: PoolStats, RetrievedSet, LearningBatch, FeedbackReceipt, RequestRefused, timers. Out: PoolStatsRequest until the
pool holds `learner.min_pool` dreams; then, for each round, RetrievalQuery, BatchRequest, FeedbackBatch; at the end
of each epoch EpochReport. One request is open at a time, and its answer is awaited across restarts. The query colour
is that of a patch of the round's minibatch, drawn with a chance that grows with its loss; `learner.exploration` of the
answer is not ranked at all, for ranked dreams return round after round, and few dreams teach little.

It refuses an answer to anything but the open request, and goes on waiting for the right one. A refused request, an
empty answer, a batch without a sound tensor or an answer that is lost (60 s) ends the round, and the next one
begins; a step that would lead to numbers that are not finite is not taken.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from actors.learner.rounds import close_epoch, is_epoch_over, sound_dreams, take_step
from actors.learner.state import LearnerState, from_bytes
from actors.learner.training import Training
from bus.core import Fired, Input, Note, Observed, Outcome, Received, Scalar, Send, SetTimer, Started
from bus.randomness import RandomSource
from schemas.feedback import EpochReport, FeedbackBatch, FeedbackReceipt, FeedbackRecord
from schemas.retrieval import (
    BatchRequest,
    LearningBatch,
    PoolStats,
    PoolStatsRequest,
    RequestRefused,
    RetrievalQuery,
    RetrievedSet,
)

POLL_S: Final = 0.5
"""Between two looks at the size of the pool, and after an empty answer."""
REFUSED_PAUSE_S: Final = 1.0
PATIENCE_S: Final = 60.0
"""After this long an answer counts as lost: the bus recovers answers from any crash, but not from a damaged journal."""
MAX_OPEN_BATCHES: Final = 64
"""Feedback batches whose receipts are awaited."""


class LearnerCore:
    """The state machine of the learner."""

    def __init__(self, training: Training, randomness: RandomSource) -> None:
        self._training = training
        self._settings = training.settings
        self._randomness = randomness
        first = training.first_weights
        self._state = LearnerState(first, first.copy(), loss_at_start=training.probe_loss(first))

    def handle(self, event: Input, now_ns: int) -> Outcome:
        """Decide on one input."""
        outcome = Outcome()
        match event:
            case Started():
                self._start(now_ns, outcome)
            case Fired(name=name):
                self._fire(name, now_ns, outcome)
            case Observed(name=name):
                outcome.refusal = f"observation {name}: the learner observes nothing"
            case Received(message=PoolStats() as stats):
                self._take_stats(stats, now_ns, outcome)
            case Received(message=RetrievedSet() as answer):
                self._take_answer(answer, outcome)
            case Received(message=LearningBatch() as batch):
                self._take_batch(batch, now_ns, outcome)
            case Received(message=FeedbackReceipt() as receipt):
                self._take_receipt(receipt, outcome)
            case Received(message=RequestRefused() as refused):
                self._take_refusal(refused, outcome)
            case Received(message=message):
                self._unexpected(f"{message.kind} is nothing that a learner receives", outcome)
        return outcome

    def snapshot(self) -> bytes:
        """The state as canonical msgpack bytes."""
        return self._state.to_bytes()

    def restore(self, data: bytes) -> None:
        """Take over a snapshot; raises SnapshotRefusedError when it is of another network."""
        self._state = from_bytes(data, self._training.shape.size)

    def figures(self) -> Mapping[str, Scalar]:
        """Progress, feedback and both arms at the end of the last epoch."""
        state, counters = self._state, self._state.counters
        return {
            "epochs": state.epochs,
            "rounds": state.rounds,
            "waiting_for": state.phase,
            "feedback_sent": counters.feedback_sent,
            "feedback_stored": counters.feedback_stored,
            "feedback_refused": counters.feedback_refused,
            "corrupt": counters.corrupt,
            "empty_answers": counters.empty_answers,
            "requests_refused": counters.requests_refused,
            "unexpected": counters.unexpected,
            "given_up": counters.given_up,
            "diverged": counters.diverged,
            **state.report,
        }

    def _start(self, now_ns: int, outcome: Outcome) -> None:
        match self._state.phase:
            case "pool":
                self._poll(now_ns, outcome)
            case "answer" | "batch":
                outcome.timers.append(SetTimer("patience", PATIENCE_S))
            case "pause":
                outcome.timers.append(SetTimer("round", self._rest_of_period_s(now_ns)))

    def _fire(self, name: str, now_ns: int, outcome: Outcome) -> None:
        phase = self._state.phase
        if name == "poll" and phase == "pool":
            self._poll(now_ns, outcome)
        elif name == "round" and phase == "pause":
            self._begin_round(now_ns, outcome)
        elif name == "patience" and phase in ("answer", "batch"):
            self._state.counters.given_up += 1
            outcome.notes.append(Note("warning", f"no {phase} within {PATIENCE_S:.0f} s: the round is given up"))
            self._begin_round(now_ns, outcome)

    def _poll(self, now_ns: int, outcome: Outcome) -> None:
        state = self._state
        is_lost = (now_ns - state.asked_at_ns) * 1e-9 >= PATIENCE_S
        if not state.is_stats_pending or is_lost:
            state.stats_requests += 1
            state.is_stats_pending = True
            state.asked_at_ns = now_ns
            outcome.sends.append(Send(PoolStatsRequest(request=state.stats_requests)))
        outcome.timers.append(SetTimer("poll", POLL_S))

    def _take_stats(self, stats: PoolStats, now_ns: int, outcome: Outcome) -> None:
        state = self._state
        if state.phase != "pool" or not state.is_stats_pending or stats.request != state.stats_requests:
            self._unexpected(f"PoolStats for request {stats.request}, which is not open", outcome)
            return
        state.is_stats_pending = False
        if stats.dreams_total >= self._settings.learner.min_pool:
            outcome.notes.append(Note("info", f"the pool holds {stats.dreams_total} dreams: the first round begins"))
            self._begin_round(now_ns, outcome)

    def _begin_round(self, now_ns: int, outcome: Outcome) -> None:
        state, interface = self._state, self._settings.interface
        state.queries += 1
        state.phase = "answer"
        state.asked_at_ns = now_ns
        state.query_id = self._randomness.identify("query", state.queries)
        state.pending = {}
        rng = self._randomness.at("wanted-colour", state.queries)
        query = RetrievalQuery(
            query_id=state.query_id,
            k=interface.k,
            mode=interface.retrieval_default,
            query_signature=self._training.wanted_colour(state.weights, self._minibatch(), rng),
            min_coherence=None,
            max_entropy=None,
            recency_decay=interface.recency_decay,
            allow_duplicates=False,
            seed=int(self._randomness.at("query-seed", state.queries).integers(0, 2**63)),
            as_of_ns=now_ns,
            alpha=interface.alpha_cosine,
            exploration=self._settings.learner.exploration,
        )
        outcome.sends.append(Send(query))
        outcome.timers.append(SetTimer("patience", PATIENCE_S))

    def _take_answer(self, answer: RetrievedSet, outcome: Outcome) -> None:
        state = self._state
        if state.phase != "answer" or answer.query_id != state.query_id:
            self._unexpected(f"RetrievedSet for query {answer.query_id}, which is not open", outcome)
            return
        facts = {entry.facts.id: entry.facts for entry in answer.entries}
        if not facts:
            state.counters.empty_answers += 1
            self._pause(POLL_S, outcome)
            return
        state.tally.add_retrieved(facts.values(), state.asked_at_ns, self._settings)
        state.pending = {entry_id: self._training.class_shares(dream) for entry_id, dream in facts.items()}
        state.phase = "batch"
        outcome.sends.append(Send(BatchRequest(query_id=state.query_id, entry_ids=tuple(facts))))
        outcome.timers.append(SetTimer("patience", PATIENCE_S))

    def _take_batch(self, batch: LearningBatch, now_ns: int, outcome: Outcome) -> None:
        state = self._state
        if state.phase != "batch" or batch.query_id != state.query_id:
            self._unexpected(f"LearningBatch for query {batch.query_id}, which is not open", outcome)
            return
        sound = sound_dreams(batch, state, self._training)
        state.counters.corrupt += len(batch.skipped) + len(sound.refusals)
        if sound.refusals:
            outcome.refusal = "; ".join(sound.refusals)
        records: tuple[FeedbackRecord, ...] = ()
        if sound.examples is not None:
            records = take_step(state, self._training, self._minibatch(), sound.entry_ids, sound.examples)
        if records:
            self._end_round(records, now_ns, outcome)
        else:
            outcome.notes.append(Note("warning", "the round is given up: no sound dream, or a step to infinity"))
            self._pause(REFUSED_PAUSE_S, outcome)

    def _end_round(self, records: tuple[FeedbackRecord, ...], now_ns: int, outcome: Outcome) -> None:
        state = self._state
        batch_id = self._randomness.identify("feedback", state.queries)
        state.open_batches = [*state.open_batches, batch_id][-MAX_OPEN_BATCHES:]
        outcome.sends.append(Send(FeedbackBatch(batch_id=batch_id, records=records)))
        if is_epoch_over(state, self._training):
            report = close_epoch(state, self._training)
            outcome.sends.append(Send(report))
            outcome.notes.append(Note("info", _in_words(report)))
        if self._settings.learner.rounds_hz == 0.0:
            self._begin_round(now_ns, outcome)
        else:
            self._pause(self._rest_of_period_s(now_ns), outcome)

    def _take_receipt(self, receipt: FeedbackReceipt, outcome: Outcome) -> None:
        state = self._state
        if receipt.batch_id not in state.open_batches:
            self._unexpected(f"FeedbackReceipt for batch {receipt.batch_id}, which is not open", outcome)
            return
        state.open_batches.remove(receipt.batch_id)
        state.counters.feedback_stored += receipt.stored
        state.counters.feedback_refused += len(receipt.refused)
        outcome.notes.extend(
            Note("warning", f"feedback for dream {refused.entry_id} was refused: {refused.reason}")
            for refused in receipt.refused
        )

    def _take_refusal(self, refused: RequestRefused, outcome: Outcome) -> None:
        state = self._state
        state.counters.requests_refused += 1
        outcome.notes.append(Note("warning", f"{refused.request_kind} was refused: {refused.reason}"))
        match (state.phase, refused.request_kind):
            case ("pool", PoolStatsRequest.kind):
                state.is_stats_pending = False
            case ("answer", RetrievalQuery.kind) | ("batch", BatchRequest.kind):
                self._pause(REFUSED_PAUSE_S, outcome)
            case _:
                pass

    def _pause(self, delay_s: float, outcome: Outcome) -> None:
        self._state.phase = "pause"
        outcome.timers.append(SetTimer("round", delay_s))

    def _rest_of_period_s(self, now_ns: int) -> float:
        """Seconds until the next round is due; at most one period, whatever the clock does."""
        rounds_hz = self._settings.learner.rounds_hz
        period_s = 1.0 / rounds_hz if rounds_hz > 0.0 else 0.0
        return min(period_s, max(0.0, period_s - (now_ns - self._state.asked_at_ns) * 1e-9))

    def _minibatch(self) -> npt.NDArray[np.intp]:
        return self._training.minibatch(self._randomness.at("minibatch", self._state.queries))

    def _unexpected(self, reason: str, outcome: Outcome) -> None:
        self._state.counters.unexpected += 1
        outcome.refusal = reason


def _in_words(report: EpochReport) -> str:
    dreaming, plain = report.arms
    return (
        f"epoch {report.epoch}: test accuracy {dreaming.test_accuracy:.3f} with dreams, "
        f"{plain.test_accuracy:.3f} without; probe loss {dreaming.probe_loss:.3f} with, {plain.probe_loss:.3f} without"
    )
