"""The gauges say how far the friend has drifted, and null with a reason where they cannot (dossier, section 6)."""

import pytest

from actors.friend.instruments import (
    Gauge,
    Recent,
    bits_excess,
    distinct_3,
    effective_fragments,
    gauges,
    lexical_distance,
    limit_crossed,
    origin_share,
    turnover,
)
from schemas.persona import Fragment

NOTHING = Recent(lines=(), echoes=(), generations=(), self_talk_share=None, bits=None)


def fragment(text: str, weight: float, is_origin: bool, number: int = 1) -> Fragment:
    return Fragment(
        fragment_id=number, text=text, weight=weight, is_origin=is_origin, dialog_id=None, turn=None, added_rev=1
    )


def test_nothing_is_measured_of_nothing_and_each_gauge_says_why():
    found = gauges((), NOTHING)

    assert {gauge.value for gauge in found.values()} == {None}
    assert all(gauge.reason for gauge in found.values())


def test_the_origin_s_share_is_that_of_its_weights():
    fragments = [fragment("a b", 0.9, True), fragment("c d", 0.3, False)]

    assert origin_share(fragments).value == pytest.approx(0.75)


def test_distance_is_none_for_the_same_words_and_one_for_others():
    origin = fragment("old lighthouse storm", 1.0, True)

    assert lexical_distance([origin, fragment("storm lighthouse, old", 0.3, False)]).value == pytest.approx(0.0)
    assert lexical_distance([origin, fragment("bread butter", 0.3, False)]).value == 1.0
    assert lexical_distance([origin]) == Gauge(None, "nothing adopted yet")


def test_turnover_is_the_share_that_is_new_since_ten_dialogues():
    generations = [[1, 2, 3, 4], *([[1, 2, 3, 5]] * 10)]

    assert turnover(generations).value == 0.25
    assert turnover(generations[1:]).value is None


def test_equal_weights_count_fully_and_one_heavy_one_counts_as_one():
    assert effective_fragments([fragment("a", 0.2, True)] * 8).value == pytest.approx(8.0)
    heavy = [fragment("a", 1.0, True), *[fragment("b", 1e-9, True)] * 7]
    assert effective_fragments(heavy).value == pytest.approx(1.0, abs=1e-3)


def test_the_same_line_over_and_over_is_not_distinct():
    assert distinct_3(["one two three four"] * 24).value == pytest.approx(2 / 48)
    assert distinct_3([f"a{i} b{i} c{i}" for i in range(24)]).value == 1.0
    assert distinct_3(["one two three"] * 23).value is None


def test_bits_are_compared_with_and_without_the_dreams():
    assert bits_excess((8.2, 8.0)).value == pytest.approx(0.025)


@pytest.mark.parametrize(
    ("name", "fine", "bad"),
    [
        ("origin_share", 0.2, 0.19),
        ("distinct_3", 0.3, 0.29),
        ("prompt_echo", 0.2, 0.21),
        ("bits_excess", 0.02, 0.021),
    ],
)
def test_a_limit_is_crossed_beyond_its_edge(name, fine, bad, settings):
    calm = {"origin_share": Gauge(1.0), "distinct_3": Gauge(1.0), "prompt_echo": Gauge(0.0), "bits_excess": Gauge(0.0)}

    assert limit_crossed(calm | {name: Gauge(fine)}, settings) is None
    assert (limit_crossed(calm | {name: Gauge(bad)}, settings) or "").startswith(f"{name} {bad}")


@pytest.mark.parametrize(("echoes", "is_crossed"), [([0.0] * 8 + [1.0] * 3, False), ([0.25, 0.35] * 5, True)])
def test_a_mean_is_beyond_its_limit_by_more_than_its_standard_error(echoes, is_crossed, settings):
    found = gauges((), NOTHING._replace(echoes=echoes))

    assert found["prompt_echo"].value > settings.max_prompt_echo
    assert (limit_crossed(found, settings) is not None) is is_crossed


def test_echo_is_not_judged_by_a_few_dialogues():
    assert gauges((), NOTHING._replace(echoes=[1.0] * 9))["prompt_echo"].value is None


def test_what_cannot_be_measured_crosses_no_limit(settings):
    assert limit_crossed(gauges((), NOTHING), settings) is None
