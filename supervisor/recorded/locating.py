"""Where the journals of a run are damaged, when all that is known is the message that cannot be read back.

In: a recording and the identity of a message. Out: the first bad bytes between its neighbours in the journal of its
sender, or of the sender of a payload that it names; the end of that journal when it ends before; None when everything
about the message can be read.
"""

from typing import NamedTuple

from bus.core import MessageRef
from bus.frame import Fault
from bus.recording import RecordedMessage, Recording, messages_of
from bus.stream import Damage


class Damaged(NamedTuple):
    """Bytes of a journal that are not what was written."""

    actor: str
    segment: str
    """Empty for a journal that is not there."""
    offset: int
    reason: str


def locate(recording: Recording, wanted: MessageRef) -> Damaged | None:
    """Where `wanted` stood, or would stand. Raises OSError."""
    bad: Damaged | None = None
    for item in recording.steps(wanted.sender):
        if isinstance(item, Damage):
            bad = bad or Damaged(wanted.sender, item.segment, item.offset, item.reason)
            continue
        for message in messages_of(item):
            if message.ref == wanted:
                return _locate_payload(recording, message)
            if message.ref > wanted:
                return bad
            bad = None
    return bad or _end_of(recording, wanted.sender)


def _locate_payload(recording: Recording, message: RecordedMessage) -> Damaged | None:
    """Where a payload stood that `message` names and does not hold."""
    for origin in message.outgoing.origins:
        if origin is None or origin == message.ref:
            continue
        found = locate(recording, origin)
        if found is not None:
            return found
    return None


def _end_of(recording: Recording, sender: str) -> Damaged:
    """The end of what can be read of a journal."""
    segment, end = "", 0
    for _, path, item in recording.frames(sender):
        if isinstance(item, Fault):
            return Damaged(sender, path.name, item.offset, item.reason)
        segment, end = path.name, item.end
    return Damaged(sender, segment, end, "the journal ends here" if segment else "it has no journal")
