"""A trace: one message of a run, what led to it and what it led to.

In: a home, the name of a run, the name of a message, a depth. Out: a report, drawn as two trees or as a JSON graph.
Whatever it shows was checked: a message whose frame fails its checksum stands as damaged, without its fields. It
reads journals, the manifest and the titles of pictures and facts, and nothing else.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bus.errors import MissingInputError
from schemas.inputs import InputSet
from supervisor.home import Home
from supervisor.log_lines import DIM, RESET, colour_of, printable, utc_text
from supervisor.recorded.causality import (
    RELATIONS,
    Branch,
    Direction,
    Graph,
    Limits,
    Node,
    grow_forest,
    reach,
    walk_forest,
)
from supervisor.recorded.conversation import Conversation
from supervisor.recorded.listening import ChosenRun, choose_run, read_through
from supervisor.recorded.message_fields import clock_text
from supervisor.recorded.tracing import build_graph
from supervisor.runs import RunFolder

LONGEST_TITLE: Final = 60
MOST_NAMED: Final = 2
"""Nodes that are named although they stand elsewhere."""
HEADINGS: Final[Mapping[Direction, str]] = {"causes": "what led to it", "effects": "what it led to"}


@dataclass
class TraceReport:
    """One message of a run with its causes and effects."""

    run: ChosenRun
    graph: Graph
    starts: tuple[str, ...]
    depth: int | None
    conversation: Conversation

    def tree(self) -> dict[str, object]:
        """The report as a JSON object: nodes, and edges from a cause to what came of it."""
        back, forth = (reach(self.graph, self.starts, way, self.depth) for way in HEADINGS)
        ids = list(dict.fromkeys((*back.depths, *forth.depths)))
        self.check(ids)
        return {
            "run": self.run.run_id,
            "is_live": self.run.is_live,
            "starts": list(self.starts),
            "depth": self.depth,
            "is_cut": {"causes": back.is_cut, "effects": forth.is_cut},
            "nodes": [_node_tree(self.graph.nodes[node_id]) for node_id in ids],
            "edges": [
                {"from": edge.source, "to": edge.target, "relation": edge.relation, "note": edge.note}
                for edge in dict.fromkeys((*back.edges, *forth.edges))
            ],
        }

    def draw(self, width: int, is_coloured: bool) -> list[str]:
        """The report as two trees, each node once; `width` is that of `Limits`."""
        limits = Limits(self.depth, width)
        forests = {way: grow_forest(self.graph, self.starts, way, limits) for way in HEADINGS}
        self.check([branch.node_id for forest in forests.values() for branch in walk_forest(forest)])
        pen = _Pen(self.graph, is_coloured)
        lines = [f"run {self.run.run_id}"]
        for start in self.starts:
            lines += [pen.node(start), *(f"  {line}" for line in _fate(self.graph.nodes[start]))]
        for way, heading in HEADINGS.items():
            lines += ["", heading]
            for root in forests[way]:
                drawn = list(pen.below(root, way, ""))
                named = [pen.node(root.node_id)] if len(self.starts) > 1 and drawn else []
                lines += [*named, *drawn]
            if lines[-1] == heading:
                lines[-1] += ": nothing that the journals know"
        return lines

    def check(self, ids: Sequence[str]) -> None:
        """Take the fields away from every message of `ids` that fails its checksum."""
        for node_id in ids:
            node = self.graph.nodes[node_id]
            if node.message is None or node.message.is_checked:
                continue
            try:
                self.conversation.payloads_of(node.message)
            except MissingInputError:
                node.summary = "damaged: its frame fails its checksum"


def trace_message(home: Home, run_name: str, text: str, depth: int | None) -> TraceReport:
    """The trace of what `text` means. Raises UnknownMessageError, or UsageError for the run."""
    run = choose_run(home, run_name)
    titles, is_capped = _context(run.folder)
    conversation = Conversation(run.folder.journal)
    graph = build_graph(read_through(conversation), titles, is_capped=is_capped)
    return TraceReport(run, graph, graph.resolve(text), depth, conversation)


def _context(run: RunFolder) -> tuple[dict[str, str], bool]:
    """What the pictures and facts of a run are called, and whether its profiles move from the one before.

    Read from the manifest without insisting on today's form: a recording outlives the settings of its time.
    """
    try:
        manifest = json.loads(run.manifest_file.read_bytes())
        is_capped = float(manifest["settings"]["bias"]["max_step"]) > 0.0
        inputs = InputSet.from_bytes((run.home.inputs / f"{manifest['inputs_sha256']}.msgpack").read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        return {}, True
    titles = {picture.image_id: picture.name for picture in inputs.pictures}
    return titles | {fact.factoid_id: fact.text for fact in inputs.factoids}, is_capped


class _Pen:
    """Draws branches."""

    def __init__(self, graph: Graph, is_coloured: bool) -> None:
        self._graph = graph
        self._is_coloured = is_coloured

    def node(self, node_id: str) -> str:
        """One node on one line."""
        node = self._graph.nodes[node_id]
        message = node.message
        if message is None:
            time = clock_text(node.wall_ns) if node.wall_ns is not None else ""
            name = node.id if node.wall_ns is not None else node.id.partition("/")[2][:8]
            return " ".join(part for part in (time, node.kind, _title(node.summary), self._dimmed(f"({name})")) if part)
        time = clock_text(message.wall_ns)
        tone, end = (colour_of(message.ref.sender), RESET) if self._is_coloured else ("", "")
        refused = f", refused: {printable(node.taken.refusal)}" if node.taken and node.taken.refusal else ""
        said = f"{time} {tone}{node.kind}{end} {node.id} -> {message.receiver}"
        return f"{said}{self._dimmed(f', {node.summary}')}{refused}"

    def below(self, branch: Branch, way: Direction, indent: str) -> Iterator[str]:
        """What hangs on `branch`, a node a line."""
        rows = list(self._rows(branch))
        for number, (child, text) in enumerate(rows, start=1):
            is_last = number == len(rows)
            yield f"{indent}{'└─' if is_last else '├─'} {text}"
            if child is not None:
                yield from self.below(child, way, indent + ("   " if is_last else "│  "))

    def _rows(self, branch: Branch) -> Iterator[tuple[Branch | None, str]]:
        for relation in RELATIONS:
            for child in branch.children:
                if child.edge is not None and child.edge.relation == relation:
                    note = f" ({child.edge.note})" if child.edge.note else ""
                    yield child, f"{relation}{note}: {self.node(child.node_id)}"
            for rest, fate in ((branch.elsewhere, "shown elsewhere"), (branch.left_out, "left out")):
                if relation in rest:
                    yield None, self._dimmed(f"{relation}: {_together(rest[relation])} {fate}")

    def _dimmed(self, text: str) -> str:
        return f"{DIM}{text}{RESET}" if self._is_coloured else text


def _title(text: str) -> str:
    text = printable(text)
    return text if len(text) <= LONGEST_TITLE else f"{text[: LONGEST_TITLE - 3]}..."


def _together(ids: Sequence[str]) -> str:
    """A few ids by name, many by number."""
    return ", ".join(ids) if len(ids) <= MOST_NAMED else f"{len(ids)} more"


def _fate(node: Node) -> Iterator[str]:
    if node.message is None:
        return
    if node.taken is None:
        yield f"not taken by {node.message.receiver} so far"
        return
    after_ms = (node.taken.wall_ns - node.message.wall_ns) / 1e6
    yield f"taken by {node.taken.actor} at step {node.taken.step}, {after_ms:.1f} ms later"


def _node_tree(node: Node) -> dict[str, object]:
    message, taken = node.message, node.taken
    tree: dict[str, object] = {
        "id": node.id,
        "kind": node.kind,
        "summary": node.summary,
        "at": utc_text(node.wall_ns / 1e9) if node.wall_ns is not None else None,
    }
    if message is not None:
        tree |= {"sender": message.ref.sender, "receiver": message.receiver, "step": message.step}
        tree["taken"] = None
    if taken is not None:
        at = utc_text(taken.wall_ns / 1e9)
        tree["taken"] = {"by": taken.actor, "step": taken.step, "at": at, "refusal": taken.refusal}
    return tree
