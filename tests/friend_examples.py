"""One example of each message that has to do with the friend, for the tests of the wire."""

from schemas.base import Message
from schemas.friend import (
    DialogClose,
    DialogLimits,
    ForgetDialog,
    FriendDecline,
    FriendOffer,
    FriendOpen,
    GenerateLine,
    LineGenerated,
    LineMeasures,
    LineObserved,
    ObserveLine,
    OriginTold,
    PauseFriend,
    Pulse,
    SayLine,
    TryDialog,
)
from schemas.ids import derived_id
from schemas.persona import (
    CommitReceipt,
    CooldownClaim,
    CooldownReply,
    DialogCommit,
    DialogFacts,
    DialogForgotten,
    DialogTurn,
    Drift,
    Fragment,
    FriendState,
    FriendStateRequest,
    NewFragment,
    PauseNoted,
    PersonaDelta,
    Retention,
)

CTX_ID, DIALOG_ID, ASKED_ID = (derived_id("golden", what) for what in ("ctx", "dialog", "asked"))
HOST = "leo"
START_S = 1_767_225_600.0
PULSE = Pulse(novelty=0.75, arousal=0.25, entropy=0.5)
TEXT = "The lantern remembers the storm: ein Licht, 光."


def friend_messages() -> tuple[Message, ...]:
    """What is said around a dialogue."""
    return (*_of_the_user(), *_of_the_host(), *_of_the_friend(), *_with_the_keeper())


def _of_the_user() -> tuple[Message, ...]:
    return (
        SayLine(say_id=ASKED_ID, text="Who are you?"),
        TryDialog(try_id=ASKED_ID, host_id=HOST),
        PauseFriend(host_id=HOST, is_paused=True),
        ForgetDialog(host_id=HOST, dialog_id=DIALOG_ID),
    )


def _of_the_host() -> tuple[Message, ...]:
    measures = LineMeasures(pulse=PULSE, trauma=0.5, quality=None)
    return (
        OriginTold(host_id=HOST, bootstrap="I was a lamp. I am not one now.", readme=("A field that speaks.",)),
        FriendOffer(
            ctx_id=CTX_ID,
            host_id=HOST,
            now_s=START_S,
            prompt="Who are you?",
            reply="I was a lamp.",
            snapshots=("It was raining.",),
            pulse=PULSE,
            trauma=0.75,
            themes=(3, 11),
            expert="blend:wounded",
            quality=0.5,
            limits=DialogLimits(lines=4, tokens=48, chars=320),
        ),
        LineGenerated(dialog_id=DIALOG_ID, step=0, text=TEXT, error=None),
        LineObserved(dialog_id=DIALOG_ID, step=0, now_s=START_S, measures=measures),
    )


def _of_the_friend() -> tuple[Message, ...]:
    return (
        FriendDecline(ctx_id=CTX_ID, reason="dice"),
        FriendOpen(ctx_id=CTX_ID, dialog_id=DIALOG_ID),
        GenerateLine(
            dialog_id=DIALOG_ID,
            step=0,
            speaker="leo",
            seed="Who are you? I was a lamp.",
            temperature=0.75,
            semantic_weight=0.375,
            max_tokens=48,
            expert_bias="wounded",
        ),
        ObserveLine(dialog_id=DIALOG_ID, step=0, speaker="leo", source="dream", text=TEXT),
        DialogClose(dialog_id=DIALOG_ID, turns=3, reason="done", is_kept=True),
    )


def _with_the_keeper() -> tuple[Message, ...]:
    fragment = Fragment(
        fragment_id=1, text="I was a lamp.", weight=0.5, is_origin=True, dialog_id=None, turn=None, added_rev=1
    )
    return (
        FriendStateRequest(host_id=HOST, request=1),
        FriendState(
            host_id=HOST,
            request=1,
            rev=1,
            next_id=2,
            fragments=(fragment,),
            last_run_s=START_S,
            pause_reason=None,
        ),
        CooldownClaim(claim_id=ASKED_ID, host_id=HOST, now_s=START_S, min_interval_s=180.0, owner="friend"),
        CooldownReply(claim_id=ASKED_ID, host_id=HOST, is_granted=True, last_run_s=START_S),
        commit(),
        CommitReceipt(dialog_id=DIALOG_ID, host_id=HOST, result="applied", rev=2),
        PauseNoted(host_id=HOST, reason="paused by the user"),
        DialogForgotten(host_id=HOST, dialog_id=DIALOG_ID),
    )


def commit(dialog_id: str = DIALOG_ID, **changes: object) -> DialogCommit:
    """A whole dialogue of three lines, from which one is adopted."""
    turns = tuple(
        DialogTurn(
            speaker=speaker,
            text=f"{TEXT} {number}",
            trauma_level=0.5,
            pulse_novelty=0.75,
            pulse_arousal=0.25,
            pulse_entropy=0.5,
        )
        for number, speaker in enumerate(("leo", "friend", "leo"))
    )
    fields = {
        "dialog_id": dialog_id,
        "host_id": HOST,
        "base_rev": 0,
        "facts": DialogFacts(
            ctx_id=CTX_ID,
            started_s=START_S,
            finished_s=START_S + 2.0,
            gates=("trauma", "novelty"),
            dice=0.25,
            probability=0.3,
            avg_trauma=0.5,
            avg_arousal=0.25,
            note="done",
        ),
        "turns": turns,
        "delta": PersonaDelta(
            origin=("I was a lamp.", "I am not one now.", "The storm is over."),
            decay=0.99,
            floor=0.1,
            adopted=(NewFragment(text=f"{TEXT} 1", weight=0.3, turn=1),),
            max_fragments=36,
            origin_quota=24,
        ),
        "drift": Drift(rev=1, origin_share=0.9, lexical_distance=0.5, turnover=None, effective_fragments=3.5),
        "retention": Retention(dialogs=1000, seconds=7_776_000.0),
    }
    return DialogCommit.model_validate(fields | changes)
