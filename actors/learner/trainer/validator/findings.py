"""The form in which validation is told: closed records, where a figure that is undefined is null with its reason.

In: values. Out: frozen records that become `validation_metrics.json`. Refused: NaN and infinity.
"""

from typing import Annotated

from pydantic import Field

from schemas.base import Count, Record, Unit

Figure = Unit | None
Reasons = dict[str, str]
"""Name of a figure that is null to the reason."""


class ClassFindings(Record):
    """One class against all others."""

    name: str
    examples: Count
    """That are of this class."""
    predicted: Count
    """That are taken for it."""
    true_positive: Count
    false_positive: Count
    false_negative: Count
    true_negative: Count
    precision: Figure
    recall: Figure
    specificity: Figure
    f1: Figure
    dice: Figure
    """2 |A and B| / (|A| + |B|) of the examples that are, and those that are taken for this class."""
    auc: Figure
    """Area under the receiver operating characteristic, by trapezoids."""
    calibration_error: Figure
    """Mean over the examples of |mean probability - share| in bins of the probability of this class."""
    brier: Figure
    """Mean of (probability - truth)^2."""
    undefined: Reasons


class Macro(Record):
    """Means over the classes for which a figure is defined."""

    precision: Figure
    recall: Figure
    specificity: Figure
    f1: Figure
    dice: Figure
    auc: Figure
    calibration_error: Figure
    brier: Figure
    classes_counted: dict[str, Count]
    """Figure to the number of classes in its mean."""
    undefined: Reasons


class CalibrationBin(Record):
    """Examples whose largest probability lies in [low, high); the last bin has its upper edge too."""

    low: Unit
    high: Unit
    examples: Count
    mean_confidence: Figure
    accuracy: Figure
    """Both null where no example lies here."""


class Baseline(Record):
    """What needs no training, or next to none."""

    name: str
    accuracy: Figure
    reason: str
    """Why the accuracy is null; empty otherwise."""


class ClassShift(Record):
    """How one class fares otherwise than it should, or than before."""

    name: str
    recall_before: Figure
    recall_after: Figure
    recall_shift: float | None
    predicted_share_shift: float | None
    z: float | None
    """Of the shift in recall, for parts of other examples; null where both are of the same examples."""
    is_flagged: bool


class Drift(Record):
    """Per-class shifts between two measurements."""

    of: str
    """What is compared, in words."""
    accuracy_shift: float | None
    same_examples: bool
    limit: float
    """A shift of recall or of predicted share beyond this is flagged."""
    z_limit: float | None
    """And its z beyond this, for other examples; null for the same examples, where every shift is real."""
    classes: tuple[ClassShift, ...]
    flagged: tuple[str, ...]


class ClassBias(Record):
    """Whether one class is taken too often, or found too seldom."""

    name: str
    share: Figure
    predicted_share: Figure
    excess: float | None
    """Predicted share less share."""
    recall_gap: float | None
    """Recall less that of all examples together."""
    z: float | None
    """Of the gap in recall."""
    is_flagged: bool


class PartFindings(Record):
    """All that is found on one part of the data."""

    examples: Count
    accuracy: Figure
    loss: Annotated[float, Field(ge=0.0)] | None
    """Mean cross entropy, nats."""
    confusion: tuple[tuple[Count, ...], ...]
    """[true class][predicted class]"""
    classes: tuple[ClassFindings, ...]
    macro: Macro
    calibration_error: Figure
    """Mean over the examples of |mean confidence - accuracy| in bins of the largest probability."""
    calibration_bins: tuple[CalibrationBin, ...]
    baselines: tuple[Baseline, ...]
    beats_baselines: bool
    bias: tuple[ClassBias, ...]
    biased: tuple[str, ...]
    """Classes whose bias is flagged."""


class Undefined(Record):
    """A part that could not be measured."""

    reason: str
