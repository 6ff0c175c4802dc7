"""A learner of your own: the seed's verbs as plain calls (seed 000, sections 3.3 to 3.6, 4 and 12.2).

In: the seat that `supervisor attach` gave. Out: a `Learner` that asks the pool, waits for the answer, and says what
helped. It needs pyzmq, msgpack, numpy and pydantic, and of ours the packages `bus` and `schemas`; `bus/pyproject.toml`
installs just that. All that it says and hears is in its own journal, like any actor's. Refused before it is sent, with
the reason: what is no valid message (NaN, k out of range, ids that are none). A keeper that restarts meanwhile costs
patience, nothing else.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self, TypeVar

from pydantic import ValidationError

from bus.core import Received
from bus.epoch_figures import ClientSettings, EpochFigures
from bus.errors import BusError, SeatError
from bus.guest_link import GuestLink
from bus.seat_offer import TakenSeat
from bus.step import Outgoing
from schemas.base import Colour, Message
from schemas.dreams import DreamFacts
from schemas.errors import TensorRefusedError
from schemas.feedback import ArmResult, EpochReport, FeedbackBatch, FeedbackReceipt, FeedbackRecord
from schemas.ids import derived_id
from schemas.retrieval import (
    BatchRequest,
    LearningBatch,
    PoolStats,
    PoolStatsRequest,
    RequestRefused,
    RetrievalMode,
    RetrievalQuery,
    RetrievedSet,
    SkippedEntry,
)
from schemas.tensor import Tensor, decode

PATIENCE_S: Final = 10.0
"""How long an answer may take."""
LOOK_BACK_S: Final = 0.2
"""How long the socket is trusted alone before the keeper's journal is asked."""
CALL_AGAIN_S: Final = 2.0
GREY: Final[Colour] = (0.5, 0.5, 0.5)

M = TypeVar("M", bound=Message)
Judgement = Mapping[str, float] | Iterable[tuple[str, float, float]]
"""Utility by dream id, or rows of (dream id, utility, contribution in [0, 1])."""

__all__ = ["Batch", "Learner", "NoAnswerError", "RefusedError", "SeatError", "attach"]


class RefusedError(BusError):
    """The pool-keeper, or the client before it, does not take a request."""

    def __init__(self, kind: str, reason: str) -> None:
        self.kind = kind
        self.reason = reason
        super().__init__(f"{kind} refused: {reason}")


class NoAnswerError(BusError):
    """No answer came in time."""


class Seating(NamedTuple):
    """What a client knows of its place in a run."""

    instance: str
    run_id: str
    epoch: int
    settings: ClientSettings


class Link(Protocol):
    """What a learner speaks through."""

    @property
    def seating(self) -> Seating:
        """Its place in the run."""

    def say(self, message: Message, because: str) -> Outgoing:
        """Journal and send a message to the pool-keeper."""

    def hear(self, timeout_s: float) -> list[Received]:
        """What has been said to us, waiting at most `timeout_s` for the first."""

    def look_back(self) -> list[Received]:
        """What the socket did not bring."""

    def call_again(self) -> None:
        """Make the sending sockets anew."""

    def beat(self) -> None:
        """Tell that we live."""

    def close(self) -> None:
        """Leave in order."""


class Batch(NamedTuple):
    """Dreams to learn from, aligned: `tensors[i]` belongs to `entry_ids[i]`."""

    query_id: str
    entry_ids: tuple[str, ...]
    tensors: tuple[Tensor, ...]
    """f32 [rows, cols, layers, 3] in [0, 1]; each has the SHA-256 that the pool told."""
    facts: tuple[DreamFacts, ...]
    skipped: tuple[SkippedEntry, ...]
    """What could not be served or failed its hash, and why."""


def attach(seat: str | Path | None = None, patience_s: float = PATIENCE_S) -> "Learner":
    """Sit down in the seat at `seat`, or the one that ONEIROS_SEAT names; raises SeatError."""
    return Learner(SeatedLink(TakenSeat.from_environment(seat)), patience_s)


