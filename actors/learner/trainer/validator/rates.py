"""Figures of classes and their means, from counts and probabilities, exact where they are counts.

In: scores. Out: the confusion matrix, `ClassFindings` and `Macro`. Sums over examples are rounded once (`math.fsum`),
areas are sums of whole numbers, so that the order of the examples changes no bit. What has no denominator is null, and
the reason says which.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from actors.learner.trainer.validator.calibrating import calibration_error
from actors.learner.trainer.validator.findings import ClassFindings, Macro, Reasons
from actors.learner.trainer.validator.scores import Scores

FIGURES: Final = ("precision", "recall", "specificity", "f1", "dice", "auc", "calibration_error", "brier")
NEVER_PREDICTED: Final = "no example is taken for this class"
NONE_OF_IT: Final = "no example is of this class"
ALL_OF_IT: Final = "every example is of this class"
NEITHER: Final = "no example is of this class or taken for it"

Whole = npt.NDArray[np.int64]


def confusion_of(scores: Scores) -> Whole:
    """Counts [true class, predicted class]."""
    classes = len(scores.class_names)
    flat = np.bincount(scores.labels * classes + scores.predicted, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def classes_of(scores: Scores, confusion: Whole) -> tuple[ClassFindings, ...]:
    """Each class against all others, in order."""
    probabilities = scores.probabilities
    return tuple(
        _class(name, number, confusion, scores.labels == number, probabilities[:, number])
        for number, name in enumerate(scores.class_names)
    )


def macro_of(classes: Sequence[ClassFindings]) -> Macro:
    """Means over the classes for which a figure is defined."""
    means: dict[str, float | None] = {}
    counted: dict[str, int] = {}
    undefined: Reasons = {}
    for name in FIGURES:
        values = [value for found in classes if (value := getattr(found, name)) is not None]
        counted[name] = len(values)
        means[name] = min(1.0, math.fsum(values) / len(values)) if values else None
        if not values:
            undefined[name] = "it is defined for no class"
    return Macro(**means, classes_counted=counted, undefined=undefined)


def area_under_curve(truth: npt.NDArray[np.bool_], probability: npt.NDArray[np.float64]) -> float | None:
    """Area under the receiver operating characteristic by trapezoids; None where one side has no example.

    Equal probabilities are one step of the curve, so that they count half.
    """
    positives = int(np.count_nonzero(truth))
    negatives = len(truth) - positives
    if not positives or not negatives:
        return None
    order = np.argsort(-probability, kind="stable")
    ranked = probability[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    found = np.concatenate(([0], np.cumsum(truth[order])[ends])).astype(np.int64)
    false = np.concatenate(([0], (ends + 1))).astype(np.int64) - found
    doubled = int(((false[1:] - false[:-1]) * (found[1:] + found[:-1])).sum())
    return doubled / (2 * positives * negatives)


def _class(
    name: str, number: int, confusion: Whole, truth: npt.NDArray[np.bool_], probability: npt.NDArray[np.float64]
) -> ClassFindings:
    total = int(confusion.sum())
    hit = int(confusion[number, number])
    examples, predicted = int(confusion[number].sum()), int(confusion[:, number].sum())
    extra, missed = predicted - hit, examples - hit
    rest = total - hit - extra - missed
    area = area_under_curve(truth, probability)
    reasons = {
        "precision": "" if predicted else NEVER_PREDICTED,
        "recall": "" if examples else NONE_OF_IT,
        "specificity": "" if rest + extra else ALL_OF_IT,
        "f1": "" if examples + predicted else NEITHER,
        "dice": "" if examples + predicted else NEITHER,
        "auc": "" if area is not None else NONE_OF_IT if not examples else ALL_OF_IT,
    }
    overlap = _share(2 * hit, examples + predicted)
    return ClassFindings(
        name=name,
        examples=examples,
        predicted=predicted,
        true_positive=hit,
        false_positive=extra,
        false_negative=missed,
        true_negative=rest,
        precision=_share(hit, predicted),
        recall=_share(hit, examples),
        specificity=_share(rest, rest + extra),
        f1=overlap,  # of labels, the harmonic mean of precision and recall is the overlap of the two sets
        dice=overlap,
        auc=area,
        calibration_error=calibration_error(probability, truth),
        brier=min(1.0, math.fsum(((probability - truth) ** 2).tolist()) / total),
        undefined={figure: reason for figure, reason in reasons.items() if reason},
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
