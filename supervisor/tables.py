"""Tables and sizes as text, the same in every command.

In: rows of cells. Out: aligned lines. Nothing is cut: a terminal that is too narrow wraps.
"""

from collections.abc import Collection, Sequence


def draw_table(rows: Sequence[Sequence[str]], left: Collection[int]) -> list[str]:
    """`rows`, headings first, in aligned columns: those numbered in `left` begin together, the others end together."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def size_text(size_bytes: float) -> str:
    """`812 B`, `40.2 KiB`, `12.5 MiB`."""
    for unit in ("B", "KiB", "MiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f} B" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} GiB"
