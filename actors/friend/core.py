"""The friend decides: when to speak, with whom, what becomes of it (seed 001; schemas.friend, schemas.persona).

In: what hosts offer and answer, what the keeper replies, what the user says and asks, epoch reports, timers; once, when
a run begins, the field as an earlier run left it (`field_archive`). Out: the friend's side of both exchanges, the
field's answer to the user, the archive of the field. The embedded field is a host like any other: what is said to it
and by it goes through the same code, only within one step. The cool-down is claimed before a word is said; a dialogue
is committed whole, once, and sent again after a restart until the keeper has confirmed it; one that a restart has cut
short is dropped. A crossed limit of the instruments pauses the friend of that host, with the reason.

Refused: a host that claims the name of the field, and messages that are none of these. Answers that no dialogue waits
for are dropped and counted. No line of a dialogue is in a note or a figure.
"""

from collections.abc import Mapping
from typing import Final

import msgpack

from actors.friend.desk import Desk
from actors.friend.field.host import HOST_ID, INSTANCE, FieldHost
from actors.friend.field.memory import ArchiveRefusedError
from actors.friend.field.reports import epoch_text, pack_text
from actors.friend.keeping import BY_THE_USER, Keeping
from actors.friend.meeting import Meetings
from actors.friend.state import FriendMemory, from_bytes, to_bytes
from bus.core import Fired, Input, Note, Observed, Outcome, Received, Scalar, SetTimer, Started, WriteFile
from bus.randomness import RandomSource
from bus.seating import GUESTS
from schemas.base import Message
from schemas.feedback import EpochReport
from schemas.friend import (
    ForgetDialog,
    FriendOffer,
    LineGenerated,
    LineObserved,
    OriginTold,
    PauseFriend,
    SayLine,
    TryDialog,
)
from schemas.friend_settings import FriendSettings
from schemas.persona import CommitReceipt, CooldownReply, FriendState
from schemas.regimes import PackWritten

ARCHIVE: Final = "field_archive"
ARCHIVE_PATH: Final = "data/friend_field.msgpack"
ARCHIVE_EVERY: Final = 8
"""User lines between two archives of the field,"""
ARCHIVE_AFTER_S: Final = 1.0
"""and so long after the last of them."""


