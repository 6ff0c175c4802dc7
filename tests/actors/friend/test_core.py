"""The friend between its hosts and its keeper: claims first, commits once, keeps apart (dossier, section 5)."""

import pytest

from bus.core import Fired, Observed
from schemas.feedback import ArmResult, EpochReport, Kpis
from schemas.friend import (
    DialogClose,
    FriendDecline,
    FriendOpen,
    GenerateLine,
    OriginTold,
    PauseFriend,
    Pulse,
    SayLine,
)
from schemas.friend import ForgetDialog as Forget
from schemas.ids import derived_id
from schemas.persona import (
    CommitReceipt,
    CooldownClaim,
    CooldownReply,
    DialogCommit,
    FriendStateRequest,
    PauseNoted,
)
from tests.actors.friend.company import KEEPER, START_S, Company, Host, Keeper, load_settings

ORIGIN_LINES = (
    "Tell me about the keeper and the journal.",
    "What does the dreamer never hear?",
    "Do you remember the first light and the wound?",
    "My friend walked across the field at night.",
    "The rain falls on old words and I am afraid!",
)
DAY = 86_400.0


def epoch_report() -> EpochReport:
    arms = tuple(
        ArmResult(arm=name, steps=1, train_loss=1.0, probe_loss=1.0, test_loss=1.0, test_accuracy=accuracy)
        for name, accuracy in (("dreams", 0.75), ("no-dreams", 0.5))
    )
    kpis = Kpis(
        selection_precision=0.75, utilization_rate=1.0, improvement_delta=None, coverage=None, recency_ratio=None
    )
    return EpochReport(
        epoch=1,
        rounds=1,
        feedback_records=1,
        kpis=kpis,
        tau=0.0,
        recent_days=1.0,
        arms=arms,
        probe_loss_at_start=2.0,
    )


def test_the_user_is_answered_and_sees_nothing_of_the_friend(eager):
    eager.talk(ORIGIN_LINES * 3)

    said = {turn.text for commit in eager.keeper.commits.values() for turn in commit.turns}

    assert len(eager.keeper.commits) >= 10
    assert len(eager.answers) == 15
    assert not said & set(eager.answers)
    assert {type(message) for message in eager.sent} == {FriendStateRequest, CooldownClaim, DialogCommit}


def test_no_line_of_a_dialogue_is_in_a_note_or_a_figure(eager):
    eager.talk(ORIGIN_LINES * 3)

    told = " ".join([*(note.text for note in eager.notes), *map(str, eager.core.figures().values())])
    said = [turn.text for commit in eager.keeper.commits.values() for turn in commit.turns]

    assert said
    assert not [text for text in [*said, *ORIGIN_LINES] if text in told]


def test_twenty_turns_of_talk_run_at_the_gated_rate(make_company):
    opened = offered = 0
    for seed in range(8):
        company = Company(load_settings(), seed)
        company.talk(ORIGIN_LINES * 4)
        figures = company.core.figures()
        opened += int(figures["dialogs_opened"] or 0)
        offered += 20 - int(figures.get("declined.gate", 0) or 0)

    assert 0.2 < opened / offered < 0.4


def test_the_cooldown_is_claimed_before_a_word_is_said(eager, leo):
    eager.is_keeper_there = False
    leo.offer()

    assert eager.said(CooldownClaim)
    assert leo.of(FriendOpen, GenerateLine) == []


def test_a_claim_that_another_has_taken_is_declined(eager, leo):
    eager.is_keeper_there = False
    leo.offer()
    (claim,) = eager.said(CooldownClaim)
    reply = CooldownReply(claim_id=claim.claim_id, host_id="leo", is_granted=False, last_run_s=START_S - 1.0)

    eager.hear(reply, KEEPER)

    assert leo.ending == FriendDecline(ctx_id=leo.make_offer().ctx_id, reason="cooldown")


def test_a_keeper_that_is_silent_is_not_waited_for(eager, leo):
    eager.is_keeper_there = False
    leo.offer()

    eager.late("claim", "leo")

    assert leo.ending.reason == "no_state"


