"""Eviction without any structure: all dreams are sorted for each that leaves. What `actors.pool_keeper.niches` must do.

In: columns, feedback, pinned sequences, rows that are gone already. Out: the row that goes next, by the rule in
`actors.pool_keeper.eviction`, written out again for one dream after another.
"""

from collections import Counter
from collections.abc import Collection, Mapping

from actors.pool_keeper.columns import Columns
from actors.pool_keeper.eviction import Utility
from schemas.colour import Rgb, hue_bin

Cell = tuple[int, int, int, int]


def first_to_go(
    columns: Columns, utilities: Mapping[int, Utility], pinned: Collection[int], bins: int, gone: Collection[int]
) -> int | None:
    """The row that is missed least of those not in `gone`; None when none may go."""
    rows = [row for row in range(columns.count) if row not in gone]
    drawn = {row: _drawn(utilities.get(int(columns.sequence[row]))) for row in rows}
    largest = max(map(abs, drawn.values()), default=0.0)
    cells = {row: _cell(_colour(columns, row), bins) for row in rows}
    totals = Counter(cell[0] for cell in cells.values())
    candidates = [row for row in rows if row != columns.count - 1 and int(columns.sequence[row]) not in pinned]
    if not candidates:
        return None
    niche = min({cells[row][0] for row in candidates}, key=lambda number: (-totals[number], number))

    def ties(row: int) -> tuple[float, int, int]:
        return float(columns.coherence[row]), int(columns.ts[row]), -int(columns.id_of(row).replace("-", ""), 16)

    def place(row: int) -> int:
        standing = (drawn[row], *ties(row))
        return 1 + sum(cells[other] == cells[row] and (drawn[other], *ties(other)) > standing for other in rows)

    def value(row: int) -> float:
        useful = 1.0 + drawn[row] / largest if largest > 0.0 else 1.0
        return useful / place(row)

    return min((row for row in candidates if cells[row][0] == niche), key=lambda row: (value(row), *ties(row)))


def _drawn(utility: Utility | None) -> float:
    return 0.0 if utility is None else utility.total / (utility.records + 1)


def _colour(columns: Columns, row: int) -> Rgb:
    return float(columns.red[row]), float(columns.green[row]), float(columns.blue[row])


def _cell(colour: Rgb, bins: int) -> Cell:
    red, green, blue = (min(15, int(part * 16)) for part in colour)
    return hue_bin(colour, bins), red, green, blue
