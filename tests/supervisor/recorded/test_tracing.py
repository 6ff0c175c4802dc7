"""Tracing: from a profile back to feedback, queries, dreams and pictures, and forward to what came of it."""

import json
from pathlib import Path

import pytest

from bus.core import Fired, MessageRef, Observed, Started
from schemas import Message
from schemas.bias import BiasProfile, Exemplar
from schemas.dreams import Ancestor, DreamEntry
from schemas.feedback import FeedbackBatch, FeedbackStored
from schemas.ids import derived_id
from schemas.retrieval import RetrievalQuery, RetrievedSet
from supervisor.cli import run_cli
from supervisor.recorded.causality import (
    Edge,
    Graph,
    Limits,
    Node,
    UnknownMessageError,
    grow_forest,
    reach,
    walk_forest,
)
from supervisor.recorded.conversation import Conversation
from supervisor.recorded.tracing import build_graph
from tests.written_run import WrittenRun

PICTURE, FIRST, SECOND, PROFILE = (derived_id("traced", name) for name in ("picture", "first", "second", "profile"))
QUERIES = [derived_id("traced", "query", number) for number in range(3)]
BATCHES = [derived_id("traced", "batch", number) for number in range(3)]
TIMER = Fired("episode")


def ident(ref: MessageRef) -> str:
    return "/".join(map(str, ref))


class Loop:
    """A written run that goes once round the loop, and the ids of what was said in it."""

    def __init__(self, folder: Path, examples: dict[str, Message]) -> None:
        self.run = WrittenRun(folder)
        self.examples = examples
        self.run.step("dreamer", 0, event=Started(1))

    def dream(self, at_s: float, dream_id: str, profile: str | None = None, parents: tuple[str, ...] = ()) -> str:
        ancestor = Ancestor(source="image", ancestor_id=PICTURE, share=1.0, split="train")
        facts = {"id": dream_id, "profile_id": profile, "parents": parents, "ancestry": (ancestor,)}
        (ref,) = self.run.step("dreamer", at_s, event=TIMER, pool_keeper=self._like(DreamEntry, **facts))
        self.run.step("pool-keeper", at_s + 0.01, event=ref)
        return ident(ref)

    def round(self, at_s: float, number: int, dreams: tuple[str, ...]) -> dict[str, str]:
        """A query, its answer, the tensors, feedback on all of them; ids by kind."""
        query_id, batch_id = QUERIES[number], BATCHES[number]
        query = self._like(RetrievalQuery, query_id=query_id)
        answer = self._like(RetrievedSet, query_id=query_id, entries=tuple(self._entry(dream) for dream in dreams))
        (asked,) = self.run.step("learner", at_s, event=Fired("round"), pool_keeper=query)
        (answered,) = self.run.step("pool-keeper", at_s + 0.01, event=asked, learner=answer)
        request, tensors = self.examples["BatchRequest"], self.examples["LearningBatch"]
        (wanted,) = self.run.step("learner", at_s + 0.02, event=answered, pool_keeper=request)
        (served,) = self.run.step("pool-keeper", at_s + 0.03, event=wanted, learner=tensors)
        batch = self._like(FeedbackBatch, batch_id=batch_id, records=tuple(self._record(dream) for dream in dreams))
        (judged,) = self.run.step("learner", at_s + 0.04, event=served, pool_keeper=batch)
        news = self._like(FeedbackStored, batch_id=batch_id, records=self._stored(dreams))
        receipt = self.examples["FeedbackReceipt"]
        sends = {"learner": receipt, "bias_synthesizer": news}
        _, stored = self.run.step("pool-keeper", at_s + 0.05, event=judged, **sends)
        refs = {"query": asked, "answer": answered, "request": wanted, "tensors": served, "judged": judged}
        return {name: ident(ref) for name, ref in (refs | {"stored": stored}).items()}

    def hear(self, at_s: float, stored: str, refusal: str | None = None, **profile: object) -> tuple[str, str]:
        """The synthesizer takes feedback; with `profile` it makes one: ids to the dreamer and to the keeper."""
        sender, epoch, seq = stored.split("/")
        return self._profile(at_s, MessageRef(sender, int(epoch), int(seq)), refusal, **profile)

    def carry(self, at_s: float, profile_id: str) -> tuple[str, str]:
        """The synthesizer takes over the profile of an earlier run."""
        return self._profile(at_s, Observed("previous_profile", b"{}"), None, profile_id=profile_id)

    def _profile(
        self, at_s: float, event: MessageRef | Observed, refusal: str | None, **facts: object
    ) -> tuple[str, str]:
        if not facts:
            self.run.step("bias-synthesizer", at_s, event=event, refusal=refusal)
            return "", ""
        profile = self._like(BiasProfile, **{"exemplars": (), **facts})
        sends = {"dreamer": profile, "pool_keeper": profile}
        to_dreamer, to_keeper = self.run.step("bias-synthesizer", at_s, event=event, **sends)
        self.run.step("dreamer", at_s + 0.01, event=to_dreamer)
        return ident(to_dreamer), ident(to_keeper)

    def graph(self, titles: dict[str, str] | None = None, *, is_capped: bool = True) -> Graph:
        conversation = Conversation(self.run.folder)
        return build_graph(conversation.steps(), titles or {}, is_capped=is_capped)

    def _like(self, cls: type[Message], **changes: object) -> Message:
        return self.examples[cls.kind].model_copy(update=changes)

    def _entry(self, dream_id: str) -> object:
        (entry,) = self.examples["RetrievedSet"].entries
        return entry.model_copy(update={"facts": entry.facts.model_copy(update={"id": dream_id})})

    def _record(self, dream_id: str) -> object:
        (record,) = self.examples["FeedbackBatch"].records
        return record.model_copy(update={"entry_id": dream_id})

    def _stored(self, dreams: tuple[str, ...]) -> tuple[object, ...]:
        (record,) = self.examples["FeedbackStored"].records
        return tuple(record.model_copy(update={"entry_id": dream}) for dream in dreams)


