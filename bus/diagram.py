"""The topology as a picture: text, DOT and Mermaid, all drawn from the one table.

In: rows of `bus.topology`. Out: text that ends with a newline. What every actor tells the supervisor about its own
process is one line and one edge, so that the picture shows the conversation.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple, get_args

from bus.topology import CONTROL, TOPOLOGY, Row

Format = Literal["text", "dot", "mermaid"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
EVERY_ACTOR: Final = "every actor"


class Edge(NamedTuple):
    """All that one side may say to another."""

    sender: str
    receiver: str
    messages: tuple[str, ...]


def draw(form: Format, rows: Sequence[Row] = TOPOLOGY) -> str:
    """`rows` as a picture in `form`."""
    match form:
        case "text":
            return _text(edges(rows))
        case "dot":
            return _dot(edges(rows))
        case "mermaid":
            return _mermaid(edges(rows))


def edges(rows: Sequence[Row] = TOPOLOGY) -> tuple[Edge, ...]:
    """One edge for each pair that talks, in table order; the control rows are one edge at the end."""
    said: dict[tuple[str, str], list[str]] = {}
    control: dict[str, None] = {}
    for row in rows:
        if row.message in CONTROL:
            control[row.message.kind] = None
        else:
            said.setdefault((row.sender, row.receiver), []).append(row.message.kind)
    drawn = [Edge(sender, receiver, tuple(kinds)) for (sender, receiver), kinds in said.items()]
    if control:
        drawn.append(Edge(EVERY_ACTOR, "supervisor", tuple(control)))
    return tuple(drawn)


def _text(drawn: Sequence[Edge]) -> str:
    sender_width = max(len(edge.sender) for edge in drawn)
    receiver_width = max(len(edge.receiver) for edge in drawn)
    lines = [
        f"{edge.sender:<{sender_width}} -> {edge.receiver:<{receiver_width}}  {', '.join(edge.messages)}"
        for edge in drawn
    ]
    return "\n".join(lines) + "\n"


def _dot(drawn: Sequence[Edge]) -> str:
    lines = ["digraph oneiros {", "    rankdir=LR;", "    node [shape=box, style=rounded];"]
    lines += [f'    "{name}";' for name in _names(drawn)]
    for edge in drawn:
        label = "\\n".join(edge.messages)
        style = ", style=dashed" if edge.sender == EVERY_ACTOR else ""
        lines.append(f'    "{edge.sender}" -> "{edge.receiver}" [label="{label}"{style}];')
    return "\n".join([*lines, "}"]) + "\n"


def _mermaid(drawn: Sequence[Edge]) -> str:
    lines = ["flowchart LR"]
    lines += [f'    {_identifier(name)}["{name}"]' for name in _names(drawn)]
    for edge in drawn:
        label = "<br/>".join(edge.messages)
        arrow = "-.->" if edge.sender == EVERY_ACTOR else "-->"
        lines.append(f'    {_identifier(edge.sender)} {arrow}|"{label}"| {_identifier(edge.receiver)}')
    return "\n".join(lines) + "\n"


def _names(drawn: Iterable[Edge]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for edge in drawn for name in (edge.sender, edge.receiver)))


def _identifier(name: str) -> str:
    return name.replace("-", "_").replace(" ", "_")
