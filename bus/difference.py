"""Where two steps differ: the first field of the first message, both values, and by how many ulps when they are
floats.

In: a recorded step and the same step replayed. Out: the first `Difference`, or None when both are the same byte
for byte. With a tolerance, floats of message bodies that lie within so many ulps count as equal, and are counted.
"""

import struct
from dataclasses import dataclass
from typing import Any, Final

from bus.codec import BytesLike, unpack
from bus.step import Outgoing, StepRecord
from schemas.catalogue import CATALOGUE

SHOWN_CHARS: Final = 120


@dataclass(frozen=True)
class Difference:
    """What differs first."""

    message: str
    """Kind and receiver; empty for what is no message."""
    field: str
    """Path of the field, such as `entries.0.score`."""
    recorded: str
    replayed: str
    ulps: int | None
    """Distance of two floats in units in the last place."""


@dataclass
class Comparison:
    """Compares steps under a tolerance, and counts what only the tolerance let pass."""

    ulp_tolerance: int = 0
    tolerated: int = 0

    def first(self, recorded: StepRecord, replayed: StepRecord) -> Difference | None:
        """The first difference of the two steps."""
        for old, new in zip(recorded.outgoing, replayed.outgoing, strict=False):
            found = self._message(old, new)
            if found is not None:
                return found
        old_kinds, new_kinds = _kinds(recorded), _kinds(replayed)
        if old_kinds != new_kinds:
            return Difference("", "messages", ", ".join(old_kinds) or "none", ", ".join(new_kinds) or "none", None)
        if recorded.refusal != replayed.refusal:
            return Difference("", "refusal", str(recorded.refusal), str(replayed.refusal), None)
        if recorded.rng_digest != replayed.rng_digest:
            return Difference("", "randomness", recorded.rng_digest.hex(), replayed.rng_digest.hex(), None)
        return None

    def _message(self, old: Outgoing, new: Outgoing) -> Difference | None:
        name = f"{old.kind} to {old.receiver}"
        for field in ("kind", "receiver", "version", "seq", "predecessor"):
            if getattr(old, field) != getattr(new, field):
                return Difference(name, field, str(getattr(old, field)), str(getattr(new, field)), None)
        if old.body != new.body:
            found = self._value(unpack(old.body), unpack(new.body), "")
            if found is not None:
                return Difference(name, *found)
            if not self.ulp_tolerance:
                return Difference(name, "encoding", _shown(old.body), _shown(new.body), None)
        return _payload_difference(name, old, new)

    def _value(self, old: Any, new: Any, path: str) -> tuple[str, str, str, int | None] | None:
        if type(old) is not type(new):
            return path, _shown(old), _shown(new), None
        if isinstance(old, dict):
            return self._mapping(old, new, path)
        if isinstance(old, tuple):
            if len(old) != len(new):
                return f"{path}.length".lstrip("."), str(len(old)), str(len(new)), None
            return self._members(enumerate(zip(old, new, strict=True)), path)
        if isinstance(old, float):
            return self._float(old, new, path)
        return None if old == new else (path, _shown(old), _shown(new), None)

    def _mapping(self, old: dict[str, Any], new: dict[str, Any], path: str) -> tuple[str, str, str, int | None] | None:
        if list(old) != list(new):
            return f"{path}.keys".lstrip("."), _shown(list(old)), _shown(list(new)), None
        return self._members(((key, (old[key], new[key])) for key in old), path)

    def _members(self, pairs: Any, path: str) -> tuple[str, str, str, int | None] | None:
        for key, (old, new) in pairs:
            found = self._value(old, new, f"{path}.{key}".lstrip("."))
            if found is not None:
                return found
        return None

    def _float(self, old: float, new: float, path: str) -> tuple[str, str, str, int | None] | None:
        if struct.pack("<d", old) == struct.pack("<d", new):
            return None
        distance = ulps_between(old, new)
        if distance <= self.ulp_tolerance:
            self.tolerated += 1
            return None
        return path, repr(old), repr(new), distance


def ulps_between(one: float, other: float) -> int:
    """How many doubles lie from `one` to `other`."""
    return abs(_ordinal(one) - _ordinal(other))


def _ordinal(value: float) -> int:
    bits = int(struct.unpack("<q", struct.pack("<d", value))[0])
    return bits if bits >= 0 else -(bits & 0x7FFF_FFFF_FFFF_FFFF)


def _payload_difference(name: str, old: Outgoing, new: Outgoing) -> Difference | None:
    cls = CATALOGUE.get(old.kind)
    field = cls.payload_fields[0] if cls is not None and cls.payload_fields else "payload"
    if old.origins != new.origins:
        return Difference(name, f"{field}.origins", _shown(old.origins), _shown(new.origins), None)
    stored_old, stored_new = old.stored_payloads(), new.stored_payloads()
    for at, (one, other) in enumerate(zip(stored_old, stored_new, strict=True)):
        if one != other:
            place = _first_difference(one, other)
            text_old, text_new = (bytes(part[place : place + 16]).hex() for part in (one, other))
            return Difference(name, f"{field}.{at} byte {place}", text_old, text_new, None)
    return None


def _first_difference(one: BytesLike, other: BytesLike) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _kinds(record: StepRecord) -> list[str]:
    return [f"{out.kind} to {out.receiver}" for out in record.outgoing]


def _shown(value: object) -> str:
    text = bytes(value).hex() if isinstance(value, bytes | memoryview) else repr(value)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}..."
