"""Which dreams answer a query, in which order: exact, in float64, a function of the pool's content and the query alone.

In: columns and a RetrievalQuery. Out: a `Ranking`. Filters are inclusive and come first. Scores (seed 000, section 5;
design, 5.3 to 5.6), with q the query, s the signature and w = exp(-lambda * age in days):

    cosine      w * cos(q, s), where the cosine of a black signature or query is 0
    euclidean   w / (1 + |q - s|)
    composite   w * (alpha * cos(q, s) + (1 - alpha) * coherence), over the whole pool
    mixed       scored as composite; ceil(k/2) from the top k by plain cosine and floor(k/2) from the top k by plain
                coherence, a dream of both counting once and its place going to the next of its list. w multiplies
                the final score only: age reorders what the two lists offer, and never decides what they offer.

Equals are ordered newer first, then by lower id. Without duplicates at most one dream of a lineage root and one of a
tensor is taken, in rank order, and ranking goes on until k are found or nothing is left. floor(exploration * k + 1/2)
of the k places are drawn instead of ranked (`actors.pool_keeper.exploring`) and stand last.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, assert_never

import numpy as np
import numpy.typing as npt

from actors.pool_keeper.columns import Columns, Floats, Integers, Texts
from actors.pool_keeper.exploring import Drawn, Rest, explore
from schemas.retrieval import RetrievalQuery

DAY_NS: Final = 86_400 * 10**9
SURPLUS: Final = 4
"""Candidates looked at for each missing place when some of them may be duplicates."""

_LOG2_E: Final = 1.4426950408889634
_LN2_HIGH: Final = 6.93147180369123816490e-01
"""ln 2 in its upper 32 bits, so that n * _LN2_HIGH is exact."""
_LN2_LOW: Final = 1.90821492927058770002e-10
_DEEPEST: Final = -746.0
"""exp of this is 0 in float64."""
_INVERSE_FACTORIALS: Final = (
    1 / 6227020800, 1 / 479001600, 1 / 39916800, 1 / 3628800, 1 / 362880, 1 / 40320, 1 / 5040,
    1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0,
)  # fmt: skip
"""1/13! down to 1/0!."""


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


def exponential(exponents: Floats) -> Floats:
    """e to the power of `exponents` (each <= 0), in additions and multiplications alone.

    np.exp gives other bits at another SIMD level; this is a fixed polynomial of degree 13 after reduction by ln 2.
    """
    clamped = np.maximum(exponents, _DEEPEST)
    halvings = np.rint(clamped * _LOG2_E)
    rest = (clamped - halvings * _LN2_HIGH) - halvings * _LN2_LOW
    series = np.full_like(rest, _INVERSE_FACTORIALS[0])
    for coefficient in _INVERSE_FACTORIALS[1:]:
        series = series * rest + coefficient
    return np.asarray(np.ldexp(series, halvings.astype(np.int32)), dtype=np.float64)


def recency(ts: Integers, as_of_ns: int, decay: float | None) -> Floats:
    """w = exp(-decay * age), age in days from `as_of_ns`, never below 0; all ones without decay."""
    if not decay:
        return np.ones(len(ts), dtype=np.float64)
    age_days = np.maximum(as_of_ns - ts, 0) / DAY_NS
    with np.errstate(over="ignore"):
        return exponential(-(decay * age_days))


@dataclass(frozen=True)
class Contest:
    """The dreams that pass the filters, with their scores; index i of every array is one dream."""

    rows: Integers
    ts: Integers
    ids: Texts
    cosine: Floats
    coherence: Floats
    final: Floats

    @classmethod
    def of(cls, columns: Columns, query: RetrievalQuery) -> "Contest":
        """Filter and score."""
        rows = _passing(columns, query)
        is_whole = len(rows) == columns.count
        part: slice | Integers = slice(None) if is_whole else rows
        q_red, q_green, q_blue = query.query_signature
        red, green, blue, norm = columns.red[part], columns.green[part], columns.blue[part], columns.norm[part]
        coherence, ts = columns.coherence[part], columns.ts[part]
        length = float(np.sqrt(np.float64(q_red * q_red + q_green * q_green + q_blue * q_blue)))
        scale = norm * length
        dot = red * q_red + green * q_green + blue * q_blue
        cosine = np.minimum(np.divide(dot, scale, out=np.zeros_like(dot), where=scale > 0.0), 1.0)
        weight = recency(ts, query.as_of_ns, query.recency_decay)
        match query.mode:
            case "cosine":
                final = weight * cosine
            case "euclidean":
                d_red, d_green, d_blue = red - q_red, green - q_green, blue - q_blue
                final = weight / (1.0 + np.sqrt(d_red * d_red + d_green * d_green + d_blue * d_blue))
            case "mixed" | "composite":
                final = weight * (query.alpha * cosine + (1.0 - query.alpha) * coherence)
            case _:
                assert_never(query.mode)
        return cls(rows, ts, columns.ids[part], cosine, coherence, final)

    def best(self, key: Floats, count: int, among: Integers | None = None) -> Integers:
        """Indices (out of `among`) of the `count` best by (key descending, newer, lower id), best first."""
        part: slice | Integers = slice(None) if among is None else among
        picked = _contenders(key[part], self.ts[part], count)
        picked = picked if among is None else among[picked]
        order = np.lexsort((self.ids[picked], -self.ts[picked], -key[picked]))
        return picked[order[:count]]


class Selection:
    """Takes dreams in rank order, refusing those that repeat one already taken."""

    def __init__(self, columns: Columns, contest: Contest, allow_duplicates: bool) -> None:
        self._columns = columns
        self._contest = contest
        self._allows = allow_duplicates
        self._seen: set[tuple[str, int]] = set()
        self.taken: list[int] = []
        """Indices into the contest, in the order in which they were taken."""

    def take(self, order: Iterable[int], count: int) -> None:
        """Take up to `count` more out of `order`."""
        wanted = len(self.taken) + count
        for index in order:
            if len(self.taken) >= wanted:
                return
            marks = self._marks(index)
            if self._seen.isdisjoint(marks):
                self._seen.update(marks)
                self.taken.append(index)

    def take_best(self, key: Floats, count: int) -> None:
        """Take up to `count` more by (key descending, newer, lower id), until there are no more."""
        wanted = len(self.taken) + count
        while len(self.taken) < wanted:
            among = self._remaining() if self.taken else None
            missing = wanted - len(self.taken)
            best = self._contest.best(key, missing if self._allows else missing * SURPLUS, among)
            if not len(best):
                return
            self.take(best.tolist(), missing)

    def _remaining(self) -> Integers:
        """What could still be taken."""
        is_open: npt.NDArray[np.bool_] = np.ones(len(self._contest.rows), dtype=np.bool_)
        is_open[self.taken] = False
        if not self._allows:
            rows = self._contest.rows
            for codes, bound in self._columns.identities():
                is_used = np.zeros(bound, dtype=np.bool_)
                is_used[codes[rows[self.taken]]] = True
                is_open &= ~is_used[codes[rows]]
        return np.flatnonzero(is_open).astype(np.int64, copy=False)

    def _marks(self, index: int) -> tuple[tuple[str, int], ...]:
        row = int(self._contest.rows[index])
        if self._allows:
            return (("row", row),)
        return ("row", row), ("root", int(self._columns.root[row])), ("tensor", int(self._columns.tensor[row]))


def explored_places(query: RetrievalQuery) -> int:
    """How many of the k places are drawn: floor(exploration * k + 1/2)."""
    return int(query.exploration * query.k + 0.5)


def rank(columns: Columns, query: RetrievalQuery) -> Ranking:
    """The answer to `query` from the dreams in `columns`."""
    contest = Contest.of(columns, query)
    places = query.k - explored_places(query)
    selection = Selection(columns, contest, query.allow_duplicates)
    by_cosine: list[int] = []
    by_coherence: list[int] = []
    if query.mode == "mixed":
        by_cosine = _list(columns, contest, query, contest.cosine)
        by_coherence = _list(columns, contest, query, contest.coherence)
        selection.take(by_cosine, places - places // 2)
        selection.take(by_coherence, places // 2)
        selection.take(by_cosine, places - len(selection.taken))
    selection.take_best(contest.cosine if query.mode == "mixed" else contest.final, places - len(selection.taken))
    ranked = _sorted(contest, selection.taken)
    drawn = _explore(columns, contest, query, ranked)
    explored = _sorted(contest, list(drawn))
    chosen = [*ranked, *explored]
    return Ranking(
        rows=_rows(contest, chosen),
        scores=tuple(contest.final[chosen].tolist()),
        propensities=(*(1.0 for _ in ranked), *(drawn[index] for index in explored)),
        explored=len(explored),
        by_cosine=_rows(contest, by_cosine),
        by_coherence=_rows(contest, by_coherence),
    )


def _passing(columns: Columns, query: RetrievalQuery) -> Integers:
    passes: npt.NDArray[np.bool_] = np.ones(columns.count, dtype=np.bool_)
    if query.min_coherence is not None:
        passes &= columns.coherence >= query.min_coherence
    if query.max_entropy is not None:
        passes &= columns.entropy <= query.max_entropy
    return np.flatnonzero(passes).astype(np.int64, copy=False)


def _contenders(key: Floats, ts: Integers, count: int) -> Integers:
    """Unordered indices that hold the `count` best by (key, ts), and as few others as its ties allow."""
    if count >= len(key):
        return np.arange(len(key), dtype=np.int64)
    cut = np.partition(key, len(key) - count)[len(key) - count]
    above, ties = np.flatnonzero(key > cut), np.flatnonzero(key == cut)
    room = count - len(above)
    if len(ties) > room:
        stamps = ts[ties]
        ties = ties[stamps >= np.partition(stamps, len(ties) - room)[len(ties) - room]]
    return np.concatenate((above, ties)).astype(np.int64, copy=False)


def _list(columns: Columns, contest: Contest, query: RetrievalQuery, key: Floats) -> list[int]:
    """The top of one candidate list, as long as there are ranked places, itself free of duplicates."""
    places = query.k - explored_places(query)
    selection = Selection(columns, contest, query.allow_duplicates)
    selection.take_best(key, places)
    return selection.taken


def _sorted(contest: Contest, indices: list[int]) -> list[int]:
    return sorted(indices, key=lambda i: (-float(contest.final[i]), -int(contest.ts[i]), bytes(contest.ids[i])))


def _rows(contest: Contest, indices: list[int]) -> tuple[int, ...]:
    return tuple(contest.rows[indices].tolist())


def _explore(columns: Columns, contest: Contest, query: RetrievalQuery, ranked: list[int]) -> dict[int, float]:
    """Index to propensity of each drawn dream."""
    count = explored_places(query)
    if not count or not len(contest.rows):
        return {}
    rest = Rest(contest.rows, contest.rows[ranked], query.allow_duplicates)
    drawn: list[Drawn] = explore(columns, rest, (query.seed, columns.last_sequence), count)
    return {int(np.searchsorted(contest.rows, row)): propensity for row, propensity in drawn}
