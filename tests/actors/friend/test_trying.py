"""A dialogue that the user asks for runs whatever gates and dice say, and leaves nothing behind."""

import json

import pytest

from schemas.friend import ANSWERS_PATH, Answers, DialogClose, FriendDecline, GenerateLine, PauseFriend, TryDialog
from schemas.ids import derived_id
from schemas.persona import CooldownClaim, DialogCommit
from tests.actors.friend.company import LEO_ORIGIN, Company, Host

TRY = derived_id("try")
CLOSED = {"trauma": 0.0, "quality": None}
"""A moment that opens no gate."""


def ask(company: Company, host_id: str) -> None:
    company.hear(TryDialog(try_id=TRY, host_id=host_id), "supervisor")


def tried(company: Company) -> dict[str, object] | None:
    text = Answers.model_validate_json(company.files[ANSWERS_PATH]).to(TRY) if ANSWERS_PATH in company.files else None
    return None if text is None else json.loads(text)


def test_the_field_is_tried_at_once_and_forgets_it(make_company):
    company = make_company(probability=0.0)
    company.talk(["The sea was calm.", "A lamp burns in the night."])
    before = company.core.field.memory.archive()

    ask(company, "field")

    assert tried(company) in [{"host_id": "field", "turns": turns, "reason": "done"} for turns in (3, 4)]
    assert company.core.field.memory.archive() == before
    assert company.said(DialogCommit, CooldownClaim) == []


def test_a_foreign_host_is_tried_at_its_next_moment_and_told_that_nothing_is_kept(make_company):
    company = make_company(probability=0.0)
    host = Host(company, "learner-2", "leo")
    host.tell_origin(LEO_ORIGIN)

    ask(company, "leo")
    waiting = tried(company)
    host.offer(1, **CLOSED)
    host.offer(2, **CLOSED)

    assert waiting is None
    assert tried(company)["reason"] == "done"
    (close,) = host.of(DialogClose)
    assert (close.is_kept, close.turns) == (False, tried(company)["turns"])
    assert [each.reason for each in host.of(FriendDecline)] == ["gate"]
    assert (company.keeper.commits, company.keeper.persona("leo").last_run_s) == ({}, None)


def test_a_broken_hook_shows(eager):
    mute = Host(eager, "learner-2", "leo", say=lambda _: None)
    mute.tell_origin(LEO_ORIGIN)

    ask(eager, "leo")
    mute.offer(**CLOSED)

    assert tried(eager) == {"host_id": "leo", "turns": 0, "reason": "generate_failed"}


def test_a_host_that_offers_no_moment_is_not_waited_for_for_ever(eager, leo):
    ask(eager, "leo")
    eager.late("trial", "leo")
    leo.offer(**CLOSED)

    assert tried(eager) == {"host_id": "leo", "turns": 0, "reason": "no_offer"}
    assert leo.of(GenerateLine) == []


def test_a_host_that_nobody_knows_is_told_to_be_unknown_and_none_is_made_of_it(eager):
    ask(eager, "nobody")

    assert tried(eager) == {"host_id": "nobody", "turns": 0, "reason": "unknown_host"}
    assert eager.core.figures()["hosts"] == 1


@pytest.mark.parametrize("host_id", ["field", "leo"])
def test_a_paused_friend_is_not_tried(host_id, eager, leo):
    eager.hear(PauseFriend(host_id=host_id, is_paused=True), "supervisor")

    ask(eager, host_id)
    leo.offer(**CLOSED)

    assert tried(eager) == {"host_id": host_id, "turns": 0, "reason": "disabled"}


def test_a_trial_that_a_restart_cuts_short_is_told(eager, leo):
    leo.silent_after = 2
    ask(eager, "leo")
    leo.offer(**CLOSED)

    eager.restart()

    assert tried(eager)["reason"] == "restarted"
    assert eager.keeper.commits == {}
