"""How far probabilities can be believed: bins of equal width, their mean probability against their share of truth.

In: probabilities and truths. Out: an expected calibration error (Naeini et al. 2015) and its bins. Sums are rounded
once, so that the order of the examples changes no bit. An empty bin has no figures.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from actors.learner.trainer.validator.findings import CalibrationBin

BINS: Final = 10


def calibration_error(probability: npt.NDArray[np.float64], truth: npt.NDArray[np.bool_]) -> float:
    """Mean over the examples of |mean probability - share of truth| of their bin."""
    chosen = _bin_of(probability)
    gaps = [
        abs(math.fsum(probability[chosen == number].tolist()) - int(np.count_nonzero(truth[chosen == number])))
        for number in range(BINS)
    ]
    return min(1.0, math.fsum(gaps) / len(probability))


def bins_of(probability: npt.NDArray[np.float64], truth: npt.NDArray[np.bool_]) -> tuple[CalibrationBin, ...]:
    """Every bin, in order."""
    chosen = _bin_of(probability)
    found = []
    for number in range(BINS):
        held, right = probability[chosen == number], truth[chosen == number]
        count = len(held)
        found.append(
            CalibrationBin(
                low=number / BINS,
                high=(number + 1) / BINS,
                examples=count,
                mean_confidence=min(1.0, math.fsum(held.tolist()) / count) if count else None,
                accuracy=int(np.count_nonzero(right)) / count if count else None,
            )
        )
    return tuple(found)


def _bin_of(probability: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    return np.minimum((probability * BINS).astype(np.intp), BINS - 1)
