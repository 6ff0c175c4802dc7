"""The numbers of a profile (seed 000, section 6; design, 5.10)."""

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from actors.bias_synthesizer.aggregation import DreamWorth, Window
from actors.bias_synthesizer.bins import weigh_bins
from actors.bias_synthesizer.synthesis import ProfileNumbers, quantile, synthesize
from schemas.colour import to_hsv
from schemas.feedback import StoredFeedback
from schemas.settings import BiasSettings

Make = Callable[..., StoredFeedback]
Bias = Callable[..., BiasSettings]


def worths(records: Sequence[StoredFeedback]) -> tuple[DreamWorth, ...]:
    window = Window(200, 20)
    window.add(records)
    return window.dreams()


def numbers(records: Sequence[StoredFeedback], settings: BiasSettings) -> ProfileNumbers:
    return synthesize(worths(records), None, settings)[0]


@pytest.fixture
def twelve_dreams(make_record: Make) -> list[StoredFeedback]:
    """22 records over 12 dreams; records of a dream disagree, and chatty dreams have many."""
    r = make_record
    return [
        *(r("a", u, hue=350, entropy=0.30, source="image") for u in (0.1, 0.3)),
        *(r("b", u, hue=10, entropy=0.40, source="image") for u in (0.2, 0.2, 0.2, 0.2)),
        r("c", 0.2, hue=5, entropy=0.60, source="pool"),
        *(r("d", u, hue=355, entropy=0.70, source="pool") for u in (0.3, 0.1)),
        *(r("e", u, hue=120, entropy=0.90, source="factoid") for u in (-0.4, -0.2)),
        r("f", -0.1, hue=125, entropy=0.10, source="factoid"),
        *(r("g", u, hue=200, entropy=0.95, source="random") for u in (-0.5, -0.5, -0.5)),
        r("h", -0.2, hue=210, entropy=0.05, source="random"),
        *(r("i", u, saturation=0.0, entropy=0.2, source="random") for u in (0.05, -0.35)),
        r("j", 0.0, saturation=0.01, entropy=0.2, source="random"),
        *(r("k", u, hue=300, entropy=0.5, source="factoid") for u in (0.5, -0.5)),
        r("l", -0.3, hue=305, entropy=0.5, source="factoid"),
    ]


def test_utility_is_a_mean_per_dream_and_then_a_mean_of_dreams_per_bin(
    twelve_dreams: list[StoredFeedback], bias: Bias
) -> None:
    # seed 000, section 6, step 1
    assert len(twelve_dreams) == 22

    bins = {worth.bin: worth for worth in weigh_bins(worths(twelve_dreams), bias().chroma_bins)}

    assert {index: worth.dreams for index, worth in bins.items()} == {0: 2, 8: 2, 13: 1, 14: 1, 20: 2, 23: 2, 24: 2}
    assert bins[0].mean_utility == pytest.approx(0.2), "four records of one dream weigh no more than one of the other"
    assert bins[8].mean_utility == pytest.approx((-0.3 - 0.1) / 2)
    assert bins[20].mean_utility == pytest.approx((0.0 - 0.3) / 2)
    assert bins[24].mean_utility == pytest.approx((-0.15 + 0.0) / 2)
    assert [index for index, worth in sorted(bins.items()) if worth.is_high] == [0, 23]
    assert (bins[0].weight, bins[23].weight, bins[8].weight) == pytest.approx((0.5, 0.5, 0.0))
    assert bins[0].records == 5


def test_prior_is_the_centroid_of_high_bins_with_the_hue_on_the_circle(
    twelve_dreams: list[StoredFeedback], bias: Bias
) -> None:
    # seed 000, section 6, step 2: reds at 350 and 10 degrees meet at 0, not at 180
    found = numbers(twelve_dreams, bias())

    hue, saturation, value = to_hsv(found.chroma_prior)
    assert abs((hue + 180.0) % 360.0 - 180.0) < 1e-6
    assert (saturation, value) == pytest.approx((0.8, 0.75))
    expected = sum(math.cos(math.radians(angle)) for angle in (350, 10, 5, 355)) / 4
    assert found.hue_concentration == pytest.approx(expected)


