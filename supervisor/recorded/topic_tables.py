"""Topics as text: tables for a terminal.

In: topics, rates, a kind in words. Out: lines. Nothing is left out that the JSON form has and a person acts on.
"""

from collections.abc import Mapping, Sequence

from schemas.catalogue import CATALOGUE
from supervisor.recorded.kinds import FieldText, KindText
from supervisor.recorded.message_fields import clock_text
from supervisor.recorded.topics import Topic


def draw_kind(described: KindText) -> list[str]:
    """What a kind of message holds, and who may say it."""
    pairs = [f"{sender} -> {receiver}" for sender, receiver in described.rows]
    kept = "" if described.is_journalled else "; about processes, never journalled"
    lines = [
        f"{described.kind}, version {described.version}{kept}",
        *described.doc.splitlines(),
        "",
        f"may go  {', '.join(pairs) or 'nowhere'}",
        f"golden  {described.golden}",
        "",
        *_field_lines(described.fields),
    ]
    for name, fields in described.records:
        lines += ["", name, *_field_lines(fields)]
    return lines


def _field_lines(fields: Sequence[FieldText]) -> list[str]:
    return [f"  {line}" for line in table([(text.name, text.type, text.doc) for text in fields], left={0, 1, 2})]


def draw_topics(topics: Mapping[str, Topic]) -> list[str]:
    """A row for each topic."""
    rows = [("kind", "version", "messages", "bytes", "last", "from", "to")]
    for topic in topics.values():
        said = ",".join(map(str, sorted(topic.versions)))
        rows.append(
            (
                topic.kind,
                said or str(CATALOGUE[topic.kind].version),
                str(topic.messages),
                size_text(topic.size_bytes),
                clock_text(topic.last_ns) if topic.last_ns is not None else "-",
                ", ".join(sorted(topic.senders)) or "-",
                ", ".join(sorted(topic.receivers)) or "-",
            )
        )
    return table(rows, left={0, 5, 6})


def draw_rates(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """A line for each row of `frequency_row` or `bandwidth_row`."""
    names = list(rows[0]) if rows else []
    cells = [tuple(_cell(name, row[name]) for name in names) for row in rows]
    heading = tuple(
        name.replace("_bytes_per_s", "/s").replace("_", " ").replace("mean size bytes", "size") for name in names
    )
    return table([heading, *cells], left={0})


def size_text(size_bytes: float) -> str:
    """`812 B`, `40.2 KiB`, `12.5 MiB`."""
    for unit in ("B", "KiB", "MiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f} B" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} GiB"


def table(rows: Sequence[Sequence[str]], left: set[int]) -> list[str]:
    """`rows` with aligned columns; those in `left` begin together, the others end together."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _cell(name: str, value: object) -> str:
    if value is None:
        return "-"
    if name == "bytes" or "_bytes" in name:
        return size_text(float(str(value)))
    return f"{value:.2f}" if isinstance(value, float) else str(value)
