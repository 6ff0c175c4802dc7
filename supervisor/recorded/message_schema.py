"""The JSON Schema of a message as it stands in an exported file: one msgpack map with all fields.

In: a message class. Out: its schema, made by pydantic from the types and corrected in one point: msgpack has bytes and
JSON has not. A bytes field has `"x-msgpack": "bin"`, and its schema refuses every JSON type but text. So a map passes
as it comes out of a msgpack decoder, where such a field is bytes (`bytes` in Python), and it passes too when a tool
has turned bytes into text, which is base64 then.
"""

from typing import Any, Final, get_origin

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from schemas.base import Message

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
NO_BYTES: Final = ("null", "boolean", "number", "object", "array")
"""The JSON types that bytes are never decoded to; what is left is text, and what is no JSON at all."""


class _Schema(GenerateJsonSchema):
    """Describes bytes as msgpack has them."""

    def bytes_schema(self, schema: core_schema.BytesSchema) -> JsonSchemaValue:
        """The schema of a bytes field."""
        least, most = schema.get("min_length"), schema.get("max_length")
        return bytes_schema(f"{least} bytes" if least is not None and least == most else "bytes")


def bytes_schema(description: str) -> dict[str, Any]:
    """The schema of msgpack bytes."""
    return {
        "description": f"{description}: bin in msgpack; base64 where a tool renders it as text",
        "x-msgpack": "bin",
        "contentEncoding": "base64",
        "not": {"type": list(NO_BYTES)},
    }


def message_schema(cls: type[Message]) -> dict[str, Any]:
    """The JSON Schema of a message of class `cls`, its payloads included."""
    schema: dict[str, Any] = cls.model_json_schema(schema_generator=_Schema)
    for name in cls.payload_fields:
        described = schema["properties"][name]
        payload = bytes_schema("raw payload")
        is_many = get_origin(cls.model_fields[name].annotation) is tuple
        schema["properties"][name] = {**described, "items": payload} if is_many else {**described, **payload}
    return {"$schema": DIALECT, **schema, "x-version": cls.version}
