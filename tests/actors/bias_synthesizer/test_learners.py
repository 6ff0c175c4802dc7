"""Several learners, one profile: neither many records nor large numbers buy a guest more than its share."""

from collections.abc import Callable
from fractions import Fraction

import pytest

from actors.bias_synthesizer.explanation import numbers_of, recompute
from actors.bias_synthesizer.learners import record_weights

Make = Callable[..., object]
RESIDENTS = ("learner",)


def shares(counts: dict[str, int], most: Fraction, residents: tuple[str, ...] = RESIDENTS) -> dict[str, Fraction]:
    weights = record_weights(counts, residents, most)
    total = sum(weights[name] * count for name, count in counts.items())
    return {name: weights[name] * count / total for name, count in counts.items()}


@pytest.mark.parametrize(
    "counts",
    [
        {"learner": 100, "ann": 10_000},
        {"learner": 10, "ann": 1000, "bob": 900},
        {"ann": 1000, "bob": 1},
        {"ann": 50, "bob": 50, "eve": 9000},
    ],
)
def test_no_guest_weighs_more_than_its_share(counts):
    found = shares(counts, Fraction(1, 2))

    assert all(share <= Fraction(1, 2) for name, share in found.items() if name not in RESIDENTS)
    assert sum(found.values()) == 1


def test_nobody_is_held_down_who_keeps_to_the_share():
    assert set(record_weights({"learner": 100, "ann": 90, "bob": 5}, RESIDENTS, Fraction(1, 2)).values()) == {1}


def test_the_learner_of_the_run_is_never_held_down():
    assert record_weights({"learner": 10_000, "ann": 10}, RESIDENTS, Fraction(1, 10))["learner"] == 1


def test_a_learner_that_is_alone_is_taken_as_it_is():
    assert record_weights({"ann": 10_000}, RESIDENTS, Fraction(1, 10)) == {"ann": 1}


def test_where_even_equal_shares_are_too_much_they_are_equal():
    assert set(shares({"ann": 10, "bob": 500, "eve": 7}, Fraction(1, 4), ()).values()) == {Fraction(1, 3)}


def test_a_flood_of_large_numbers_moves_the_profile_by_its_share_at_most(listener, make_record: Make) -> None:
    # red helps, says the learner of the run; a liar shouts green, with more records and larger numbers
    heard = listener()
    heard.feed([make_record(n, 0.01, hue=0.0) for n in range(50)])
    for number in range(10):
        heard.feed([make_record(f"{number}-{n}", 1e9, hue=120.0) for n in range(400)], learner="liar")

    weights = {entry.bin: entry.weight for entry in heard.profiles[-1].bins}

    assert weights[0] >= 0.5 - 1e-9
    assert heard.core.figures()["influence.liar"] == 0.5


def test_a_flood_of_zeros_does_not_drown_a_helpful_colour(listener, make_record: Make) -> None:
    heard = listener()
    heard.feed([make_record(n, 0.5, hue=0.0) for n in range(50)])
    heard.feed([make_record(f"other-{n}", 0.5, hue=200.0) for n in range(50)])
    for number in range(10):
        heard.feed([make_record(f"{number}-{n}", 0.0, hue=0.0) for n in range(400)], learner="liar")

    weights = {entry.bin: entry.weight for entry in heard.profiles[-1].bins}

    assert weights[0] > 0.2


def test_the_explanation_tells_the_shares_and_still_gives_the_profile_again(listener, make_record: Make) -> None:
    import json

    heard = listener(max_step=0.1)
    for number in range(4):
        heard.feed([make_record(f"{number}-{n}", 0.02 * n, hue=9.0 * n) for n in range(40)])
        heard.feed([make_record(f"{number}-{n}", 3.0 - n, hue=9.0 * n) for n in range(39)], learner="ann")
        heard.feed([make_record(f"{number}+{n}", 3.0 - n, hue=9.0 * n) for n in range(390)], learner="ann")
    explanation = heard.files["data/bias_explanation.json"]

    learners = json.loads(explanation)["learners"]

    assert recompute(explanation) == numbers_of(heard.profiles[-1])
    assert learners["ann"]["share"] <= 0.5 and learners["ann"]["scale"] < 1.0
    assert learners["learner"]["weight"] == learners["learner"]["scale"] == 1.0


def test_it_makes_no_difference_who_speaks_first(listener, make_record: Make) -> None:
    batches = [
        ("learner", [make_record(n, 0.1 + n / 100, hue=7.0 * n) for n in range(60)]),
        ("ann", [make_record(n, 2.0 - n / 9, hue=7.0 * n) for n in range(60)]),
        ("bob", [make_record(n, 0.5, hue=7.0 * n) for n in range(70)]),
    ]
    heard, again = (
        listener(update_interval_steps=190, min_feedback=190),
        listener(update_interval_steps=190, min_feedback=190),
    )

    for learner, records in batches:
        heard.feed(records, learner=learner)
    for learner, records in reversed(batches):
        again.feed(records, learner=learner)

    assert numbers_of(heard.profiles[-1]) == numbers_of(again.profiles[-1])
