"""Places of an answer that are drawn instead of ranked, so that every dream can get feedback (design, 5.5).

In: the rows that passed the filters, the rows already ranked, and a key (query seed, pool sequence). Out: drawn rows
with their propensity, the exact probability that the row is in the answer. With duplicates allowed each remaining
dream is equally likely. Without, dreams that share a lineage root or a tensor with a ranked one are out, dreams of
one tensor count as the one with the lowest id, each remaining lineage is equally likely, and then each dream within
it. The draw runs over rows in order of their ids, so it does not depend on the order in which dreams were stored. It
draws from nothing but the key.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from actors.pool_keeper.columns import Columns, Integers


class Rest(NamedTuple):
    """What can be drawn from."""

    eligible: Integers
    ranked: Integers
    allow_duplicates: bool


class Drawn(NamedTuple):
    """A drawn row."""

    row: int
    propensity: float


class Lots:
    """Whole numbers from the raw Philox stream of one key; the raw stream is the same in every numpy release."""

    def __init__(self, seed: int, counter: int) -> None:
        self._bits = np.random.Philox(key=np.array([seed, counter], dtype=np.uint64))

    def below(self, bound: int) -> int:
        """A number in [0, bound), uniform to within bound / 2^64."""
        return (int(self._bits.random_raw()) * bound) >> 64

    def distinct(self, bound: int, count: int) -> list[int]:
        """`count` different numbers in [0, bound), each set equally likely (Fisher and Yates)."""
        moved: dict[int, int] = {}
        drawn: list[int] = []
        for i in range(count):
            j = i + self.below(bound - i)
            drawn.append(moved.get(j, j))
            moved[j] = moved.get(i, i)
        return drawn


def explore(columns: Columns, rest: Rest, key: tuple[int, int], count: int) -> list[Drawn]:
    """Up to `count` rows of `rest`, fewer when there are no more."""
    is_open: npt.NDArray[np.bool_] = np.zeros(columns.count, dtype=np.bool_)
    is_open[rest.eligible] = True
    is_open[rest.ranked] = False
    if not rest.allow_duplicates:
        for codes, bound in columns.identities():
            is_open &= ~_shares(codes, bound, rest.ranked)
    order = columns.id_order()
    rows = order[is_open[order]]
    lots = Lots(*key)
    if rest.allow_duplicates:
        count = min(count, len(rows))
        return [Drawn(int(rows[place]), count / len(rows)) for place in lots.distinct(len(rows), count)]
    (root_codes, root_bound), (tensor_codes, tensor_bound) = columns.identities()
    rows = rows[_is_first(tensor_codes[rows], tensor_bound)]
    roots = root_codes[rows]
    leaders = roots[_is_first(roots, root_bound)]
    count = min(count, len(leaders))
    drawn: list[Drawn] = []
    for place in lots.distinct(len(leaders), count):
        members = rows[roots == leaders[place]]
        row = int(members[lots.below(len(members))])
        drawn.append(Drawn(row, count / len(leaders) / len(members)))
    return drawn


def _shares(codes: Integers, bound: int, ranked: Integers) -> npt.NDArray[np.bool_]:
    used: npt.NDArray[np.bool_] = np.zeros(bound, dtype=np.bool_)
    used[codes[ranked]] = True
    return used[codes]


def _is_first(codes: Integers, bound: int) -> npt.NDArray[np.bool_]:
    """Where a code occurs for the first time."""
    first = np.zeros(bound, dtype=np.int64)
    backwards = np.arange(len(codes) - 1, -1, -1)
    first[codes[::-1]] = backwards
    return np.asarray(first[codes] == np.arange(len(codes)), dtype=np.bool_)
