"""The client of a guest: the seed's verbs, refusals before anything is sent, and the conformance of learners."""

import pytest

from bus.client import Learner, NoAnswerError, RefusedError
from bus.core import Received
from bus.testing import LearnerConformance, MemoryPool
from schemas.feedback import ArmResult
from schemas.ids import derived_id


class Deaf(MemoryPool):
    """A link at whose other end nobody listens."""

    def hear(self, timeout_s: float) -> list[Received]:
        return []


def arm(name: str, loss: float) -> ArmResult:
    return ArmResult(arm=name, steps=3, train_loss=loss, probe_loss=loss, test_loss=loss, test_accuracy=0.5)


def test_a_learner_retrieves_materializes_and_says_what_helped() -> None:
    pool = MemoryPool()
    learner = Learner(pool)

    found = learner.retrieve(query_signature=(1.0, 0.0, 0.0), k=4)
    batch = learner.materialize_batch(found)
    stored = learner.submit_feedback(batch, [(entry_id, 0.25, 0.5) for entry_id in batch.entry_ids])

    assert [entry.facts.id for entry in found.entries] == list(batch.entry_ids)
    assert [tensor.shape for tensor in batch.tensors] == [(*facts.shape, 3) for facts in batch.facts]
    assert stored == 4
    assert {(record.utility, record.contribution) for record in pool.feedback} == {(0.25, 0.5)}


def test_a_dream_that_fails_its_hash_is_skipped_and_the_rest_stays_aligned() -> None:
    learner = Learner(MemoryPool(dreams=5, corrupt=2))

    batch = learner.materialize_batch(learner.retrieve(k=5))

    assert len(batch.tensors) == len(batch.entry_ids) == len(batch.facts) == 3
    assert len(batch.skipped) == 2
    for facts, tensor in zip(batch.facts, batch.tensors, strict=True):
        assert facts.chroma_signature == pytest.approx(tensor.reshape(-1, 3).mean(axis=0), abs=1e-5)


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        ({"k": 10**9}, "k: Input should be less than or equal to 4096"),
        ({"k": 0}, "k: Input should be greater"),
        ({"recency_decay": float("nan")}, "recency_decay: Input should be a finite number"),
        ({"query_signature": (2.0, 0.0, 0.0)}, "query_signature.0: Input should be less"),
        ({"mode": "telepathy"}, "mode: Input should be"),
    ],
)
def test_a_query_that_is_none_is_refused_before_it_is_sent(what, fault) -> None:
    pool = MemoryPool()

    with pytest.raises(RefusedError) as refused:
        Learner(pool).retrieve(**what)

    assert fault in str(refused.value)
    assert pool.answers == {}


def test_feedback_on_a_dream_that_was_not_in_the_answer_is_an_error_with_its_reason() -> None:
    pool = MemoryPool()
    learner = Learner(pool)

    with pytest.raises(RefusedError, match="1 of 1 records, first dream"):
        learner.submit_feedback(learner.retrieve(), {derived_id("unknown"): 1.0})

    assert pool.feedback == []


def test_no_answer_is_an_error_that_says_where_to_look() -> None:
    with pytest.raises(NoAnswerError, match=r"no answer to PoolStatsRequest 1/1 within 0.05 s; `supervisor status`"):
        Learner(Deaf(), patience_s=0.05).pool_stats()


def test_the_figures_of_an_epoch_are_those_of_seed_000() -> None:
    # seed 000, section 10
    pool = MemoryPool()
    learner = Learner(pool)
    for _ in range(2):
        batch = learner.materialize_batch(learner.retrieve(k=4))
        learner.submit_feedback(batch, dict(zip(batch.entry_ids, (1.0, 1.0, -1.0), strict=False)))

    report = learner.report_epoch([arm("dreams", 0.5), arm("none", 0.75)], probe_loss_at_start=0.8)
    later = learner.report_epoch([arm("dreams", 0.5), arm("none", 0.75)])

    assert pool.reports == [report, later]
    assert (report.epoch, report.rounds, report.feedback_records, later.epoch, later.rounds) == (1, 2, 6, 2, 0)
    assert (report.kpis.selection_precision, report.kpis.utilization_rate) == (0.5, 0.75)
    assert report.kpis.improvement_delta == pytest.approx(0.3 * 100 / 6)
    assert later.kpis.selection_precision is None


def test_ids_follow_from_the_seat_its_process_start_and_a_count() -> None:
    pool = MemoryPool()

    ids = {Learner(pool).retrieve().query_id, Learner(pool).retrieve().query_id}
    later = Learner(pool)
    later.retrieve()

    assert len(ids) == 1
    assert later.retrieve().query_id not in ids


class Sloppy(LearnerConformance):
    """A learner that judges what it never saw, all alike."""

    def live(self, learner: Learner) -> None:
        found = learner.retrieve()
        learner.submit_feedback(found, {entry.facts.id: 1.0 for entry in found.entries})


@pytest.mark.parametrize(
    "promise",
    [
        "test_it_asks_for_dreams_and_says_what_they_were_worth",
        "test_all_its_feedback_is_about_dreams_that_it_was_given",
        "test_its_feedback_tells_dreams_apart",
        "test_tensors_that_fail_their_hash_are_not_judged",
    ],
)
def test_conformance_finds_a_learner_that_does_not_conform(promise) -> None:
    with pytest.raises(AssertionError):
        getattr(Sloppy(), promise)()
