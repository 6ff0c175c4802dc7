"""Predictions in the form that every figure is taken from: probabilities in float64, beside the true classes.

In: logits f32 [n, classes], labels [n], names of the classes. Out: `Scores`. The largest probability decides, the first
class among equals. Refused: arrays that do not belong together, no example at all, logits that are not finite.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.errors import OneirosError

Labels = npt.NDArray[np.intp]
Wide = npt.NDArray[np.float64]


class ScoresRefusedError(OneirosError):
    """Predictions cannot be measured; the text is the reason."""

    is_permanent = True


@dataclass(frozen=True, slots=True)
class Scores:
    """Predictions for n examples."""

    class_names: tuple[str, ...]
    labels: Labels
    """[n]"""
    log_probabilities: Wide
    """[n, classes], natural logarithm"""

    @property
    def probabilities(self) -> Wide:
        """[n, classes]"""
        return np.asarray(np.exp(self.log_probabilities), dtype=np.float64)

    @property
    def predicted(self) -> Labels:
        """[n], the class of the largest probability."""
        return np.asarray(self.log_probabilities.argmax(axis=1), dtype=np.intp)

    def __len__(self) -> int:
        return len(self.labels)


def scores_of(logits: npt.NDArray[np.float32], labels: Labels, class_names: tuple[str, ...]) -> Scores:
    """The softmax of `logits` in float64, beside `labels`; raises ScoresRefusedError."""
    classes = len(class_names)
    if logits.ndim != 2 or logits.shape != (len(labels), classes):
        raise ScoresRefusedError(f"logits of shape {logits.shape} for {len(labels)} labels of {classes} classes")
    if not len(labels):
        raise ScoresRefusedError("no example")
    if labels.min() < 0 or labels.max() >= classes:
        raise ScoresRefusedError(f"a label lies outside of 0 to {classes - 1}")
    bad = int(np.count_nonzero(~np.isfinite(logits).all(axis=1)))
    if bad:
        raise ScoresRefusedError(f"the logits of {bad} of {len(labels)} examples are not finite")
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    wide -= np.log(np.exp(wide).sum(axis=1, keepdims=True))
    return Scores(class_names, labels, wide)