@pytest.fixture
def loop(tmp_path: Path, examples: dict[str, Message]) -> Loop:
    home = tmp_path / "home"
    run_id = "20300317T174640Z-0001"
    (home / "runs" / run_id).mkdir(parents=True)
    return Loop(home / "journal" / run_id, examples)


def ties(graph: Graph, target: str) -> set[tuple[str, str]]:
    return {(edge.relation, edge.source) for edge in graph.causes.get(target, ())}


def whole_loop(loop: Loop) -> dict[str, str]:
    first = loop.dream(1, FIRST)
    ids = loop.round(2, 0, (FIRST,))
    exemplars = (Exemplar(dream_id=FIRST, weight=1.0),)
    to_dreamer, to_keeper = loop.hear(3, ids["stored"], profile_id=PROFILE, feedback_total=1, exemplars=exemplars)
    second = loop.dream(4, SECOND, profile=PROFILE, parents=(FIRST,))
    return ids | {"first": first, "second": second, "to_dreamer": to_dreamer, "to_keeper": to_keeper}


def test_each_message_is_tied_to_what_led_to_it(loop: Loop) -> None:
    ids = whole_loop(loop)

    graph = loop.graph()

    picture = f"picture/{PICTURE}"
    assert ties(graph, ids["first"]) == {("began", "dreamer/1/step-2"), ("seeded", picture)}
    assert ties(graph, ids["query"]) == {("began", "learner/1/step-1")}
    assert ties(graph, ids["answer"]) == {("cause", ids["query"]), ("retrieved", ids["first"])}
    assert ties(graph, ids["tensors"]) == {("cause", ids["request"])}
    assert ties(graph, ids["judged"]) == {("cause", ids["tensors"]), ("judged", ids["first"])}
    assert ties(graph, ids["stored"]) == {("cause", ids["judged"])}
    assert ties(graph, ids["to_dreamer"]) == {
        ("cause", ids["stored"]),
        ("entered", ids["stored"]),
        ("exemplar", ids["first"]),
    }
    assert ties(graph, ids["second"]) == {
        ("began", "dreamer/1/step-4"),
        ("seeded", picture),
        ("parent", ids["first"]),
        ("shaped", ids["to_dreamer"]),
    }


def test_a_shaped_dream_goes_back_to_the_picture_behind_the_feedback(loop: Loop) -> None:
    ids = whole_loop(loop)

    reached = reach(loop.graph(), [ids["second"]], "causes", None)

    assert {f"picture/{PICTURE}", ids["query"], "learner/1/step-1", ids["first"]} <= set(reached.depths)
    assert not reached.is_cut


def test_a_dream_leads_to_the_feedback_that_names_it_and_the_profile_that_counts_it(loop: Loop) -> None:
    ids = whole_loop(loop)

    reached = reach(loop.graph(), [ids["first"]], "effects", None)

    assert set(reached.depths) >= {ids[name] for name in ("judged", "stored", "to_dreamer", "to_keeper", "second")}