def test_entropy_window_is_the_interquartile_range_of_helpful_dreams_by_type_7(
    twelve_dreams: list[StoredFeedback], bias: Bias
) -> None:
    # seed 000, section 6, step 2: over .30 .40 .60 .70
    assert numbers(twelve_dreams, bias()).entropy_window == pytest.approx((0.375, 0.625))


def test_seed_weights_are_mean_utilities_by_source_without_the_negative_ones(
    twelve_dreams: list[StoredFeedback], bias: Bias
) -> None:
    plain = numbers(twelve_dreams, bias())
    floored = numbers(twelve_dreams, bias(exploration_floor=0.05))

    assert plain.seed_weights == pytest.approx((0.0, 0.5, 0.5, 0.0))
    assert floored.seed_weights == pytest.approx((0.05, 0.45, 0.45, 0.05))


def test_number_of_dreams_of_a_source_does_not_raise_its_weight(make_record: Make, bias: Bias) -> None:
    records = [make_record(n, 0.1, source="image") for n in range(30)] + [make_record("p", 0.3, source="pool")]

    assert numbers(records, bias()).seed_weights == pytest.approx((0.0, 0.25, 0.75, 0.0))


def test_prior_weighs_dreams_by_their_utility(make_record: Make, bias: Bias) -> None:
    found = numbers([make_record(1, 0.3, hue=0), make_record(2, 0.1, hue=60)], bias())

    towards = math.degrees(math.atan2(math.sin(math.radians(60)) * 0.1, 0.3 + 0.1 * math.cos(math.radians(60))))
    assert to_hsv(found.chroma_prior)[0] == pytest.approx(towards)


def test_harmful_dream_in_a_high_bin_does_not_pull_the_prior(make_record: Make, bias: Bias) -> None:
    found = numbers([make_record(1, 0.5, hue=2), make_record(2, -0.1, hue=12)], bias())

    assert to_hsv(found.chroma_prior)[0] == pytest.approx(2.0)


def test_grey_dreams_have_a_bin_and_no_pull_on_the_hue(make_record: Make, bias: Bias) -> None:
    # design, 5.1 and 5.10
    green = [make_record(1, 0.2, hue=120)]
    with_grey = [*green, make_record(2, 0.2, hue=0, saturation=0.0), make_record(3, 0.2, hue=0, saturation=0.04)]

    found = numbers(with_grey, bias())

    hue, saturation, _ = to_hsv(found.chroma_prior)
    assert hue == pytest.approx(120.0)
    assert found.hue_concentration == pytest.approx(1.0)
    assert saturation == pytest.approx((0.8 + 0.0 + 0.04) / 3)
    assert [(entry.bin, entry.dreams) for entry in found.bins] == [(8, 1), (24, 2)]


def test_greys_alone_give_a_grey_prior_without_hue(make_record: Make, bias: Bias) -> None:
    found = numbers([make_record(1, 0.2, saturation=0.03)], bias())

    assert found.chroma_prior == pytest.approx((0.75, 0.75, 0.75))
    assert found.hue_concentration == 0.0


def test_two_opposite_good_hues_keep_two_bins_and_no_concentration(make_record: Make, bias: Bias) -> None:
    found = numbers([make_record(1, 0.2, hue=30), make_record(2, 0.2, hue=210)], bias())

    assert [(entry.bin, entry.weight) for entry in found.bins] == [(2, 0.5), (14, 0.5)]
    assert found.hue_concentration == 0.0
    assert found.chroma_prior == pytest.approx((0.75, 0.75, 0.75)), "hues that cancel leave a grey, not a third hue"