class SeatedLink(GuestLink):
    """The link of a process that sits in a seat."""

    @property
    def seating(self) -> Seating:
        """Its place in the run."""
        return Seating(self.offer.instance, self.offer.run_id, self.epoch, ClientSettings.of(self.manifest.settings))


class Learner:
    """A guest in the seat of a learner. Used as a context: leaving it closes its journal in order."""

    def __init__(self, link: Link, patience_s: float = PATIENCE_S) -> None:
        self._link = link
        self._patience_s = patience_s
        self._asked = 0
        self.figures = EpochFigures(link.seating.settings)
        """What happened since the last report of an epoch."""

    @property
    def name(self) -> str:
        """The name of the seat."""
        return self._link.seating.instance

    @property
    def settings(self) -> ClientSettings:
        """The settings of the run that a client looks at."""
        return self._link.seating.settings

    def retrieve(  # noqa: PLR0913 - the fields of the query, all by name
        self,
        *,
        query_signature: Sequence[float] = GREY,
        k: int | None = None,
        mode: RetrievalMode | None = None,
        min_coherence: float | None = None,
        max_entropy: float | None = None,
        recency_decay: float | None = None,
        allow_duplicates: bool = False,
        seed: int | None = None,
        alpha: float | None = None,
        exploration: float | None = None,
    ) -> RetrievedSet:
        """The `k` best dreams for a colour; what is left out is as the settings of the run say.

        `recency_decay` is lambda per day, 0 for no decay. Raises RefusedError, NoAnswerError, SeatError.
        """
        told, now_ns = self.settings.interface, time.time_ns()
        self._asked += 1
        query = _valid(
            RetrievalQuery,
            query_id=self._identify("query"),
            k=told.k if k is None else k,
            mode=mode or told.retrieval_default,
            query_signature=tuple(map(float, query_signature)),
            min_coherence=min_coherence,
            max_entropy=max_entropy,
            recency_decay=told.recency_decay if recency_decay is None else recency_decay,
            allow_duplicates=allow_duplicates,
            seed=self._asked if seed is None else seed,
            as_of_ns=now_ns,
            alpha=told.alpha_cosine if alpha is None else alpha,
            exploration=told.exploration if exploration is None else exploration,
        )
        answer = self._ask(query, RetrievedSet, lambda found: found.query_id == query.query_id)
        self.figures.add_retrieved([entry.facts for entry in answer.entries], now_ns)
        return answer

    def materialize_batch(self, answer: RetrievedSet, entry_ids: Sequence[str] | None = None) -> Batch:
        """The tensors of the dreams of `answer`, or of those named; each checked against its SHA-256."""
        facts = {entry.facts.id: entry.facts for entry in answer.entries}
        request = _valid(BatchRequest, query_id=answer.query_id, entry_ids=tuple(entry_ids or facts))
        found = self._ask(request, LearningBatch, lambda batch: batch.query_id == answer.query_id)
        return _decoded(found, facts)

    def submit_feedback(self, answer: RetrievedSet | Batch, judgement: Judgement, notes: str | None = None) -> int:
        """Say what each dream was worth; the number of records that were stored. Of no dream nothing is said.

        Raises RefusedError when one is no feedback at all, or was refused.
        """
        rows = judgement.items() if isinstance(judgement, Mapping) else judgement
        full = [(*row, 0.0)[:3] for row in rows]
        query_id, told = answer.query_id, {"notes": notes}
        records = tuple(
            _valid(FeedbackRecord, query_id=query_id, entry_id=i, utility=float(u), contribution=float(c), **told)
            for i, u, c in full
        )
        if not records:
            return 0
        self._asked += 1
        batch = _valid(FeedbackBatch, batch_id=self._identify("feedback"), records=records)
        receipt = self._ask(batch, FeedbackReceipt, lambda found: found.batch_id == batch.batch_id)
        self.figures.add_judged([record.utility for record in records])
        if receipt.refused:
            first = receipt.refused[0]
            count = f"{len(receipt.refused)} of {len(records)} records"
            raise RefusedError(FeedbackBatch.kind, f"{count}, first dream {first.entry_id}: {first.reason}")
        return receipt.stored

    def pool_stats(self) -> PoolStats:
        """The pool in figures."""
        self._asked += 1
        number = self._asked
        return self._ask(PoolStatsRequest(request=number), PoolStats, lambda found: found.request == number)

    def report_epoch(self, arms: Sequence[ArmResult], probe_loss_at_start: float | None = None) -> EpochReport:
        """Close an epoch: the arm that dreams first, the one without dreams beside it. The report that was sent."""
        figures = self.figures
        report = _valid(
            EpochReport,
            epoch=figures.epoch,
            rounds=figures.rounds,
            feedback_records=figures.judged,
            kpis=figures.kpis(probe_loss_at_start, arms[0].probe_loss if arms else 0.0),
            tau=self.settings.tau,
            recent_days=self.settings.recent_days,
            arms=tuple(arms),
            probe_loss_at_start=probe_loss_at_start,
        )
        self._link.say(report, "report")
        self.figures = figures.next_epoch()
        return report

    def close(self) -> None:
        """Leave the seat in order."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _identify(self, purpose: str) -> str:
        seating = self._link.seating
        return derived_id(seating.run_id, seating.instance, seating.epoch, purpose, self._asked)

    def _ask(self, request: Message, cls: type[M], is_answer: Callable[[M], bool]) -> M:
        """Say `request`, and wait for its answer; what else arrives was an answer that nobody waits for any more."""
        out = self._link.say(request, request.kind)
        now = time.monotonic()
        ends_at, look_at, call_at = now + self._patience_s, now + LOOK_BACK_S, now + CALL_AGAIN_S
        while (now := time.monotonic()) < ends_at:
            heard = self._link.hear(min(LOOK_BACK_S, ends_at - now))
            if time.monotonic() >= look_at:
                heard += self._link.look_back()
                look_at = time.monotonic() + LOOK_BACK_S
            if time.monotonic() >= call_at:
                self._link.call_again()
                call_at = time.monotonic() + CALL_AGAIN_S
            for received in heard:
                message = received.message
                if isinstance(message, RequestRefused) and self._is_about(message, out):
                    raise RefusedError(request.kind, message.reason)
                if isinstance(message, cls) and is_answer(message):
                    return message
            self._link.beat()
        raise NoAnswerError(
            f"no answer to {request.kind} {self._link.seating.epoch}/{out.seq} within {self._patience_s:g} s; "
            "`supervisor status` shows whether the pool-keeper runs and why it refuses"
        )

    def _is_about(self, refused: RequestRefused, out: Outgoing) -> bool:
        return (refused.request_epoch, refused.request_seq) == (self._link.seating.epoch, out.seq)


R = TypeVar("R")


def _valid(cls: Callable[..., R], **fields: Any) -> R:
    """The record of `fields`; raises RefusedError naming the field and its value."""
    try:
        return cls(**fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        kind = getattr(cls, "__name__", "request")
        raise RefusedError(kind, f"{place}: {first['msg']} (got {str(first['input'])[:60]!r})") from error


def _decoded(found: LearningBatch, facts: Mapping[str, DreamFacts]) -> Batch:
    entry_ids, tensors, skipped = [], [], list(found.skipped)
    for entry_id, shape, sha256, blob in zip(
        found.entry_ids, found.shapes, found.tensor_sha256s, found.tensors, strict=True
    ):
        try:
            tensors.append(decode(blob, shape, sha256))
            entry_ids.append(entry_id)
        except TensorRefusedError as error:
            skipped.append(SkippedEntry(entry_id=entry_id, reason=str(error)))
    told = tuple(facts[entry_id] for entry_id in entry_ids)
    return Batch(found.query_id, tuple(entry_ids), tuple(tensors), told, tuple(skipped))