class FriendCore:
    """The state machine of the friend."""

    def __init__(
        self, settings: FriendSettings, randomness: RandomSource, origin: str, readme: tuple[str, ...] = ()
    ) -> None:
        """`origin` and `readme`: what the embedded field begins with."""
        self._memory = FriendMemory()
        self.field = FieldHost(origin, readme, settings, randomness)
        self._memory.host = self.field.state
        self._desk = Desk(self._memory, settings, randomness)
        self._keeping = Keeping(self._desk, self.field)
        self._meetings = Meetings(self._desk, self._keeping)

    def handle(self, event: Input, now_ns: int) -> Outcome:
        """Decide on one input."""
        outcome = self._desk.outcome = Outcome()
        now_s = now_ns * 1e-9
        match event:
            case Started():
                self._start()
            case Observed(name=name, data=data) if name == ARCHIVE:
                self._recall(data)
            case Observed(name=name) if name == GUESTS:
                pass  # who may be told something is the bus's affair
            case Observed(name=name):
                outcome.refusal = f"observation {name} is nothing that a friend observes"
            case Fired(name=name) if name == ARCHIVE:
                self._archive()
            case Fired(name=name):
                what, _, host_id = name.partition("/")
                self._meetings.hear_late(what, host_id)
            case Received(ref=ref, message=message):
                self._hear(message, ref.sender, now_s)
        self._serve_field(now_s)
        return outcome

    def snapshot(self) -> bytes:
        """The whole state as canonical msgpack bytes."""
        packed: bytes = msgpack.packb((to_bytes(self._memory), self.field.memory.archive()))
        return packed

    def restore(self, data: bytes) -> None:
        """Take over a snapshot."""
        memory, archive = msgpack.unpackb(data)
        self._memory = self._desk.memory = from_bytes(memory)
        self.field.state = self._memory.host
        self.field.memory.take_archive(archive)

    def figures(self) -> Mapping[str, Scalar]:
        """Dialogues, declines by reason, what the field remembers, the instruments of its own friend."""
        tally, own = self._memory.tally, self._memory.friendships.get(HOST_ID)
        texts, tokens = self.field.memory.remembered
        figures: dict[str, Scalar] = {
            "hosts": len(self._memory.friendships),
            "dialogs_opened": tally.opened,
            "dialogs_kept": tally.kept,
            "dialogs_abandoned": tally.abandoned,
            "answers_dropped": tally.dropped,
            "conflicts": tally.conflicts,
            **{f"declined.{reason}": count for reason, count in sorted(tally.declined.items())},
            "field_texts": texts,
            "field_tokens": tokens,
        }
        if own is not None:
            last_run_s = own.persona.last_run_s
            figures["fragments"] = len(own.persona.fragments)
            figures["paused"] = own.persona.pause_reason
            figures["next_permitted_s"] = (
                None if last_run_s is None else last_run_s + self._desk.settings.min_interval_s
            )
            figures.update({name: gauge.value for name, gauge in self._keeping.gauges(own).items()})
        return figures

    def _start(self) -> None:
        if HOST_ID not in self._memory.friendships:
            self._meetings.hear_origin(self.field.origin)
        else:
            self._meetings.begin_again()

    def _hear(self, message: Message, sender: str, now_s: float) -> None:
        match message:
            case SayLine():
                self._say(message, now_s)
            case EpochReport():
                self.field.listen(epoch_text(message))
            case PackWritten():
                self.field.listen(pack_text(message))
            case PauseFriend(host_id=host_id, is_paused=is_paused):
                self._keeping.pause(host_id, BY_THE_USER if is_paused else None)
            case ForgetDialog(host_id=host_id, dialog_id=dialog_id):
                self._keeping.forget(host_id, dialog_id)
                self._archive()
            case TryDialog(try_id=try_id, host_id=host_id):
                self._try(try_id, host_id, now_s)
            case FriendState():
                self._keeping.hear_state(message)
            case CommitReceipt():
                self._keeping.hear_receipt(message)
            case CooldownReply():
                self._meetings.hear_claimed(message)
            case _:
                self._hear_host(message, sender)

    def _hear_host(self, message: Message, instance: str) -> None:
        match message:
            case OriginTold(host_id=host_id) | FriendOffer(host_id=host_id) if (
                host_id == HOST_ID and instance != INSTANCE
            ):
                self._desk.outcome.refusal = f"{message.kind} from {instance}: {HOST_ID} is the name of the field here"
            case OriginTold():
                self._meetings.hear_origin(message)
            case FriendOffer():
                self._meetings.hear_offer(message, instance)
            case LineGenerated() | LineObserved():
                self._meetings.hear_answer(message, instance)
            case _:
                self._desk.outcome.refusal = f"{message.kind} is nothing that a friend receives"

    def _say(self, message: SayLine, now_s: float) -> None:
        reply, offer = self.field.say(message.text, now_s)
        self._desk.answer(message.say_id, reply)
        self._meetings.hear_offer(offer, INSTANCE)
        if self.field.state.offers % ARCHIVE_EVERY == 0:
            self._archive()
        else:
            self._desk.outcome.timers.append(SetTimer(ARCHIVE, ARCHIVE_AFTER_S))

    def _try(self, try_id: str, host_id: str, now_s: float) -> None:
        if self._meetings.expect_trial(try_id, host_id) and host_id == HOST_ID:
            self._meetings.hear_offer(self.field.silence(now_s), INSTANCE)

    def _serve_field(self, now_s: float) -> None:
        """Let the embedded field answer until nothing is asked of it; a dialogue ends within the step."""
        queue = self._desk.for_field
        while queue:
            for answer in self.field.hear(queue.pop(0), now_s):
                self._hear_host(answer, INSTANCE)

    def _archive(self) -> None:
        self._desk.outcome.effects.append(WriteFile(ARCHIVE_PATH, self.field.memory.archive(), is_private=True))

    def _recall(self, data: bytes) -> None:
        try:
            self.field.memory.take_archive(data)
        except ArchiveRefusedError as error:
            self._desk.outcome.refusal = f"{ARCHIVE_PATH} of an earlier run: {error}"
            self._desk.outcome.notes.append(Note("warning", f"{self._desk.outcome.refusal}; the field begins anew"))
