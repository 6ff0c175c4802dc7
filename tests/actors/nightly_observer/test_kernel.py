"""Seeds: each kind of day fires its own, with numbers that can be computed again, and noise fires none."""

import colorsys
import math
import statistics

import pytest

from actors.nightly_observer.kernel import find_seeds, rank, seed_of, tone_of
from actors.nightly_observer.looking import Night, look_at
from actors.nightly_observer.spread import wilson_low
from schemas.dream_seeds import SEED_TYPES, Evidence, Finding, SeedType, evidence
from tests.actors.nightly_observer.days import DAYS, MadeDay, anchors, digest_of, full_day, quiet, runtime_settings

SETTINGS = runtime_settings()


def night(made: MadeDay) -> Night:
    return look_at(made.made(), SETTINGS, anchors())


def finding(strength: float, seed_type: SeedType = "bridge", anchor: str = "a") -> Finding:
    shown = evidence("test.rule", strength, ">=", 1.0, 10)
    return Finding(seed_type=seed_type, fires=True, evidence=shown, anchors=("h:" + anchor * 24,), bins=())


@pytest.mark.parametrize("seed_type", SEED_TYPES)
def test_a_day_of_each_kind_fires_its_own_seed_and_no_other(seed_type: SeedType) -> None:
    seeds = night(DAYS[seed_type]()).seeds

    assert [seed.seed_type for seed in seeds] == [seed_type]


def test_a_day_of_everything_fires_all_five() -> None:
    seeds = night(full_day()).seeds

    assert sorted(seed.seed_type for seed in seeds) == sorted(SEED_TYPES)


def test_a_quiet_day_fires_none_and_counts_zero() -> None:
    seen = night(quiet())

    assert seen.seeds == ()
    assert seen.observed.is_all_zero


def test_every_seed_has_value_threshold_op_n_and_numbers_alone() -> None:
    for seed in night(full_day()).seeds:
        told = seed.evidence
        assert (told.value >= told.threshold) if told.op == ">=" else (told.value <= told.threshold)
        assert told.n > 0
        assert all(type(number) in (bool, int, float) for _, number in told.numbers)


def test_the_numbers_of_a_conflict_can_be_computed_again() -> None:
    made = DAYS["conflict"]()
    day = made.made()
    seed = night(made).seeds[0]
    shown = dict(seed.evidence.numbers)
    said = [(row, utility) for row, _, utility, *_ in made.told]
    middle = statistics.median(utility for _, utility in said)
    tau = 0.25 * 1.4826 * statistics.median(abs(utility - middle) for _, utility in said)
    hues = [360.0 * colorsys.rgb_to_hsv(*day.pool.colours[row])[0] for row, _ in said]
    inside = [u for (_, u), hue in zip(said, hues, strict=True) if 120.0 <= hue < 135.0]
    up, down = math.fsum(u for u in inside if u > tau), -math.fsum(u for u in inside if u < -tau)

    assert shown["tau"] == pytest.approx(tau, abs=1e-6)
    assert seed.evidence.value == pytest.approx(2 * min(up, down) / (up + down), abs=1e-6)
    assert (shown["n_pos"], shown["n_neg"]) == (sum(u > tau for u in inside), sum(u < -tau for u in inside))


def test_the_numbers_of_a_guard_can_be_computed_again() -> None:
    seed = night(DAYS["guard_overuse"]()).seeds[0]

    assert seed.evidence.value == pytest.approx(wilson_low(60, 100), abs=1e-6)
    assert dict(seed.evidence.numbers)["baseline"] == pytest.approx(0.02, abs=1e-6)


@pytest.mark.parametrize(
    ("strength", "tone"),
    [(1.0, "neutral"), (1.1, "neutral"), (1.249, "neutral"), (1.25, "slight"), (1.6, "slight"), (1.999, "slight"),
     (2.0, "strong"), (2.5, "strong"), (None, "strong")],
)  # fmt: skip
def test_the_tone_follows_from_how_far_a_value_is_over_its_threshold(strength: float | None, tone: str) -> None:
    assert tone_of(strength) == tone


def test_where_lower_is_worse_the_tone_is_inverted() -> None:
    told = Evidence(value=1.5, threshold=3.0, op="<=", n=1, formula="test.rule", numbers=())

    assert tone_of(told.strength) == "strong"


def test_a_drifting_night_lifts_a_tone_by_one_and_never_beyond_strong() -> None:
    assert [tone_of(each, is_lifted=True) for each in (1.0, 1.5, 3.0)] == ["slight", "strong", "strong"]


def test_seeds_stand_by_tone_then_strength_then_type_then_anchor() -> None:
    weak, slight = finding(1.1), finding(1.5)
    twins = [finding(2.5, "bridge", "b"), finding(2.5, "bridge", "a"), finding(2.5, "duplicate", "c")]

    ordered = sorted((seed_of(each) for each in (weak, slight, *twins)), key=rank)

    assert [(seed.seed_type, seed.anchors[0][2]) for seed in ordered] == [
        ("duplicate", "c"), ("bridge", "a"), ("bridge", "b"), ("bridge", "a"), ("bridge", "a"),
    ]  # fmt: skip
    assert [seed.tone for seed in ordered] == ["strong"] * 3 + ["slight", "neutral"]


def test_nothing_that_a_night_looks_at_is_changed() -> None:
    day = full_day().made()
    before = digest_of(day)

    seen = look_at(day, SETTINGS, anchors())
    observed = seen.observed.model_dump_json()
    find_seeds(seen.observed, seen.health)

    assert digest_of(day) == before
    assert seen.observed.model_dump_json() == observed


def test_the_same_day_gives_the_same_seeds() -> None:
    assert night(full_day()) == night(full_day())


def test_the_blocks_of_nightly_json_name_no_dream_and_no_anchor() -> None:
    made = full_day()
    seen = night(made)
    text = f"{seen.observed.as_block()}{seen.health.as_block()}"

    assert not any(dream.dream_id[:8] in text for dream in made.dreams)
    assert "h:" not in text
