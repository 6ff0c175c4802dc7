"""When the friend speaks, and the way through a dialogue: offer, claim, open, line by line, close.

In: offers and answers of hosts, the keeper's word on the cool-down, late answers, a new start. Out: a decline with its
reason; or a claim, and once it is granted the dialogue. Order of the reasons: disabled, no_state, busy, no_origin,
quiet_hours, cooldown, gate, dice. Dropped and counted: answers of another instance, an unknown dialogue or an
unexpected step.
"""

from dataclasses import replace
from typing import Literal

from actors.friend.desk import Desk
from actors.friend.dialogue import (
    Admission,
    Dialogue,
    Next,
    ask,
    close,
    hear_line,
    hear_measures,
    is_expected,
    lines_wanted,
)
from actors.friend.field.host import INSTANCE
from actors.friend.fragments import first_fragments, sample
from actors.friend.gates import open_gates, throw_dice
from actors.friend.keeping import Keeping
from actors.friend.state import Claim, Friendship
from schemas.friend import (
    CloseReason,
    DeclineReason,
    DialogClose,
    DialogTried,
    FriendDecline,
    FriendOffer,
    FriendOpen,
    LineGenerated,
    LineObserved,
    OriginTold,
)
from schemas.persona import CooldownClaim, CooldownReply, Fragment, wait_s

OWNER = "friend"
TRIAL_S = 30.0
"""How long a host may take to offer the moment at which a dialogue is tried."""
TrialReason = CloseReason | DeclineReason | Literal["no_offer", "unknown_host"]


