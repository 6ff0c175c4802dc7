"""Feedback is stored once, whole, and only for what was answered."""

from typing import Any

import pytest

from schemas.bias import BiasProfile, SeedWeights
from schemas.control import Figure, Heartbeat, Stopped
from schemas.feedback import (
    ArmResult,
    EpochReport,
    FeedbackBatch,
    FeedbackReceipt,
    FeedbackRecord,
    FeedbackStored,
    Kpis,
)
from schemas.ids import derived_id


def record(query_id: str, entry_id: str, utility: float = 0.5) -> FeedbackRecord:
    return FeedbackRecord(query_id=query_id, entry_id=entry_id, utility=utility, contribution=0.25, notes=None)


def batch(*records: FeedbackRecord, number: int = 1) -> FeedbackBatch:
    return FeedbackBatch(batch_id=derived_id("batch", number), records=records)


@pytest.fixture
def answered(keeper: Any, dream: Any, query: Any) -> Any:
    """A keeper with three dreams, of which a query of `learner` got all."""
    keeper.dream(dream(1), dream(2), dream(3))
    keeper.ask(query())
    return keeper


def test_stored_feedback_reaches_learner_and_synthesizer(answered: Any, dream: Any, query: Any) -> None:
    # seed 000, section 3.6; design, section 3 (topology)
    query_id = query().query_id

    outcome = answered.say(batch(record(query_id, dream(1).id, -0.5), record(query_id, dream(2).id)), now_ns=99)

    receipt, news = (send.message for send in outcome.sends)
    assert isinstance(receipt, FeedbackReceipt)
    assert isinstance(news, FeedbackStored)
    assert (receipt.stored, receipt.duplicates, receipt.refused) == (2, 0, ())
    assert [send.to for send in outcome.sends] == ["learner", None]
    assert (news.learner, news.stored_at_ns) == ("learner", 99)
    first = news.records[0]
    assert (first.entry_id, first.utility, first.contribution) == (dream(1).id, -0.5, 0.25)
    assert first.chroma_signature == dream(1).chroma_signature
    assert (first.spectral_entropy, first.source) == (dream(1).spectral_entropy, dream(1).source)


def test_feedback_given_twice_counts_once(answered: Any, dream: Any, query: Any) -> None:
    once = batch(record(query().query_id, dream(1).id))
    answered.say(once)

    again = answered.say(once)
    within = answered.say(batch(*[record(query().query_id, dream(2).id)] * 2, number=2))
    answered.commit()

    assert (again.sends[0].message.stored, again.sends[0].message.duplicates) == (0, 1)
    assert len(again.sends) == 1, "nothing new, nothing for the synthesizer"
    assert dream(1).id in (again.refusal or "")
    assert (within.sends[0].message.stored, within.sends[0].message.duplicates) == (1, 1)
    assert answered.store.row("SELECT count(*) FROM feedback") == (2,)
    assert answered.core.figures()["feedback_total"] == 2
    assert [line["event"] for line in answered.log("feedback")] == ["stored", "duplicate", "stored", "duplicate"]


def test_feedback_for_what_was_never_answered_is_refused_by_name(answered: Any, dream: Any, query: Any) -> None:
    answered.dream(dream(4))
    unknown = derived_id("unknown")
    query_id = query().query_id
    records = [record(unknown, dream(1).id), record(query_id, dream(4).id), record(query_id, unknown)]

    outcome = answered.say(batch(*records, record(query_id, dream(3).id)))

    receipt = outcome.sends[0].message
    assert receipt.stored == 1
    assert [(r.query_id, r.entry_id) for r in receipt.refused] == [(r.query_id, r.entry_id) for r in records]
    assert "3 of 4" in (outcome.refusal or "")
    assert unknown in (outcome.refusal or "")
    assert [r.entry_id for r in outcome.sends[1].message.records] == [dream(3).id]


def test_a_learner_credits_its_own_answers_only(answered: Any, dream: Any, query: Any) -> None:
    foreign = answered.say(batch(record(query().query_id, dream(1).id)), "learner-2")

    assert foreign.sends[0].message.stored == 0
    assert len(foreign.sends) == 1

    answered.ask(query(), "learner-2")
    own = answered.say(batch(record(query().query_id, dream(1).id), number=2), "learner-2")
    other = answered.say(batch(record(query().query_id, dream(1).id), number=3), "learner")

    assert (own.sends[0].message.stored, other.sends[0].message.stored) == (1, 1)


def test_a_query_asked_again_keeps_its_earlier_answers(answered: Any, dream: Any, query: Any) -> None:
    answered.ask(query(query_signature=dream(1).chroma_signature, k=1))

    outcome = answered.say(batch(record(query().query_id, dream(3).id)))

    assert outcome.sends[0].message.stored == 1


def test_feedback_survives_a_restart_and_stays_unique(answered: Any, open_keeper: Any, dream: Any, query: Any) -> None:
    once = batch(record(query().query_id, dream(1).id))
    answered.say(once)
    answered.commit()
    answered.store.close()

    again = open_keeper().say(once)

    assert again.sends[0].message.duplicates == 1


def test_an_epoch_report_is_logged_and_shown(keeper: Any, open_keeper: Any) -> None:
    # seed 000, section 10: KPIs logged each epoch
    arm = ArmResult(arm="none", steps=5, train_loss=1.0, probe_loss=1.0, test_loss=1.0, test_accuracy=0.5)
    kpis = Kpis(
        selection_precision=0.5, utilization_rate=1.0, improvement_delta=-0.125, coverage=None, recency_ratio=1.0
    )
    report = EpochReport(
        epoch=3,
        rounds=10,
        feedback_records=80,
        kpis=kpis,
        tau=0.0,
        recent_days=1.0,
        arms=(arm, arm),
        probe_loss_at_start=None,
    )
    keeper.say(report)
    keeper.commit()
    keeper.store.close()

    figures = open_keeper().core.figures()

    assert figures["epochs_reported"] == 1
    assert (figures["last_epoch"], figures["kpi.improvement_delta"], figures["kpi.coverage"]) == (3, -0.125, None)
    (line,) = keeper.log("kpi")
    assert (line["learner"], line["epoch"], line["kpis"]["selection_precision"]) == ("learner", 3, 0.5)


def test_a_profile_is_kept_once(keeper: Any) -> None:
    weights = SeedWeights(factoid_weight=0.25, image_weight=0.25, pool_seed_weight=0.25, random_weight=0.25)
    profile = BiasProfile(
        profile_id=derived_id("profile"),
        updated_at_ns=5,
        chroma_prior=(0.1, 0.2, 0.3),
        hue_concentration=0.5,
        entropy_window=(0.1, 0.2),
        seed_weights=weights,
        bins=(),
        chroma_bins=24,
        exemplars=(),
        feedback_total=20,
    )

    first = keeper.say(profile, "bias-synthesizer")
    second = keeper.say(profile, "bias-synthesizer")
    keeper.commit()

    assert first.refusal is None
    assert profile.profile_id in (second.refusal or "")
    assert keeper.core.figures()["profiles_stored"] == 1


def test_a_message_of_nobodys_is_refused_and_figures_fit_a_heartbeat(keeper: Any) -> None:
    outcome = keeper.say(Stopped(instance="dreamer", epoch=1, step=1), "dreamer")

    assert "Stopped" in (outcome.refusal or "")
    figures = [Figure(name=name, value=value) for name, value in keeper.core.figures().items()]
    assert len(figures) <= Heartbeat.model_fields["figures"].metadata[0].max_length
