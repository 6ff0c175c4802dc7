"""The explanation is enough to recompute the profile (seed 000, section 14)."""

import cmath
import colorsys
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from actors.bias_synthesizer.explanation import numbers_of, recompute, utc_text
from bus.core import Observed

Listen = Callable[..., Any]
Make = Callable[..., Any]
SOURCES = ("factoid", "image", "pool", "random")


def mixed(make_record: Make, count: int, first: int = 0) -> list[Any]:
    generator = np.random.default_rng(first)
    return [
        make_record(
            first + int(generator.integers(0, count)),
            float(generator.normal(0.02, 0.1)),
            hue=float(generator.uniform(0, 360)),
            saturation=float(generator.choice([0.02, 0.3, 0.9])),
            entropy=float(generator.random()),
            source=SOURCES[int(generator.integers(0, 4))],
            query=place,
        )
        for place in range(count)
    ]


def flat(numbers: Any) -> list[float]:
    return [
        *numbers.chroma_prior,
        numbers.hue_concentration,
        *numbers.entropy_window,
        *numbers.seed_weights,
        *(value for entry in numbers.bins for value in entry),
        *(weight for _, weight in numbers.exemplars),
        numbers.feedback_total,
    ]


@pytest.mark.parametrize("max_step", [0.0, 0.1])
def test_every_profile_can_be_recomputed_from_its_explanation_alone(
    listener: Listen, make_record: Make, max_step: float
) -> None:
    # seed 000, section 14; dossier section 4: to 1e-9
    heard = listener(max_step=max_step, exploration_floor=0.05, update_interval_steps=60)

    for number in range(6):
        heard.feed(mixed(make_record, 60, first=100 * number))
        found = recompute(heard.files["data/bias_explanation.json"])
        expected = numbers_of(heard.profiles[-1])
        assert flat(found) == pytest.approx(flat(expected), abs=1e-9)
        assert [dream_id for dream_id, _ in found.exemplars] == [dream_id for dream_id, _ in expected.exemplars]


def test_carried_profile_can_be_recomputed_too(listener: Listen, make_record: Make) -> None:
    yesterday, today = listener(), listener()
    yesterday.feed(mixed(make_record, 40))

    today.hand(Observed("previous_profile", yesterday.files["data/bias_profile.json"]))

    assert recompute(today.files["data/bias_explanation.json"]) == numbers_of(today.profiles[0])


def test_outsider_gets_the_same_numbers_with_other_tools(listener: Listen, make_record: Make) -> None:
    # seed 000, section 14: numpy, colorsys and complex numbers instead of our own code
    heard = listener(exploration_floor=0.05)
    heard.feed(mixed(make_record, 120))
    explanation = json.loads(heard.files["data/bias_explanation.json"])
    profile = json.loads(heard.files["data/bias_profile.json"])

    dreams = explanation["dreams"]
    utility = np.array([dream["mean_utility"] for dream in dreams])
    bins = np.array([dream["bin"] for dream in dreams])
    high = [b for b in set(bins.tolist()) if utility[bins == b].mean() > 0]
    weight = np.where(np.isin(bins, high), np.maximum(utility, 0), 0)
    weight /= weight.sum()
    hsv = np.array([colorsys.rgb_to_hsv(*dream["chroma_signature"]) for dream in dreams])
    hued = hsv[:, 1] >= 0.05
    towards = complex((weight * np.exp(2j * math.pi * hsv[:, 0]))[hued].sum())
    prior = colorsys.hsv_to_rgb(cmath.phase(towards) / (2 * math.pi) % 1.0, *(weight @ hsv[:, 1:]))
    entropies = np.array([dream["spectral_entropy"] for dream in dreams])[utility > 0]
    means = [
        max(0.0, np.mean([d["mean_utility"] for d in dreams if d["source"] == source] or [0.0])) for source in SOURCES
    ]

    assert profile["chroma_prior"] == pytest.approx(prior, abs=1e-9)
    assert profile["hue_concentration"] == pytest.approx(abs(towards) / weight[hued].sum(), abs=1e-9)
    assert profile["entropy_window"] == pytest.approx(np.quantile(entropies, (0.25, 0.75)).tolist(), abs=1e-9)
    seeds = [profile["seed_weights"][f"{name}_weight"] for name in ("factoid", "image", "pool_seed", "random")]
    assert seeds == pytest.approx([0.05 + 0.8 * mean / sum(means) for mean in means], abs=1e-9)
    shown = {row["bin"]: row["weight"] for row in profile["bins"]}
    total = sum(utility[bins == b].mean() for b in high)
    assert shown == pytest.approx({b: max(0.0, utility[bins == b].mean()) / total for b in shown}, abs=1e-9)


def test_explanation_shows_bins_counts_and_the_share_of_every_dream(listener: Listen, make_record: Make) -> None:
    # seed 000, section 14: bin contributions and priors
    heard = listener()
    heard.feed(mixed(make_record, 50))

    explanation = json.loads(heard.files["data/bias_explanation.json"])

    assert sum(row["dreams"] for row in explanation["bins"]) == len(explanation["dreams"])
    assert sum(row["records"] for row in explanation["bins"]) == 50
    assert sum(dream["prior_share"] for dream in explanation["dreams"]) == pytest.approx(1.0)
    assert {row["bin"] for row in explanation["bins"] if row["is_high"]} == {
        row["bin"] for row in explanation["bins"] if row["mean_utility"] > 0
    }
    assert set(explanation["sources"]) == set(SOURCES)
    assert explanation["config"]["chroma_bins"] == 24
    assert explanation["previous"] is None
    assert explanation["profile"] == json.loads(heard.files["data/bias_profile.json"])


@pytest.mark.parametrize(
    "seconds", [0, 951_782_400, 951_868_799, 1_709_164_800, 1_767_225_599, 1_767_225_600, 4_107_542_400, 9_223_372_036]
)
def test_times_are_utc_text(seconds: int) -> None:
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=123_456)

    assert utc_text(seconds * 10**9 + 123_456_789) == expected.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_days_of_three_centuries_have_their_names() -> None:
    day = datetime(1970, 1, 1, tzinfo=UTC)
    for number in range(0, 292 * 365, 13):
        assert utc_text(number * 86_400 * 10**9)[:10] == (day + timedelta(days=number)).strftime("%Y-%m-%d")
