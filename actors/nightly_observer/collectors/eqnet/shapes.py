"""What EQNet's files hold: which shape a document or a line has, and the parts of it that a night looks at.

In: parsed JSON. Out: small frozen rows without any text but ids, or None for a shape that is not known. A field of
another type than expected counts as absent; a number that is not finite is none.
"""

import datetime as dt
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Json = Mapping[str, Any]
DocumentShape = Literal["nightly", "audit", "weekly_audit", "thermo"]
RowShape = Literal["item", "replay", "trace", "qualia", "telemetry", "episode", "monument"]
_ENCODER: Final = json.JSONEncoder(sort_keys=True)
VOLATILE: Final = ("turn_id", "timestamp_ms", "timestamp", "trace_file")
"""Fields in which two equal rows of a trace differ."""


@dataclass(frozen=True, slots=True)
class ReplayEvent:
    """One row of the replay memory."""

    trace_id: str
    episode_id: str
    memory_kind: str
    tags: tuple[str, ...]
    weight: float | None
    emotion: float | None
    timestamp_s: float | None
    similarity: float | None
    action: str
    has_interference: bool
    recalls: tuple[str, ...]
    """Traces that this one was made from."""


@dataclass(frozen=True, slots=True)
class Item:
    """One row of the log of forgetting."""

    trace_id: str
    delta: float
    recall: float
    affect: float
    interference: float
    consent: bool
    lock: bool
    floor: bool


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One row of trace_v1."""

    turn_id: str
    scenario_id: str
    timestamp_ms: int | None
    accepted: bool | None
    is_throttled: bool
    gate_action: str | None
    likeness: bytes
    """Equal for rows that are equal but for turn and time."""


@dataclass(frozen=True, slots=True)
class QualiaRow:
    """One vector of the qualia log."""

    timestamp: str
    vector: tuple[float, ...]


def shape_of_document(value: object) -> DocumentShape | None:
    """What kind of report `value` is."""
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("nightly_audit"), dict):
        return "weekly_audit"
    if value.get("schema_version") == "nightly_audit_v1":
        return "audit"
    if value.get("schema") == "nightly.v1" or any(
        isinstance(value.get(name), dict) for name in ("forgetting", "defrag")
    ):
        return "nightly"
    if isinstance(value.get("memory_thermo"), dict) or "energy_budget_used" in value:
        return "thermo"
    return "nightly" if "ts" in value and ("memory_gc" in value or "drift" in value) else None


def shape_of_row(row: Json) -> RowShape | None:  # noqa: PLR0911 - one line for each shape
    """What kind of log `row` is from."""
    if "w_before" in row and "trace_id" in row:
        return "item"
    if row.get("schema_version") == "trace_v1" or ("turn_id" in row and ("prospection" in row or "ru_v0" in row)):
        return "trace"
    if "qualia_vec" in row:
        return "qualia"
    if "trace_id" in row and ("episode_id" in row or "memory_kind" in row):
        return "replay"
    if "event" in row and "data" in row:
        return "telemetry"
    if "core_emotion" in row and "episodes" in row:
        return "monument"
    return "episode" if "moments" in row or "dominant_emotion" in row else None


def replay_event(row: Json) -> ReplayEvent:
    """The replay event in `row`."""
    meta = part(row, "meta")
    interference = meta.get("interference")
    found = interference if isinstance(interference, dict) else {}
    tags = row.get("tags") or []
    return ReplayEvent(
        trace_id=str(row.get("trace_id", "")),
        episode_id=str(row.get("episode_id", "")),
        memory_kind=str(row.get("memory_kind", "")).lower(),
        tags=tuple(str(tag) for tag in (tags if isinstance(tags, list) else [tags]) if tag),
        weight=number(row.get("weight")),
        emotion=number(row.get("emotion_modulation")),
        timestamp_s=number(row.get("timestamp")),
        similarity=number(found.get("similarity")),
        action=str(found.get("action", "")).lower(),
        has_interference=isinstance(interference, dict),
        recalls=tuple(_recalls(meta)),
    )


def item(row: Json) -> Item:
    """The item of forgetting in `row`."""
    factors, guard = part(row, "factors"), part(row, "guard")
    return Item(
        trace_id=str(row.get("trace_id", "")),
        delta=number(row.get("delta")) or 0.0,
        recall=number(factors.get("recall")) or 0.0,
        affect=number(factors.get("affect")) or 0.0,
        interference=number(factors.get("interference")) or 0.0,
        consent=guard.get("consent_override") is True,
        lock=guard.get("monument_lock") is True and guard.get("consent_override") is not True,
        floor=guard.get("monument_floor") is True,
    )


def trace_row(row: Json) -> TraceRow:
    """The turn in `row`."""
    accepted = part(row, "prospection").get("accepted")
    throttles = part(part(row, "policy"), "throttles")
    action = part(row, "ru_v0").get("gate_action")
    kept = {name: value for name, value in row.items() if name not in VOLATILE}
    stamp = number(row.get("timestamp_ms"))
    return TraceRow(
        turn_id=str(row.get("turn_id", "")),
        scenario_id=str(row.get("scenario_id", "")),
        timestamp_ms=None if stamp is None else int(stamp),
        accepted=accepted if isinstance(accepted, bool) else None,
        is_throttled=any(is_true(value) for value in throttles.values()),
        gate_action=action if isinstance(action, str) else None,
        likeness=hashlib.sha256(_ENCODER.encode(kept).encode()).digest(),
    )


def qualia_row(row: Json) -> QualiaRow | None:
    """The vector in `row`; None for one with anything but finite numbers."""
    values = row.get("qualia_vec")
    numbers = [number(value) for value in values] if isinstance(values, list) else []
    vector = tuple(value for value in numbers if value is not None)
    if not vector or len(vector) != len(numbers):
        return None
    return QualiaRow(str(row.get("timestamp", "")), vector)


def part(row: Json, name: str) -> Json:
    """The object `name` of `row`; an empty one where it is something else."""
    value = row.get(name)
    return value if isinstance(value, dict) else {}


def number(value: object) -> float | None:
    """`value` as a finite number; a text counts when it is one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def is_true(value: object) -> bool:
    """Whether a flag is set, written as itself or as `{"pass": ...}`."""
    return bool(value["pass"]) if isinstance(value, dict) and "pass" in value else bool(value)


def date_of(stamp: object) -> str | None:
    """The UTC date of seconds since the epoch, or of an ISO time; a time without a zone is UTC."""
    seconds = number(stamp) if not isinstance(stamp, str) else None
    try:
        if seconds is not None:
            return dt.datetime.fromtimestamp(seconds, dt.UTC).date().isoformat()
        moment = dt.datetime.fromisoformat(stamp) if isinstance(stamp, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    if moment is None:
        return None
    return (moment.astimezone(dt.UTC) if moment.tzinfo else moment).date().isoformat()


def _recalls(meta: Json) -> list[str]:
    """Ids of the traces that a replay was seeded by."""
    found = []
    for container in (meta, part(meta, "receipt")):
        seeds = part(container, "replay_unified").get("seeds")
        rows = seeds if isinstance(seeds, list) else []
        found += [str(seed["trace_id"]) for seed in rows if isinstance(seed, dict) and seed.get("trace_id")]
    return found