def test_depth_limits_what_is_reached_and_says_so(loop: Loop) -> None:
    ids = whole_loop(loop)

    reached = reach(loop.graph(), [ids["stored"]], "causes", 1)

    assert set(reached.depths) == {ids["stored"], ids["judged"]}
    assert reached.is_cut


def test_a_profile_rests_on_the_newest_feedback_up_to_its_records(loop: Loop) -> None:
    loop.dream(1, FIRST)
    rounds = [loop.round(2 + number, number, (FIRST, FIRST)) for number in range(3)]
    loop.hear(5.1, rounds[0]["stored"])
    loop.hear(5.2, rounds[1]["stored"])
    profile, _ = loop.hear(5.3, rounds[2]["stored"], profile_id=PROFILE, feedback_total=4)

    entered = [source for relation, source in ties(loop.graph(), profile) if relation == "entered"]

    assert sorted(entered) == sorted([rounds[1]["stored"], rounds[2]["stored"]])


def test_feedback_that_the_synthesizer_refused_enters_no_profile(loop: Loop) -> None:
    rounds = [loop.round(2 + number, number, (FIRST,)) for number in range(2)]
    loop.hear(5.1, rounds[0]["stored"], refusal="no")
    profile, _ = loop.hear(5.2, rounds[1]["stored"], profile_id=PROFILE, feedback_total=2)

    assert ("entered", rounds[0]["stored"]) not in ties(loop.graph(), profile)


def test_a_profile_is_tied_to_the_one_before_when_its_step_is_capped(loop: Loop) -> None:
    carried, _ = loop.carry(1, derived_id("traced", "earlier"))
    ids = loop.round(2, 0, (FIRST,))
    profile, _ = loop.hear(3, ids["stored"], profile_id=PROFILE, feedback_total=1)

    assert ("refined", carried) in ties(loop.graph(), profile)
    assert ("refined", carried) not in ties(loop.graph(is_capped=False), profile)


def test_a_profile_of_an_earlier_run_begins_with_an_observation(loop: Loop) -> None:
    carried, _ = loop.carry(1, PROFILE)

    graph = loop.graph()

    assert ties(graph, carried) == {("began", "bias-synthesizer/1/step-1")}
    assert graph.nodes["bias-synthesizer/1/step-1"].kind == "observation"


def test_a_dream_of_an_earlier_run_stands_for_itself(loop: Loop) -> None:
    ids = loop.round(2, 0, (FIRST,))

    graph = loop.graph()

    assert ("judged", f"dream/{FIRST}") in ties(graph, ids["judged"])
    assert graph.resolve(FIRST) == (f"dream/{FIRST}",)


def test_who_took_a_message_and_why_it_was_refused_is_known(loop: Loop) -> None:
    ids = loop.round(2, 0, (FIRST,))
    loop.hear(3, ids["stored"], refusal="not today")

    taken = loop.graph().nodes[ids["stored"]].taken

    assert taken is not None
    assert (taken.actor, taken.step, taken.refusal) == ("bias-synthesizer", 1, "not today")


def test_names_mean_messages(loop: Loop) -> None:
    ids = whole_loop(loop)

    graph = loop.graph({PICTURE: "coffee.png"})

    assert graph.resolve(ids["query"]) == (ids["query"],)
    assert graph.resolve(FIRST) == (ids["first"],)
    assert graph.resolve(FIRST[:8]) == (ids["first"],)
    assert graph.resolve(PROFILE) == (ids["to_dreamer"], ids["to_keeper"])
    assert graph.resolve(QUERIES[0]) == (ids["query"],)
    assert graph.resolve(BATCHES[0]) == (ids["judged"],)
    assert graph.resolve("coffee.png") == graph.resolve(PICTURE) == (f"picture/{PICTURE}",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("learner/1/99", "the nearest: learner/1/3, learner/1/2, learner/1/1$"),
        ("learner/7/1", "the nearest: learner/1/1, learner/1/2"),
        ("dreamer/1/", "the nearest: dreamer/1/"),
        (FIRST[:8] + "-0000", f"the nearest: {FIRST}"),
        ("!", "a message has an id such as"),
    ],
)
def test_a_name_that_means_nothing_is_refused_with_the_nearest(loop: Loop, text: str, reason: str) -> None:
    whole_loop(loop)

    with pytest.raises(UnknownMessageError, match=reason):
        loop.graph().resolve(text)


