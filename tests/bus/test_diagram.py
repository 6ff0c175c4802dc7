"""The picture of the conversation is the topology, no more and no less."""

import re

import pytest

from bus.diagram import FORMATS, draw, edges
from bus.topology import CONTROL, TOPOLOGY, Row
from schemas.bias import BiasProfile
from schemas.dreams import DreamEntry


def test_edges_say_exactly_the_rows_of_the_loop():
    drawn = {
        (edge.sender, kind, edge.receiver) for edge in edges() if edge.sender != "every actor" for kind in edge.messages
    }

    assert drawn == {(row.sender, row.message.kind, row.receiver) for row in TOPOLOGY if row.message not in CONTROL}


def test_what_every_actor_tells_the_supervisor_is_one_edge():
    (edge,) = [edge for edge in edges() if edge.receiver == "supervisor"]

    assert edge.sender == "every actor"
    assert edge.messages == tuple(message.kind for message in CONTROL)


@pytest.mark.parametrize("form", FORMATS)
def test_every_role_and_message_is_in_every_form(form):
    picture = draw(form)

    for row in TOPOLOGY:
        assert row.message.kind in picture
        assert row.receiver in picture


@pytest.mark.parametrize("form", FORMATS)
def test_another_table_gives_another_picture(form):
    rows = (Row("dreamer", DreamEntry, "pool-keeper"), Row("bias-synthesizer", BiasProfile, "dreamer"))

    picture = draw(form, rows)

    assert "DreamEntry" in picture
    assert "learner" not in picture


def test_identifiers_of_mermaid_hold_no_hyphen():
    for line in draw("mermaid").splitlines()[1:]:
        assert re.match(r"^    [a-z_]+(\[| --| -\.)", line), line
