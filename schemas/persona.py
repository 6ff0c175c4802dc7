"""What the friend asks the pool-keeper to keep, and the keeper's rules for it (seed 001, section 3).

In: messages of the friend, and a persona as stored. Out: the persona after them, and the answer. Everything here is
pure, so that the keeper, a replay and a test apply the very same rules. Refused: a commit on another revision than the
one stored (`conflict`: the friend asks for the state, and commits again on it).

Exchange, per `host_id`:

    friend -> keeper   FriendStateRequest   at every start, and after a conflict   -> FriendState
    friend -> keeper   CooldownClaim        when the gates are open and the dice fell, before a word is said
                                                                                   -> CooldownReply (`claim_cooldown`)
    friend -> keeper   DialogCommit         once, after the last line              -> CommitReceipt (`apply_commit`)
    friend -> keeper   PauseNoted           when the friend is paused or goes on
    friend -> keeper   DialogForgotten      when the user forgets a dialogue       -> FriendState (`forget_dialog`)

The keeper applies each in one transaction of its own, on four tables (columns of the seed first, then ours):

    dream_meta                  key, value; keys are HOST/KEY: `rev`, `next_id`, `dream_last_run_ts`, `last_claim`,
                                `pause_reason`
    dream_bootstrap_fragments   id, text, weight; host_id, fragment_id, is_origin, dialog_key, turn, added_rev
    dream_dialogs               id, started_at, finished_at, episodes_count, avg_trauma, avg_arousal, note;
                                host_id, dialog_key (unique: the idempotency key), ctx_id, gates, dice, probability,
                                drift_rev, origin_share, lexical_distance, turnover, effective_fragments
    dream_turns                 id, dialog_id, speaker, text, trauma_level, pulse_novelty, pulse_arousal, pulse_entropy

A commit that came already (its dialog_key is stored, or was stored and is forgotten) changes nothing. Dialogues beyond
the retention of a commit are deleted with it (`expired`); of a forgotten one the key stays, without its turns.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field

from schemas.base import Count, Message, Record, Unit
from schemas.friend import MAX_LINES, Gate, HostId, LineText, Seconds, Speaker
from schemas.ids import InstanceText, UuidText

MAX_FRAGMENTS = 256
Weight = Annotated[float, Field(gt=0.0, le=1.0)]


class Fragment(Record):
    """One piece of the text that the friend is made of."""

    fragment_id: Count
    text: LineText
    weight: Weight
    is_origin: bool
    dialog_id: UuidText | None
    """The dialogue that it was adopted from; None for the origin."""
    turn: Count | None
    added_rev: Count


class NewFragment(Record):
    """A line that the friend takes into itself."""

    text: LineText
    weight: Weight
    turn: Count


class PersonaDelta(Record):
    """What a dialogue changes in a persona: rules, not rows."""

    origin: Annotated[tuple[LineText, ...], Field(max_length=MAX_FRAGMENTS)]
    """The first fragments, for a persona that has none."""
    decay: Annotated[float, Field(gt=0.0, le=1.0)]
    floor: Weight
    adopted: Annotated[tuple[NewFragment, ...], Field(max_length=2)]
    max_fragments: Annotated[int, Field(ge=4, le=MAX_FRAGMENTS)]
    origin_quota: Annotated[int, Field(ge=3, le=MAX_FRAGMENTS)]
    """Origin fragments that no eviction touches: the heaviest, then the oldest."""


class DialogTurn(Record):
    """One line as it is kept."""

    speaker: Speaker
    text: LineText
    trauma_level: Unit
    pulse_novelty: Unit
    pulse_arousal: Unit
    pulse_entropy: Unit


class DialogFacts(Record):
    """Why and when a dialogue ran. Of the user's words it keeps none."""

    ctx_id: UuidText
    started_s: Seconds
    finished_s: Seconds
    gates: Annotated[tuple[Gate, ...], Field(min_length=1, max_length=3)]
    """Those that were open."""
    dice: Unit
    probability: Unit
    avg_trauma: Unit
    avg_arousal: Unit
    note: Annotated[str, Field(max_length=256)]


