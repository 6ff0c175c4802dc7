"""What the friend and the keeper settle between them: the state, the commit, the pause, forgetting.

In: FriendState, CommitReceipt, a dialogue that is whole, the user's wishes. Out: DialogCommit, PauseNoted,
DialogForgotten, FriendStateRequest. A commit is built on the revision that the friend knows; on a conflict it is built
again on the one that the keeper tells, with the same `dialog_id`. After each commit the instruments are read. Refused:
a receipt for a commit that is not open.
"""

from collections.abc import Sequence
from dataclasses import replace

from actors.friend.desk import Desk
from actors.friend.dialogue import Dialogue, facts_of, kept_turns, redacted
from actors.friend.field.host import HOST_ID, FieldHost
from actors.friend.field.measures import prompt_echo
from actors.friend.fragments import SpokenLine, adopt, change, origin_words
from actors.friend.instruments import TURNOVER_DIALOGS, Gauge, Recent, drift_of, gauges, limit_crossed
from actors.friend.state import RECENT_DIALOGS, RECENT_LINES, Friendship, Uncommitted
from schemas.friend import CloseReason
from schemas.persona import (
    CommitReceipt,
    DialogCommit,
    DialogForgotten,
    Drift,
    FriendState,
    PauseNoted,
    Persona,
    PersonaDelta,
    Retention,
    apply_delta,
    forget_dialog,
)

DAY_S = 86_400.0
BY_THE_USER = "paused by the user"


