"""A training run as a guest of the loop: it asks the pool for dreams once, pins them, and says what each was worth.

In: a seat, [dreams], the dataset. Out: `Pins`, and feedback by the paired rule while the run learns. One question a
class, in the mean colour of its training images, so that no class is left without. A pool that stops answering while
the run learns costs the feedback, which is told, and never the run. Refused: a process without a seat, a pool that
gives nothing to learn from.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from actors.learner.trainer.configuration.settings import DreamSettings
from actors.learner.trainer.datasets.dataset import Dataset
from actors.learner.trainer.datasets.splitting import Splits
from actors.learner.trainer.dreaming.judging import Judgement
from actors.learner.trainer.dreaming.kinship import OF_NO_CLASS, Kinship
from actors.learner.trainer.dreaming.pins import PinHead, PinnedDream, PinnedQuery, Pins
from bus.client import Learner
from bus.errors import BusError
from schemas.base import Colour
from schemas.dreams import DreamFacts
from schemas.feedback import ArmResult
from schemas.guests import SEAT_VARIABLE
from schemas.retrieval import MAX_K, RetrievalMode, RetrievedSet
from schemas.tensor import Tensor
from supervisor.errors import UsageError
from supervisor.training.pairing import Arm

AT_ONCE: Final = 32
"""Tensors of one request."""
RANDOM: Final = "random"
NOT_SERVED: Final = "its tensor could not be served"
NO_SEAT: Final = (
    f"dreams come from a running loop, and {SEAT_VARIABLE} names no seat in one: "
    "`supervisor attach NAME -- supervisor train CONFIG --with-dreams`"
)


def check_seat() -> None:
    """Raise UsageError where this process has no seat."""
    if not os.environ.get(SEAT_VARIABLE):
        raise UsageError(NO_SEAT)


class Guest:
    """One training run in a seat."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner
        self._answers: dict[str, RetrievedSet] = {}
        self._told: set[tuple[str, str]] = set()
        self.stored = 0
        """Feedback records that the keeper stored."""

    def pin(self, settings: DreamSettings, dataset: Dataset, splits: Splits, kinship: Kinship) -> Pins:
        """The dreams of the run. Raises BusError, and UsageError where none may be learnt from."""
        colours = class_colours(dataset, splits)[: settings.pool]
        queries: list[PinnedQuery] = []
        chosen: dict[str, tuple[DreamFacts, str]] = {}
        left_out: dict[str, int] = {}
        for number, colour in enumerate(colours):
            share = -(-(settings.pool - len(chosen)) // (len(colours) - number))
            # the best for one colour may be those for another: so many more are asked for as are there already
            answer, query = self._ask(settings, colour, min(MAX_K, max(1, share + len(chosen))))
            queries.append(query)
            fresh = [entry.facts for entry in answer.entries if entry.facts.id not in chosen]
            for facts in fresh[:share]:
                if reason := kinship.refusal(facts.ancestry):
                    left_out[reason] = left_out.get(reason, 0) + 1
                else:
                    chosen[facts.id] = (facts, query.query_id)
        kept = _with_classes(chosen, kinship, left_out)
        dreams, tensors = self._fetch(kept, left_out)
        pins = Pins(PinHead(queries=tuple(queries), dreams=dreams, left_out=dict(sorted(left_out.items()))), tensors)
        if not tensors:
            told = ", ".join(f"{count}: {reason}" for reason, count in sorted(left_out.items())) or "it is empty"
            raise UsageError(f"the pool gave no dream to learn from ({told}); let the loop dream for a while")
        return pins

    def hear(self, judgements: Sequence[Judgement]) -> str:
        """Say what each dream was worth, once for each answer that it was in; what went wrong, or nothing."""
        by_query: dict[str, list[tuple[str, float, float]]] = {}
        for row in judgements:
            key = (row.query_id, row.dream_id)
            if row.query_id in self._answers and key not in self._told:
                self._told.add(key)
                by_query.setdefault(row.query_id, []).append((row.dream_id, row.utility, row.contribution))
        try:
            for query_id, rows in by_query.items():
                self.stored += self._learner.submit_feedback(self._answers[query_id], rows)
        except BusError as error:
            return f"feedback did not reach the pool: {error}"
        return ""

    def report(self, dreaming: Arm, plain: Arm) -> str:
        """Close an epoch of the loop with both arms of a seed; what went wrong, or nothing. Without figures none."""
        arms = [_result(arm, name) for arm, name in ((dreaming, "dreams"), (plain, "no-dreams"))]
        known = [arm for arm in arms if arm is not None]
        try:
            if len(known) == len(arms):
                self._learner.report_epoch(known)
        except BusError as error:
            return f"the epoch was not reported: {error}"
        return ""

    def _ask(self, settings: DreamSettings, colour: Colour, k: int) -> tuple[RetrievedSet, PinnedQuery]:
        is_random = settings.query == RANDOM
        mode: RetrievalMode = "mixed" if settings.query == RANDOM else settings.query
        exploration = 1.0 if is_random else 0.0
        answer = self._learner.retrieve(
            query_signature=colour, k=k, mode=mode, seed=settings.seed, exploration=exploration
        )
        self._answers[answer.query_id] = answer
        query = PinnedQuery(
            query_id=answer.query_id,
            mode=settings.query,
            signature=colour,
            k=k,
            seed=settings.seed,
            exploration=exploration,
            pool_sequence=answer.pool_sequence,
            entry_ids=tuple(entry.facts.id for entry in answer.entries),
        )
        return answer, query

    def _fetch(
        self, kept: Mapping[str, tuple[DreamFacts, str]], left_out: dict[str, int]
    ) -> tuple[tuple[PinnedDream, ...], tuple[Tensor, ...]]:
        by_query: dict[str, list[str]] = {}
        for dream_id, (_, query_id) in kept.items():
            by_query.setdefault(query_id, []).append(dream_id)
        found: dict[str, Tensor] = {}
        for query_id, ids in by_query.items():
            for start in range(0, len(ids), AT_ONCE):
                batch = self._learner.materialize_batch(self._answers[query_id], ids[start : start + AT_ONCE])
                found.update(zip(batch.entry_ids, batch.tensors, strict=True))
        missing = len(kept) - len(found)
        if missing:
            left_out[NOT_SERVED] = left_out.get(NOT_SERVED, 0) + missing
        dreams = tuple(_pinned(*kept[dream_id]) for dream_id in kept if dream_id in found)
        return dreams, tuple(found[dream.dream_id] for dream in dreams)


def _result(arm: Arm, name: str) -> ArmResult | None:
    """An arm as the loop reports arms; None where a figure is missing."""
    found = arm.figures
    train, probe, test, accuracy = (
        found[figure] for figure in ("train_loss", "val_loss", "test_loss", "test_accuracy")
    )
    if train is None or probe is None or test is None or accuracy is None:
        return None
    return ArmResult(
        arm=name, steps=arm.steps, train_loss=train, probe_loss=probe, test_loss=test, test_accuracy=accuracy
    )


def class_colours(dataset: Dataset, splits: Splits) -> list[Colour]:
    """The mean colour in [0, 1] of the training images of each class that has some."""
    labels = dataset.labels[splits.train]
    found: list[Colour] = []
    for label in range(len(dataset.class_names)):
        chosen = splits.train[labels == label]
        if len(chosen):
            mean = dataset.images[chosen].astype(np.float64).mean(axis=(0, 1, 2)) / dataset.top
            red, green, blue = np.clip(mean if len(mean) == 3 else np.full(3, mean.mean()), 0.0, 1.0).tolist()
            found.append((red, green, blue))
    return found


def _with_classes(
    chosen: dict[str, tuple[DreamFacts, str]], kinship: Kinship, left_out: dict[str, int]
) -> dict[str, tuple[DreamFacts, str]]:
    """Those of a known class; all of them where none is."""
    known = {name: pair for name, pair in chosen.items() if kinship.target(pair[0].ancestry) is not None}
    if not known or len(known) == len(chosen):
        return chosen
    left_out[OF_NO_CLASS] = left_out.get(OF_NO_CLASS, 0) + len(chosen) - len(known)
    return known


def _pinned(facts: DreamFacts, query_id: str) -> PinnedDream:
    return PinnedDream(
        dream_id=facts.id,
        query_id=query_id,
        tensor_sha256=facts.tensor_sha256.hex(),
        shape=facts.shape,
        ancestry=facts.ancestry,
    )
