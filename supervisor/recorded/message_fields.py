"""The fields of a message, for people and for JSON: nothing long, and no raw bytes.

In: a message as it was skimmed, its payloads when they were read. Out: its fields as they stand in its body, in the
version in which it was said; `brief` texts, and values that JSON can hold. A digest is shown in hex, longer bytes by
their size and the first eight digits of their SHA-256. Control characters are written out: a message cannot steer
the terminal.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, get_origin

from bus.codec import BytesLike, unpack
from bus.core import Fired, MessageRef, Observed, Started
from bus.errors import DecodeError
from bus.skimming import SkimmedMessage
from bus.step import RecordedInput
from schemas.catalogue import CATALOGUE
from schemas.ids import UUID_PATTERN
from supervisor.log_lines import printable

DIGEST_BYTES: Final = 32
LONGEST_TEXT: Final = 40
MOST_ENTRIES: Final = 4
MOST_FIELDS: Final = 4
"""Of a record inside a message."""
_UUID: Final = re.compile(UUID_PATTERN)

Fields = dict[str, Any]


def fields_of(message: SkimmedMessage) -> Fields:
    """The fields in the body of `message`; raises DecodeError when they are none."""
    fields = unpack(message.body)
    if not isinstance(fields, dict):
        raise DecodeError(message.kind, f"{message.message_id}: the body is no map")
    return fields


def with_payloads(message: SkimmedMessage, fields: Fields, payloads: Sequence[BytesLike]) -> Fields:
    """`fields` with the payloads of `message` under their name."""
    cls = CATALOGUE.get(message.kind)
    if not payloads:
        return fields
    if cls is None or not cls.payload_fields:
        return {**fields, "payloads": tuple(payloads)}
    name = cls.payload_fields[0]
    is_many = get_origin(cls.model_fields[name].annotation) is tuple
    return {**fields, name: tuple(payloads) if is_many else payloads[0]}


def cause_text(event: RecordedInput) -> str:
    """What led to a step: the id of a message, `timer NAME`, `observation NAME` or `start EPOCH`."""
    match event:
        case MessageRef():
            return "/".join(map(str, event))
        case Fired(name=name):
            return f"timer {name}"
        case Observed(name=name):
            return f"observation {name}"
        case Started(epoch=epoch):
            return f"start {epoch}"


def plain(value: object) -> object:
    """`value` as JSON can hold it."""
    match value:
        case bytes() | memoryview():
            return bytes(value).hex() if len(value) <= DIGEST_BYTES else {"bytes": len(value), "sha256": _sha8(value)}
        case Mapping():
            return {str(name): plain(inner) for name, inner in value.items()}
        case tuple() | list():
            return [plain(entry) for entry in value]
    return value


def brief_fields(fields: Fields) -> str:
    """`k=8, mode=mixed, ...`, in the order of the message."""
    return ", ".join(f"{name}={brief(value, name)}" for name, value in fields.items())


def brief(value: object, name: str = "", depth: int = 0) -> str:
    """`value` in a few words; `name` is that of its field."""
    match value:
        case bytes() | memoryview():
            is_digest = len(value) <= DIGEST_BYTES
            return f"{bytes(value).hex()[:8]}..." if is_digest else f"{len(value)} bytes {_sha8(value)}"
        case Mapping():
            return _brief_record(value, depth)
        case tuple() | list():
            return _brief_list(value, depth)
        case int() if name.endswith("_ns"):
            return clock_text(value)
    return _brief_scalar(value)


def clock_text(wall_ns: int) -> str:
    """`12:00:00.000`, UTC."""
    return f"{datetime.fromtimestamp(wall_ns // 1_000_000 / 1000, UTC):%H:%M:%S.%f}"[:-3]


def short_id(text: str) -> str:
    """The first eight digits of a UUID, which `supervisor trace` takes; other text as it is."""
    return text[:8] if _UUID.match(text) else text


def _brief_scalar(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.4g}"
    return _brief_text(str(value))


def _brief_text(text: str) -> str:
    if _UUID.match(text):
        return f"{text[:8]}-..."
    return printable(text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 3]}...")


def _brief_record(record: Mapping[Any, object], depth: int) -> str:
    if depth > 0:
        return "{...}"
    shown = [f"{name}={brief(inner, str(name), depth + 1)}" for name, inner in list(record.items())[:MOST_FIELDS]]
    return "{" + ", ".join(shown + (["..."] if len(record) > MOST_FIELDS else [])) + "}"


def _brief_list(entries: Sequence[object], depth: int) -> str:
    if any(isinstance(entry, Mapping) for entry in entries):
        rest = f", ... {len(entries)} in all" if len(entries) > 1 else ""
        return f"[{brief(entries[0], '', depth)}{rest}]"
    shown = [brief(entry, "", depth + 1) for entry in entries[:MOST_ENTRIES]]
    return f"[{', '.join(shown)}{f', ... {len(entries)} in all' if len(entries) > MOST_ENTRIES else ''}]"


def _sha8(value: bytes | memoryview) -> str:
    return hashlib.sha256(value).hexdigest()[:8]
