"""The learner's conversation with the pool-keeper."""

from collections.abc import Callable
from typing import Any

import pytest

from actors.learner.core import PATIENCE_S
from bus.core import Fired, Observed, SetTimer, Started
from schemas.feedback import EpochReport, FeedbackBatch, FeedbackReceipt, RefusedFeedback
from schemas.ids import derived_id
from schemas.retrieval import BatchRequest, PoolStatsRequest, RequestRefused, RetrievalQuery
from schemas.settings import EngineSettings

Begin = Callable[..., Any]


def kinds(outcome: Any) -> list[str]:
    return [send.message.kind for send in outcome.sends]


def asked(begun: Any) -> tuple[Any, Any]:
    """Bring a fresh learner to its first open query."""
    request = begun.hand(Started(1)).sends[0].message
    outcome = begun.hand(begun.pool.answer(request))
    return outcome, outcome.sends[0].message


def test_one_round_goes_as_the_seed_shows(talk: Begin, settings: EngineSettings) -> None:
    # seed 000, section 12.2: retrieve, train, feed back
    begun = talk()
    _, query = asked(begun)

    requested = begun.hand(begun.pool.answer(query))
    fed_back = begun.hand(begun.pool.answer(requested.sends[0].message))

    assert kinds(requested) == ["BatchRequest"]
    assert kinds(fed_back) == ["FeedbackBatch"]
    records = fed_back.sends[0].message.records
    assert [record.entry_id for record in records] == list(requested.sends[0].message.entry_ids)
    assert {record.query_id for record in records} == {query.query_id}
    assert len(records) == settings.interface.k


def test_query_carries_the_settings_and_the_reading_of_its_step(
    talk: Begin, changed: Callable[..., EngineSettings]
) -> None:
    # seed 000, sections 3.3 and 8
    chosen = changed(interface={"k": 3, "retrieval_default": "cosine", "alpha_cosine": 0.25, "recency_decay": 0.5})
    begun = talk(chosen)

    _, query = asked(begun)

    assert (query.k, query.mode, query.alpha, query.recency_decay) == (3, "cosine", 0.25, 0.5)
    assert query.exploration == chosen.learner.exploration
    assert query.as_of_ns == begun.now_ns
    assert query.allow_duplicates is False
    assert query.min_coherence is None


def test_learner_waits_until_the_pool_holds_enough(talk: Begin, dreams: tuple[Any, ...]) -> None:
    begun = talk(held=dreams[:7])

    request = begun.hand(Started(1)).sends[0].message
    too_few = begun.hand(begun.pool.answer(request))
    polled = begun.hand(Fired("poll"))

    assert kinds(too_few) == []
    assert kinds(polled) == ["PoolStatsRequest"]
    assert polled.timers == [SetTimer("poll", 0.5)]
    assert begun.core.figures()["waiting_for"] == "pool"


def test_pool_is_not_asked_again_while_its_answer_is_out(talk: Begin) -> None:
    begun = talk()
    begun.hand(Started(1))

    again = begun.hand(Fired("poll"))
    restarted = begun.hand(Started(2))

    assert kinds(again) == []
    assert kinds(restarted) == []
    assert restarted.timers == [SetTimer("poll", 0.5)], "but the clock ticks on"


@pytest.mark.parametrize("answered", [0, 1])
def test_restart_in_a_round_waits_for_the_open_answer_and_does_not_ask_twice(talk: Begin, answered: int) -> None:
    begun = talk()
    _, message = asked(begun)
    for _ in range(answered):
        message = begun.hand(begun.pool.answer(message)).sends[0].message

    restarted = begun.hand(Started(2))
    went_on = begun.hand(begun.pool.answer(message))

    assert kinds(restarted) == []
    assert kinds(went_on) == [["BatchRequest"], ["FeedbackBatch"]][answered]


def test_restart_in_a_pause_arms_the_next_round(talk: Begin) -> None:
    begun = talk()
    begun.run(rounds=1)

    restarted = begun.hand(Started(2))
    next_round = begun.hand(Fired("round"))

    assert [timer.name for timer in restarted.timers] == ["round"]
    assert kinds(next_round) == ["RetrievalQuery"]


def test_rounds_are_paced(talk: Begin, changed: Callable[..., EngineSettings]) -> None:
    begun = talk(changed(learner={"rounds_hz": 4.0}))
    begun.run(rounds=1)

    timers = [timer for timer in begun.outcomes[-1].timers if timer.name == "round"]

    assert len(timers) == 1
    assert timers[0].delay_s == pytest.approx(0.25 - 0.02), "two steps of 10 ms of the period are over"


def test_a_clock_that_jumps_never_delays_a_round_by_more_than_its_period(talk: Begin) -> None:
    begun = talk()
    _, query = asked(begun)
    request = begun.hand(begun.pool.answer(query)).sends[0].message
    begun.now_ns -= 3600 * 10**9

    outcome = begun.hand(begun.pool.answer(request))

    assert [timer.delay_s for timer in outcome.timers] == [0.5]


