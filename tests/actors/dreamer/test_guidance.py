"""How a profile guides an episode (seed 000, sections 6.4 and 11; design, 5.8)."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from actors.dreamer.guidance import (
    BIN_SHARE,
    FREE_SHARE,
    POOL_NOISE,
    SOURCES,
    choose_source,
    plan_episode,
    usable_exemplars,
)
from actors.dreamer.lineage import Ancestry, Memory, Plan, Recipe
from bus.randomness import RandomSource
from schemas.bias import BinWeight, SeedWeights
from schemas.dreams import Source
from schemas.ids import derived_id

ALL: tuple[Source, ...] = ("factoid", "image", "random")


def recipe(episode: int, generation: int = 0) -> Recipe:
    dream_id = derived_id("dream", episode)
    return Recipe(Plan(episode, "random"), dream_id, dream_id, generation, -1, (Ancestry("random", -1, 1.0),))


def plans(profile: Any, exemplars: Any = (), servable: Any = ALL, count: int = 4000, seed: int = 1) -> list[Plan]:
    randomness = RandomSource(seed, 1, "dreamer")
    return [plan_episode(n, profile, exemplars, servable, randomness.at("plan", n)) for n in range(count)]


def shares(made: list[Plan]) -> dict[str, float]:
    counts = Counter(plan.source for plan in made)
    return {source: counts[source] / len(made) for source in SOURCES}


def test_sources_follow_the_seed_weights(profile_of: Any) -> None:
    # seed 000, section 11: seed sampling respects SeedWeights within tolerance
    made = plans(profile_of(weights=(0.1, 0.5, 0.25, 0.15)), [(recipe(0), 1.0)])

    assert shares(made) == pytest.approx({"factoid": 0.1, "image": 0.5, "pool": 0.25, "random": 0.15}, abs=0.03)


def test_a_seed_fixes_the_sequence_and_another_gives_another(profile_of: Any) -> None:
    assert plans(profile_of(), count=200) == plans(profile_of(), count=200)
    assert plans(profile_of(), count=200) != plans(profile_of(), count=200, seed=2)


def test_a_source_of_weight_zero_is_never_drawn() -> None:
    weights = SeedWeights(factoid_weight=0.0, image_weight=0.5, pool_seed_weight=0.0, random_weight=0.5)
    draws = [0.0, 0.25, 0.4999999, 0.5, 0.75, float(np.nextafter(1.0, 0.0))]

    assert {choose_source(weights, SOURCES, draw) for draw in draws} == {"image", "random"}
    assert choose_source(weights, SOURCES, 0.0) == "image"


def test_a_vanishing_weight_is_still_drawn_rather_than_none() -> None:
    weights = SeedWeights(factoid_weight=5e-324, image_weight=0.0, pool_seed_weight=1.0, random_weight=0.0)

    assert {choose_source(weights, ALL, draw) for draw in (0.0, 0.5, 0.9)} == {"factoid"}


def test_the_weight_of_a_source_that_cannot_serve_goes_to_the_others_in_proportion(profile_of: Any) -> None:
    # dossier, seed 000: with no exemplars the pool weight is redistributed, not spun on
    made = plans(profile_of(weights=(0.2, 0.1, 0.6, 0.1)))

    assert shares(made) == pytest.approx({"factoid": 0.5, "image": 0.25, "pool": 0.0, "random": 0.25}, abs=0.03)


def test_without_any_weight_left_the_draw_is_uniform(profile_of: Any) -> None:
    made = plans(profile_of(weights=(0.0, 0.0, 1.0, 0.0)))

    assert shares(made) == pytest.approx({"factoid": 1 / 3, "image": 1 / 3, "pool": 0.0, "random": 1 / 3}, abs=0.03)


def test_no_source_at_all_is_an_error() -> None:
    weights = SeedWeights(factoid_weight=0.25, image_weight=0.25, pool_seed_weight=0.25, random_weight=0.25)

    with pytest.raises(ValueError, match="no source"):
        choose_source(weights, (), 0.5)


def test_before_any_profile_nothing_pulls_and_all_sources_are_equal() -> None:
    made = plans(None)

    assert shares(made) == pytest.approx({"factoid": 1 / 3, "image": 1 / 3, "pool": 0.0, "random": 1 / 3}, abs=0.03)
    assert all(plan.target is None and plan.window is None for plan in made)


def test_most_episodes_are_pulled_to_the_prior_and_some_are_left_free(profile_of: Any) -> None:
    profile = profile_of(entropy_window=(0.3, 0.4))

    made = plans(profile)

    free = sum(plan.target is None for plan in made) / len(made)
    assert free == pytest.approx(FREE_SHARE, abs=0.03)
    assert {plan.target for plan in made} == {None, profile.chroma_prior}
    assert {plan.window for plan in made} == {(0.3, 0.4)}


def test_bins_are_targets_by_their_weights_and_the_more_so_the_less_one_hue_says(profile_of: Any) -> None:
    # dossier, section 6.6: one centroid cannot hold two good hues
    bins = (BinWeight(bin=2, weight=0.75, count=9), BinWeight(bin=14, weight=0.25, count=3))
    spread = Counter(plan.target for plan in plans(profile_of(bins=bins, hue_concentration=0.0)))
    narrow = Counter(plan.target for plan in plans(profile_of(bins=bins, hue_concentration=1.0)))

    assert len(spread) == 3  # two bins and free
    warm, cold = sorted((count for target, count in spread.items() if target), reverse=True)
    assert warm / (warm + cold) == pytest.approx(0.75, abs=0.03)
    prior = profile_of().chroma_prior
    assert 1.0 - narrow[prior] / (4000 - narrow[None]) == pytest.approx(BIN_SHARE, abs=0.03)


def test_the_last_bin_is_grey(profile_of: Any) -> None:
    made = plans(profile_of(bins=(BinWeight(bin=24, weight=1.0, count=4),), hue_concentration=0.0), count=50)

    greys = [plan.target for plan in made if plan.target is not None]
    assert greys
    assert all(len(set(grey)) == 1 for grey in greys)


def test_pool_dreams_take_one_or_two_exemplars_by_weight_the_larger_share_first(profile_of: Any) -> None:
    exemplars = [(recipe(0), 0.6), (recipe(1), 0.4), (recipe(2), 1e-9)]

    made = plans(profile_of(weights=(0.0, 0.0, 1.0, 0.0)), exemplars)

    assert all(plan.source == "pool" for plan in made)
    assert {len(plan.parents) for plan in made} == {1, 2}
    assert all(len(set(plan.parents)) == len(plan.parents) for plan in made)
    assert sum(plan.parents[0] == 0 for plan in made) / len(made) == pytest.approx(0.6, abs=0.03)
    for plan in made:
        assert POOL_NOISE[0] - 1e-9 <= 1.0 - sum(plan.shares) <= POOL_NOISE[1] + 1e-9
        assert list(plan.shares) == sorted(plan.shares, reverse=True)


def test_unknown_and_too_deep_exemplars_are_skipped(profile_of: Any) -> None:
    # design, 5.8; dossier, section 6.4: a generation cap against colour collapse
    memory = Memory(10)
    for known in (recipe(0), recipe(1, generation=8), recipe(2, generation=9)):
        memory.remember(known)
    named = tuple(derived_id("dream", episode) for episode in (2, 77, 1, 0))

    usable = usable_exemplars(profile_of(exemplars=named), memory, max_generation=8)

    assert [found.plan.episode for found, _ in usable] == [1, 0]
    assert usable_exemplars(None, memory, 8) == []
