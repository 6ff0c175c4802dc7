"""The base of every message: frozen, strict, closed.

In: python values. Out: immutable messages. A message never looks at the world: no default reads a clock, an
environment or a random source. Raw payloads (tensors) are the fields named in `payload_fields`; they travel as frames
of their own and never inside msgpack (design, section 3).
"""

from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

MAX_PAYLOAD_BYTES: Final = 32 * 1024 * 1024
"""Largest single payload, in bytes: a tensor of 1024 x 1024 x 2 x 3 f32, far above the shapes in use."""


def _check_payload(value: object) -> bytes | memoryview:
    if not isinstance(value, bytes | memoryview):
        raise ValueError(f"a payload is bytes or a memoryview, not {type(value).__name__}")
    if len(value) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a payload has at most {MAX_PAYLOAD_BYTES} bytes, this one has {len(value)}")
    return value


Payload = Annotated[bytes, PlainValidator(_check_payload)]
"""Raw bytes that travel beside the message; a received one may be a memoryview of the frame, to spare a copy."""

Unit = Annotated[float, Field(ge=0.0, le=1.0)]
"""A finite float in [0, 1]."""

Colour = tuple[Unit, Unit, Unit]
"""Mean red, green and blue in [0, 1]: the one signature convention (design, 5.1)."""

Digest = Annotated[bytes, Field(min_length=32, max_length=32)]
"""A SHA-256 digest, 32 bytes."""

Count = Annotated[int, Field(ge=0)]
"""A whole number that is not negative."""

WallNs = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""Nanoseconds since the Unix epoch, as read once in a recorded step."""


class Record(BaseModel):
    """An immutable, strictly typed part of a message."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        defer_build=True,
        ser_json_bytes="base64",
    )


class Message(Record):
    """What one actor says to another. The kind is the class name; a changed message raises `version`."""

    kind: ClassVar[str] = ""
    version: ClassVar[int] = 1
    payload_fields: ClassVar[tuple[str, ...]] = ()
    is_private: ClassVar[bool] = False
    """Whether its values are for nobody's eyes: a refusal names the field and not what was in it."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind = cls.__name__