def test_bins_that_did_not_help_are_shown_with_their_count_and_no_weight(make_record: Make, bias: Bias) -> None:
    found = numbers([make_record(1, 0.2, hue=30), make_record(2, -0.2, hue=210), make_record(3, -0.4, hue=211)], bias())

    assert [tuple(entry) for entry in found.bins] == [(2, 1.0, 1), (14, 0.0, 2)]


def test_nothing_helpful_gives_an_open_and_neutral_profile(make_record: Make, bias: Bias) -> None:
    found = numbers([make_record(n, -0.1 * n, hue=30 * n) for n in range(9)], bias(exploration_floor=0.05))

    assert found.chroma_prior == (0.5, 0.5, 0.5)
    assert found.hue_concentration == 0.0
    assert found.entropy_window == (0.0, 1.0)
    assert found.seed_weights == (0.25, 0.25, 0.25, 0.25)
    assert found.bins == ()
    assert found.exemplars == ()


def test_nothing_helpful_keeps_the_prior_that_was_there(make_record: Make, bias: Bias) -> None:
    settings = bias()
    before = numbers([make_record(1, 0.4, hue=120)], settings)

    after, _ = synthesize(worths([make_record(2, -0.4, hue=120)]), before, settings)

    assert after.chroma_prior == before.chroma_prior


@pytest.mark.parametrize(("entropy", "expected"), [(0.5, (0.475, 0.525)), (0.0, (0.0, 0.05)), (1.0, (0.95, 1.0))])
def test_one_helpful_dream_does_not_lock_the_dreamer_in(
    make_record: Make, bias: Bias, entropy: float, expected: tuple[float, float]
) -> None:
    low, high = numbers([make_record(1, 0.4, entropy=entropy)], bias()).entropy_window

    assert (low, high) == pytest.approx(expected)
    assert high - low >= 0.05
    assert 0.0 <= low <= high <= 1.0


def test_quantiles_are_those_of_type_7() -> None:
    import numpy as np

    values = sorted(random.Random(4).random() for _ in range(23))
    for share in (0.0, 0.05, 0.25, 0.5, 0.75, 1.0):
        assert quantile(values, share) == pytest.approx(float(np.quantile(values, share)), abs=1e-15)


def test_exemplars_are_the_best_eight_in_order(make_record: Make, bias: Bias) -> None:
    # design, 5.8
    records = [make_record(n, 0.1 * n) for n in range(-3, 12)]

    exemplars = numbers(records, bias()).exemplars

    best = [make_record(n, 0.0).entry_id for n in range(11, 3, -1)]
    assert [dream_id for dream_id, _ in exemplars] == best
    assert [weight for _, weight in exemplars] == pytest.approx([n / 11 for n in range(11, 3, -1)])


def test_any_order_of_the_records_gives_the_same_profile(twelve_dreams: list[StoredFeedback], bias: Bias) -> None:
    # seed 000, section 11: stable; utilities of very different size, where a plain sum depends on its order
    records = [
        entry.model_copy(update={"utility": entry.utility * 10.0 ** (index % 7 * 3)})
        for index, entry in enumerate(twelve_dreams)
    ]
    expected = numbers(records, bias())

    for seed in range(50):
        random.Random(seed).shuffle(records)
        assert numbers(records, bias()) == expected, f"order of seed {seed}"


def bounded_difference(one: ProfileNumbers, other: ProfileNumbers) -> float:
    bins_before = {entry.bin: entry.weight for entry in one.bins}
    bins_after = {entry.bin: entry.weight for entry in other.bins}
    pairs = [
        *zip(one.chroma_prior, other.chroma_prior, strict=True),
        *zip(one.entropy_window, other.entropy_window, strict=True),
        *zip(one.seed_weights, other.seed_weights, strict=True),
        (one.hue_concentration, other.hue_concentration),
        *((bins_before.get(i, 0.0), bins_after.get(i, 0.0)) for i in bins_before | bins_after),
    ]
    return max(abs(old - new) for old, new in pairs)


