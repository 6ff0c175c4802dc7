"""Scores of dreams, in float64, from additions, multiplications, divisions and square roots alone.

In: a RetrievalQuery and some rows. Out: their scores, the same bits on every machine and whichever other rows are
scored with them. With q the query, s the signature and w = exp(-lambda * age in days) (seed 000, section 5; design,
5.3):

    coherence   the coherence
    cosine      w * cos(q, s), where the cosine of a black signature or query is 0
    euclidean   w / (1 + |q - s|)
    composite   w * (alpha * cos(q, s) + (1 - alpha) * coherence)

np.exp gives other bits at another SIMD level; `exponential` is a fixed polynomial, within 2 units in the last place.
"""

from dataclasses import dataclass
from typing import Final, Literal, assert_never

import numpy as np

from actors.pool_keeper.columns import Columns, Floats, Integers
from actors.pool_keeper.identities import Rows
from schemas.retrieval import RetrievalQuery

Measure = Literal["coherence", "cosine", "euclidean", "composite"]

DAY_NS: Final = 86_400 * 10**9

LOG2_E: Final = 1.4426950408889634
LN2_HIGH: Final = 6.93147180369123816490e-01
"""ln 2 in its upper 32 bits, so that n * LN2_HIGH is exact."""
LN2_LOW: Final = 1.90821492927058770002e-10
DEEPEST: Final = -746.0
"""exp of this is 0 in float64."""
_LEAST_EXPONENT: Final = -1000.0
"""Above it 2 to a power is a normal number with a margin, and multiplying with it is exact."""
_EXPONENT_BIAS: Final = 1023
_FRACTION_BITS: Final = 52
_LARGE_DECAY: Final = 1e300
"""Only from here on lambda times an age can exceed the largest float64."""
INVERSE_FACTORIALS: Final = (
    1 / 6227020800, 1 / 479001600, 1 / 39916800, 1 / 3628800, 1 / 362880, 1 / 40320, 1 / 5040,
    1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0,
)  # fmt: skip
"""1/13! down to 1/0!."""


def exponential(exponents: Floats) -> Floats:
    """e to the power of `exponents` (each <= 0): a polynomial of degree 13 after reduction by ln 2."""
    clamped = np.maximum(exponents, DEEPEST)
    halvings = np.rint(clamped * LOG2_E)
    rest = (clamped - halvings * LN2_HIGH) - halvings * LN2_LOW
    series = rest * INVERSE_FACTORIALS[0]
    for coefficient in INVERSE_FACTORIALS[1:-1]:
        series += coefficient
        series *= rest
    series += INVERSE_FACTORIALS[-1]
    if halvings.min(initial=0.0) > _LEAST_EXPONENT:
        series *= ((halvings.astype(np.int64) + _EXPONENT_BIAS) << _FRACTION_BITS).view(np.float64)
        return series
    return np.asarray(np.ldexp(series, halvings.astype(np.int32)), dtype=np.float64)


@dataclass(frozen=True)
class Scoring:
    """One way to score for one query."""

    measure: Measure
    red: float
    green: float
    blue: float
    length: float
    """Euclidean length of the query's signature."""
    alpha: float
    decay: float
    """Lambda per day; 0 for no decay."""
    as_of_ns: int

    @classmethod
    def of(cls, query: RetrievalQuery, measure: Measure, decays: bool) -> "Scoring":
        """The `measure` of `query`, with its decay or without."""
        red, green, blue = query.query_signature
        length = float(np.sqrt(np.float64(red * red + green * green + blue * blue)))
        decay = query.recency_decay or 0.0 if decays else 0.0
        return cls(measure, red, green, blue, length, query.alpha, decay, query.as_of_ns)

    def exponents(self, ts: Integers) -> Floats:
        """-lambda * age in days; a dream from after `as_of_ns` has age 0."""
        days = np.maximum(self.as_of_ns - ts, 0) / DAY_NS
        if self.decay < _LARGE_DECAY:
            return -(self.decay * days)
        with np.errstate(over="ignore"):
            return -(self.decay * days)

    def scores(self, columns: Columns, rows: Integers) -> Floats:
        """The scores of `rows`."""
        if not self.decay:
            return self.undecayed(columns, rows, columns.coherence[rows])
        plain = self._plain(columns, rows, columns.coherence[rows])
        weight = exponential(self.exponents(columns.ts[rows]))
        return weight / plain if self.measure == "euclidean" else weight * plain

    def undecayed(self, columns: Columns, rows: Integers | Rows, coherence: Floats) -> Floats:
        """The scores that dreams of the colours of `rows` have without decay when these are their coherences."""
        plain = self._plain(columns, rows, coherence)
        return 1.0 / plain if self.measure == "euclidean" else plain

    def _plain(self, columns: Columns, rows: Integers | Rows, coherence: Floats) -> Floats:
        """What the weight is multiplied with, or (Euclidean) divided by."""
        match self.measure:
            case "coherence":
                return coherence
            case "cosine":
                return self._cosine(columns, rows)
            case "euclidean":
                red, green, blue = columns.red[rows], columns.green[rows], columns.blue[rows]
                red, green, blue = red - self.red, green - self.green, blue - self.blue
                return 1.0 + np.sqrt(red * red + green * green + blue * blue)
            case "composite":
                return self.alpha * self._cosine(columns, rows) + (1.0 - self.alpha) * coherence
            case _:
                assert_never(self.measure)

    def _cosine(self, columns: Columns, rows: Integers | Rows) -> Floats:
        red, green, blue = columns.red[rows], columns.green[rows], columns.blue[rows]
        scale = np.sqrt(red * red + green * green + blue * blue) * self.length
        dot = red * self.red + green * self.green + blue * self.blue
        if scale.min(initial=1.0) > 0.0:
            return np.minimum(dot / scale, 1.0)
        return np.minimum(np.divide(dot, scale, out=np.zeros_like(dot), where=scale > 0.0), 1.0)