class Drift(Record):
    """How far the persona has come with a dialogue, by the instruments of the friend."""

    rev: Count
    """The revision that the commit makes."""
    origin_share: Unit
    """Share of the origin in the sum of the weights."""
    lexical_distance: Unit | None
    """One minus the cosine between adopted and origin words; None before anything is adopted."""
    turnover: Unit | None
    """Share of the fragments that were not there ten dialogues ago; None before there were as many."""
    effective_fragments: Annotated[float, Field(ge=0.0, le=MAX_FRAGMENTS + 1.0)]
    """How many equal fragments would be as varied."""


class Retention(Record):
    """What is deleted with a commit: dialogues of the same host beyond either limit."""

    dialogs: Annotated[int, Field(ge=1, le=1_000_000)]
    seconds: Annotated[float, Field(gt=0.0, le=1e11)]


class DialogCommit(Message):
    """A whole dialogue with all that it changes. friend -> pool-keeper."""

    is_private: ClassVar[bool] = True
    dialog_id: UuidText
    host_id: HostId
    base_rev: Count
    facts: DialogFacts
    turns: Annotated[tuple[DialogTurn, ...], Field(min_length=3, max_length=MAX_LINES)]
    delta: PersonaDelta
    drift: Drift
    retention: Retention


class CommitReceipt(Message):
    """What became of a commit; `rev` is the one stored now. pool-keeper -> friend."""

    dialog_id: UuidText
    host_id: HostId
    result: Literal["applied", "duplicate", "conflict"]
    rev: Count


class CooldownClaim(Message):
    """Let no one else speak with this host for `min_interval_s`. friend -> pool-keeper."""

    claim_id: UuidText
    host_id: HostId
    now_s: Seconds
    min_interval_s: Annotated[float, Field(ge=0.0, le=1e9)]
    owner: InstanceText


class CooldownReply(Message):
    """Whether the claim holds. pool-keeper -> friend."""

    claim_id: UuidText
    host_id: HostId
    is_granted: bool
    last_run_s: Seconds | None


class FriendStateRequest(Message):
    """What is kept of this persona? friend -> pool-keeper."""

    host_id: HostId
    request: Count


class FriendState(Message):
    """A persona as stored; revision 0 without fragments is one that never spoke. pool-keeper -> friend."""

    is_private: ClassVar[bool] = True
    host_id: HostId
    request: Count
    """0 when not asked for."""
    rev: Count
    next_id: Count
    fragments: Annotated[tuple[Fragment, ...], Field(max_length=MAX_FRAGMENTS)]
    last_run_s: Seconds | None
    pause_reason: Annotated[str, Field(max_length=256)] | None


class PauseNoted(Message):
    """The friend of this host is silent for that reason, or speaks again (None). friend -> pool-keeper."""

    host_id: HostId
    reason: Annotated[str, Field(max_length=256)] | None


class DialogForgotten(Message):
    """Delete the turns of a dialogue and what was adopted from it. friend -> pool-keeper."""

    host_id: HostId
    dialog_id: UuidText


@dataclass(frozen=True, slots=True)
class Persona:
    """What is kept of one host's friend."""

    host_id: str
    rev: int = 0
    next_id: int = 1
    fragments: tuple[Fragment, ...] = ()
    last_run_s: float | None = None
    last_claim: str | None = None
    pause_reason: str | None = None


class Stamp(NamedTuple):
    """A kept dialogue, for retention."""

    dialog_id: str
    finished_s: float