@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        ({"trauma": 0.5, "pulse": Pulse(novelty=0.7, arousal=1.0, entropy=1.0)}, "gate"),
        ({"quality": 0.34, "trauma": 0.1}, "gate"),
    ],
)
def test_a_closed_gate_leaves_no_trace(moment, reason, eager, leo):
    before = len(eager.sent)

    leo.offer(**moment)

    assert leo.ending.reason == reason
    assert [type(message) for message in eager.sent[before:]] == [FriendDecline]
    assert eager.core.figures()["declined.gate"] == 1


def test_dice_that_do_not_fall_leave_no_trace(make_company):
    company = make_company(probability=0.0)
    host = Host(company, "learner-2", "leo")
    host.tell_origin()

    host.offer()

    assert host.ending.reason == "dice"
    assert company.said(CooldownClaim) == []


def test_a_second_moment_within_the_interval_is_declined(eager, leo):
    leo.offer("a")
    eager.now_s += 179.9
    leo.offer("b")
    eager.now_s += 0.1
    leo.offer("c")

    assert [each.reason for each in leo.of(FriendDecline)] == ["cooldown"]
    assert len(leo.opened) == 2


def test_an_offer_from_within_a_dialogue_is_declined_as_busy(eager, leo):
    leo.silent_after = 2
    leo.offer("a")
    eager.now_s += 1000.0
    leo.offer("b")

    assert leo.ending.reason == "busy"
    assert len(leo.opened) == 1


@pytest.mark.parametrize("jump_s", [-DAY, -100.0, -1.0, DAY])
def test_no_step_of_the_clock_silences_the_friend_for_more_than_an_interval(jump_s, eager, leo):
    leo.offer("a")
    eager.now_s += jump_s
    leo.offer("b")
    eager.now_s += 180.0
    leo.offer("c")

    assert len(leo.opened) >= 2
    assert eager.keeper.persona("leo").last_run_s == eager.now_s


def test_a_host_without_a_told_origin_is_asked_for_it(eager):
    host = Host(eager, "learner-2", "leo")

    host.offer("a")
    host.offer("b")
    host.tell_origin()
    host.offer("c")

    assert [each.reason for each in host.of(FriendDecline)] == ["no_state", "no_origin"]
    assert host.ending.reason == "done"


def test_two_hosts_keep_their_dialogues_and_personas_apart(eager, leo):
    mia = Host(
        eager, "learner-3", "mia", say=lambda request: f"Whales sing of depth {request.step} and of kelp forests."
    )
    mia.tell_origin("Whales sing. The kelp forest is deep. Depth is home.")
    leo.silent_after = 2
    leo.offer("x")
    mia.offer("x")
    leo.silent_after = None
    eager.late("answer", "leo")
    eager.now_s += 200.0
    leo.offer("y")

    texts = {host: " ".join(f.text for f in eager.keeper.persona(host).fragments) for host in ("leo", "mia")}

    assert (mia.ending.reason, leo.ending.reason) == ("done", "done")
    assert "lighthouse" in texts["leo"] and "lighthouse" not in texts["mia"]
    assert "kelp" in texts["mia"] and "kelp" not in texts["leo"]
    assert {commit.host_id for commit in eager.keeper.commits.values()} == {"leo", "mia"}


def test_a_persona_follows_its_host_to_another_instance(eager, leo):
    leo.offer("a")
    again = Host(eager, "learner-9", "leo")
    eager.now_s += 200.0

    again.offer("b")

    assert again.ending.reason == "done"
    assert eager.keeper.persona("leo").rev == 2


def test_nobody_else_may_be_the_field(eager):
    host = Host(eager, "learner-2", "field")

    host.tell_origin("I am the field now.")
    host.offer()

    assert len(eager.refusals) == 2
    assert host.heard == []


def test_there_is_room_for_a_bounded_number_of_hosts(eager):
    hosts = [Host(eager, f"learner-{index}", f"host-{index}") for index in range(2, 50)]
    for host in hosts:
        host.tell_origin()
        host.offer()

    assert eager.core.figures()["hosts"] == 32
    assert hosts[-1].ending.reason == "busy"


