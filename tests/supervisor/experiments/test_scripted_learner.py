"""The learner that loves one hue."""

from statistics import fmean, stdev

import pytest

from bus.core import Fired, MessageRef, Received, Started
from bus.randomness import RandomSource
from schemas.colour import to_hsv, to_rgb
from schemas.feedback import FeedbackBatch
from schemas.retrieval import RetrievalQuery, RetrievedEntry, RetrievedSet
from supervisor.configuration import Sources, load_configuration
from supervisor.experiments.scripted_learner import NOISE, ScriptedLearner, hue_utility
from supervisor.home import Home

HIDDEN = 120.0


@pytest.fixture
def learner(tmp_path) -> ScriptedLearner:
    return fresh(tmp_path)


@pytest.fixture
def answer(examples) -> RetrievedSet:
    """A thousand dreams of the hidden hue."""
    example = examples["RetrievedSet"]
    facts = example.entries[0].facts.model_copy(update={"chroma_signature": to_rgb((HIDDEN, 0.5, 0.5))})
    entry = RetrievedEntry(facts=facts, score=0.5, is_explored=False, propensity=1.0)
    return example.model_copy(update={"entries": (entry,) * 1000})


def fresh(home) -> ScriptedLearner:
    return ScriptedLearner(HIDDEN, load_configuration(Sources(Home(home))).settings, RandomSource(5, 1, "learner"))


def asked(learner: ScriptedLearner, rounds: int) -> list[RetrievalQuery]:
    sends = [send for _ in range(rounds) for send in learner.handle(Fired("round"), 7).sends]
    return [send.message for send in sends if isinstance(send.message, RetrievalQuery)]


def judged(learner: ScriptedLearner, answer: RetrievedSet) -> list[float]:
    (send,) = learner.handle(Received(MessageRef("pool-keeper", 1, 1), answer), 9).sends
    assert isinstance(send.message, FeedbackBatch)
    return [record.utility for record in send.message.records]


@pytest.mark.parametrize(
    ("colour", "worth"),
    [
        (to_rgb((120.0, 1.0, 1.0)), 1.0),
        (to_rgb((180.0, 0.5, 0.4)), 0.5),
        (to_rgb((30.0, 1.0, 1.0)), 0.0),
        (to_rgb((300.0, 1.0, 1.0)), -1.0),
        ((0.5, 0.5, 0.5), 0.0),
    ],
)
def test_a_dream_is_worth_the_cosine_of_its_distance(colour, worth):
    assert hue_utility(colour, HIDDEN) == pytest.approx(worth, abs=1e-9)


def test_dreams_of_every_hue_together_are_worth_nothing():
    assert fmean(hue_utility(to_rgb((hue, 0.7, 0.7)), HIDDEN) for hue in range(360)) == pytest.approx(0.0, abs=1e-9)


def test_it_asks_for_every_hue_alike(learner):
    queries = asked(learner, 2000)

    quarters = [int(to_hsv(query.query_signature)[0] // 90.0) for query in queries]
    assert len({query.query_id for query in queries}) == 2000
    assert all(400 < quarters.count(quarter) < 600 for quarter in range(4))


def test_feedback_is_the_worth_with_noise(learner, answer):
    utilities = judged(learner, answer)

    assert fmean(utilities) == pytest.approx(1.0, abs=0.1)
    assert stdev(utilities) == pytest.approx(NOISE, abs=0.05)


def test_after_the_jump_the_same_dreams_are_worth_the_opposite(learner, answer):
    learner.move_to(HIDDEN + 180.0)

    assert fmean(judged(learner, answer)) == pytest.approx(-1.0, abs=0.1)


def test_an_empty_answer_is_met_with_silence(learner, answer):
    empty = answer.model_copy(update={"entries": ()})

    assert learner.handle(Received(MessageRef("pool-keeper", 1, 1), empty), 9).sends == []


def test_rounds_follow_each_other_at_the_rate_of_the_settings(learner):
    assert [timer.name for timer in learner.handle(Started(1), 0).timers] == ["round"]
    assert learner.handle(Fired("round"), 0).timers[0].delay_s == 0.5


def test_a_restored_learner_goes_on_as_the_first_would(learner, answer, tmp_path):
    asked(learner, 3)
    judged(learner, answer)
    other = fresh(tmp_path)

    other.restore(learner.snapshot())

    assert asked(other, 2) == asked(learner, 2)
    assert judged(other, answer) == judged(learner, answer)
    assert other.figures() == learner.figures()