def normal_form(text: str) -> str:
    """The words of `text` alone, by which two fragments count as the same."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def wait_s(last_run_s: float | None, now_s: float, min_interval_s: float) -> float:
    """Seconds until the cool-down is over; 0 when it is.

    A clock that stands a whole interval before the last run was set back: nothing is waited for. One that stands less
    before it counts from where it stands, so that no step of the clock costs more than one interval.
    """
    if last_run_s is None or abs(now_s - last_run_s) >= min_interval_s:
        return 0.0
    return min_interval_s - max(0.0, now_s - last_run_s)


def claim_cooldown(persona: Persona, claim: CooldownClaim) -> tuple[Persona, CooldownReply]:
    """Compare and set: the persona with the run claimed, or as it was. The same claim again is granted again."""
    is_granted = claim.claim_id == persona.last_claim
    after = persona
    if not is_granted:
        is_granted = wait_s(persona.last_run_s, claim.now_s, claim.min_interval_s) == 0.0
        if is_granted:
            after = replace(persona, last_run_s=claim.now_s, last_claim=claim.claim_id)
        elif persona.last_run_s is not None and claim.now_s < persona.last_run_s:
            after = replace(persona, last_run_s=claim.now_s)
    reply = CooldownReply(
        claim_id=claim.claim_id, host_id=claim.host_id, is_granted=is_granted, last_run_s=after.last_run_s
    )
    return after, reply


def apply_commit(persona: Persona, commit: DialogCommit, known: Container[str]) -> tuple[Persona, CommitReceipt]:
    """The persona after `commit`, and the receipt. `known`: every dialog_key that was ever stored for the host."""
    if commit.dialog_id in known:
        return persona, _receipt(commit, "duplicate", persona.rev)
    if commit.base_rev != persona.rev:
        return persona, _receipt(commit, "conflict", persona.rev)
    after = apply_delta(persona, commit.dialog_id, commit.delta)
    return after, _receipt(commit, "applied", after.rev)


def apply_delta(persona: Persona, dialog_id: str, delta: PersonaDelta) -> Persona:
    """The persona one revision on: seeded if empty, decayed with a clamp, grown by what is new, cut to its bound."""
    rev, next_id = persona.rev + 1, persona.next_id
    fragments = list(persona.fragments)
    new = [] if fragments else [(text, 1.0, None) for text in delta.origin]
    rows: list[tuple[str, float, int | None]] = [*new, *((add.text, add.weight, add.turn) for add in delta.adopted)]
    known = {normal_form(fragment.text) for fragment in fragments}
    fragments = [_decayed(fragment, delta) for fragment in fragments]
    for text, weight, turn in rows:
        if normal_form(text) in known:
            continue
        known.add(normal_form(text))
        is_origin = turn is None
        fragments.append(
            Fragment(
                fragment_id=next_id,
                text=text,
                weight=max(delta.floor, weight * delta.decay if is_origin else weight),
                is_origin=is_origin,
                dialog_id=None if is_origin else dialog_id,
                turn=turn,
                added_rev=rev,
            )
        )
        next_id += 1
    return replace(persona, rev=rev, next_id=next_id, fragments=_bounded(fragments, delta, rev))


def forget_dialog(persona: Persona, dialog_id: str) -> Persona:
    """The persona without what it adopted from `dialog_id`, one revision on."""
    kept = tuple(fragment for fragment in persona.fragments if fragment.dialog_id != dialog_id)
    return replace(persona, rev=persona.rev + 1, fragments=kept)


def expired(stamps: Iterable[Stamp], now_s: float, retention: Retention) -> list[str]:
    """The dialogues that go, oldest first: all but the newest `dialogs`, and all older than `seconds`."""
    ordered = sorted(stamps, key=lambda stamp: (stamp.finished_s, stamp.dialog_id))
    surplus = max(0, len(ordered) - retention.dialogs)
    return [
        stamp.dialog_id
        for index, stamp in enumerate(ordered)
        if index < surplus or now_s - stamp.finished_s > retention.seconds
    ]


def _receipt(commit: DialogCommit, result: Literal["applied", "duplicate", "conflict"], rev: int) -> CommitReceipt:
    return CommitReceipt(dialog_id=commit.dialog_id, host_id=commit.host_id, result=result, rev=rev)


def _decayed(fragment: Fragment, delta: PersonaDelta) -> Fragment:
    return fragment.model_copy(update={"weight": max(delta.floor, fragment.weight * delta.decay)})


def _bounded(fragments: Sequence[Fragment], delta: PersonaDelta, rev: int) -> tuple[Fragment, ...]:
    """At most `max_fragments`: the lightest go, then the oldest; a line of this revision only when nothing else can."""
    heaviest = sorted((f for f in fragments if f.is_origin), key=lambda f: (-f.weight, f.fragment_id))
    protected = {fragment.fragment_id for fragment in heaviest[: delta.origin_quota]}
    leaving = sorted(
        (f for f in fragments if f.fragment_id not in protected),
        key=lambda f: (f.added_rev == rev, f.weight, f.fragment_id),
    )
    gone = {fragment.fragment_id for fragment in leaving[: max(0, len(fragments) - delta.max_fragments)]}
    return tuple(fragment for fragment in fragments if fragment.fragment_id not in gone)
