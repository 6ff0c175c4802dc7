"""All figures of one part of the data, from logits to `PartFindings`; the same input gives the same bytes.

In: scores and baselines. Out: findings. It reads no state of a training: logits from a file are as good. Refused: what
`scores` refuses.
"""

import math
from collections.abc import Sequence

import numpy as np

from actors.learner.trainer.validator.calibrating import bins_of, calibration_error
from actors.learner.trainer.validator.drifting import bias_of
from actors.learner.trainer.validator.findings import Baseline, PartFindings
from actors.learner.trainer.validator.rates import classes_of, confusion_of, macro_of
from actors.learner.trainer.validator.scores import Scores


def validate(scores: Scores, baselines: Sequence[Baseline] = ()) -> PartFindings:
    """Everything that is found on one part."""
    confusion = confusion_of(scores)
    rows = tuple(tuple(row) for row in confusion.tolist())
    classes = classes_of(scores, confusion)
    own = scores.log_probabilities[np.arange(len(scores)), scores.labels]
    confidence, right = scores.probabilities.max(axis=1), scores.predicted == scores.labels
    accuracy = int(np.trace(confusion)) / len(scores)
    bias = bias_of(scores.class_names, rows)
    known = [row.accuracy for row in baselines if row.accuracy is not None]
    return PartFindings(
        examples=len(scores),
        accuracy=accuracy,
        loss=max(0.0, -math.fsum(own.tolist()) / len(scores)),
        confusion=rows,
        classes=classes,
        macro=macro_of(classes),
        calibration_error=calibration_error(confidence, right),
        calibration_bins=bins_of(confidence, right),
        baselines=tuple(baselines),
        beats_baselines=bool(known) and accuracy > max(known),
        bias=bias,
        biased=tuple(row.name for row in bias if row.is_flagged),
    )
