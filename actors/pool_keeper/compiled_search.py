"""The search by machine code, where there is some.

In: what `actors.pool_keeper.searching.Search` gets. Out: what that gives. Long answers, and pools with so many copies
of tensors that the compiled search has no room for them, are left to that one.
"""

import numpy as np

from actors.pool_keeper.atlas import Atlas
from actors.pool_keeper.filtering import Filters
from actors.pool_keeper.probing import MOST_PLACES, Kernel, numbers
from actors.pool_keeper.scoring import Scoring
from actors.pool_keeper.searching import Found, Search
from actors.pool_keeper.selecting import Selection
from schemas.retrieval import RetrievalQuery


class CompiledSearch:
    """Looks for the best by one scoring."""

    def __init__(self, kernel: Kernel, atlas: Atlas, query: RetrievalQuery, scoring: Scoring) -> None:
        self._kernel = kernel
        self._atlas = atlas
        self._query = query
        self._scoring = scoring
        self._cells = atlas.cells_for(scoring)
        self.touched = 0
        """Rows scored so far."""

    def extend(self, selection: Selection, wanted: int) -> Found:
        """`selection` with the best that are left, up to `wanted` in all."""
        atlas, query = self._atlas, self._query
        count = min(wanted, selection.most) - len(selection.taken)
        if count <= 0:
            return Found(selection, [])
        if count > MOST_PLACES:
            return self._in_numpy(selection, wanted)
        atlas.copies.catch_up()
        rows, scores = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.float64)
        rule = (query.allow_duplicates, np.array(selection.taken, dtype=np.int64), atlas.copies.shared)
        asked = numbers(self._scoring, Filters.of(query))
        found, touched = self._kernel(*atlas.arrays_of(self._cells), rule, asked, atlas.scratch, rows, scores)
        self.touched += touched
        if found < 0:
            return self._in_numpy(selection, wanted)
        return Found(selection.joined(rows[:found].tolist()), scores[:found].tolist())

    def _in_numpy(self, selection: Selection, wanted: int) -> Found:
        search = Search(self._atlas, self._query, self._scoring)
        found = search.extend(selection, wanted)
        self.touched += search.touched
        return found
