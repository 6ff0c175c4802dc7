"""The messages of the friend are strict, and survive the wire."""

import pytest
from pydantic import ValidationError

from actors.friend.origin import ORIGIN
from bus.codec import encode_body, unpack
from schemas.base import Message
from schemas.friend import DialogLimits, GenerateLine, LineGenerated, ObserveLine, Pulse
from schemas.ids import derived_id
from tests.actors.friend.company import Company, Host, load_settings

DIALOG = derived_id("dialog")


def test_everything_that_is_said_survives_the_wire():
    company = Company(load_settings(probability=1.0))
    host = Host(company, "learner-2", "leo")
    host.tell_origin()
    host.offer()
    company.talk([ORIGIN.strip().splitlines()[0]] * 3)
    heard = [event.message for event, _ in company.inputs if hasattr(event, "message")]

    for message in (*company.sent, *heard):
        assert type(message).model_validate(unpack(encode_body(message))) == message
    assert len({type(message) for message in (*company.sent, *heard)}) >= 13


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_pulse_is_in_range(value):
    with pytest.raises(ValidationError):
        Pulse(novelty=value, arousal=0.5, entropy=0.5)


@pytest.mark.parametrize("limits", [(2, 48, 320), (9, 48, 320), (4, 61, 320), (4, 48, 2000)])
def test_a_host_can_grant_so_much(limits):
    with pytest.raises(ValidationError):
        DialogLimits(lines=limits[0], tokens=limits[1], chars=limits[2])


@pytest.mark.parametrize(("text", "error"), [(None, None), ("a", "b")])
def test_a_line_is_a_text_or_an_error(text, error):
    with pytest.raises(ValidationError, match="either"):
        LineGenerated(dialog_id=DIALOG, step=0, text=text, error=error)


def test_a_lone_surrogate_is_no_text():
    with pytest.raises(ValidationError):
        LineGenerated(dialog_id=DIALOG, step=0, text="\ud800", error=None)


def test_a_dream_is_always_said_to_be_one():
    with pytest.raises(ValidationError):
        ObserveLine(dialog_id=DIALOG, step=0, speaker="leo", source="user", text="x")


@pytest.mark.parametrize("temperature", [0.0, 5.0, float("nan")])
def test_a_temperature_is_in_range(temperature):
    with pytest.raises(ValidationError):
        GenerateLine(
            dialog_id=DIALOG,
            step=0,
            speaker="leo",
            seed="",
            temperature=temperature,
            semantic_weight=0.5,
            max_tokens=10,
            expert_bias=None,
        )


def test_no_message_of_the_friend_has_a_default_that_looks_at_the_world():
    found = [cls for cls in Message.__subclasses__() if cls.__module__ in ("schemas.friend", "schemas.persona")]

    assert len(found) == 21
    assert [cls.kind for cls in found if any(not each.is_required() for each in cls.model_fields.values())] == []
