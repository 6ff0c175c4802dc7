"""The embedded field behind the port of a host: answers in order, drops what is not due, unhears what is not kept."""

import pytest

from actors.friend.field.host import FieldHost
from actors.friend.origin import ORIGIN, README
from bus.randomness import RandomSource
from schemas.friend import DialogClose, FriendOpen, GenerateLine, LineGenerated, LineObserved, ObserveLine
from schemas.ids import derived_id
from tests.actors.friend.company import START_S, load_settings

DIALOG = derived_id("dialog")
DENSE, JUNK = "The keeper and the journal remember the wound.", "Please pass the pepper and the vinegar."


@pytest.fixture
def field() -> FieldHost:
    host = FieldHost(ORIGIN, README, load_settings(), RandomSource(42, 1, "friend"))
    host.say("The garden is full of roses.", START_S)
    host.hear(FriendOpen(ctx_id=derived_id("ctx"), dialog_id=DIALOG), START_S)
    return host


def ask(step: int, dialog_id: str = DIALOG) -> GenerateLine:
    return GenerateLine(
        dialog_id=dialog_id,
        step=step,
        speaker="leo",
        seed="the journal and the light",
        temperature=0.75,
        semantic_weight=0.5,
        max_tokens=20,
        expert_bias=None,
    )


def tell(step: int, text: str = DENSE) -> ObserveLine:
    return ObserveLine(dialog_id=DIALOG, step=step, speaker="leo", source="dream", text=text)


def test_a_request_is_answered_with_a_line_and_a_line_with_measures(field):
    (said,) = field.hear(ask(0), START_S)
    (heard,) = field.hear(tell(0), START_S)

    assert isinstance(said, LineGenerated) and said.text
    assert isinstance(heard, LineObserved) and heard.measures is not None
    assert heard.now_s == START_S


@pytest.mark.parametrize(
    "requests",
    [[ask(1)], [tell(0)], [ask(0), ask(0)], [ask(0, derived_id("other"))], [ask(0), tell(0), tell(0)]],
    ids=["a later step", "nothing to hear", "twice", "another dialogue", "heard already"],
)
def test_a_request_that_is_not_due_is_dropped_and_counted(requests, field):
    answers = [field.hear(request, START_S) for request in requests]

    assert answers[-1] == ()
    assert field.state.dropped == 1


@pytest.mark.parametrize(("is_kept", "mass"), [(True, 0.75), (False, 0.0)])
def test_a_dialogue_that_is_not_kept_is_unheard(is_kept, mass, field):
    field.hear(ask(0), START_S)
    field.hear(tell(0, "zebra zebra zebra"), START_S)

    field.hear(DialogClose(dialog_id=DIALOG, turns=1, reason="done", is_kept=is_kept), START_S)

    assert field.memory.whole.word("zebra") == mass


def test_a_line_near_the_origin_has_more_trauma_than_one_that_is_not(field):
    measures = []
    for step, text in enumerate((DENSE, JUNK)):
        field.hear(ask(step), START_S)
        (heard,) = field.hear(tell(step, text), START_S)
        measures.append(heard.measures)

    assert measures[0].trauma > 0.6 > 0.4 > measures[1].trauma


def test_the_user_is_not_echoed(field):
    reply, _ = field.say("Xylophone quartz vortex jumps.", START_S)

    assert "ylophone" not in reply


def test_an_offer_has_what_the_field_measured(field):
    _, calm = field.say(JUNK, START_S)
    _, touched = field.say(DENSE, START_S)

    assert touched.trauma > calm.trauma
    assert calm.ctx_id != touched.ctx_id
    assert touched.expert == "field"