class Keeping:
    """The friend's half of the exchange with the keeper."""

    def __init__(self, desk: Desk, field: FieldHost) -> None:
        self._desk = desk
        self._field = field

    def hear_state(self, state: FriendState) -> None:
        """Take the keeper's word for what is kept."""
        friendship = self._desk.friendship(state.host_id)
        if friendship is None:
            return
        friendship.persona = Persona(
            host_id=state.host_id,
            rev=state.rev,
            next_id=state.next_id,
            fragments=state.fragments,
            last_run_s=state.last_run_s,
            pause_reason=state.pause_reason,
        )
        friendship.is_known = True
        if friendship.uncommitted is not None and friendship.uncommitted.commit.base_rev != state.rev:
            self._commit_again(friendship, friendship.uncommitted)

    def commit(self, friendship: Friendship, dialogue: Dialogue, reason: CloseReason) -> None:
        """Send the whole dialogue to the keeper."""
        settings = self._desk.settings
        lines = redacted(dialogue.lines)
        delta = self._delta(friendship, lines)
        commit = DialogCommit(
            dialog_id=dialogue.dialog_id,
            host_id=dialogue.offer.host_id,
            base_rev=friendship.persona.rev,
            facts=facts_of(dialogue, reason, settings),
            turns=kept_turns(dialogue.lines),
            delta=delta,
            drift=_drift_after(friendship, dialogue.dialog_id, delta),
            retention=Retention(dialogs=settings.keep_dialogs, seconds=settings.keep_days * DAY_S),
        )
        echo = prompt_echo([line.text for line in dialogue.lines if line.speaker == "friend"], dialogue.offer.prompt)
        friendship.uncommitted = Uncommitted(commit, lines, echo)
        self._desk.tell(commit)

    def hear_receipt(self, receipt: CommitReceipt) -> None:
        """Settle the open commit."""
        friendship = self._desk.friendship(receipt.host_id)
        open_commit = friendship.uncommitted if friendship else None
        if friendship is None or open_commit is None or open_commit.commit.dialog_id != receipt.dialog_id:
            self._desk.memory.tally.dropped += 1
        elif receipt.result == "conflict":
            self._desk.memory.tally.conflicts += 1
            self._desk.ask_state(friendship)
        else:
            self._settle(friendship, open_commit, receipt)

    def resend(self, friendship: Friendship) -> None:
        """Say the open commit once more."""
        if friendship.uncommitted is not None:
            self._desk.tell(friendship.uncommitted.commit)

    def pause(self, host_id: str, reason: str | None) -> None:
        """Be silent for `reason`, or speak again."""
        friendship = self._desk.friendship(host_id)
        if friendship is None or friendship.persona.pause_reason == reason:
            return
        friendship.persona = replace(friendship.persona, pause_reason=reason)
        if reason is None:
            friendship.lines, friendship.echoes = [], []
            if host_id == HOST_ID:
                self._field.state.costs = []
        self._desk.tell(PauseNoted(host_id=host_id, reason=reason))
        self._desk.note(f"the friend of {host_id} is silent: {reason}" if reason else f"the friend of {host_id} speaks")

    def forget(self, host_id: str, dialog_id: str) -> None:
        """Undo a dialogue, here and in the pool."""
        friendship = self._desk.friendship(host_id)
        if friendship is None:
            return
        unheard = self._field.memory.unhear(dialog_id) if host_id == HOST_ID else 0
        friendship.persona = forget_dialog(friendship.persona, dialog_id)
        self._desk.tell(DialogForgotten(host_id=host_id, dialog_id=dialog_id))
        self._desk.note(f"dialogue {dialog_id} of {host_id} is forgotten, {unheard} lines unheard")

    def gauges(self, friendship: Friendship) -> dict[str, Gauge]:
        """The instruments as they stand."""
        is_own = friendship.persona.host_id == HOST_ID
        recent = Recent(
            lines=friendship.lines,
            echoes=friendship.echoes,
            generations=friendship.generations,
            self_talk_share=self._field.memory.self_talk_share if is_own else None,
            bits=self._field.bits() if is_own else None,
        )
        return gauges(friendship.persona.fragments, recent)

    def _delta(self, friendship: Friendship, lines: Sequence[SpokenLine]) -> PersonaDelta:
        settings, persona = self._desk.settings, friendship.persona
        origin = friendship.origin or [fragment.text for fragment in persona.fragments if fragment.is_origin]
        seeds = () if persona.fragments else friendship.origin
        known = [fragment.text for fragment in persona.fragments] or friendship.origin
        return change(seeds, adopt(lines, known, origin_words(origin), settings), settings)

    def _commit_again(self, friendship: Friendship, before: Uncommitted) -> None:
        delta = self._delta(friendship, before.lines)
        drift = _drift_after(friendship, before.commit.dialog_id, delta)
        before.commit = before.commit.model_copy(
            update={"base_rev": friendship.persona.rev, "delta": delta, "drift": drift}
        )
        self._desk.tell(before.commit)

    def _settle(self, friendship: Friendship, open_commit: Uncommitted, receipt: CommitReceipt) -> None:
        commit = open_commit.commit
        friendship.uncommitted = None
        self._desk.memory.tally.kept += 1
        if commit.base_rev == friendship.persona.rev:
            friendship.persona = apply_delta(friendship.persona, commit.dialog_id, commit.delta)
        if receipt.rev != friendship.persona.rev:
            self._desk.ask_state(friendship)
        echoes = () if open_commit.echo is None else (open_commit.echo,)
        friendship.lines = [*friendship.lines, *(line.text for line in open_commit.lines)][-RECENT_LINES:]
        friendship.echoes = [*friendship.echoes, *echoes][-RECENT_DIALOGS:]
        ids = [fragment.fragment_id for fragment in friendship.persona.fragments]
        friendship.generations = [*friendship.generations, ids][-1 - TURNOVER_DIALOGS :]
        crossed = limit_crossed(self.gauges(friendship), self._desk.settings)
        if crossed is not None and friendship.persona.pause_reason is None:
            self.pause(commit.host_id, crossed)


def _drift_after(friendship: Friendship, dialog_id: str, delta: PersonaDelta) -> Drift:
    return drift_of(apply_delta(friendship.persona, dialog_id, delta), friendship.generations)
