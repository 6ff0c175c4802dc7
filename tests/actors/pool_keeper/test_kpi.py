"""The figures of an epoch, computed from what happened (seed 000, section 10)."""

import random
from typing import Any

import pytest

from actors.learner.kpis import EpochTally
from actors.pool_keeper.kpi import NS_PER_DAY, Measure, RetrievedDream, compute_kpis
from schemas.settings import EngineSettings
from supervisor.configuration import Sources, load_configuration
from supervisor.home import Home

MEASURE = Measure(tau=0.0, recent_days=1.0, chroma_bins=24, loss_at_start=1.5, loss_at_end=1.2)


@pytest.fixture
def settings(tmp_path: Any) -> EngineSettings:
    return load_configuration(Sources(Home(tmp_path))).settings


def test_five_figures_of_a_hand_made_epoch() -> None:
    retrieved = [
        RetrievedDream((1.0, 0.0, 0.0), 0),
        RetrievedDream((1.0, 0.02, 0.0), NS_PER_DAY // 2),
        RetrievedDream((0.0, 0.0, 1.0), NS_PER_DAY),
        RetrievedDream((0.5, 0.5, 0.5), -NS_PER_DAY),
    ]

    kpis = compute_kpis(retrieved, [0.2, 0.0, -0.1], MEASURE)

    assert kpis.selection_precision == 1 / 4
    assert kpis.utilization_rate == 3 / 4
    assert kpis.improvement_delta == (1.5 - 1.2) * 100 / 3
    assert kpis.coverage == 3 / 25, "red, blue and grey of 24 hue bins and the bin of greys"
    assert kpis.recency_ratio == 3 / 4, "a dream of exactly one day is not recent, one from the future is"


def test_what_cannot_be_known_is_none() -> None:
    assert set(compute_kpis([], [], MEASURE).model_dump().values()) == {None}
    assert compute_kpis([], [0.5], MEASURE._replace(loss_at_start=None)).improvement_delta is None


@pytest.mark.parametrize("seed", range(20))
def test_figures_equal_those_of_a_learner_that_counted(seed: int, settings: EngineSettings) -> None:
    draw = random.Random(seed)
    now_ns = 10**18
    ages = [draw.randrange(-NS_PER_DAY, 3 * NS_PER_DAY) for _ in range(draw.randrange(1, 60))]
    retrieved = [RetrievedDream((draw.random(), draw.random(), draw.random()), age) for age in ages]
    utilities = [draw.uniform(-1.0, 1.0) for _ in retrieved]
    tally = EpochTally()
    for dream in retrieved:
        tally.add_retrieved([_Facts(dream.colour, now_ns - dream.age_ns)], now_ns, settings)  # type: ignore[list-item]
    tally.add_judged(utilities, settings.learner.tau)
    start, end = draw.random(), draw.random()
    bins = settings.bias.chroma_bins

    kpis = compute_kpis(
        retrieved, utilities, Measure(settings.learner.tau, settings.learner.recent_days, bins, start, end)
    )

    assert kpis == tally.kpis(bins, start, end), f"seed {seed}"


class _Facts:
    def __init__(self, colour: tuple[float, float, float], timestamp_ns: int) -> None:
        self.chroma_signature = colour
        self.timestamp_ns = timestamp_ns
