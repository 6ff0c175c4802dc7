"""The budget of the pool and the guards: each rule at its limit and just short of it."""

import pytest

from actors.nightly_observer.day import DAY_NS, Bounds, Guard, GuardName, Tally
from actors.nightly_observer.guards import find_overuse, tallies_of
from actors.nightly_observer.pressure import find_pressure, rules_of
from actors.nightly_observer.spread import median, scaled_mad, wilson_high, wilson_low
from schemas.dream_seeds import Finding
from tests.actors.nightly_observer.days import TO_NS, MadeDay, anchors, runtime_settings

BUDGET = runtime_settings().defrag.budget_pressure
GUARDS = runtime_settings().defrag.guard_overuse


def holds(bounds: Bounds) -> dict[str, bool]:
    return {rule.name: rule.holds for rule in rules_of(bounds, TO_NS, BUDGET)}


def overuse(*nights: tuple[int, int] | None, name: GuardName = "coherence_reject") -> Finding:
    tallies = tuple(None if night is None else Tally(*night) for night in nights)
    (found,) = find_overuse((Guard(name, (None,) * (8 - len(tallies)) + tallies),), GUARDS, 7, anchors())
    return found


@pytest.mark.parametrize(
    ("dreams", "size", "full"), [(85, 0, True), (84, 0, False), (0, 170, True), (0, 169, False), (86, 170, True)]
)
def test_a_pool_is_full_from_85_hundredths_on(dreams: int, size: int, full: bool) -> None:
    assert holds(Bounds(dreams, size, 100, 200, 0, 0))["fill"] == full


@pytest.mark.parametrize(
    ("dreams", "inserted", "evicted", "soon"), [(70, 10, 0, True), (69, 10, 0, False), (70, 20, 10, True)]
)
def test_three_nights_to_full_are_few(dreams: int, inserted: int, evicted: int, soon: bool) -> None:
    assert holds(Bounds(dreams, 0, 100, None, inserted, evicted))["nights_to_full"] == soon


def test_a_pool_that_does_not_grow_is_never_full() -> None:
    assert "nights_to_full" not in holds(Bounds(99, 0, 100, None, 10, 10))


@pytest.mark.parametrize(("inserted", "evicted", "churns"), [(20, 10, True), (20, 9, False), (19, 19, None)])
def test_churn_is_judged_from_twenty_dreams_on(inserted: int, evicted: int, churns: bool | None) -> None:
    assert holds(Bounds(50, 0, None, None, inserted, evicted)).get("churn") == churns


@pytest.mark.parametrize(("ago", "is_old"), [(2.0, True), (1.99, False)])
def test_a_compaction_is_overdue_after_two_of_its_intervals(ago: float, is_old: bool) -> None:
    last = TO_NS - round(ago * DAY_NS)
    times = tuple(last - back * DAY_NS for back in (3, 2, 1, 0))

    assert holds(Bounds(50, 0, None, None, 0, 0, times))["compaction_age"] == is_old


def test_three_compactions_have_no_interval_yet() -> None:
    assert holds(Bounds(50, 0, None, None, 0, 0, (1, 2, 3))) == {}


def test_a_pool_without_limits_and_little_traffic_has_no_finding() -> None:
    assert find_pressure(MadeDay().made(), BUDGET, anchors()) == ()


def test_the_finding_names_the_rule_furthest_over_its_limit_and_shows_all() -> None:
    made = MadeDay(max_dreams=40, evicted=60)
    for _ in range(40):
        made.dream()

    (found,) = find_pressure(made.made(), BUDGET, anchors())

    assert found.evidence.formula == "budget_pressure.churn"
    assert {"fill", "churn", "dreams", "evicted"} <= set(dict(found.evidence.numbers))


def test_the_cap_of_the_bias_needs_a_night_before_to_be_held_against() -> None:
    first, quiet_before, like_before = (
        overuse(*nights, name="bias_clamp").fires
        for nights in (((60, 100),), ((5, 100), (60, 100)), ((60, 100), (60, 100)))
    )

    assert (first, quiet_before, like_before) == (False, True, False)


@pytest.mark.parametrize(
    ("k", "n", "fires"), [(3, 3, True), (2, 2, False), (0, 100, False), (28, 100, True), (27, 100, False)]
)
def test_a_guard_is_overused_from_a_lower_bound_of_a_fifth_on(k: int, n: int, fires: bool) -> None:
    found = overuse((k, n))

    assert found.fires == fires
    assert found.evidence.value == pytest.approx(wilson_low(k, n), abs=1e-6)
    assert found.evidence.n == n


def test_a_guard_that_always_acts_so_often_is_not_overused() -> None:
    usual = [(40, 100), (44, 100), (42, 100), (38, 100), (41, 100), (43, 100), (39, 100)]

    assert not overuse(*usual, (45, 100)).fires
    assert overuse(*usual, (65, 100)).fires


def test_the_limit_is_the_median_of_the_nights_before_and_three_deviations() -> None:
    rates = [0.3, 0.4, 0.5, 0.45]

    found = overuse(*[(round(100 * rate), 100) for rate in rates], None, (50, 100))

    assert found.evidence.threshold == pytest.approx(median(rates) + 3 * scaled_mad(rates), abs=1e-6)
    assert dict(found.evidence.numbers)["nights_before"] == 4


def test_nights_without_an_opportunity_are_no_baseline_and_no_finding() -> None:
    guards = (Guard("cap_trip", (None,) * 7 + (Tally(0, 0),)),)

    assert find_overuse(guards, GUARDS, 7, anchors()) == ()
    assert tallies_of(guards, 7)[0].rate is None


@pytest.mark.parametrize(
    ("nights", "fires"),
    [
        ([(9, 20), (10, 20), (10, 20), (10, 20)], True),
        ([(9, 20), (9, 20), (10, 20), (10, 20)], False),
        ([(9, 20), (10, 20), None, (10, 20)], False),
        ([(10, 20), (10, 20), (10, 20), (9, 20)], False),
    ],
)
def test_the_cap_of_the_bias_is_overused_after_three_nights_running_at_half(
    nights: list[tuple[int, int] | None], fires: bool
) -> None:
    assert overuse((9, 20), (8, 20), *nights, name="bias_clamp").fires == fires


def test_half_for_three_nights_is_no_overuse_of_another_guard() -> None:
    assert not overuse((9, 20), (8, 20), (9, 20), (10, 20), (10, 20), (10, 20), name="cap_trip").fires


@pytest.mark.parametrize(
    ("k", "n", "low"), [(3, 3, 0.438503), (4, 4, 0.510109), (50, 100, 0.403832), (1, 1, 0.206549), (0, 5, 0.0)]
)
def test_the_wilson_bound_is_that_of_the_books(k: int, n: int, low: float) -> None:
    assert wilson_low(k, n) == pytest.approx(low, abs=1e-6)
    assert wilson_high(n - k, n) == pytest.approx(1.0 - low, abs=1e-6)
