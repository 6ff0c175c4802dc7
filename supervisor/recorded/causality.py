"""A graph of what led to what, and ways through it.

In: nodes, edges from a cause to what came of it, and names for nodes. Out: the nodes that a word means, what is
reached from them in either direction, and a forest of it that fits a screen. Refused: a word that means nothing, with
the nearest that do. It knows no kind of message by name.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final, Literal, NamedTuple, get_args

from bus.skimming import SkimmedMessage
from supervisor.errors import UsageError

Relation = Literal[
    "cause", "began", "shaped", "seeded", "parent", "entered", "exemplar", "judged", "retrieved", "refined"
]
"""How the first end of an edge led to the second, in the order in which they are shown.

`cause`: its handling said the message. `began`: a timer, an observation or a start did. `shaped`: a profile guided a
dream. `seeded`, `parent`: a picture, a fact or a dream went into a dream. `entered`: feedback that a profile rests on.
`exemplar`: a profile names the dream. `judged`, `retrieved`: feedback or an answer names the dream. `refined`: a
profile is the one before.
"""
RELATIONS: Final[tuple[Relation, ...]] = get_args(Relation)
Direction = Literal["causes", "effects"]

LEAST_PREFIX: Final = 4
NEAREST: Final = 5


class UnknownMessageError(UsageError):
    """A word that means no message of the run, or several."""


class Edge(NamedTuple):
    """One tie; `source` came first."""

    source: str
    target: str
    relation: Relation
    note: str = ""
    """The figure that belongs to it, such as a utility or a share."""


class Taken(NamedTuple):
    """How a message was handled."""

    actor: str
    step: int
    wall_ns: int
    refusal: str | None


@dataclass(slots=True)
class Node:
    """A message, or something outside the messages that led to one."""

    id: str
    kind: str
    """A kind of message, or what else it is: a timer, an observation, a picture."""
    summary: str = ""
    wall_ns: int | None = None
    message: SkimmedMessage | None = None
    """Without its body; None for what is no message."""
    taken: Taken | None = None


@dataclass
class Graph:
    """Everything that was said in a run, and how it hangs together."""

    nodes: dict[str, Node] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    """What people know nodes by, to their ids: a profile goes to several actors."""
    causes: dict[str, list[Edge]] = field(default_factory=dict)
    effects: dict[str, list[Edge]] = field(default_factory=dict)

    def link(self, edge: Edge) -> None:
        """Add `edge`."""
        self.causes.setdefault(edge.target, []).append(edge)
        self.effects.setdefault(edge.source, []).append(edge)

    def name(self, name: str, node_id: str) -> None:
        """Let `name` mean `node_id` too."""
        known = self.names.setdefault(name, [])
        if node_id not in known:
            known.append(node_id)

    def edges_from(self, node_id: str, direction: Direction) -> list[Edge]:
        """The edges of a node in one direction, by relation, the oldest first."""
        edges = (self.causes if direction == "causes" else self.effects).get(node_id, [])
        return sorted(edges, key=lambda edge: RELATIONS.index(edge.relation))

    def resolve(self, text: str) -> tuple[str, ...]:
        """The nodes that `text` means: an id, a name, or a unique beginning of a name. Raises UnknownMessageError."""
        if text in self.nodes:
            return (text,)
        if text in self.names:
            return tuple(self.names[text])
        found = [name for name in self.names if name.startswith(text)] if len(text) >= LEAST_PREFIX else []
        if len(found) != 1:
            raise UnknownMessageError(self._complaint(text, found))
        return tuple(self.names[found[0]])

    def _complaint(self, text: str, found: Sequence[str]) -> str:
        if found:
            return f"{text} is the beginning of {len(found)} ids, among them {', '.join(found[:NEAREST])}"
        near = self._nearest(text)
        if near:
            return f"nothing in this run is called {text}; the nearest: {', '.join(near)}"
        known = next(iter(self.nodes), None)
        advice = f"a message has an id such as {known}" if known is not None else "the run holds no message yet"
        return f"nothing in this run is called {text}; {advice}"

    def _nearest(self, text: str) -> list[str]:
        sender, epoch, seq = _parts_of(text)
        if any(name.startswith(f"{sender}/") for name in self.nodes) and seq >= 0:
            same = [name for name in self.nodes if _parts_of(name)[0] == sender and _parts_of(name)[2] >= 0]
            return sorted(same, key=lambda name: _distance(_parts_of(name), epoch, seq))[:NEAREST]
        every = [name for name in (*self.names, *self.nodes) if _shared(name, text)]
        return sorted(every, key=lambda name: -_shared(name, text))[:NEAREST]


def _parts_of(name: str) -> tuple[str, int, int]:
    """Sender, epoch and seq of a message id; numbers below 0 for any other name."""
    parts = name.split("/")
    if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
        return parts[0], int(parts[1]), int(parts[2])
    return parts[0], -1, -1


def _distance(parts: tuple[str, int, int], epoch: int, seq: int) -> tuple[int, int]:
    return abs(parts[1] - epoch), abs(parts[2] - seq)


def _shared(name: str, text: str) -> int:
    """How many characters at the beginning both have in common."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(name, text, strict=False)))


