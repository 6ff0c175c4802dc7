"""Figures of the validator are the textbook's, exact, the same in any order, and null with a reason where undefined."""

import math

import numpy as np
import pytest

from actors.learner.trainer.validator.baselines import Means
from actors.learner.trainer.validator.drifting import LIMIT, bias_of, drift_between
from actors.learner.trainer.validator.rates import NEVER_PREDICTED, NONE_OF_IT, area_under_curve
from actors.learner.trainer.validator.scores import Scores, ScoresRefusedError, scores_of
from actors.learner.trainer.validator.validating import validate

NAMES = ("cat", "dog", "eel")


def scored(labels: list[int], logits: list[list[float]], names: tuple[str, ...] = NAMES) -> Scores:
    return scores_of(np.array(logits, dtype=np.float32), np.array(labels, dtype=np.intp), names)


def drawn(count: int, classes: int, seed: int) -> Scores:
    """Random logits and labels."""
    generator = np.random.Generator(np.random.Philox(seed))
    names = tuple(f"class {number}" for number in range(classes))
    labels = generator.integers(0, classes, count)
    return scores_of(generator.normal(size=(count, classes)).astype(np.float32), labels, names)


def hot(*classes: int) -> list[list[float]]:
    """Logits that say each class with a probability near one."""
    return [[9.0 if number == wanted else 0.0 for number in range(3)] for wanted in classes]


def test_rates_are_those_of_counting_by_hand() -> None:
    found = validate(scored([0, 0, 0, 1, 1, 2], hot(0, 0, 1, 1, 2, 2)))

    cat, dog, eel = found.classes
    assert found.confusion == ((2, 1, 0), (0, 1, 1), (0, 0, 1))
    assert found.accuracy == 4 / 6
    assert (cat.precision, cat.recall, cat.specificity) == (1.0, 2 / 3, 1.0)
    assert (dog.precision, dog.recall, dog.specificity) == (0.5, 0.5, 3 / 4)
    assert (eel.f1, eel.dice) == (2 / 3, 2 / 3)
    assert found.macro.recall == pytest.approx((2 / 3 + 1 / 2 + 1) / 3, abs=0)


def test_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    for found in validate(drawn(500, 4, 1)).classes:
        assert found.precision is not None
        assert found.recall is not None
        assert found.f1 == pytest.approx(2 * found.precision * found.recall / (found.precision + found.recall))


@pytest.mark.parametrize("seed", range(5))
def test_auc_is_the_share_of_pairs_in_order_with_equals_counting_half(seed: int) -> None:
    generator = np.random.Generator(np.random.Philox(seed))
    truth = generator.random(60) < 0.3
    probability = np.round(generator.random(60), 1)  # many equals

    pairs = [(p, q) for p in probability[truth] for q in probability[~truth]]
    expected = sum(1.0 if p > q else 0.5 if p == q else 0.0 for p, q in pairs) / len(pairs)

    assert area_under_curve(truth, probability) == pytest.approx(expected, abs=1e-15)


def test_what_is_undefined_is_null_with_its_reason_and_never_zero() -> None:
    found = validate(scored([0, 0, 1], hot(0, 0, 0)))

    _, dog, eel = found.classes
    assert (dog.precision, dog.undefined["precision"]) == (None, NEVER_PREDICTED)
    assert (eel.recall, eel.undefined["recall"]) == (None, NONE_OF_IT)
    assert (eel.f1, eel.auc) == (None, None)
    assert found.macro.classes_counted["recall"] == 2
    assert found.macro.recall == (1.0 + 0.0) / 2


def test_one_class_alone_has_no_specificity_and_no_area() -> None:
    found = validate(scored([0, 0], [[1.0], [2.0]], ("only",)))

    assert (found.classes[0].specificity, found.classes[0].auc) == (None, None)
    assert found.macro.undefined["auc"] == "it is defined for no class"


def test_the_order_of_the_examples_and_repetition_change_no_bit() -> None:
    scores = drawn(1000, 5, 3)
    order = np.random.Generator(np.random.Philox(9)).permutation(1000)
    mixed = Scores(scores.class_names, scores.labels[order], scores.log_probabilities[order])

    assert validate(scores).model_dump_json() == validate(mixed).model_dump_json()
    assert validate(scores).model_dump_json() == validate(scores).model_dump_json()