def test_a_pause_of_the_user_holds_until_the_user_ends_it(eager, leo):
    eager.hear(PauseFriend(host_id="leo", is_paused=True), "supervisor")
    leo.offer("a")
    eager.hear(PauseFriend(host_id="leo", is_paused=False), "supervisor")
    leo.offer("b")

    assert [each.reason for each in leo.of(FriendDecline)] == ["disabled"]
    assert leo.ending.reason == "done"
    assert [each.reason for each in eager.said(PauseNoted)] == ["paused by the user", None]


def test_a_pause_outlives_the_run(eager, leo):
    eager.hear(PauseFriend(host_id="leo", is_paused=True), "supervisor")
    later = Company(load_settings(probability=1.0), keeper=eager.keeper)
    host = Host(later, "learner-2", "leo")
    host.tell_origin()

    host.offer()

    assert host.ending.reason == "disabled"


@pytest.mark.parametrize(
    ("limit", "name"),
    [
        ({"least_origin_share": 1.0}, "origin_share"),
        ({"max_prompt_echo": 0.0}, "prompt_echo"),
        ({"least_distinct": 1.0}, "distinct_3"),
    ],
)
def test_a_crossed_limit_pauses_the_friend_and_says_which(limit, name, make_company):
    company = make_company(probability=1.0, **limit)
    company.talk(ORIGIN_LINES * 6)

    (noted,) = company.said(PauseNoted)

    assert noted.reason.startswith(name)
    assert company.core.figures()["paused"] == noted.reason
    assert company.core.figures()["declined.disabled"] > 0


def test_a_forgotten_dialogue_is_gone_from_persona_pool_and_field(eager):
    eager.talk(ORIGIN_LINES * 2)
    dialog_id = [key for key, each in eager.keeper.commits.items() if each.delta.adopted][-1]
    adopted = {each.text for each in eager.keeper.commits[dialog_id].delta.adopted}
    texts = int(eager.core.figures()["field_texts"] or 0)

    eager.hear(Forget(host_id="field", dialog_id=dialog_id), "supervisor")

    assert not adopted & set(eager.fragments)
    assert dialog_id not in eager.keeper.commits
    assert eager.core._memory.friendships["field"].persona.rev == eager.keeper.persona("field").rev
    assert int(eager.core.figures()["field_texts"] or 0) < texts


def test_what_the_system_reports_is_heard(eager):
    eager.hear(epoch_report(), "learner")

    assert eager.core.field.memory.waking.word("learner") > 1.0
    assert eager.core.field.memory.remembered[0] == 1


@pytest.mark.parametrize(
    "message", [EpochReport, SayLine, OriginTold, CommitReceipt, CooldownReply], ids=lambda cls: cls.kind
)
def test_stray_messages_break_nothing(message, eager):
    stray = {
        EpochReport: epoch_report(),
        SayLine: SayLine(say_id=derived_id("s"), text="\u202e\u202e"),
        OriginTold: OriginTold(host_id="x", bootstrap="", readme=()),
        CommitReceipt: CommitReceipt(dialog_id=derived_id("d"), host_id="leo", result="applied", rev=9),
        CooldownReply: CooldownReply(claim_id=derived_id("c"), host_id="leo", is_granted=True, last_run_s=1.0),
    }[message]

    eager.hear(stray, "somebody")

    assert eager.say("Hello?")


def test_messages_and_observations_that_are_none_are_refused(eager):
    eager.hear(DialogClose(dialog_id=derived_id("d"), turns=0, reason="done", is_kept=False), "learner")
    eager.hand(Observed("weather", b""))

    assert len(eager.refusals) == 2
    assert eager.hand(Fired("answer/nobody")).refusal is None


def test_after_many_dialogues_the_friend_has_drifted_and_is_still_anchored(eager):
    eager.talk(ORIGIN_LINES * 14)

    fragments = eager.keeper.persona("field").fragments
    commits = list(eager.keeper.commits.values())

    assert len(commits) >= 50
    assert any(commit.delta.adopted for commit in commits[:10])
    assert sum(fragment.is_origin for fragment in fragments) == eager.settings.origin_quota
    assert any(not fragment.is_origin for fragment in fragments)
    assert all(eager.settings.floor <= fragment.weight <= 1.0 for fragment in fragments)
    assert len(fragments) <= eager.settings.max_fragments
    assert Keeper().persona("field").rev == 0
