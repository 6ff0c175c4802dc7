"""One step of an actor as it stands in the journal: what came in, what was drawn, everything that went out.

In: an input and the outcome of a core. Out: the body and payloads of one STEP frame, and back. Received messages are
stored by reference, since their sender's journal holds them; a boxed actor cannot read that, and stores what it heard
beside the reference. A payload that another message of the run already holds is stored by reference too.
"""

from typing import Any, Final, NamedTuple

from msgpack import UnpackException, unpackb

from bus.codec import BytesLike, encode_body, pack, payloads_of, unpack
from bus.core import Cursor, Fired, MessageRef, Observed, Started
from bus.errors import DecodeError, JournalError
from bus.frame import Frame
from schemas.base import Message

MAX_EPOCH: Final = 2**20 - 1
MAX_SEQ: Final = 2**40 - 1
"""Numbers of processes and messages stay below; the names of segments hold six and twelve digits of them."""
MAX_NAME_CHARS: Final = 256
"""Of a kind, and of a sender."""
MAX_BODY_BYTES: Final = 64 * 1024 * 1024
"""Of a step without its payloads: what it takes to unpack one is many times that."""
SHOWN: Final = 8
"""Items and characters of what is refused that its report shows."""

HEARD_FIELDS: Final = 7
"""Of a message that its receiver has kept whole."""
MESSAGE_FIELDS: Final = (4, HEARD_FIELDS)

_new = tuple.__new__


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


def decode_step(frame: Frame, payload_bytes: int | None = None) -> StepRecord:
    """The step in `frame`; raises JournalError unless every field is of its type and range, and the sizes fit.

    `payload_bytes` is what the frame holds of payload when its reader has passed that over.
    """
    try:
        if len(frame.body) > MAX_BODY_BYTES:
            raise ValueError(f"its body has {len(frame.body)} bytes, the limit is {MAX_BODY_BYTES}")
        event, digest, rows, refusal = unpackb(frame.body, use_list=False, strict_map_key=False)
        size = len(frame.payload) if payload_bytes is None else payload_bytes
        if type(event) is not tuple or type(rows) is not tuple or type(digest) is not bytes:
            raise ValueError("its input, its messages or its digest are none")
        if refusal is not None and type(refusal) is not str:
            raise ValueError(f"no refusal is {_short(refusal)}")
        outgoing = _outgoing(rows, frame.payload, size) if rows or size else ()
        heard = _heard_of(event) if len(event) == HEARD_FIELDS else None
        return _new(StepRecord, (_event_of(event), digest, outgoing, refusal, heard))
    except (UnpackException, RecursionError, ValueError, TypeError) as error:
        raise JournalError(f"the step at offset {frame.offset} is not readable: {error}") from error


def _outgoing(rows: tuple[Any, ...], payload: memoryview, size: int) -> tuple[Outgoing, ...]:
    """The messages in `rows`, which share `size` bytes of payload. Raises ValueError or TypeError."""
    outgoing, at = [], 0
    for receiver, kind, version, seq, epoch, last, body, held in rows:
        if type(receiver) is not str or type(kind) is not str or type(body) is not bytes or type(held) is not tuple:
            raise ValueError(f"no message is {_short((receiver, kind, body, held))}")
        if not (type(version) is type(seq) is type(epoch) is type(last) is int):
            raise ValueError(f"no message has the numbers {_short((version, seq, epoch, last))}")
        if version | epoch < 0 or version | epoch > MAX_EPOCH or not 0 < seq <= MAX_SEQ or not 0 <= last <= MAX_SEQ:
            raise ValueError(f"no message has the numbers {_short((version, seq, epoch, last))}")
        if len(kind) > MAX_NAME_CHARS:
            raise ValueError(f"no kind has {len(kind)} characters")
        payloads: tuple[BytesLike, ...] = ()
        origins: tuple[MessageRef | None, ...] = ()
        if held:
            payloads, origins, at = _held(held, payload, at)
        cursor = _new(Cursor, (epoch, last))
        outgoing.append(_new(Outgoing, (receiver, kind, version, seq, cursor, body, payloads, origins)))
    if at != size:
        raise ValueError(f"it holds {size} bytes of payload, its messages have {at}")
    return tuple(outgoing)