def test_probabilities_that_are_shares_are_calibrated_and_certainty_that_is_wrong_is_not() -> None:
    half = [[0.0, 0.0]] * 4
    sure = [[20.0, 0.0]] * 4

    fair = validate(scored([0, 1, 0, 1], half, ("a", "b")))
    wrong = validate(scored([1, 1, 1, 1], sure, ("a", "b")))

    assert fair.calibration_error == 0.0
    assert wrong.calibration_error == pytest.approx(1.0, abs=1e-8)
    assert fair.classes[0].brier == 0.25
    assert fair.loss == pytest.approx(math.log(2), abs=1e-15)


def test_every_example_lies_in_the_bin_of_its_confidence() -> None:
    scores = drawn(400, 3, 8)

    bins = validate(scores).calibration_bins

    confidence = scores.probabilities.max(axis=1)
    for found in bins:
        held = (confidence >= found.low) & (confidence < found.high)
        assert found.examples == np.count_nonzero(held)
        if found.examples:
            assert found.mean_confidence == pytest.approx(confidence[held].mean(), rel=1e-12)
            assert found.accuracy == np.count_nonzero((scores.predicted == scores.labels)[held]) / found.examples
    assert sum(found.examples for found in bins) == len(scores)


def test_logits_that_are_no_numbers_are_refused_with_how_many() -> None:
    with pytest.raises(ScoresRefusedError, match="1 of 2 examples are not finite"):
        scored([0, 1], [[1.0, 2.0, 3.0], [np.nan, 0.0, 0.0]])


def test_huge_logits_lose_nothing() -> None:
    found = validate(scored([0, 1], [[1e30, 0.0, 0.0], [1e30, 0.0, 0.0]]))

    assert found.accuracy == 0.5
    assert found.loss == pytest.approx(1e30 / 2, rel=1e-6)


def test_a_class_that_pays_for_another_is_flagged_though_the_accuracy_is_the_same() -> None:
    before = ((90, 10), (10, 90))
    after = ((99, 1), (19, 81))

    drift = drift_between("a to b", ("x", "y"), before, after, same_examples=True)

    assert drift.accuracy_shift == 0.0
    assert drift.flagged == ("x", "y")
    assert drift.classes[0].recall_shift == pytest.approx(0.09)


def test_equal_measurements_flag_nothing_and_a_shift_within_the_limit_passes() -> None:
    before = ((50, 50), (50, 50))
    within = ((52, 48), (50, 50))

    assert drift_between("same", ("x", "y"), before, before, same_examples=True).flagged == ()
    assert LIMIT == 0.02
    assert drift_between("near", ("x", "y"), before, within, same_examples=True).flagged == ()


def test_between_other_examples_only_what_chance_seldom_does_is_flagged() -> None:
    few = drift_between("few", ("x", "y"), ((9, 1), (1, 9)), ((7, 3), (1, 9)), same_examples=False)
    many = drift_between("many", ("x", "y"), ((900, 100), (100, 900)), ((700, 300), (100, 900)), same_examples=False)

    assert few.flagged == ()
    assert many.flagged == ("x",)


def test_matrices_of_other_classes_are_refused() -> None:
    with pytest.raises(ScoresRefusedError, match="2 and 1 classes"):
        drift_between("odd", ("x", "y"), ((1, 0), (0, 1)), ((1,),), same_examples=True)


def test_a_class_that_is_found_too_seldom_is_biased_and_equal_classes_are_not() -> None:
    unfair = bias_of(("x", "y"), ((400, 0), (200, 200)))
    fair = bias_of(("x", "y"), ((390, 10), (10, 390)))

    assert [row.is_flagged for row in unfair] == [True, True]
    assert unfair[0].excess == 0.25
    assert [row.is_flagged for row in fair] == [False, False]


def test_baselines_are_the_commonest_class_guessing_and_the_nearest_mean() -> None:
    images = np.array([[0.0], [0.1], [0.2], [1.0], [0.9], [0.05]], dtype=np.float32)
    labels = np.array([0, 0, 0, 1, 1, 0], dtype=np.intp)
    train, held_out = np.arange(4), np.array([4, 5])

    rows = Means(lambda chosen: images[chosen], train, labels, 3).baselines(held_out, labels)

    assert {row.name: row.accuracy for row in rows} == {
        "commonest_class": 0.5,
        "guess_by_share": (1 / 4 + 3 / 4) / 2,
        "nearest_mean": 1.0,
    }