class Meetings:
    """The friend's half of every exchange with a host."""

    def __init__(self, desk: Desk, keeping: Keeping) -> None:
        self._desk = desk
        self._keeping = keeping

    def hear_origin(self, told: OriginTold) -> None:
        """Know what the host calls its origin; it counts where the persona has no fragment yet."""
        friendship = self._desk.friendship(told.host_id)
        if friendship is None:
            return
        friendship.origin = first_fragments(told.bootstrap, told.readme, self._desk.settings)
        if not friendship.is_known and not friendship.requests:
            self._desk.ask_state(friendship)

    def hear_offer(self, offer: FriendOffer, instance: str) -> None:
        """Begin, or decline."""
        friendship = self._desk.friendship(offer.host_id)
        if friendship is None:
            self._decline(offer, instance, "busy")
            return
        if friendship.trial is not None:
            self._try(friendship, offer, instance)
            return
        reason = self._obstacle(friendship) or self._rest(friendship, offer)
        if reason is not None:
            self._decline(offer, instance, reason)
            return
        gates = open_gates(offer, self._desk.settings)
        dice = throw_dice(self._desk.randomness, offer.host_id, offer.ctx_id)
        if not gates or dice >= self._desk.settings.probability:
            self._decline(offer, instance, "dice" if gates else "gate")
            return
        claim = self._claim(offer)
        friendship.claim = Claim(claim.claim_id, instance, offer, Admission(gates, dice))
        self._desk.tell(claim)
        self._desk.wait("claim", offer.host_id)

    def expect_trial(self, try_id: str, host_id: str) -> bool:
        """Let the next moment of this host be tried; False, and the user is told, where no such host is known."""
        friendship = self._desk.memory.friendships.get(host_id)
        if friendship is None:
            self._tell_tried(try_id, host_id, 0, "unknown_host")
            return False
        friendship.trial = try_id
        self._desk.wait("trial", host_id, TRIAL_S)
        return True

    def hear_claimed(self, reply: CooldownReply) -> None:
        """Open the dialogue that was claimed, or decline it."""
        friendship = self._desk.friendship(reply.host_id)
        if friendship is None:
            return
        friendship.persona = replace(friendship.persona, last_run_s=reply.last_run_s)
        claim = friendship.claim
        if claim is None or claim.claim_id != reply.claim_id:
            return
        friendship.claim = None
        if reply.is_granted:
            self._open(friendship, claim)
        else:
            self._decline(claim.offer, claim.instance, "cooldown")

    def hear_answer(self, answer: LineGenerated | LineObserved, instance: str) -> None:
        """Go on with the dialogue that `answer` belongs to."""
        friendship = self._of_dialogue(answer.dialog_id)
        dialogue = friendship.dialogue if friendship else None
        if friendship is None or dialogue is None or dialogue.instance != instance or not is_expected(dialogue, answer):
            self._desk.memory.tally.dropped += 1
            return
        settings = self._desk.settings
        if isinstance(answer, LineGenerated):
            self._go_on(friendship, dialogue, hear_line(dialogue, answer, settings))
        else:
            self._go_on(friendship, dialogue, hear_measures(dialogue, answer, settings))

    def hear_late(self, name: str, host_id: str) -> None:
        """An answer did not come in time."""
        friendship = self._desk.memory.friendships.get(host_id)
        if friendship is None:
            return
        if name == "claim" and friendship.claim is not None:
            claim, friendship.claim = friendship.claim, None
            self._decline(claim.offer, claim.instance, "no_state")
        elif name == "answer" and friendship.dialogue is not None:
            self._end(friendship, friendship.dialogue, "late")
        elif name == "trial" and friendship.trial is not None:
            trial, friendship.trial = friendship.trial, None
            self._tell_tried(trial, host_id, 0, "no_offer")

    def begin_again(self) -> None:
        """After a new start: what was under way is dropped, what was whole is sent again."""
        for friendship in self._desk.memory.friendships.values():
            if friendship.claim is not None:
                claim, friendship.claim = friendship.claim, None
                self._decline(claim.offer, claim.instance, "no_state")
            if friendship.dialogue is not None:
                self._end(friendship, friendship.dialogue, "restarted")
            self._keeping.resend(friendship)
            self._desk.ask_state(friendship)

    def _try(self, friendship: Friendship, offer: FriendOffer, instance: str) -> None:
        trial, friendship.trial = friendship.trial, None
        reason = self._obstacle(friendship)
        if trial is not None and reason is not None:
            self._tell_tried(trial, offer.host_id, 0, reason)
            self._decline(offer, instance, reason)
            return
        admission = Admission(open_gates(offer, self._desk.settings), 0.0)
        self._open(friendship, Claim(offer.ctx_id, instance, offer, admission), trial)

    def _tell_tried(self, try_id: str, host_id: str, turns: int, reason: TrialReason) -> None:
        tried = DialogTried(host_id=host_id, turns=turns, reason=reason)
        self._desk.answer(try_id, tried.model_dump_json())

    def _obstacle(self, friendship: Friendship) -> DeclineReason | None:
        persona = friendship.persona
        if persona.pause_reason is not None:
            return "disabled"
        if not friendship.is_known:
            if not friendship.requests:
                self._desk.ask_state(friendship)
            return "no_state"
        if friendship.claim or friendship.dialogue or friendship.uncommitted:
            return "busy"
        if not persona.fragments and not friendship.origin:
            return "no_origin"
        return None

    def _rest(self, friendship: Friendship, offer: FriendOffer) -> DeclineReason | None:
        last_run_s = friendship.persona.last_run_s
        if self._desk.settings.quiet_left_s(offer.now_s):
            return "quiet_hours"
        if wait_s(last_run_s, offer.now_s, self._desk.settings.min_interval_s) == 0.0:
            return None
        if last_run_s is not None and offer.now_s < last_run_s:
            self._desk.tell(self._claim(offer))  # refused, and the keeper counts from where the clock stands now
        return "cooldown"

    def _claim(self, offer: FriendOffer) -> CooldownClaim:
        moment = f"{offer.host_id}/{offer.ctx_id}".encode()
        return CooldownClaim(
            claim_id=self._desk.randomness.identify("claim", 0, moment),
            host_id=offer.host_id,
            now_s=offer.now_s,
            min_interval_s=self._desk.settings.min_interval_s,
            owner=OWNER,
        )

    def _open(self, friendship: Friendship, claim: Claim, trial: str | None = None) -> None:
        desk, offer = self._desk, claim.offer
        moment = f"{offer.host_id}/{offer.ctx_id}"
        dice = desk.randomness.at(f"dialog/{moment}", 0)
        dialogue = Dialogue(
            dialog_id=desk.randomness.identify("dialog", 0, moment.encode()),
            instance=claim.instance,
            offer=offer,
            admission=claim.admission,
            wanted=lines_wanted(float(dice.random()), offer.limits.lines),
            prefix=tuple(fragment.text for fragment in sample(_fragments(friendship), dice)),
            now_s=offer.now_s,
            trial=trial,
        )
        friendship.dialogue = dialogue
        desk.memory.tally.opened += trial is None
        desk.tell_host(claim.instance, FriendOpen(ctx_id=offer.ctx_id, dialog_id=dialogue.dialog_id))
        self._go_on(friendship, dialogue, ask(dialogue, desk.settings))

    def _go_on(self, friendship: Friendship, dialogue: Dialogue, following: Next) -> None:
        if isinstance(following, DialogClose):
            self._end(friendship, dialogue, following.reason)
            return
        self._desk.tell_host(dialogue.instance, following)
        if dialogue.instance != INSTANCE:
            self._desk.wait("answer", dialogue.offer.host_id)

    def _end(self, friendship: Friendship, dialogue: Dialogue, reason: CloseReason) -> None:
        friendship.dialogue = None
        closing = close(dialogue, reason)
        self._desk.tell_host(dialogue.instance, closing)
        if closing.is_kept:
            self._keeping.commit(friendship, dialogue, reason)
        elif dialogue.trial is not None:
            self._tell_tried(dialogue.trial, dialogue.offer.host_id, closing.turns, reason)
        else:
            self._desk.memory.tally.abandoned += 1
        kept = "kept" if closing.is_kept else "not kept"
        self._desk.note(f"dialogue {dialogue.dialog_id}: {reason} after {closing.turns} lines, {kept}")

    def _of_dialogue(self, dialog_id: str) -> Friendship | None:
        friendships = self._desk.memory.friendships.values()
        return next((each for each in friendships if each.dialogue and each.dialogue.dialog_id == dialog_id), None)

    def _decline(self, offer: FriendOffer, instance: str, reason: DeclineReason) -> None:
        declined = self._desk.memory.tally.declined
        declined[reason] = declined.get(reason, 0) + 1
        self._desk.tell_host(instance, FriendDecline(ctx_id=offer.ctx_id, reason=reason))


def _fragments(friendship: Friendship) -> tuple[Fragment, ...]:
    """What the friend is made of; before the first commit, its origin."""
    return friendship.persona.fragments or tuple(
        Fragment(fragment_id=index, text=text, weight=1.0, is_origin=True, dialog_id=None, turn=None, added_rev=0)
        for index, text in enumerate(friendship.origin)
    )
