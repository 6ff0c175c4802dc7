"""From the steps of a run to the graph of what led to what.

In: steps in the order of `supervisor.recorded.conversation`, the titles of pictures and facts. Out: a graph of
messages, of the timers, observations and starts at their roots, and of the pictures and facts that dreams are
made of, with the ties that the messages themselves state. Pure: it reads no file. A dream that this run only
heard of, being one of an earlier run, is a node of its own; a message whose fields are not those of its kind has
no ties but its cause.

The feedback that entered a profile is the latest that its synthesizer took, up to the number of records that the
profile says it rests on: a window ends with the newest batch and holds batches whole (design, 5.10).
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from bus.core import Fired, MessageRef, Observed
from bus.errors import DecodeError
from bus.skimming import SkimmedMessage, SkimmedStep
from schemas.bias import BiasProfile
from schemas.dreams import DreamEntry
from schemas.feedback import FeedbackBatch, FeedbackStored
from schemas.retrieval import BatchRequest, LearningBatch, RetrievalQuery, RetrievedSet
from supervisor.recorded.causality import Edge, Graph, Node, Relation, Taken
from supervisor.recorded.message_fields import Fields, brief, cause_text, fields_of

OWN_NAMES: Final[Mapping[str, str]] = {
    DreamEntry.kind: "id",
    BiasProfile.kind: "profile_id",
    RetrievalQuery.kind: "query_id",
    FeedbackBatch.kind: "batch_id",
}
"""The field by which people know a message of a kind."""
SUMMARISED: Final[Mapping[str, tuple[str, ...]]] = {
    DreamEntry.kind: ("id", "source", "generation", "coherence"),
    BiasProfile.kind: ("profile_id", "feedback_total", "chroma_prior"),
    RetrievalQuery.kind: ("query_id", "k", "mode"),
    FeedbackBatch.kind: ("batch_id", "records"),
    FeedbackStored.kind: ("batch_id", "records"),
    RetrievedSet.kind: ("query_id", "entries"),
    BatchRequest.kind: ("query_id", "entry_ids"),
    LearningBatch.kind: ("query_id", "entry_ids"),
}
"""What a line shows of a kind; of others the first few fields."""
MOST_FIELDS: Final = 3


class _Entered(NamedTuple):
    """Feedback that a synthesizer took."""

    node_id: str
    records: int


class GraphBuilder:
    """Takes the steps of a run, in order, into a graph."""

    def __init__(self, titles: Mapping[str, str], *, is_capped: bool = True) -> None:
        """`titles`: what pictures and facts are called. `is_capped`: whether a profile moves from the one before."""
        self.graph = Graph()
        self._titles = titles
        self._is_capped = is_capped
        self._records: dict[str, int] = {}
        self._taken: dict[str, list[_Entered]] = {}
        self._dreams: dict[str, str] = {}
        self._profiles: dict[tuple[str, str], str] = {}
        """Profile and its hearer, to the message that brought it."""
        self._last_profiles: dict[tuple[str, str], str] = {}
        """Sender and receiver, to the last profile that went between them."""

    def take(self, step: SkimmedStep) -> None:
        """Add what `step` handled and said."""
        if isinstance(step.event, MessageRef):
            self._note_taken(step, cause_text(step.event))
        for message in step.messages:
            self._add(message)

    def _note_taken(self, step: SkimmedStep, node_id: str) -> None:
        node = self.graph.nodes.get(node_id)
        if node is not None:
            node.taken = Taken(step.actor, step.number, step.wall_ns, step.refusal)
        if node_id in self._records and step.refusal is None:
            self._taken.setdefault(step.actor, []).append(_Entered(node_id, self._records[node_id]))

    def _add(self, message: SkimmedMessage) -> None:
        node_id = message.message_id
        try:
            fields = fields_of(message)
        except DecodeError:
            fields = {}
        bare = message._replace(body=b"")
        self.graph.nodes[node_id] = Node(node_id, message.kind, _summary(message.kind, fields), message.wall_ns, bare)
        self._link_cause(message, node_id)
        try:
            self._link_content(message, node_id, fields)
        except (KeyError, TypeError, ValueError, AttributeError):
            return

    def _link_cause(self, message: SkimmedMessage, node_id: str) -> None:
        nodes, event, cause = self.graph.nodes, message.event, cause_text(message.event)
        if isinstance(event, MessageRef):
            nodes.setdefault(cause, Node(cause, "message", "not in the journals that can be read"))
            self.graph.link(Edge(cause, node_id, "cause"))
            return
        root = f"{message.ref.sender}/{message.ref.epoch}/step-{message.step}"
        kind = "timer" if isinstance(event, Fired) else "observation" if isinstance(event, Observed) else "start"
        nodes.setdefault(root, Node(root, kind, cause.partition(" ")[2], message.wall_ns))
        self.graph.link(Edge(root, node_id, "began"))

    def _link_content(self, message: SkimmedMessage, node_id: str, fields: Fields) -> None:
        own_name = OWN_NAMES.get(message.kind)
        if own_name is not None:
            self.graph.name(fields[own_name], node_id)
        match message.kind:
            case DreamEntry.kind:
                self._link_dream(message, node_id, fields)
            case BiasProfile.kind:
                self._link_profile(message, node_id, fields)
            case RetrievedSet.kind:
                for rank, entry in enumerate(fields["entries"], start=1):
                    note = f"rank {rank}, score {entry['score']:.4g}"
                    self._link_dream_to(node_id, entry["facts"]["id"], "retrieved", note)
            case FeedbackBatch.kind:
                for record in fields["records"]:
                    self._link_dream_to(node_id, record["entry_id"], "judged", f"utility {record['utility']:.4g}")
            case FeedbackStored.kind:
                self._records[node_id] = len(fields["records"])

    def _link_dream(self, message: SkimmedMessage, node_id: str, fields: Fields) -> None:
        self._dreams[fields["id"]] = node_id
        if fields["profile_id"] is not None:
            shaping = self._profiles.get((fields["profile_id"], message.ref.sender))
            self.graph.link(Edge(shaping or self._stranger("profile", fields["profile_id"]), node_id, "shaped"))
        for parent in fields["parents"]:
            self._link_dream_to(node_id, parent, "parent", "")
        for part in fields["ancestry"]:
            if part["ancestor_id"] is not None:
                kind = "picture" if part["source"] == "image" else "fact"
                source = self._stranger(kind, part["ancestor_id"])
                self.graph.link(Edge(source, node_id, "seeded", f"share {part['share']:.3g}"))

    def _link_profile(self, message: SkimmedMessage, node_id: str, fields: Fields) -> None:
        sender, receiver = message.ref.sender, message.receiver
        self._profiles[fields["profile_id"], receiver] = node_id
        before = self._last_profiles.get((sender, receiver))
        self._last_profiles[sender, receiver] = node_id
        if isinstance(message.event, MessageRef):
            if before is not None and self._is_capped:
                self.graph.link(Edge(before, node_id, "refined"))
            for entered in _latest(self._taken.get(sender, ()), fields["feedback_total"]):
                self.graph.link(Edge(entered.node_id, node_id, "entered", f"{entered.records} records"))
        for exemplar in fields["exemplars"]:
            self._link_dream_to(node_id, exemplar["dream_id"], "exemplar", f"weight {exemplar['weight']:.3g}")

    def _link_dream_to(self, node_id: str, dream_id: str, relation: Relation, note: str) -> None:
        dream = self._dreams.get(dream_id) or self._stranger("dream", dream_id)
        self.graph.link(Edge(dream, node_id, relation, note))

    def _stranger(self, kind: str, name: str) -> str:
        """The node of something that no message of this run is: a picture, a fact, a dream of an earlier run."""
        node_id = f"{kind}/{name}"
        if node_id not in self.graph.nodes:
            title = self._titles.get(name, "" if kind in ("picture", "fact") else "not said in this run")
            self.graph.nodes[node_id] = Node(node_id, kind, title)
            self.graph.name(name, node_id)
            if kind == "picture" and title:
                self.graph.name(title, node_id)
        return node_id


def build_graph(steps: Iterable[SkimmedStep], titles: Mapping[str, str], *, is_capped: bool = True) -> Graph:
    """The graph of `steps`; see `GraphBuilder`."""
    builder = GraphBuilder(titles, is_capped=is_capped)
    for step in steps:
        builder.take(step)
    return builder.graph


def _latest(taken: Iterable[_Entered], records: int) -> list[_Entered]:
    """The newest of `taken` that hold `records` records together, oldest first."""
    found: list[_Entered] = []
    for entered in reversed(tuple(taken)):
        if records <= 0:
            break
        found.append(entered)
        records -= entered.records
    return found[::-1]


def _summary(kind: str, fields: Fields) -> str:
    names = [name for name in SUMMARISED.get(kind, ()) if name in fields] or list(fields)[:MOST_FIELDS]
    return ", ".join(_field_text(name, fields[name]) for name in names)


def _field_text(name: str, value: object) -> str:
    """`k=8`; of a list of other things than numbers only how many."""
    is_counted = isinstance(value, tuple) and not all(isinstance(entry, int | float) for entry in value)
    return f"{len(value)} {name}" if isinstance(value, tuple) and is_counted else f"{name}={brief(value, name)}"
