"""One step of an actor as it stands in the journal: what came in, what was drawn, everything that went out.

In: an input and the outcome of a core. Out: the body and payloads of one STEP frame, and back. Received messages are
stored by reference, since their sender's journal holds them; a boxed actor cannot read that, and stores what it heard
beside the reference. A payload that another message of the run already holds is stored by reference too.
"""

from typing import Any, NamedTuple

from bus.codec import BytesLike, encode_body, pack, payloads_of, unpack
from bus.core import Cursor, Fired, MessageRef, Observed, Started
from bus.errors import DecodeError, JournalError
from bus.frame import Frame
from schemas.base import Message


class Outgoing(NamedTuple):
    """One message to one receiver, as it leaves and as it is journalled."""

    receiver: str
    kind: str
    version: int
    seq: int
    predecessor: Cursor
    body: bytes
    payloads: tuple[BytesLike, ...]
    """What travels; empty bytes for a payload that was read from a journal which only names its origin."""
    origins: tuple[MessageRef | None, ...]
    """For each payload the message of this run that holds it, or None when the journal stores it here."""

    def is_same_as(self, other: "Outgoing") -> bool:
        """Whether both are the same message to the same receiver, numbers aside; payloads by bytes or by origin."""
        return (
            self[:3] == other[:3]
            and self.body == other.body
            and self.origins == other.origins
            and self.stored_payloads() == other.stored_payloads()
        )

    def stored_payloads(self) -> list[BytesLike]:
        """The payloads that the journal stores with this message."""
        if not any(self.origins):
            return list(self.payloads)
        return [p for p, origin in zip(self.payloads, self.origins, strict=True) if origin is None]


RecordedInput = MessageRef | Fired | Observed | Started
"""What the journal keeps of an input: of a message its identity, of all others the whole."""


class Heard(NamedTuple):
    """A received message as its receiver keeps it."""

    kind: str
    version: int
    body: bytes


class StepRecord(NamedTuple):
    """The content of one STEP frame."""

    event: RecordedInput
    rng_digest: bytes
    outgoing: tuple[Outgoing, ...]
    refusal: str | None
    heard: Heard | None = None
    """The message itself, when `event` names one and its receiver is boxed."""


class SnapshotRecord(NamedTuple):
    """The content of one SNAPSHOT frame: state after the step named in the frame's head."""

    state: bytes
    cursors: dict[str, Cursor]
    predecessors: dict[str, Cursor]


class Numbering:
    """Numbers the messages of one process: seq over all receivers, predecessor per receiver."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.last_seq = 0
        self.predecessors: dict[str, Cursor] = {}

    def outgoing(self, receiver: str, message: Message, origins: tuple[MessageRef | None, ...] = ()) -> Outgoing:
        """`message` as the next one to `receiver`."""
        self.last_seq += 1
        predecessor = self.predecessors.get(receiver, Cursor(0, 0))
        self.predecessors[receiver] = Cursor(self.epoch, self.last_seq)
        payloads = payloads_of(message)
        origins = origins or (None,) * len(payloads)
        body = encode_body(message)
        return Outgoing(receiver, message.kind, message.version, self.last_seq, predecessor, body, payloads, origins)


def encode_step(record: StepRecord) -> tuple[bytes, tuple[BytesLike, ...]]:
    """The body of a STEP frame and the payload bytes that follow it."""
    is_message = type(record.event) is MessageRef
    event = ("m", *record.event, *(record.heard or ())) if is_message else _event_row(record.event)
    if not record.outgoing:
        return pack((event, record.rng_digest, (), record.refusal)), ()
    inline: list[BytesLike] = []
    rows = []
    for out in record.outgoing:
        held: tuple[int | MessageRef, ...] = ()
        if out.payloads:
            inline.extend(out.stored_payloads())
            held = tuple(o or len(p) for p, o in zip(out.payloads, out.origins, strict=True))
        rows.append((out.receiver, out.kind, out.version, out.seq, *out.predecessor, out.body, held))
    return pack((event, record.rng_digest, rows, record.refusal)), tuple(inline)


def _event_row(event: RecordedInput) -> tuple[Any, ...]:
    match event:
        case MessageRef():
            return ("m", *event)
        case Fired(name=name):
            return ("t", name)
        case Observed(name=name, data=data):
            return ("o", name, data)
        case Started(epoch=epoch):
            return ("s", epoch)


def _event_of(row: tuple[Any, ...]) -> RecordedInput:
    match row:
        case ("m", sender, epoch, seq, *_):
            return MessageRef(sender, epoch, seq)
        case ("t", name):
            return Fired(name)
        case ("o", name, data):
            return Observed(name, data)
        case ("s", epoch):
            return Started(epoch)
    raise JournalError(f"a step names an unknown input {row!r}")


def _heard_of(row: tuple[Any, ...]) -> Heard | None:
    return Heard(*row[4:]) if len(row) > 4 else None


def decode_step(frame: Frame) -> StepRecord:
    """The step in `frame`; raises JournalError when its body is not one."""
    try:
        event, digest, rows, refusal = unpack(frame.body)
        at = 0
        outgoing = []
        for receiver, kind, version, seq, epoch, last, body, held in rows:
            payloads: list[BytesLike] = []
            for entry in held:
                size = 0 if isinstance(entry, tuple) else entry
                payloads.append(frame.payload[at : at + size])
                at += size
            origins = tuple(MessageRef(*entry) if isinstance(entry, tuple) else None for entry in held)
            at_receiver = Cursor(epoch, last)
            outgoing.append(Outgoing(receiver, kind, version, seq, at_receiver, body, tuple(payloads), origins))
        return StepRecord(_event_of(event), digest, tuple(outgoing), refusal, _heard_of(event))
    except (DecodeError, ValueError, TypeError) as error:
        raise JournalError(f"the step at offset {frame.offset} is not readable: {error}") from error


def encode_snapshot(record: SnapshotRecord) -> bytes:
    """The body of a SNAPSHOT frame."""
    return pack((record.state, record.cursors, record.predecessors))


def decode_snapshot(frame: Frame) -> SnapshotRecord:
    """The snapshot in `frame`; raises JournalError when its body is not one."""
    try:
        state, cursors, predecessors = unpack(frame.body)
        return SnapshotRecord(
            state,
            {sender: Cursor(*at) for sender, at in cursors.items()},
            {receiver: Cursor(*at) for receiver, at in predecessors.items()},
        )
    except (DecodeError, ValueError, TypeError, AttributeError) as error:
        raise JournalError(f"the snapshot at offset {frame.offset} is not readable: {error}") from error
