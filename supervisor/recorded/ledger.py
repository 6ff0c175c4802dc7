"""Reading the journals of a run into one account for each actor.

In: a recording. Out: for each actor the messages that it said, and those that it names as inputs, each with its place;
the stretches that cannot be read; the messages for which the topology has no row. Every frame is checked by its
checksum. Of a run that is still written, inputs count up to where the journals ended when reading began, messages to
the end, so that no input is ahead of the journal of its sender. Refuses nothing: `supervisor.recorded.judging` judges.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bus.core import Cursor, MessageRef, Observed
from bus.errors import JournalError
from bus.frame import Fault, Frame, FrameKind
from bus.journal_check import SEQ_BITS, key_of
from bus.randomness import UNTOUCHED
from bus.recording import Recording
from bus.recovery import frames_of
from bus.segment import SegmentName
from bus.step import Outgoing, StepRecord, decode_step
from bus.torn import is_unfinished
from supervisor.recorded.accounts import Account, Names, Place, Stray, digest_of

MOST_STRAYS: Final = 1000
"""Messages without a row that are kept with their place; all are counted."""
EPOCH_BITS: Final = 64 - SEQ_BITS

MayBeSaid = Callable[[str, str, str], bool]
"""Whether the topology has a row for sender, kind and receiver."""


@dataclass
class Ledger:
    """The accounts of all actors of a run."""

    accounts: dict[str, Account] = field(default_factory=dict)
    frames: int = 0
    size_bytes: int = 0


def read_ledger(recording: Recording, may_be_said: MayBeSaid) -> Ledger:
    """Read all journals of `recording`."""
    ends: dict[tuple[str, str], int] = {}
    for actor in recording.actors():
        for _, path in recording.segments(actor):
            with suppress(OSError):  # a segment that held nothing whole is removed by the next process
                ends[actor, path.name] = path.stat().st_size
    ledger, names = Ledger(), Names()
    for actor in recording.actors():
        reader = _Reader(recording, actor, Account(names), ends, may_be_said, ledger)
        ledger.accounts[actor] = reader.run()
    return ledger


@dataclass
class _Reader:
    """Reads the journal of one actor into its account."""

    recording: Recording
    actor: str
    account: Account
    ends: dict[tuple[str, str], int]
    may_be_said: MayBeSaid
    ledger: Ledger
    _open_gaps: list[int] = field(default_factory=list)
    _step: int = 0
    _is_step_sure: bool = True
    """Whether the next step is known to be the one after `_step`."""

    def run(self) -> Account:
        segments = self.recording.segments(self.actor)
        for name, path in segments:
            try:
                self._segment(name, path, is_last=path == segments[-1][1])
            except OSError as error:
                self._lose(Place(path.name, 0, epoch=name.epoch), error.strerror or str(error))
        return self.account

    def _segment(self, name: SegmentName, path: Path, *, is_last: bool) -> None:
        end = self.ends.get((self.actor, path.name), 0)
        is_closed = False
        for item in frames_of(path):
            size = item.size if isinstance(item, Fault) else item.end - item.offset
            self.ledger.size_bytes += size
            self.recording.watch(size)
            if isinstance(item, Frame):
                self.ledger.frames += 1
                is_closed = item.kind is FrameKind.CLOSE
                if item.kind is FrameKind.STEP:
                    self._frame(name, path, item, is_heard=item.offset < end)
            elif is_closed or not is_last or not is_unfinished(item, path):
                self._lose(Place(path.name, item.offset, epoch=name.epoch), item.reason)
        self.account.is_ended = is_closed

    def _frame(self, name: SegmentName, path: Path, frame: Frame, *, is_heard: bool) -> None:
        place = Place(path.name, frame.offset, frame.step, name.epoch)
        if frame.step > self._step + 1 and self._is_step_sure:
            self._lose(place, f"steps {self._step + 1} to {frame.step - 1} are missing before step {frame.step}")
        self._step, self._is_step_sure = frame.step, True
        try:
            record = decode_step(frame)
            _check(record)
        except JournalError as error:
            self._lose(place, str(error))
            return
        if is_heard:
            self._hear(record, place)
        for out in record.outgoing:
            self._say(out, place)

    def _hear(self, record: StepRecord, place: Place) -> None:
        account, event = self.account, record.event
        if not isinstance(event, MessageRef):
            account.others += 1
            if isinstance(event, Observed) and len(account.observed) < MOST_STRAYS:
                account.observed.append((event.name, place))
            return
        if record.heard is not None:
            account.heard[len(account.taken_keys)] = (record.heard.kind, digest_of(record.heard))
        is_refused = record.refusal is not None
        is_unseen = is_refused and not record.outgoing and record.rng_digest == UNTOUCHED
        key = key_of(event)
        account.taken_up_to[event.sender] = max(key, account.taken_up_to.get(event.sender, 0))
        account.taken_senders.append(account.names.number(event.sender))
        account.taken_keys.append(key)
        account.taken_segments.append(account.names.number(place.segment))
        account.taken_offsets.append(place.offset)
        account.taken_steps.append(place.step)
        account.taken_flags.append(is_refused | is_unseen << 1)

    def _say(self, out: Outgoing, place: Place) -> None:
        account = self.account
        key = key_of(Cursor(place.epoch, out.seq))
        for at in self._open_gaps:
            account.gaps[at] = account.gaps[at]._replace(high=key)
        self._open_gaps.clear()
        if not self.may_be_said(self.actor, out.kind, out.receiver):
            account.strays_total += 1
            if len(account.strays) < MOST_STRAYS:
                account.strays.append(Stray(key, out.kind, out.receiver, place))
        if account.said_keys and key <= account.said_keys[-1]:
            account.renumbered.append((key, place))
            return
        account.said_keys.append(key)
        account.said_before.append(key_of(out.predecessor))
        account.said_digests.append(digest_of(out))
        account.said_to.append(account.names.number(out.receiver))
        account.said_kinds.append(account.names.number(out.kind))

    def _lose(self, place: Place, reason: str) -> None:
        self._open_gaps.append(len(self.account.gaps))
        self._is_step_sure = False
        self.account.lose(place, reason)


def _check(record: StepRecord) -> None:
    """Raises JournalError for a step whose fields are not of the types that they must be of."""
    heard = [(record.heard.kind, record.heard.body)] if record.heard is not None else []
    for kind, body in (*((out.kind, out.body) for out in record.outgoing), *heard):
        if not (_is(str, kind) and _is(bytes, body)):
            raise JournalError("a message without kind or body")
    for out in record.outgoing:
        if not (_is(str, out.receiver) and _are_numbers(0, out.seq) and _are_numbers(*out.predecessor)):
            raise JournalError("a message without receiver or number")
    event = record.event
    if isinstance(event, MessageRef) and not (_is(str, event.sender) and _are_numbers(event.epoch, event.seq)):
        raise JournalError("an input that names no message")


def _is(cls: type, value: object) -> bool:
    return isinstance(value, cls)


def _are_numbers(epoch: object, seq: object) -> bool:
    """Whether a message can have these numbers."""
    if not isinstance(epoch, int) or not isinstance(seq, int):
        return False
    return 0 <= epoch < 1 << EPOCH_BITS and 0 <= seq < 1 << SEQ_BITS