def test_no_component_moves_further_than_the_cap(make_record: Make, bias: Bias) -> None:
    # design, 5.10; seed 000, section 11: bounded
    settings = bias(max_step=0.10, exploration_floor=0.05)
    before = numbers([make_record(n, 0.2, hue=10 * n % 30, entropy=0.2, source="image") for n in range(5)], settings)
    turned = worths([make_record(n, 0.2, hue=180, entropy=0.9, source="pool") for n in range(5)])

    wanted, after = synthesize(turned, before, settings)

    assert bounded_difference(before, wanted) > 0.5
    assert bounded_difference(before, after) <= 0.10 + 1e-12
    assert math.fsum(after.seed_weights) == pytest.approx(1.0, abs=1e-12)
    assert math.fsum(entry.weight for entry in after.bins) == pytest.approx(1.0, abs=1e-12)


def test_capped_steps_arrive_where_the_feedback_points(make_record: Make, bias: Bias) -> None:
    settings = bias(max_step=0.10)
    current = numbers([make_record(1, 0.2, hue=0, entropy=0.2, source="image")], settings)
    turned = worths([make_record(2, 0.2, hue=180, entropy=0.9, source="pool")])

    for _ in range(11):
        wanted, current = synthesize(turned, current, settings)

    assert bounded_difference(current, wanted) < 1e-9
    assert [entry.bin for entry in current.bins] == [12], "a bin that nobody speaks of any more is gone"


def test_one_enormous_utility_moves_a_profile_no_further_than_the_cap(
    twelve_dreams: list[StoredFeedback], make_record: Make, bias: Bias
) -> None:
    settings = bias(max_step=0.10, exploration_floor=0.05)
    before = numbers(twelve_dreams, settings)

    for utility in (1e9, -1e9, 1.7e308, -1.7e308, 5e-324):
        outlier = make_record("outlier", utility, hue=180, entropy=1.0, source="random")
        _, after = synthesize(worths([*twelve_dreams, outlier]), before, settings)
        assert bounded_difference(before, after) <= 0.10 + 1e-12
        assert all(math.isfinite(value) for value in (*after.chroma_prior, *after.seed_weights, *after.entropy_window))


def test_first_profile_of_random_feedback_is_always_in_range(make_record: Make, bias: Bias) -> None:
    from actors.bias_synthesizer.explanation import profile_of

    generator = random.Random(8)
    sources = ("factoid", "image", "pool", "random")
    settings = bias(exploration_floor=0.05, max_step=0.1)
    previous = None
    for _ in range(60):
        records = [
            make_record(
                n,
                generator.gauss(0.0, 10.0 ** generator.randint(-9, 9)),
                hue=generator.uniform(0, 360),
                saturation=generator.choice((0.0, 0.04, 0.5, 1.0)),
                entropy=generator.random(),
                source=generator.choice(sources),
            )
            for n in range(generator.randint(1, 40))
        ]
        _, current = synthesize(worths(records), previous, settings)
        profile: Any = profile_of(current, settings.chroma_bins, records[0].entry_id, 0)
        assert profile.feedback_total == len(records), "and the schema has accepted every number"
        if previous is not None and previous.bins and current.bins:
            assert bounded_difference(previous, current) <= 0.1 + 1e-12
        previous = current


def test_learner_that_floods_one_dream_changes_only_what_is_said_of_that_dream(make_record: Make, bias: Bias) -> None:
    calm = [make_record(n, 0.2, hue=120) for n in range(10)] + [make_record("loud", 0.2, hue=240)]
    flooded = [*calm, *(make_record("loud", 0.2, hue=240, query=n) for n in range(3000))]

    quiet_numbers, loud_numbers = numbers(calm, bias()), numbers(flooded, bias())

    assert loud_numbers.chroma_prior == pytest.approx(quiet_numbers.chroma_prior)
    assert loud_numbers.seed_weights == quiet_numbers.seed_weights
    assert [entry.weight for entry in loud_numbers.bins] == [entry.weight for entry in quiet_numbers.bins]
