"""Topics as text: tables for a terminal.

In: topics, rates, a kind in words. Out: lines. Nothing is left out that the JSON form has and a person acts on.
"""

from collections.abc import Mapping, Sequence

from schemas.catalogue import CATALOGUE
from supervisor.recorded.kinds import FieldText, KindText
from supervisor.recorded.message_fields import clock_text
from supervisor.recorded.topics import Topic
from supervisor.tables import draw_table, size_text


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
    return [f"  {line}" for line in draw_table([(text.name, text.type, text.doc) for text in fields], left={0, 1, 2})]


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
    return draw_table(rows, left={0, 5, 6})


def draw_rates(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """A line for each row of `frequency_row` or `bandwidth_row`."""
    names = list(rows[0]) if rows else []
    cells = [tuple(_cell(name, row[name]) for name in names) for row in rows]
    heading = tuple(
        name.replace("_bytes_per_s", "/s").replace("_", " ").replace("mean size bytes", "size") for name in names
    )
    return draw_table([heading, *cells], left={0})


def _cell(name: str, value: object) -> str:
    if value is None:
        return "-"
    if name == "bytes" or "_bytes" in name:
        return size_text(float(str(value)))
    return f"{value:.2f}" if isinstance(value, float) else str(value)
