"""What the keeper does for the friend: one state, one claim, one whole dialogue at a time (seed 001; schemas.persona).

In: FriendStateRequest, CooldownClaim, DialogCommit, PauseNoted, DialogForgotten. Out: rows in the open transaction, and
the answer to who asked, which leaves only after that transaction. The rules are those of `schemas.persona`; here they
meet the tables. A commit that came before changes nothing. Refused: to forget a dialogue that was never stored; the
state is told all the same. No line of a dialogue is in a log.
"""

from dataclasses import replace

from actors.pool_keeper.friend_tables import FriendTables
from actors.pool_keeper.persisting import Step
from bus.core import Outcome, Send
from schemas.base import Message
from schemas.persona import (
    CooldownClaim,
    DialogCommit,
    DialogForgotten,
    FriendState,
    FriendStateRequest,
    PauseNoted,
    Persona,
    apply_commit,
    claim_cooldown,
    expired,
    forget_dialog,
)

FriendMessage = FriendStateRequest | CooldownClaim | DialogCommit | PauseNoted | DialogForgotten


def befriend(tables: FriendTables, message: FriendMessage, step: Step) -> Outcome:
    """Do what the friend asks for."""
    match message:
        case FriendStateRequest(host_id=host_id, request=request):
            return _told(_state(tables.persona(host_id), request), step)
        case CooldownClaim():
            return _claim(tables, message, step)
        case DialogCommit():
            return _commit(tables, message, step)
        case PauseNoted():
            return _pause(tables, message, step)
        case DialogForgotten():
            return _forget(tables, message, step)


def _claim(tables: FriendTables, claim: CooldownClaim, step: Step) -> Outcome:
    before = tables.persona(claim.host_id)
    after, reply = claim_cooldown(before, claim)
    if after != before:
        tables.change(before, after, "claim", step.now_ns)
    return _told(reply, step)


def _commit(tables: FriendTables, commit: DialogCommit, step: Step) -> Outcome:
    before = tables.persona(commit.host_id)
    after, receipt = apply_commit(before, commit, tables.known(commit.dialog_id))
    if receipt.result == "applied":
        tables.change(before, after, "commit", step.now_ns, commit)
        tables.delete(expired(tables.stamps(commit.host_id), commit.facts.finished_s, commit.retention))
    return _told(receipt, step)


def _pause(tables: FriendTables, noted: PauseNoted, step: Step) -> Outcome:
    before = tables.persona(noted.host_id)
    after = replace(before, pause_reason=noted.reason)
    if after != before:
        tables.change(before, after, "pause", step.now_ns)
    return Outcome()


def _forget(tables: FriendTables, forgotten: DialogForgotten, step: Step) -> Outcome:
    host_id, dialog_id = forgotten.host_id, forgotten.dialog_id
    before = tables.persona(host_id)
    if not tables.is_committed(host_id, dialog_id):
        outcome = _told(_state(before, 0), step)
        outcome.refusal = f"DialogForgotten from {step.ref.sender}: no dialogue {dialog_id} of {host_id} was ever kept"
        return outcome
    after = forget_dialog(before, dialog_id)
    tables.forget(before, after, dialog_id, step.now_ns)
    return _told(_state(after, 0), step)


def _state(kept: Persona, request: int) -> FriendState:
    return FriendState(
        host_id=kept.host_id,
        request=request,
        rev=kept.rev,
        next_id=kept.next_id,
        fragments=kept.fragments,
        last_run_s=kept.last_run_s,
        pause_reason=kept.pause_reason,
    )


def _told(message: Message, step: Step) -> Outcome:
    return Outcome(sends=[Send(message, to=step.ref.sender)])