def test_rounds_without_a_rate_follow_at_once(talk: Begin, changed: Callable[..., EngineSettings]) -> None:
    begun = talk(changed(learner={"rounds_hz": 0.0}))
    _, query = asked(begun)

    request = begun.hand(begun.pool.answer(query)).sends[0].message
    outcome = begun.hand(begun.pool.answer(request))

    assert kinds(outcome) == ["FeedbackBatch", "RetrievalQuery"]


def test_empty_answer_waits_and_asks_anew(talk: Begin) -> None:
    begun = talk()
    _, query = asked(begun)
    nothing = begun.pool.answer(query).model_copy(update={"entries": ()})

    waited = begun.hand(nothing)
    retried = begun.hand(Fired("round"))

    assert waited.timers == [SetTimer("round", 0.5)]
    assert kinds(waited) == []
    assert retried.sends[0].message.query_id != query.query_id
    assert begun.core.figures()["empty_answers"] == 1


def test_refused_request_does_not_hang_the_loop(talk: Begin) -> None:
    begun = talk()
    asked(begun)
    refusal = RequestRefused(request_kind="RetrievalQuery", request_epoch=1, request_seq=2, reason="k is 0")

    refused = begun.hand(refusal)
    retried = begun.hand(Fired("round"))

    assert [timer.name for timer in refused.timers] == ["round"]
    assert "k is 0" in refused.notes[0].text
    assert kinds(retried) == ["RetrievalQuery"]
    assert begun.core.figures()["requests_refused"] == 1


def test_refused_batch_request_does_not_hang_the_loop(talk: Begin) -> None:
    begun = talk()
    _, query = asked(begun)
    begun.hand(begun.pool.answer(query))

    begun.hand(RequestRefused(request_kind="BatchRequest", request_epoch=1, request_seq=3, reason="gone"))
    retried = begun.hand(Fired("round"))

    assert kinds(retried) == ["RetrievalQuery"]


def test_answer_to_another_query_is_refused_and_the_right_one_is_still_taken(talk: Begin) -> None:
    begun = talk()
    _, query = asked(begun)
    right = begun.pool.answer(query)
    stale = right.model_copy(update={"query_id": derived_id("query", "older")})

    refused = begun.hand(stale)
    taken = begun.hand(right)

    assert "not open" in str(refused.refusal)
    assert kinds(refused) == []
    assert kinds(taken) == ["BatchRequest"]
    assert begun.core.figures()["unexpected"] == 1


def test_lost_answer_ends_the_round_after_a_while(talk: Begin) -> None:
    begun = talk()
    opened, query = asked(begun)

    impatient = begun.hand(Fired("patience"))
    late = begun.hand(begun.pool.answer(query))

    assert SetTimer("patience", PATIENCE_S) in opened.timers
    assert kinds(impatient) == ["RetrievalQuery"]
    assert late.refusal is not None
    assert begun.core.figures()["given_up"] == 1


def test_corrupt_tensor_is_left_out_and_the_rest_stays_aligned(talk: Begin) -> None:
    # seed 000, sections 3.5 and 9: corrupt one of eight, seven are learnt from
    begun = talk()
    _, query = asked(begun)
    request = begun.hand(begun.pool.answer(query)).sends[0].message
    batch = begun.pool.answer(request)
    digests = list(batch.tensor_sha256s)
    digests[3] = bytes(32)

    outcome = begun.hand(batch.model_copy(update={"tensor_sha256s": tuple(digests)}))

    fed_back = [record.entry_id for record in outcome.sends[0].message.records]
    assert fed_back == [entry_id for place, entry_id in enumerate(batch.entry_ids) if place != 3]
    assert batch.entry_ids[3] in str(outcome.refusal)
    assert begun.core.figures()["corrupt"] == 1


@pytest.mark.parametrize(
    "damage",
    [
        {"tensors": ()},
        {"entry_ids": (), "shapes": (), "tensor_sha256s": (), "tensors": ()},
        {"tensors": (b"not zstd",) * 8},
        {"entry_ids": tuple(derived_id("unasked", n) for n in range(8))},
    ],
)
def test_batch_without_a_sound_tensor_ends_the_round_and_the_next_one_begins(
    talk: Begin, damage: dict[str, Any]
) -> None:
    begun = talk()
    _, query = asked(begun)
    request = begun.hand(begun.pool.answer(query)).sends[0].message
    before = begun.core.snapshot()

    outcome = begun.hand(begun.pool.answer(request).model_copy(update=damage))
    next_round = begun.hand(Fired("round"))

    assert kinds(outcome) == []
    assert begun.core.figures()["rounds"] == 0
    assert kinds(next_round) == ["RetrievalQuery"]
    assert before != begun.core.snapshot()


