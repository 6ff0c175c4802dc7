"""Restarts, conflicts, new runs and replays: the same persona, the same words (dossier, section 5)."""

import pytest

from actors.friend.core import ARCHIVE, ARCHIVE_PATH, FriendCore
from actors.friend.origin import ORIGIN, README
from bus.core import MessageRef, Observed, Received, Started
from bus.randomness import RandomSource
from schemas.friend import (
    ANSWERS_PATH,
    PauseFriend,
    SayLine,
)
from schemas.friend import ForgetDialog as Forget
from schemas.ids import derived_id
from schemas.persona import (
    DialogCommit,
    DialogForgotten,
    FriendStateRequest,
)
from tests.actors.friend.company import Company, load_settings

ORIGIN_LINES = (
    "Tell me about the keeper and the journal.",
    "What does the dreamer never hear?",
    "Do you remember the first light and the wound?",
    "My friend walked across the field at night.",
    "The rain falls on old words and I am afraid!",
)


def test_a_commit_is_sent_again_after_a_restart_and_applied_once(eager, leo):
    eager.keeper.hear, hear = (
        (lambda message: None if isinstance(message, DialogCommit) else hear(message)),
        eager.keeper.hear,
    )
    leo.offer()
    eager.keeper.hear = hear
    assert eager.keeper.commits == {}

    eager.restart()
    eager.restart()

    assert len(eager.keeper.commits) == 1
    assert eager.keeper.persona("leo").rev == 1
    commits = eager.said(DialogCommit)
    assert len(commits) == 2 and commits[0] == commits[1]


@pytest.mark.parametrize("heard", [1, 2, 3, 4, 5])
def test_a_dialogue_that_a_restart_cuts_short_is_dropped_and_the_persona_is_the_same(heard, eager, leo):
    leo.offer("a")
    eager.now_s += 200.0
    before = eager.keeper.persona("leo").fragments
    leo.silent_after = len(leo.heard) + heard
    leo.offer("b")

    leo.silent_after = None
    eager.restart()

    assert leo.ending.reason == "restarted"
    assert eager.keeper.persona("leo").fragments == before
    eager.now_s += 200.0
    leo.offer("c")
    assert leo.ending.reason == "done"
    assert eager.keeper.persona("leo").rev == 2


def test_a_conflict_is_committed_again_on_the_revision_of_the_keeper(eager, leo):
    eager.keeper.hear(
        DialogForgotten(host_id="leo", dialog_id=derived_id("someone else's"))
    )  # the keeper is one revision on, and the friend does not know

    leo.offer()

    first, second = eager.said(DialogCommit)
    assert (first.base_rev, second.base_rev) == (0, 1)
    assert first.dialog_id == second.dialog_id
    assert list(eager.keeper.commits.values()) == [second]
    assert eager.core.figures()["conflicts"] == 1


def test_the_friend_and_the_keeper_agree_on_the_persona(eager, leo):
    for moment in range(20):
        eager.now_s += 200.0
        leo.offer(moment)

    known = eager.core._memory.friendships["leo"].persona

    assert known.fragments == eager.keeper.persona("leo").fragments
    assert known.rev == eager.keeper.persona("leo").rev == 20


def test_a_new_run_goes_on_with_the_persona_and_the_field_of_the_last():
    first = Company(load_settings(probability=1.0))
    first.talk(ORIGIN_LINES * 8)
    second = Company(load_settings(probability=1.0), keeper=first.keeper)

    second.hand(Observed(ARCHIVE, first.files[ARCHIVE_PATH]))
    second.now_s = first.now_s
    second.talk(ORIGIN_LINES[:2])

    assert second.core.figures()["field_texts"] > 40
    assert second.keeper.persona("field").rev > 0
    assert second.keeper.persona("field").fragments[0].text == first.keeper.persona("field").fragments[0].text


def test_an_archive_that_is_none_is_refused_and_the_field_begins_anew(eager):
    outcome = eager.hand(Observed(ARCHIVE, b"not an archive"))

    assert "field archive" in (outcome.refusal or "")
    assert eager.say("Hello?")


def test_the_recorded_inputs_lead_to_the_same_messages(eager, leo):
    eager.talk(ORIGIN_LINES)
    leo.offer("a")
    eager.hear(PauseFriend(host_id="leo", is_paused=True), "supervisor")
    eager.hear(Forget(host_id="field", dialog_id=next(iter(eager.keeper.commits))), "supervisor")
    eager.talk(ORIGIN_LINES)

    again = FriendCore(eager.settings, RandomSource(42, 1, "friend"), ORIGIN, README)
    said = [send.message for event, now_ns in eager.inputs for send in again.handle(event, now_ns).sends]

    assert sorted(map(repr, said)) == sorted(map(repr, eager.sent))
    assert again.snapshot() == eager.core.snapshot()


@pytest.mark.parametrize("at", [1, 4, 9, 14])
def test_a_restored_friend_goes_on_as_the_one_that_never_stopped(at, eager):
    lines = ORIGIN_LINES * 3
    eager.talk(lines[:at])
    copy = FriendCore(eager.settings, RandomSource(42, 1, "friend"), ORIGIN, README)
    copy.restore(eager.core.snapshot())
    recorded = len(eager.inputs)
    sent = len(eager.sent)
    eager.talk(lines[at:])

    said = [send.message for event, now_ns in eager.inputs[recorded:] for send in copy.handle(event, now_ns).sends]

    assert sorted(map(repr, said)) == sorted(map(repr, eager.sent[sent:]))
    assert copy.snapshot() == eager.core.snapshot()


def test_the_same_words_to_two_runs_of_one_seed_are_answered_alike_and_to_another_otherwise():
    runs = [Company(load_settings(), seed) for seed in (1, 1, 2)]
    for run in runs:
        run.talk(ORIGIN_LINES)

    assert runs[0].answers == runs[1].answers != runs[2].answers


def test_a_start_asks_for_what_is_kept():
    core = FriendCore(load_settings(), RandomSource(42, 1, "friend"), ORIGIN, README)

    outcome = core.handle(Started(1), 0)

    assert [type(send.message) for send in outcome.sends] == [FriendStateRequest]
    before = SayLine(say_id=derived_id("s"), text="Hello")
    answered = core.handle(Received(MessageRef("supervisor", 1, 1), before), 10**18)
    assert [effect.path for effect in answered.effects] == [ANSWERS_PATH]
    assert core.figures()["declined.no_state"] == 1
