"""Duplicates: the same bytes, nearly the same, the same seed of the same parents, and every limit."""

import numpy as np
import pytest

from actors.nightly_observer.clustering import clusters
from actors.nightly_observer.duplicates import Duplicates, find_duplicates
from actors.nightly_observer.neighbours import Limits, Signatures, find_near
from actors.nightly_observer.observing import bands_of, observe
from schemas.dream_seeds import Finding
from tests.actors.nightly_observer.days import FakeTensors, MadeDay, anchors, runtime_settings

SETTINGS = runtime_settings().defrag
COLOUR = (0.5, 0.25, 0.5)


def found(made: MadeDay) -> Duplicates:
    return find_duplicates(made.made(), SETTINGS.duplicate)


def finding(made: MadeDay) -> Finding:
    findings = observe(made.made(), SETTINGS, anchors()).findings
    return next(each for each in findings if each.seed_type == "duplicate")


def pair(distance: float = 0.0, gap: float = 0.0, cosine: float | None = 1.0) -> MadeDay:
    made = MadeDay(tensors=FakeTensors(default=cosine))
    made.dream(COLOUR, 0.5, days_ago=2.0)
    made.dream((COLOUR[0] + distance, *COLOUR[1:]), 0.5 + gap)
    return made


def test_each_new_dream_is_paired_with_every_older_one_of_the_same_bytes() -> None:
    made = MadeDay()
    for days_ago in (3.0, 2.0, -0.1, -0.2):
        made.dream(tensor=7, days_ago=days_ago)

    duplicates = found(made)

    assert duplicates.exact_pairs == 2 + 3
    assert duplicates.sizes.tolist() == [4]


def test_old_dreams_are_not_paired_with_each_other() -> None:
    made = MadeDay()
    made.dream(tensor=7, days_ago=3.0)
    made.dream(tensor=7, days_ago=2.0)
    made.dream((0.1, 0.2, 0.9))

    assert found(made).exact_pairs == 0
    assert not found(made).is_clustered.any()


@pytest.mark.parametrize(("distance", "gap"), [(0.009, 0.0), (0.0, 0.009), (1 / 128, 1 / 128)])
def test_dreams_within_all_limits_are_near(distance: float, gap: float) -> None:
    assert found(pair(distance, gap)).near_pairs == 1


@pytest.mark.parametrize(("distance", "gap"), [(0.0101, 0.0), (0.0, 0.0101), (0.3, 0.3)])
def test_dreams_beyond_one_limit_are_not_near(distance: float, gap: float) -> None:
    duplicates = found(pair(distance, gap))

    assert (duplicates.near_pairs, duplicates.unconfirmed_pairs) == (0, 0)


@pytest.mark.parametrize(("cosine", "near", "unconfirmed"), [(0.995, 1, 0), (0.9949, 0, 0), (None, 0, 1)])
def test_near_is_what_the_tensors_confirm(cosine: float | None, near: int, unconfirmed: int) -> None:
    duplicates = found(pair(cosine=cosine))

    assert (duplicates.near_pairs, duplicates.unconfirmed_pairs) == (near, unconfirmed)


def test_the_same_parents_and_seed_are_a_pair() -> None:
    made = MadeDay()
    made.dream((0.1, 0.2, 0.9), lineage=4, days_ago=1.0)
    made.dream((0.9, 0.2, 0.1), lineage=4)
    made.dream((0.2, 0.9, 0.1), lineage=-1)

    assert (found(made).lineage_pairs, found(made).sizes.tolist()) == (1, [2])


def test_one_exact_pair_fires() -> None:
    made = MadeDay()
    made.dream(tensor=1, days_ago=1.0)
    made.dream(tensor=1)
    for number in range(99):
        made.dream((number / 100, 0.9, 0.1))

    told = finding(made)

    assert told.fires
    assert (told.evidence.formula, told.evidence.value, told.evidence.n) == ("duplicate.exact_pairs", 1.0, 100)


@pytest.mark.parametrize(("others", "fires"), [(18, True), (19, True), (20, False)])
def test_near_pairs_fire_from_a_ratio_of_a_twentieth_on(others: int, fires: bool) -> None:
    made = pair()
    for number in range(others):
        made.dream((0.9, 0.9, number / 100 + 0.02 * number), 0.9)

    told = finding(made)

    assert told.fires == fires
    assert told.evidence.formula == "duplicate.ratio"
    assert told.evidence.value == pytest.approx(1 / (1 + others), abs=1e-6)


def test_the_anchors_of_a_duplicate_are_the_oldest_of_the_largest_clusters() -> None:
    made = MadeDay()
    for tensor, copies in ((1, 1), (2, 3)):
        made.dream((tensor / 10, 0.5, 0.5), tensor=tensor, days_ago=1.0)
        for _ in range(copies):
            made.dream((tensor / 10, 0.5, 0.5), tensor=tensor)

    told = finding(made)

    ids = [dream.dream_id for dream in made.dreams]
    assert told.anchors == (anchors().of("dream", ids[2]), anchors().of("dream", ids[0]))


def test_the_grid_finds_what_a_comparison_of_all_pairs_finds() -> None:
    rng = np.random.default_rng(5)
    colours = np.round(rng.random((700, 3)) * 0.12, 3)
    coherence, entropy = np.round(rng.random((2, 700)) * 0.05, 3)
    rows = np.arange(700, dtype=np.int64)
    limits = Limits(0.011, 0.012, 0.02)

    near = find_near(Signatures(colours, coherence, entropy), rows[400:], rows, limits)

    wanted = {
        (i, j)
        for i in range(400, 700)
        for j in range(i)
        if np.sqrt(((colours[i] - colours[j]) ** 2).sum()) <= limits.distance
        and abs(coherence[i] - coherence[j]) <= limits.coherence_gap
        and abs(entropy[i] - entropy[j]) <= limits.entropy_gap
    }
    assert len(wanted) > 50
    assert set(zip(near.new.tolist(), near.older.tolist(), strict=True)) == wanted
    assert near.distance.tolist() == sorted(near.distance.tolist())


def test_what_hangs_together_over_others_is_one_cluster() -> None:
    chain = np.array([*([number, number + 1] for number in reversed(range(50))), [60, 61], [61, 60]])

    first = clusters(70, chain)

    assert first[:51].tolist() == [0] * 51
    assert (first[60], first[61], first[69]) == (60, 60, 69)


def test_bands_are_half_open_and_begin_with_the_lowest() -> None:
    bands = bands_of(np.array([0.49, 0.5, 0.69, 0.7, 0.95, 1.0]), (0.5, 0.7, 0.85, 0.95))

    assert [band.count for band in bands] == [2, 1, 0, 2]


def test_a_day_without_dreams_has_no_finding() -> None:
    observed = observe(MadeDay().made(), SETTINGS, anchors())

    assert (observed.findings, observed.dreams, observed.is_all_zero) == ((), 0, True)


def test_a_look_that_is_switched_off_says_so() -> None:
    observed = observe(pair().made(), SETTINGS.model_copy(update={"enable": False}), anchors())

    assert (observed.status, observed.findings, observed.duplicate_cluster_count) == ("disabled", (), None)
