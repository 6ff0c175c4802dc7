"""Which dreams answer a query, in which order: exact, a function of the pool's content and the query alone.

In: an `Atlas` of the pool and a RetrievalQuery. Out: a `Ranking`. Filters are inclusive and come first. Modes cosine,
euclidean and composite are the exact top k by the score of that name (`actors.pool_keeper.scoring`) over the whole
pool. Mode mixed (design, 5.4) is scored as composite; ceil(k/2) come from the top k by plain cosine and floor(k/2)
from the top k by coherence, a dream of both counting once and its place going to the next of its list. The decay
multiplies the final score only: age reorders what the two lists offer, and never decides what they offer.

Equals are ordered newer first, then by lower id. Without duplicates at most one dream of a lineage root and one of a
tensor is taken, in rank order, and ranking goes on until k are found or nothing is left. floor(exploration * k + 1/2)
of the k places are drawn instead of ranked (`actors.pool_keeper.exploring`) and stand last.
"""

from dataclasses import dataclass, field

import numpy as np

from actors.pool_keeper.atlas import Atlas
from actors.pool_keeper.compiled_search import CompiledSearch
from actors.pool_keeper.scoring import Measure, Scoring
from actors.pool_keeper.searching import Search
from actors.pool_keeper.selecting import Selection, best_first
from schemas.retrieval import RetrievalQuery


@dataclass(frozen=True)
class Ranking:
    """The rows of an answer, best first, explored ones last."""

    rows: tuple[int, ...]
    scores: tuple[float, ...]
    propensities: tuple[float, ...]
    explored: int
    """How many at the end were drawn instead of ranked."""
    by_cosine: tuple[int, ...]
    """Mode mixed: the candidate rows by cosine; else empty."""
    by_coherence: tuple[int, ...]
    """Mode mixed: the candidate rows by coherence; else empty."""
    touched: int = field(compare=False)
    """Rows that were scored to find the answer; says nothing about the answer."""


def explored_places(query: RetrievalQuery) -> int:
    """How many of the k places are drawn: floor(exploration * k + 1/2)."""
    return int(query.exploration * query.k + 0.5)


def rank(atlas: Atlas, query: RetrievalQuery) -> Ranking:
    """The answer to `query`."""
    places = query.k - explored_places(query)
    final = Scoring.of(query, "composite" if query.mode == "mixed" else query.mode, decays=True)
    by_cosine: list[int] = []
    by_coherence: list[int] = []
    if query.mode == "mixed":
        selection, by_cosine, by_coherence, touched = _mixed(atlas, query, places)
        ranked_rows, ranked_scores = _ordered(atlas, final, selection.taken)
    else:
        search = search_for(atlas, query, final)
        selection, ranked_scores = search.extend(Selection(atlas.columns, query.allow_duplicates), places)
        ranked_rows, touched = selection.taken, search.touched
    drawn = atlas.explorer.explore(query, selection.taken, explored_places(query))
    drawn_rows, drawn_scores = _ordered(atlas, final, [each.row for each in drawn])
    propensities = {each.row: each.propensity for each in drawn}
    return Ranking(
        rows=(*ranked_rows, *drawn_rows),
        scores=(*ranked_scores, *drawn_scores),
        propensities=(*(1.0 for _ in ranked_rows), *(propensities[row] for row in drawn_rows)),
        explored=len(drawn_rows),
        by_cosine=tuple(by_cosine),
        by_coherence=tuple(by_coherence),
        touched=touched,
    )


def search_for(atlas: Atlas, query: RetrievalQuery, scoring: Scoring) -> Search | CompiledSearch:
    """A search by `scoring`: compiled where it can be."""
    kernel = atlas.compiling.kernel(atlas.columns.count)
    return Search(atlas, query, scoring) if kernel is None else CompiledSearch(kernel, atlas, query, scoring)


def _mixed(atlas: Atlas, query: RetrievalQuery, places: int) -> tuple[Selection, list[int], list[int], int]:
    """What both lists offer, joined; the lists; the rows that were scored."""
    searches = [search_for(atlas, query, Scoring.of(query, measure, decays=False)) for measure in LISTS]
    empty = Selection(atlas.columns, query.allow_duplicates)
    by_cosine, by_coherence = (search.extend(empty, places).selection.taken for search in searches)
    selection = empty.joined([])
    selection.take(np.array(by_cosine, dtype=np.int64), places - places // 2)
    selection.take(np.array(by_coherence, dtype=np.int64), len(selection.taken) + places // 2)
    selection.take(np.array(by_cosine, dtype=np.int64), places)
    selection = searches[0].extend(selection, places).selection
    return selection, by_cosine, by_coherence, sum(search.touched for search in searches)


LISTS: tuple[Measure, Measure] = ("cosine", "coherence")
"""What the two lists of mode mixed are ranked by."""


def _ordered(atlas: Atlas, scoring: Scoring, rows: list[int]) -> tuple[list[int], list[float]]:
    """`rows` and their scores, best first."""
    if not rows:
        return [], []
    columns, some = atlas.columns, np.array(rows, dtype=np.int64)
    scores = scoring.scores(columns, some)
    order = best_first(columns, some, scores)
    return some[order].tolist(), scores[order].tolist()
