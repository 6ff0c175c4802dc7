"""What travels in front of every message: who says it, as which number, after which, because of what.

In: the fields, or untrusted bytes. Out: a msgpack array of fixed order, or an `Envelope`. Identity is (sender, epoch,
seq); epoch is the number of the sender's process start, so numbers are never reused. `predecessor` is the sender's
previous message to the same receiver: a receiver accepts a message iff that equals its cursor (design, section 3).
"""

from typing import Final, NamedTuple

import msgpack

from bus.core import Cursor, MessageRef
from bus.errors import DecodeError
from bus.step import MAX_EPOCH, MAX_SEQ, Outgoing, RecordedInput

MAX_ENVELOPE_BYTES: Final = 512
FIELD_TYPES: Final = (str, int, str, int, int, int, int, int, str, int, int, int, int)
MAX_NUMBER: Final = 2**63 - 1
"""What a store and a file offset can hold."""
LARGEST: Final = {
    **{at: MAX_NUMBER for at, kind in enumerate(FIELD_TYPES) if kind is int},
    **dict.fromkeys((3, 5, 9), MAX_EPOCH),
    **dict.fromkeys((4, 6, 10), MAX_SEQ),
}
"""By place in the array. What is taken is journalled, so a larger epoch or seq than a journal holds is refused here."""
NO_CAUSE: Final = MessageRef("", 0, 0)

_pack = msgpack.Packer(use_bin_type=True, autoreset=True).pack


class Envelope(NamedTuple):
    """The head of a message. `cause_sender` is empty when no message led to this one."""

    kind: str
    version: int
    sender: str
    epoch: int
    seq: int
    predecessor_epoch: int
    predecessor_seq: int
    wall_ns: int
    cause_sender: str
    cause_epoch: int
    cause_seq: int
    segment_seq: int
    """First seq of the sender's journal segment that holds the message."""
    offset: int
    """Where the frame that holds it begins, in that segment."""

    @property
    def ref(self) -> MessageRef:
        """The identity of the message."""
        return MessageRef(self.sender, self.epoch, self.seq)

    @property
    def position(self) -> Cursor:
        """Where the message stands in its sender's stream."""
        return Cursor(self.epoch, self.seq)

    @property
    def predecessor(self) -> Cursor:
        """The sender's previous message to the same receiver; (0, 0) for the first."""
        return Cursor(self.predecessor_epoch, self.predecessor_seq)


class Place(NamedTuple):
    """Where a frame begins in its sender's journal."""

    epoch: int
    segment_seq: int
    offset: int


def envelope_of(event: RecordedInput, out: Outgoing, sender: str, place: Place, wall_ns: int) -> Envelope:
    """The envelope under which `out` leaves, said in the step that handled `event`."""
    cause = event if type(event) is MessageRef else NO_CAUSE
    return Envelope._make(
        (out.kind, out.version, sender, place.epoch, out.seq, *out.predecessor, wall_ns, *cause, *place[1:])
    )


def encode_envelope(envelope: Envelope) -> bytes:
    """The msgpack array of `envelope`."""
    packed: bytes = _pack(envelope)
    return packed


def decode_envelope(data: bytes | memoryview) -> Envelope:
    """The envelope in `data`; raises DecodeError."""
    if len(data) > MAX_ENVELOPE_BYTES:
        raise DecodeError("envelope", f"{len(data)} bytes, the limit is {MAX_ENVELOPE_BYTES}")
    try:
        fields = msgpack.unpackb(data, use_list=False)
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise DecodeError("envelope", f"not one msgpack array ({type(error).__name__} {error})") from error
    if type(fields) is not tuple or tuple(map(type, fields)) != FIELD_TYPES:
        raise DecodeError("envelope", "not the thirteen fields of an envelope")
    envelope = Envelope._make(fields)
    for at, largest in LARGEST.items():
        if not 0 <= fields[at] <= largest:
            raise DecodeError("envelope", f"{Envelope._fields[at]} {fields[at]} is not in [0, {largest}]")
    return envelope
