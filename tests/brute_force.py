"""Retrieval without any index: every dream is scored, all are sorted. What the pool-keeper's search is compared with.

In: columns and a RetrievalQuery. Out: rows, scores, propensities and the two lists of mode mixed, as
`actors.pool_keeper.ranking` promises them. Formulas are written out again here (seed 000, section 5; design, 5.3 to
5.6), in the order of operations that the contract fixes; only the exponential and the raw lots are taken over.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from actors.pool_keeper.columns import Columns, Integers
from actors.pool_keeper.lots import Lots
from actors.pool_keeper.scoring import exponential
from schemas.retrieval import RetrievalQuery

DAY_NS = 86_400 * 10**9


@dataclass(frozen=True)
class Answer:
    """What a query is answered with."""

    rows: tuple[int, ...]
    scores: tuple[float, ...]
    propensities: tuple[float, ...]
    by_cosine: tuple[int, ...]
    by_coherence: tuple[int, ...]


def scores_of(columns: Columns, query: RetrievalQuery) -> dict[str, Any]:
    """Final scores, plain cosines and coherences of all rows."""
    red, green, blue, coherence = columns.red, columns.green, columns.blue, columns.coherence
    q_red, q_green, q_blue = query.query_signature
    length = np.sqrt(np.float64(q_red * q_red + q_green * q_green + q_blue * q_blue))
    scale = np.sqrt(red * red + green * green + blue * blue) * length
    dot = red * q_red + green * q_green + blue * q_blue
    cosine = np.minimum(np.divide(dot, scale, out=np.zeros_like(dot), where=scale > 0.0), 1.0)
    weight = np.ones(columns.count)
    if query.recency_decay:
        with np.errstate(over="ignore"):
            weight = exponential(-(query.recency_decay * (np.maximum(query.as_of_ns - columns.ts, 0) / DAY_NS)))
    if query.mode == "cosine":
        final = weight * cosine
    elif query.mode == "euclidean":
        d_red, d_green, d_blue = red - q_red, green - q_green, blue - q_blue
        final = weight / (1.0 + np.sqrt(d_red * d_red + d_green * d_green + d_blue * d_blue))
    else:
        final = weight * (query.alpha * cosine + (1.0 - query.alpha) * coherence)
    return {"final": final, "cosine": cosine, "coherence": coherence}


def passing_rows(columns: Columns, query: RetrievalQuery) -> Integers:
    """Rows of dreams that are in the pool and pass the filters."""
    is_in = columns.present.copy()
    if query.min_coherence is not None:
        is_in &= columns.coherence >= query.min_coherence
    if query.max_entropy is not None:
        is_in &= columns.entropy <= query.max_entropy
    return np.flatnonzero(is_in)


def answer(columns: Columns, query: RetrievalQuery) -> Answer:
    """The answer to `query`."""
    scores = scores_of(columns, query)
    rows: list[int] = passing_rows(columns, query).tolist()
    explored = int(query.exploration * query.k + 0.5)
    places = query.k - explored
    by_cosine: list[int] = []
    by_coherence: list[int] = []
    if query.mode == "mixed":
        order = _ordered(columns, scores["cosine"], rows)
        by_cosine = _distinct(columns, query, order, places)
        by_coherence = _distinct(columns, query, _ordered(columns, scores["coherence"], rows), places)
        taken = _distinct(columns, query, by_cosine, places - places // 2)
        taken = _distinct(columns, query, [*taken, *by_coherence], len(taken) + places // 2)
        taken = _distinct(columns, query, [*taken, *by_cosine, *order], places)
    else:
        taken = _distinct(columns, query, _ordered(columns, scores["final"], rows), places)
    drawn = _drawn(columns, query, rows, taken, explored)
    ranked = _ordered(columns, scores["final"], taken)
    explored_rows = _ordered(columns, scores["final"], list(drawn))
    return Answer(
        rows=(*ranked, *explored_rows),
        scores=tuple(scores["final"][[*ranked, *explored_rows]].tolist()) if ranked or explored_rows else (),
        propensities=(*(1.0 for _ in ranked), *(drawn[row] for row in explored_rows)),
        by_cosine=tuple(by_cosine),
        by_coherence=tuple(by_coherence),
    )


def _ordered(columns: Columns, key: Any, rows: list[int]) -> list[int]:
    some = np.array(rows, dtype=np.int64)
    high, low = columns.ids[some].T
    return list(some[np.lexsort((low, high, -columns.ts[some], -key[some]))].tolist())


def _distinct(columns: Columns, query: RetrievalQuery, order: Iterable[int], count: int) -> list[int]:
    roots, tensors = columns.root.tolist(), columns.tensor.tolist()
    taken: list[int] = []
    marks: set[tuple[str, int]] = set()
    for row in order:
        if len(taken) == count:
            break
        own = {("row", row)} if query.allow_duplicates else {("root", roots[row]), ("tensor", tensors[row])}
        if marks.isdisjoint(own):
            taken.append(row)
            marks |= own
    return taken


def _drawn(columns: Columns, query: RetrievalQuery, rows: list[int], ranked: list[int], count: int) -> dict[int, float]:
    lots = Lots(query.seed, columns.last_sequence)
    if not count:
        return {}
    ids = columns.ids.tolist()
    if query.allow_duplicates:
        listed = np.array(sorted(rows, key=ids.__getitem__), dtype=np.int32)
        rest = len(rows) - len(ranked)
        count = min(count, rest)
        if not count:
            return {}
        return dict.fromkeys(lots.distinct(listed, set(ranked), count), count / rest)
    lowest: dict[int, int] = {}
    for row in sorted(np.flatnonzero(columns.present).tolist(), key=ids.__getitem__):
        lowest.setdefault(int(columns.tensor[row]), row)
    shown = [row for row in sorted(rows, key=ids.__getitem__) if lowest[int(columns.tensor[row])] == row]
    used_roots = {int(columns.root[row]) for row in ranked}
    used_tensors = {int(columns.tensor[row]) for row in ranked}
    lineages: dict[int, list[int]] = {}
    for row in shown:
        members = lineages.setdefault(int(columns.root[row]), [])
        if int(columns.root[row]) not in used_roots and int(columns.tensor[row]) not in used_tensors:
            members.append(row)
    out = {root for root, members in lineages.items() if not members}
    listed = np.array(sorted(lineages, key=lambda root: columns.root_keys[root].tolist()), dtype=np.int32)
    rest = len(lineages) - len(out)
    count = min(count, rest)
    drawn: dict[int, float] = {}
    for root in lots.distinct(listed, out, count):
        members = lineages[root]
        drawn[members[lots.below(len(members))]] = count / rest / len(members)
    return drawn
