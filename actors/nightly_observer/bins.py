"""The chroma bins of dreams, as the whole system defines them (`schemas.colour`).

In: colours and rows. Out: a bin for each row; the last is that of the greys.
"""

from actors.nightly_observer.day import Floats, Integers
from schemas.colour import hue_bin


def bins_of(colours: Floats, rows: Integers, bins: int) -> dict[int, int]:
    """The bin of each of `rows`."""
    told = colours[rows].tolist()
    return {row: hue_bin((r, g, b), bins) for row, (r, g, b) in zip(rows.tolist(), told, strict=True)}
