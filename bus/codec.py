"""Messages to msgpack bytes and back, with limits on everything that comes from outside.

In: messages, or an untrusted body with its payload frames. Out: canonical bytes, or a validated message. Refused with
`DecodeError`, naming the value: bodies over `MAX_BODY_BYTES`, nesting too deep, trailing bytes, unknown kinds and
versions, missing, extra or wrong fields, non-finite floats, a wrong number of payloads or one too large.
"""

from collections.abc import Sequence
from typing import Any, Final, get_origin

import msgpack
from pydantic import ValidationError

from bus.errors import DecodeError
from schemas.base import MAX_PAYLOAD_BYTES, Message, Record
from schemas.errors import SchemaError
from schemas.upgrades import UPGRADES, upgrade

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
MAX_PAYLOADS: Final = 4096

BytesLike = bytes | memoryview


def _record_fields(value: object) -> dict[str, Any]:
    if isinstance(value, Record):
        return value.__dict__
    raise TypeError(f"{type(value).__name__} does not go into a message")


_pack = msgpack.Packer(default=_record_fields, use_bin_type=True, autoreset=True).pack


def pack(value: object) -> bytes:
    """Canonical msgpack bytes of `value`; records become maps in field order."""
    packed: bytes = _pack(value)
    return packed


def unpack(data: BytesLike) -> Any:
    """The value in `data`, with arrays as tuples; raises DecodeError unless it is exactly one msgpack value."""
    try:
        return msgpack.unpackb(data, use_list=False, strict_map_key=False)
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise DecodeError("msgpack", f"{type(error).__name__} {error}".strip()) from error


def encode_body(message: Message) -> bytes:
    """The body of `message`: its fields in order, without payloads."""
    fields = message.__dict__
    if message.payload_fields:
        fields = {name: value for name, value in fields.items() if name not in message.payload_fields}
    packed: bytes = _pack(fields)
    return packed


def payloads_of(message: Message) -> tuple[BytesLike, ...]:
    """The payload frames of `message`, in order."""
    if not message.payload_fields:
        return ()
    value = getattr(message, message.payload_fields[0])
    return value if isinstance(value, tuple) else (value,)


def decode_body(cls: type[Message], body: BytesLike, payloads: Sequence[BytesLike] = (), version: int = 1) -> Message:
    """The message of class `cls` in `body` and `payloads`; raises DecodeError naming what is wrong."""
    return Decoder(cls).decode(body, payloads, version)


class Decoder:
    """Decodes one kind of message; keeps its validator, so that a message costs microseconds."""

    def __init__(self, cls: type[Message]) -> None:
        cls.model_rebuild()
        self.cls = cls
        self._validate = cls.__pydantic_validator__.validate_python
        self._payload_field = cls.payload_fields[0] if cls.payload_fields else None
        self._takes_many = (
            self._payload_field is not None and get_origin(cls.model_fields[self._payload_field].annotation) is tuple
        )

    @property
    def takes_payloads(self) -> bool:
        """Whether messages of this kind carry payloads."""
        return self._payload_field is not None

    def decode(self, body: BytesLike, payloads: Sequence[BytesLike], version: int) -> Message:
        """The validated message; raises DecodeError."""
        if len(body) > MAX_BODY_BYTES:
            raise DecodeError(self.cls.kind, f"body has {len(body)} bytes, the limit is {MAX_BODY_BYTES}")
        try:
            fields = msgpack.unpackb(body, use_list=False)
        except (ValueError, msgpack.UnpackException, RecursionError) as error:
            raise DecodeError(self.cls.kind, f"body is not one msgpack map ({type(error).__name__} {error})") from error
        if not isinstance(fields, dict):
            raise DecodeError(self.cls.kind, f"body is a {type(fields).__name__}, a map is required")
        if version != self.cls.version:
            fields = self._upgraded(fields, version)
        if self._payload_field is not None or payloads:
            self._attach(fields, payloads)
        try:
            message: Message = self._validate(fields)
        except ValidationError as error:
            raise DecodeError(self.cls.kind, _first_faults(error, shows_values=not self.cls.is_private)) from error
        return message

    def _upgraded(self, fields: dict[str, Any], version: int) -> dict[str, Any]:
        try:
            return upgrade(self.cls.kind, version, self.cls.version, fields, UPGRADES)
        except SchemaError as error:
            raise DecodeError(self.cls.kind, str(error)) from error

    def _attach(self, fields: dict[str, Any], payloads: Sequence[BytesLike]) -> None:
        if self._payload_field is None:
            raise DecodeError(self.cls.kind, f"carries {len(payloads)} payloads, none is allowed")
        if self._payload_field in fields:
            raise DecodeError(self.cls.kind, f"{self._payload_field} inside the body; payloads travel as frames")
        if len(payloads) > MAX_PAYLOADS or (not self._takes_many and len(payloads) != 1):
            raise DecodeError(self.cls.kind, f"carries {len(payloads)} payloads")
        largest = max(map(len, payloads), default=0)
        if largest > MAX_PAYLOAD_BYTES:
            raise DecodeError(self.cls.kind, f"a payload has {largest} bytes, the limit is {MAX_PAYLOAD_BYTES}")
        fields[self._payload_field] = tuple(payloads) if self._takes_many else payloads[0]


def _first_faults(error: ValidationError, *, shows_values: bool) -> str:
    faults = error.errors(include_url=False, include_context=False)
    texts = []
    for fault in faults[:3]:
        place = ".".join(str(part) for part in fault["loc"]) or "message"
        value = f" (got {str(fault['input'])[:60]!r})" if shows_values else ""
        texts.append(f"{place}: {fault['msg']}{value}")
    more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
    return "; ".join(texts) + more
