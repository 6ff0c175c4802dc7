"""Identifiers: their types, and how they are derived from what is already known.

No identifier is drawn at random: each is a UUIDv5 of the run seed, the run's ordinal, the actor and a counter, so that
a replay derives the same ones (design, 5.16).
"""

import hashlib
from typing import Annotated, Final, NewType
from uuid import UUID, uuid5

from pydantic import Field

NAMESPACE: Final = UUID("8d3cf2ea-5f0c-5a54-9a63-0b7a2f3f5c11")
UUID_PATTERN: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
INSTANCE_PATTERN: Final = r"^[a-z][a-z0-9-]{0,31}$"

UuidText = Annotated[str, Field(pattern=UUID_PATTERN)]
InstanceText = Annotated[str, Field(pattern=INSTANCE_PATTERN)]

DreamId = NewType("DreamId", str)
InstanceName = NewType("InstanceName", str)
RunId = NewType("RunId", str)


def derived_id(*parts: str | int) -> str:
    """A UUIDv5 of `parts`; equal parts give equal ids, on every machine."""
    return str(uuid5(NAMESPACE, "/".join(str(part) for part in parts)))


def content_id(label: str, content: bytes) -> str:
    """A UUIDv5 of the SHA-256 of `content`, so that the same picture or fact has the same id everywhere."""
    return derived_id(label, hashlib.sha256(content).hexdigest())
