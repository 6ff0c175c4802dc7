"""The filters of a query, inclusive (seed 000, section 3.3).

In: the bounds of a RetrievalQuery, and coherences and entropies. Out: what passes. Without a bound everything passes.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from actors.pool_keeper.columns import Columns, Floats, Integers
from schemas.retrieval import RetrievalQuery


class Filters(NamedTuple):
    """The filters of a query; None lets everything pass."""

    min_coherence: float | None
    max_entropy: float | None

    @classmethod
    def of(cls, query: RetrievalQuery) -> "Filters":
        """Those of `query`."""
        return cls(query.min_coherence, query.max_entropy)

    def passes(self, coherence: Floats, entropy: Floats | npt.NDArray[np.float32]) -> npt.NDArray[np.bool_] | None:
        """Where dreams so measured pass; None for everywhere."""
        is_coherent = None if self.min_coherence is None else coherence >= self.min_coherence
        if self.max_entropy is None:
            return is_coherent
        is_plain = entropy <= self.max_entropy
        return is_plain if is_coherent is None else is_coherent & is_plain

    def of_rows(self, columns: Columns, rows: Integers) -> Integers:
        """Those of `rows` that pass and whose dreams are in the pool."""
        return self.passing(columns, columns.only_present(rows))

    def passing(self, columns: Columns, rows: Integers) -> Integers:
        """Those of `rows` that pass, in the pool or gone."""
        if self.min_coherence is not None:
            rows = rows[columns.coherence[rows] >= self.min_coherence]
        if self.max_entropy is not None:
            rows = rows[columns.entropy[rows] <= self.max_entropy]
        return rows