def _held(
    held: tuple[Any, ...], payload: memoryview, at: int
) -> tuple[tuple[BytesLike, ...], tuple[MessageRef | None, ...], int]:
    """The payloads and origins that `held` describes, and where in `payload` they end. Raises ValueError."""
    payloads: list[BytesLike] = []
    origins: list[MessageRef | None] = []
    for entry in held:
        if type(entry) is int and entry >= 0:
            payloads.append(payload[at : at + entry])
            origins.append(None)
            at += entry
        else:
            payloads.append(payload[at:at])
            origins.append(_ref_of(*entry))
    return tuple(payloads), tuple(origins), at


def _ref_of(sender: object, epoch: object, seq: object) -> MessageRef:
    if type(sender) is not str or type(epoch) is not int or type(seq) is not int:
        raise ValueError(f"no message is called {_short((sender, epoch, seq))}")
    if not (0 <= epoch <= MAX_EPOCH and 0 <= seq <= MAX_SEQ and len(sender) <= MAX_NAME_CHARS):
        raise ValueError(f"no message is called {_short((sender, epoch, seq))}")
    return _new(MessageRef, (sender, epoch, seq))


def _event_of(row: tuple[Any, ...]) -> RecordedInput:
    """The input in `row`, an array that begins with the letter of its kind. Raises ValueError or TypeError."""
    size = len(row)
    if size in MESSAGE_FIELDS and row[0] == "m":
        return _ref_of(row[1], row[2], row[3])
    if size == 3:
        letter, name, data = row
        if letter == "o" and type(name) is str and type(data) is bytes:
            return Observed(name, data)
    elif size == 2:
        letter, fact = row
        if letter == "t" and type(fact) is str:
            return Fired(fact)
        if letter == "s" and type(fact) is int and 0 <= fact <= MAX_EPOCH:
            return Started(fact)
    raise ValueError(f"no input is {_short(row)}")


def _heard_of(row: tuple[Any, ...]) -> Heard:
    """The message that follows its reference in `row`. Raises ValueError."""
    _, _, _, _, kind, version, body = row
    if type(kind) is str and type(version) is int and type(body) is bytes and 0 <= version <= MAX_EPOCH:
        return Heard(kind, version, body)
    raise ValueError(f"nothing was heard that is {_short(row[4:])}")


def _short(values: object) -> str:
    """What of `values` fits into a line of a log."""
    if not isinstance(values, tuple):
        return type(values).__name__
    return f"({', '.join(map(_short_item, values[:SHOWN]))})"


def _short_item(value: object) -> str:
    if isinstance(value, str | bytes):
        return repr(value[:SHOWN])
    return repr(value) if type(value) is int else type(value).__name__


def encode_snapshot(record: SnapshotRecord) -> bytes:
    """The body of a SNAPSHOT frame."""
    return pack((record.state, record.cursors, record.predecessors))


def decode_snapshot(frame: Frame) -> SnapshotRecord:
    """The snapshot in `frame`; raises JournalError when its body is not one."""
    try:
        state, cursors, predecessors = unpack(frame.body)
        if type(state) is not bytes:
            raise ValueError(f"its state is a {type(state).__name__}")
        return SnapshotRecord(state, cursors_of(cursors), cursors_of(predecessors))
    except (DecodeError, ValueError, TypeError) as error:
        raise JournalError(f"the snapshot at offset {frame.offset} is not readable: {error}") from error


def cursors_of(value: object) -> dict[str, Cursor]:
    """The cursors in what was unpacked; raises ValueError unless it maps names to pairs of numbers in range."""
    if not isinstance(value, dict):
        raise ValueError(f"a {type(value).__name__} where cursors are due")
    cursors = {}
    for name, at in value.items():
        if type(at) is not tuple or len(at) != 2:
            raise ValueError("a cursor that is no pair")
        cursors[name] = Cursor(*_ref_of(name, *at)[1:])
    return cursors