def test_a_message_id_is_never_completed_and_an_ambiguous_beginning_is_refused() -> None:
    graph = Graph()
    for name in ("abcd-1", "abcd-2"):
        graph.name(name, "learner/1/11")
    graph.nodes["learner/1/11"] = Node("learner/1/11", "FeedbackBatch")

    for text, reason in (("learner/1/1", "the nearest: learner/1/11"), ("abcd", "2 ids, among them abcd-1, abcd-2")):
        with pytest.raises(UnknownMessageError, match=reason):
            graph.resolve(text)


def test_a_forest_says_what_it_leaves_out(loop: Loop) -> None:
    for number in range(3):
        loop.dream(1 + number, derived_id("traced", "dream", number))

    (root,) = grow_forest(loop.graph(), [f"picture/{PICTURE}"], "effects", Limits(depth=4, width=2))

    assert [child.node_id for child in root.children] == ["dreamer/1/1", "dreamer/1/2"]
    assert root.left_out == {"seeded": ["dreamer/1/3"]}


def test_a_forest_shows_each_node_once_and_says_where_it_stands_too(loop: Loop) -> None:
    ids = whole_loop(loop)

    shown = list(walk_forest(grow_forest(loop.graph(), [ids["second"]], "causes", Limits(None, 9))))

    branches = {branch.node_id: branch for branch in shown}
    assert len(shown) == len(branches)
    assert branches[ids["to_dreamer"]].elsewhere["exemplar"] == [ids["first"]]


def test_a_forest_narrows_with_every_edge_and_never_ends_early() -> None:
    graph = Graph()
    for level in range(4):
        for number in range(5):
            graph.link(Edge(f"{level}.0", f"{level + 1}.{number}", "cause"))

    branch = grow_forest(graph, ["0.0"], "effects", Limits(None, 4))[0]

    widths = []
    while branch.children:
        widths.append(len(branch.children))
        branch = branch.children[0]
    assert widths == [4, 2, 1, 1]


def traced(loop: Loop, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    home = loop.run.folder.parent.parent
    assert run_cli(["trace", "--home", str(home), *arguments]) == 0
    return capsys.readouterr().out


def test_trace_draws_both_directions(loop: Loop, capsys: pytest.CaptureFixture[str]) -> None:
    ids = whole_loop(loop)

    lines = traced(loop, capsys, ids["stored"]).splitlines()

    assert "FeedbackStored" in lines[1] and ids["stored"] in lines[1]
    back, forth = lines.index("what led to it"), lines.index("what it led to")
    assert f"cause: 17:46:42.040 FeedbackBatch {ids['judged']} -> pool-keeper" in lines[back + 1]
    assert any("timer round" in line for line in lines[back:forth])
    assert any(ids["second"] in line and "shaped" in line for line in lines[forth:])


def test_trace_as_json_is_a_graph(loop: Loop, capsys: pytest.CaptureFixture[str]) -> None:
    ids = whole_loop(loop)

    found = json.loads(traced(loop, capsys, FIRST, "--json", "--depth", "1"))

    assert found["starts"] == [ids["first"]]
    assert {node["id"] for node in found["nodes"]} == {
        *(ids[name] for name in ("first", "second", "answer", "judged", "to_dreamer", "to_keeper")),
        "dreamer/1/step-2",
        f"picture/{PICTURE}",
    }
    assert {"from": ids["first"], "to": ids["second"], "relation": "parent", "note": ""} in found["edges"]
    assert found["is_cut"] == {"causes": False, "effects": True}
    (node,) = [node for node in found["nodes"] if node["id"] == ids["first"]]
    assert node["taken"]["by"] == "pool-keeper" and node["kind"] == "DreamEntry"


def test_trace_shows_no_field_of_a_damaged_message(loop: Loop, capsys: pytest.CaptureFixture[str]) -> None:
    ids = whole_loop(loop)
    loop.run.flip("dreamer", -1)

    found = traced(loop, capsys, ids["second"])

    assert "damaged: its frame fails its checksum" in found
    assert SECOND[:8] not in found


def test_trace_of_the_unknown_ends_with_2(loop: Loop, capsys: pytest.CaptureFixture[str]) -> None:
    loop.dream(1, FIRST)
    home = loop.run.folder.parent.parent

    assert run_cli(["trace", "--home", str(home), "dreamer/1/2"]) == 2

    assert "the nearest: dreamer/1/1" in capsys.readouterr().err
