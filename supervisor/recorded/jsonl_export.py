"""A recorded run as JSON Lines: one object a message.

In: messages. Out: lines of `id`, `sender`, `receiver`, `kind`, `version`, `wall_ns`, `step`, `cause`, `predecessor`
and `body`. `id`, `cause` and `predecessor` are `SENDER/EPOCH/SEQ`; `cause` is null where a timer, a start or an
observation led to the message, `predecessor` is null for the first message to a receiver. Bytes in the body are
base64. A payload is an object of `sha256` and `size_bytes`, and of `base64` where payloads are wanted.
"""

import base64
import hashlib
import json
from typing import Any, BinaryIO

from bus.codec import BytesLike
from bus.core import MessageRef
from bus.recording import RecordedMessage
from schemas.base import Message, Record


class JsonLines:
    """Writes one JSON object a line."""

    def __init__(self, file: BinaryIO, *, has_payloads: bool = False) -> None:
        self._file = file
        self._has_payloads = has_payloads

    def write(self, recorded: RecordedMessage, message: Message) -> None:
        """Append the line of `message`."""
        text = json.dumps(self._tree(recorded, message), default=_plain, ensure_ascii=False, allow_nan=False)
        self._file.write(text.encode() + b"\n")

    def finish(self) -> None:
        """Nothing stands at the end."""

    def _tree(self, recorded: RecordedMessage, message: Message) -> dict[str, Any]:
        sender = recorded.ref.sender
        before = recorded.predecessor
        return {
            "id": recorded.message_id,
            "sender": sender,
            "receiver": recorded.receiver,
            "kind": recorded.kind,
            "version": message.version,
            "wall_ns": recorded.wall_ns,
            "step": recorded.step,
            "cause": _text(recorded.cause) if recorded.cause is not None else None,
            "predecessor": _text(MessageRef(sender, *before)) if any(before) else None,
            "body": self._body(message),
        }

    def _body(self, message: Message) -> dict[str, Any]:
        fields = dict(message.__dict__)
        for name in message.payload_fields:
            value = fields[name]
            fields[name] = [self._payload(each) for each in value] if isinstance(value, tuple) else self._payload(value)
        return fields

    def _payload(self, payload: BytesLike) -> dict[str, Any]:
        described = {"sha256": hashlib.sha256(payload).hexdigest(), "size_bytes": len(payload)}
        return {**described, "base64": _plain(payload)} if self._has_payloads else described


def _text(ref: MessageRef) -> str:
    return "/".join(map(str, ref))


def _plain(value: object) -> object:
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Record):
        return value.__dict__
    raise TypeError(f"{type(value).__name__} does not go into JSON")