class Reached(NamedTuple):
    """What lies within some edges of a few nodes, in one direction."""

    depths: dict[str, int]
    """Node to its least number of edges, in the order in which they were reached."""
    edges: tuple[Edge, ...]
    """Those between what was reached."""
    is_cut: bool
    """Whether there is more beyond the depth."""


def reach(graph: Graph, starts: Sequence[str], direction: Direction, depth: int | None) -> Reached:
    """Everything within `depth` edges of `starts`; None for no limit."""
    depths = dict.fromkeys(starts, 0)
    edges: dict[Edge, None] = {}
    is_cut = False
    queue = deque(starts)
    while queue:
        node_id = queue.popleft()
        for edge in graph.edges_from(node_id, direction):
            other = other_end(edge, direction)
            if other not in depths and depth is not None and depths[node_id] >= depth:
                is_cut = True
                continue
            edges[edge] = None
            if other not in depths:
                depths[other] = depths[node_id] + 1
                queue.append(other)
    return Reached(depths, tuple(edges), is_cut)


def other_end(edge: Edge, direction: Direction) -> str:
    """The end of `edge` that it leads to when it is followed in `direction`."""
    return edge.source if direction == "causes" else edge.target


@dataclass
class Branch:
    """A node of a forest, with what hangs on it by relation."""

    node_id: str
    edge: Edge | None = None
    children: list["Branch"] = field(default_factory=list)
    elsewhere: dict[Relation, list[str]] = field(default_factory=dict)
    """What more there is and is shown at another place."""
    left_out: dict[Relation, list[str]] = field(default_factory=dict)
    """What more there is and is not shown, for want of width or depth."""


class Limits(NamedTuple):
    """How much of a graph fits a screen."""

    depth: int | None
    """Edges from the first node; None for all."""
    width: int
    """Nodes for each relation of a root; with every edge away from it half as many, and never less than one."""


def grow_forest(graph: Graph, starts: Sequence[str], direction: Direction, limits: Limits) -> list[Branch]:
    """A branch for each of `starts`; every node stands once, as near to its root as it can."""
    roots = [Branch(start) for start in starts]
    shown = set(starts)
    queue = deque((root, 0) for root in roots)
    while queue:
        branch, depth = queue.popleft()
        for edge in graph.edges_from(branch.node_id, direction):
            other = other_end(edge, direction)
            if other in shown:
                branch.elsewhere.setdefault(edge.relation, []).append(other)
            elif depth == limits.depth or _children_by(branch, edge.relation) >= max(1, limits.width >> depth):
                branch.left_out.setdefault(edge.relation, []).append(other)
            else:
                shown.add(other)
                branch.children.append(Branch(other, edge))
                queue.append((branch.children[-1], depth + 1))
    return roots


def walk_forest(roots: Sequence[Branch]) -> Iterator[Branch]:
    """Every branch of `roots`, each before what hangs on it."""
    for root in roots:
        yield root
        yield from walk_forest(root.children)


def _children_by(branch: Branch, relation: Relation) -> int:
    return sum(child.edge is not None and child.edge.relation == relation for child in branch.children)
