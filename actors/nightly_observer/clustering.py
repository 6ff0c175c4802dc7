"""Which things hang together, when some pairs of them do.

In: how many things there are, and pairs. Out: for each thing the number of the first of its cluster.
"""

import numpy as np

from actors.nightly_observer.day import Integers


def clusters(count: int, pairs: Integers) -> Integers:
    """`pairs` [m, 2]: the lowest number that each of `count` things is joined with, itself when there is none lower."""
    first = np.arange(count, dtype=np.int64)
    while len(pairs):
        ends = first[pairs]
        pairs = ends[ends[:, 0] != ends[:, 1]]
        if not len(pairs):
            break
        high, low = pairs.max(axis=1), pairs.min(axis=1)
        np.minimum.at(first, high, low)
        while True:
            jumped = first[first]
            if np.array_equal(jumped, first):
                break
            first = jumped
    return first
