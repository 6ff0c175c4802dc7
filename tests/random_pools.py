"""Pools and queries of every kind, drawn from a generator, for tests that compare with a scan.

In: a generator. Out: columns with kin, copies, equals, black colours and ids that share their first half; and queries
of every mode. A pool is made as it would grow: piece by piece, with dreams leaving in between.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from actors.pool_keeper.cells import Grain
from actors.pool_keeper.columns import Block, Columns, Floats, Integers
from actors.pool_keeper.identities import Keys
from schemas.ids import derived_id
from schemas.retrieval import RetrievalQuery

DAY_NS: Final = 86_400 * 10**9
NOW_NS: Final = 1_767_225_600 * 10**9
FINE: Final = Grain(block=2, group=4, smallest=8, largest=64, at_once=16)
"""So that a few dozen dreams have segments of every size, some of them sorted step by step, and a tail."""


@dataclass(frozen=True)
class Dreams:
    """Rows to come."""

    colours: Floats
    coherence: Floats
    entropy: Floats
    ts: Integers
    ids: Keys
    roots: Keys
    tensors: Keys

    def block(self, here: slice) -> Block:
        """Some of them."""
        count = len(self.ts[here])
        numbers = np.arange(here.start + 1, here.start + 1 + count)
        values = (*self.colours[here].T, self.coherence[here], self.entropy[here], self.ts[here], numbers, [0] * count)
        return Block(values, self.ids[here], self.roots[here], self.tensors[here], count)


def dreams(generator: np.random.Generator, count: int) -> Dreams:
    """Dreams whose colours lie everywhere, in clusters, on a grid, are often black, faint, or all the same."""
    coarse = generator.integers(0, 4, (count, 3)) / 4
    centres = generator.random((5, 3))[generator.integers(0, 5, count)]
    kind = generator.integers(0, 6)
    colours = (
        generator.random((count, 3)),
        np.clip(centres + 0.03 * generator.standard_normal((count, 3)), 0.0, 1.0),
        coarse,
        np.where(generator.random((count, 1)) < 0.3, 0.0, coarse),
        coarse * generator.choice([1.0, 1e-161], (count, 1)),
        np.tile(generator.random(3), (count, 1)),
    )[kind]
    coherence = generator.random(count) if generator.random() < 0.5 else generator.integers(0, 5, count) / 5
    entropy = 1.0 - coherence if generator.random() < 0.7 else generator.random(count)
    ages = np.sort(generator.random(count) * 30)[::-1]
    if generator.random() < 0.5:
        ages = generator.integers(-2, int(generator.choice([-1, 30])), count).astype(np.float64)
    roots = generator.integers(0, max(1, int(count * generator.choice([0.01, 0.3, 1.0]))), count)
    is_copy = generator.random(count) < generator.choice([0.0, 0.3, 0.9])
    tensors = np.where(is_copy, generator.integers(0, count, count), np.arange(count))
    return Dreams(
        colours, coherence, entropy, NOW_NS - (ages * DAY_NS).astype(np.int64),
        keys(generator.integers(0, 3, count), generator.permutation(count)), keys(roots % 2, roots),
        keys(tensors, np.zeros(count, dtype=np.int64)),
    )  # fmt: skip


def keys(high: Integers, low: Integers) -> Keys:
    """Keys of two halves."""
    return np.stack((high, low), axis=1).astype(np.uint64)


def growing(generator: np.random.Generator, count: int, columns: Columns) -> Iterator[None]:
    """Fill `columns` piece by piece; now and then dreams leave, rows move up, or the last rows are taken back."""
    rows = dreams(generator, count)
    start = 0
    while start < count:
        end = start + (1 if generator.random() < 0.2 else int(generator.integers(1, 2 + count)))
        columns.add(rows.block(slice(start, min(count, end))))
        start = min(count, end)
        chance = generator.random()
        if chance < 0.5 and columns.dreams > 1:
            present = np.flatnonzero(columns.present[:-1])
            gone = np.sort(generator.permutation(present)[: int(generator.integers(1, 2 + len(present) // 2))])
            columns.evict(gone, len(gone))
        if chance < 0.1:
            columns.squeeze()
        elif chance > 0.8 and not columns.holes:
            columns.truncate(int(generator.integers(0, columns.count)), 0)
        yield


def any_query(generator: np.random.Generator) -> RetrievalQuery:
    """Any query."""

    def maybe(*values: float) -> float | None:
        return None if generator.random() < 0.5 else float(generator.choice(values))

    grid = (generator.integers(0, 3, 3) / 2).tolist()
    return RetrievalQuery(
        query_id=QUERY_ID,
        k=int(generator.choice([1, 2, 8, 9, 64, 300])),
        mode=generator.choice(["cosine", "euclidean", "mixed", "composite"]),
        query_signature=tuple(generator.random(3).tolist() if generator.random() < 0.6 else grid),
        min_coherence=maybe(0.2, 0.5, 0.95),
        max_entropy=maybe(0.8, 0.5, 0.02),
        recency_decay=maybe(0.0, 0.02, 0.5, 30.0, 1e300),
        allow_duplicates=bool(generator.random() < 0.4),
        seed=int(generator.integers(0, 2**63)),
        as_of_ns=NOW_NS + int(generator.integers(-5, 5)) * DAY_NS,
        alpha=float(generator.choice([0.0, 0.6, 1.0])),
        exploration=float(generator.choice([0.0, 0.0, 0.1, 0.5, 1.0])),
    )


QUERY_ID: Final = derived_id("query")


PoolKind = Literal["uniform", "clustered", "one colour", "64 lineages", "grid"]


def large_pool(count: int, kind: PoolKind = "uniform") -> Columns:
    """Dreams of thirty days; half of them descend from an earlier one, or all from one of 64."""
    columns = Columns()
    columns.add(large_block(np.random.Generator(np.random.Philox(key=5)), 0, count, kind))
    return columns


def large_block(generator: np.random.Generator, start: int, count: int, kind: PoolKind = "uniform") -> Block:
    """Rows from `start` on, for a large pool; a start above 0 stands for dreams of the last minutes."""
    rows = np.arange(start, start + count)
    coherence = 0.5 + 0.5 * generator.random(count)
    spread_ns = 30 * DAY_NS if start == 0 else DAY_NS // 1000
    ages = np.sort(generator.integers(0, spread_ns, count))[::-1]
    ids = generator.integers(0, 2**63, (count, 2)).astype(np.uint64)
    founders = np.where(generator.random(count) < 0.5, rows - start, generator.integers(0, rows - start + 1))
    colours = generator.random((count, 3))
    match kind:
        case "clustered":
            centres = generator.random((40, 3))[generator.integers(0, 40, count)]
            colours = np.clip(centres + 0.04 * generator.standard_normal((count, 3)), 0.0, 1.0)
        case "one colour":
            colours[:] = (0.3, 0.5, 0.2)
        case "64 lineages":
            founders = generator.integers(0, 64, count)
        case "grid":
            colours, coherence = np.rint(colours * 15) / 16, np.rint(coherence * 16) / 16
    values = (*colours.T, coherence, 1.0 - coherence, NOW_NS - ages, rows + 1, rows % 4)
    return Block(values, ids, ids[founders], keys(rows * 2654435761, rows), count)
