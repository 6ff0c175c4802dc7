"""Places of an answer that are drawn instead of ranked, so that every dream can get feedback (design, 5.5).

In: the rows already ranked, the filters, and a key (query seed, pool sequence). Out: drawn rows with their propensity,
the exact probability that the row is in the answer. With duplicates allowed each remaining dream that passes the
filters is equally likely. Without, dreams that share a lineage root or a tensor with a ranked one are out, of dreams
of one tensor all but the one with the lowest id are out, each remaining lineage is equally likely, and then each dream
within it. The draw runs over lists in the order of ids, so that it does not depend on the order in which dreams were
stored. It draws from nothing but the key.

The order is kept for all filters; which of it passes is marked anew for filters that were not asked for lately. With
those that were, a draw costs some searches, however large the pool is.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from actors.pool_keeper.columns import Columns
from actors.pool_keeper.filtering import Filters
from actors.pool_keeper.listing import ById, Drawn, Kindred, Lineages, Passing
from actors.pool_keeper.lots import Lots
from schemas.retrieval import RetrievalQuery

REMEMBERED: Final = 4
"""Filters whose marks are kept."""


class Explorer:
    """Draws from one pool."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._begin()

    def explore(self, query: RetrievalQuery, ranked: list[int], count: int) -> list[Drawn]:
        """Up to `count` rows beside `ranked`, fewer when there are no more."""
        if not count or not self._columns.count:
            return []
        if self._retreats != self._columns.retreats:
            self._begin()
        lots = Lots(query.seed, self._columns.last_sequence)
        lists = self._passing if query.allow_duplicates else self._lineages
        return lists(Filters.of(query)).draw(lots, ranked, count)

    @property
    def size_bytes(self) -> int:
        """Memory that the lists take."""
        lists = (*self._all_passing.values(), *self._all_lineages.values())
        return self._by_id.size_bytes + self._kindred.size_bytes + sum(each.size_bytes for each in lists)

    def _begin(self) -> None:
        """Nothing is listed yet."""
        self._retreats = self._columns.retreats
        self._by_id = ById(self._columns)
        self._kindred = Kindred(self._columns)
        self._all_passing: dict[Filters, Passing] = {}
        self._all_lineages: dict[Filters, Lineages] = {}

    def _passing(self, filters: Filters) -> Passing:
        self._by_id.catch_up()
        return _remembered(self._all_passing, filters, lambda: Passing(self._columns, self._by_id.rows, filters))

    def _lineages(self, filters: Filters) -> Lineages:
        self._kindred.catch_up()
        return _remembered(self._all_lineages, filters, lambda: Lineages(self._columns, self._kindred, filters))


Kind = TypeVar("Kind")


def _remembered(lists: dict[Filters, Kind], filters: Filters, make: Callable[[], Kind]) -> Kind:
    """The list of `filters`, which becomes the last to be forgotten."""
    found = lists.pop(filters, None)
    if found is None:
        found = make()
    if len(lists) == REMEMBERED:
        del lists[next(iter(lists))]
    lists[filters] = found
    return found
