"""What the compiled search is handed, and whether it answers with the bits of numpy.

In: a compiled search. Out: its arguments for a query; and for a small pool, in words, the first query to which it
answers other than scoring and sorting everything does, or None. So a compiler that reorders, fuses or approximates is
found out on the machine on which it would be used.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from actors.pool_keeper.cells import ORDERS, Cells, Grain
from actors.pool_keeper.columns import Columns, Signature
from actors.pool_keeper.filtering import Filters
from actors.pool_keeper.identities import Rows
from actors.pool_keeper.scoring import Measure, Scoring
from schemas.ids import derived_id

Kernel = Callable[..., tuple[int, int]]
"""`actors.pool_keeper.compiled.search`."""
Arrays = tuple[Any, ...]
MEASURES: Final[tuple[Measure, ...]] = ("coherence", "cosine", "composite", "euclidean")
"""As the compiled search numbers them."""
PROBES: Final = 300
PROBED_PLACES: Final = 40
MOST_PLACES: Final = 256
"""Answers that the compiled search has room for: its lists are searched from end to end."""
MOST_SHARED: Final = 256
"""Promising dreams with shared tensors that it has room for."""
MOST_OPEN: Final = 1 << 17
"""Nodes in sight that it has room for."""
NONE_SHARED: Final[Rows] = np.empty(0, dtype=np.int32)


def column_arrays(columns: Columns) -> Arrays:
    """What it is handed of the pool."""
    return (
        columns.red, columns.green, columns.blue, columns.coherence, columns.entropy, columns.ts, columns.ids,
        columns.root, columns.tensor, columns.present,
    )  # fmt: skip


def cell_arrays(cells: Cells) -> Arrays:
    """What it is handed of an order."""
    return (cells.rows, cells.covered, cells.grain.block, *(nodes.arrays for nodes in cells.levels))


def numbers(scoring: Scoring, filters: Filters) -> tuple[float, ...]:
    """What it is handed of a query."""
    least = -1.0 if filters.min_coherence is None else filters.min_coherence
    most = 2.0 if filters.max_entropy is None else filters.max_entropy
    return (
        MEASURES.index(scoring.measure), scoring.red, scoring.green, scoring.blue, scoring.length, scoring.alpha,
        scoring.decay, scoring.as_of_ns, least, most,
    )  # fmt: skip


def scratch() -> Arrays:
    """What it writes to while it searches."""
    return (
        np.empty(MOST_PLACES, dtype=np.int64), np.empty(MOST_PLACES, dtype=np.float64),
        np.empty(MOST_SHARED, dtype=np.int64), np.empty(MOST_SHARED, dtype=np.float64), np.empty(3, dtype=np.int64),
        np.empty(MOST_SHARED, dtype=np.int32), np.empty(MOST_SHARED, dtype=np.float64),
        np.empty(MOST_OPEN, dtype=np.float64), np.empty(MOST_OPEN, dtype=np.int64),
    )  # fmt: skip


def difference(kernel: Kernel) -> str | None:
    """What `kernel` gets wrong, if anything."""
    columns = _pool()
    for number in range(8 * len(MEASURES)):
        red, green, blue = (number % 3 / 2, number % 5 / 4, number % 7 / 6)
        length = float(np.sqrt(np.float64(red * red + green * green + blue * blue)))
        decay = (0.0, 0.02, 1.0, 90.0)[number // 2 % 4]
        scoring = Scoring(MEASURES[number % 4], red, green, blue, length, 0.6, decay, PROBES * 10**14)
        filters = Filters((None, 0.3)[number % 2], (0.9, None)[number % 2])
        cells = Cells(columns, ORDERS[scoring.measure], Grain(block=4, group=16, smallest=64, largest=256))
        cells.cover()
        rows, scores = np.empty(PROBED_PLACES, dtype=np.int64), np.empty(PROBED_PLACES, dtype=np.float64)
        rule = (True, rows[:0], NONE_SHARED)
        kernel(column_arrays(columns), cell_arrays(cells), rule, numbers(scoring, filters), scratch(), rows, scores)
        passing = filters.of_rows(columns, np.arange(PROBES))
        true = scoring.scores(columns, passing)
        order = columns.order(passing, true)[:PROBED_PLACES]
        if rows.tolist() != passing[order].tolist() or scores.tobytes() != true[order].tobytes():
            return f"{scoring} with {filters}"
    return None


def _pool() -> Columns:
    """Dreams without kin; some are black, some lie close together."""
    columns = Columns()
    columns.extend(
        Signature(
            row + 1, derived_id("probe", row), row * 10**14 + row % 3,
            row * 37 % 101 / 100 * (row % 9 > 0), row * 53 % 97 / 96 * (row % 9 > 0),
            row * row % 89 / 88 * (row % 9 > 0),
             row * 71 % 103 / 102, row * 29 % 107 / 106, "image", derived_id("probe", row),
            row.to_bytes(32, "big")[::-1], 0,
        )
        for row in range(PROBES)
    )  # fmt: skip
    return columns