def test_tensor_that_comes_twice_counts_once(talk: Begin) -> None:
    begun = talk()
    _, query = asked(begun)
    request = begun.hand(begun.pool.answer(query)).sends[0].message
    twice = request.model_copy(update={"entry_ids": (*request.entry_ids, request.entry_ids[0])})

    outcome = begun.hand(begun.pool.answer(twice))

    assert len(outcome.sends[0].message.records) == len(request.entry_ids)
    assert begun.core.figures()["corrupt"] == 1


def test_receipts_are_counted_and_refusals_shown(talk: Begin) -> None:
    begun = talk()
    begun.run(rounds=1)
    batch = begun.heard(FeedbackBatch)[0]
    unknown = RefusedFeedback(query_id=derived_id("q"), entry_id=derived_id("e"), reason="no such dream")

    outcome = begun.hand(FeedbackReceipt(batch_id=batch.batch_id, stored=7, duplicates=0, refused=(unknown,)))
    again = begun.hand(FeedbackReceipt(batch_id=batch.batch_id, stored=7, duplicates=0, refused=()))

    figures = begun.core.figures()
    assert (figures["feedback_sent"], figures["feedback_stored"], figures["feedback_refused"]) == (8, 7, 1)
    assert "no such dream" in outcome.notes[0].text
    assert again.refusal is not None


def test_message_of_another_kind_is_refused(talk: Begin, settings: EngineSettings) -> None:
    begun = talk()
    begun.hand(Started(1))

    outcome = begun.hand(PoolStatsRequest(request=1))
    observed = begun.hand(Observed("weather", b"rain"))

    assert "PoolStatsRequest" in str(outcome.refusal)
    assert "weather" in str(observed.refusal)


def test_stale_timers_do_nothing(talk: Begin) -> None:
    begun = talk()
    asked(begun)

    for name in ("poll", "round", "nonsense"):
        assert kinds(begun.hand(Fired(name))) == []


def test_step_to_infinity_is_not_taken(talk: Begin, changed: Callable[..., EngineSettings]) -> None:
    begun = talk(changed(learner={"learning_rate": 10.0, "dream_weight": 1e37}))
    _, query = asked(begun)
    request = begun.hand(begun.pool.answer(query)).sends[0].message

    for _ in range(3):
        begun.hand(begun.pool.answer(request))
        query = begun.hand(Fired("round")).sends[0].message
        request = begun.hand(begun.pool.answer(query)).sends[0].message

    assert begun.core.figures()["diverged"] > 0


def test_epoch_reports_both_arms_after_its_rounds(talk: Begin, changed: Callable[..., EngineSettings]) -> None:
    # seed 000, section 10; design, 5.12: the no-dream arm stands beside the arm that dreams
    begun = talk(changed(learner={"rounds_per_epoch": 4}))

    begun.run(rounds=9)

    reports = begun.heard(EpochReport)
    assert [report.epoch for report in reports] == [1, 2]
    assert [arm.arm for arm in reports[1].arms] == ["dreams", "no-dreams"]
    assert [arm.steps for arm in reports[1].arms] == [8, 8], "equal numbers of gradient steps"
    assert reports[1].rounds == 4
    assert reports[1].feedback_records == 32
    assert reports[1].kpis.utilization_rate == 1.0
    assert begun.core.figures()["test_accuracy.no_dreams"] == reports[1].arms[1].test_accuracy


def test_kpis_can_be_recomputed_from_what_was_said(talk: Begin, changed: Callable[..., EngineSettings]) -> None:
    # seed 000, section 10
    begun = talk(changed(learner={"rounds_per_epoch": 6}))

    begun.run(rounds=12)

    first, second = begun.heard(EpochReport)
    utilities = [record.utility for batch in begun.heard(FeedbackBatch)[6:] for record in batch.records]
    fall = first.arms[0].probe_loss - second.arms[0].probe_loss
    assert second.kpis.selection_precision == sum(u > second.tau for u in utilities) / len(utilities)
    assert second.kpis.improvement_delta == pytest.approx(fall * 100 / len(utilities))


def test_figures_have_names_that_a_heartbeat_can_carry(talk: Begin) -> None:
    from schemas.control import Figure

    begun = talk()
    fresh = [Figure(name=name, value=value) for name, value in begun.core.figures().items()]
    begun.run(rounds=10)
    later = [Figure(name=name, value=value) for name, value in begun.core.figures().items()]

    assert {figure.name for figure in fresh} >= {"epochs", "rounds", "test_accuracy.dreams", "probe_loss.no_dreams"}
    assert {figure.name for figure in later} >= {figure.name for figure in fresh}


def test_ids_and_seeds_of_rounds_are_all_different(talk: Begin) -> None:
    begun = talk()

    begun.run(rounds=5)

    queries = begun.heard(RetrievalQuery)
    assert len({query.query_id for query in queries}) == len(queries)
    assert len({query.seed for query in queries}) == len(queries)
    assert len({batch.batch_id for batch in begun.heard(FeedbackBatch)}) == 5
    assert len(begun.heard(BatchRequest)) == 5
