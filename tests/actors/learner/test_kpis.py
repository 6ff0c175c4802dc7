"""The five figures of an epoch (seed 000, section 10)."""

from collections.abc import Callable
from typing import Any

import pytest

from actors.learner.kpis import NS_PER_DAY, EpochTally
from schemas.settings import EngineSettings

NOW_NS = 1_767_225_600 * 1_000_000_000


@pytest.fixture
def facts(make_dream: Callable[..., Any]) -> Callable[..., Any]:
    def make(number: int, colour: tuple[float, float, float], age_days: float = 0.0) -> Any:
        made = make_dream(number, None, colour).facts
        return made.model_copy(update={"timestamp_ns": NOW_NS - int(age_days * NS_PER_DAY)})

    return make


def test_five_figures_of_a_hand_made_epoch(facts: Callable[..., Any], settings: EngineSettings) -> None:
    # seed 000, section 10: precision and utilization divide by what was retrieved
    tally = EpochTally()
    answer = [
        facts(1, (1.0, 0.0, 0.0)),
        facts(2, (1.0, 0.02, 0.0), age_days=0.5),
        facts(3, (0.0, 0.0, 1.0), age_days=1.5),
        facts(4, (0.5, 0.5, 0.5), age_days=30.0),
    ]
    tally.add_retrieved(answer, NOW_NS, settings)
    tally.add_judged([0.2, 0.0, -0.1], tau=0.0)

    kpis = tally.kpis(settings.bias.chroma_bins, loss_at_start=1.5, loss_at_end=1.2)

    assert kpis.selection_precision == 1 / 4
    assert kpis.utilization_rate == 3 / 4
    assert kpis.improvement_delta == pytest.approx(0.3 * 100 / 3)
    assert kpis.coverage == 3 / 25, "red, blue and grey of 24 hue bins and the bin of greys"
    assert kpis.recency_ratio == 2 / 4


def test_epoch_without_answers_has_no_figures(settings: EngineSettings) -> None:
    kpis = EpochTally().kpis(settings.bias.chroma_bins, 1.0, 1.0)

    assert set(kpis.model_dump().values()) == {None}


def test_dream_is_useful_only_above_tau(settings: EngineSettings) -> None:
    tally = EpochTally(retrieved=2)
    tally.add_judged([0.25, 0.26], tau=0.25)

    assert tally.kpis(24, 1.0, 1.0).selection_precision == 0.5


def test_dream_from_the_future_is_recent(facts: Callable[..., Any], settings: EngineSettings) -> None:
    tally = EpochTally()
    tally.add_retrieved([facts(1, (1.0, 0.0, 0.0), age_days=-3.0)], NOW_NS, settings)

    assert tally.kpis(24, 1.0, 1.0).recency_ratio == 1.0


def test_growing_probe_loss_is_shown_as_it_is(settings: EngineSettings) -> None:
    tally = EpochTally(retrieved=50, feedback=50)

    assert tally.kpis(24, loss_at_start=1.0, loss_at_end=1.5).improvement_delta == pytest.approx(-1.0)
