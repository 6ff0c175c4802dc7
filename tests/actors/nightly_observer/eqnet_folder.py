"""A folder as EQNet writes it, in every shape that it writes."""

import datetime as dt
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

DATE = "2026-01-04"
NOON_S = dt.datetime(2026, 1, 4, 12, tzinfo=dt.UTC).timestamp()


class EqnetFolder:
    """Writes files below a root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, raw: bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(raw)

    def document(self, path: str, value: object) -> None:
        self.write(path, json.dumps(value, indent=2).encode())

    def rows(self, path: str, rows: Iterable[object], end: str = "\n", beginning: bytes = b"") -> None:
        self.write(path, beginning + "".join(json.dumps(row) + end for row in rows).encode())


def event(number: int, **changes: Any) -> dict[str, Any]:
    """A replay event; `similarity` and `action` make its interference."""
    interference = {name: changes.pop(name) for name in ("similarity", "action") if name in changes}
    row = {
        "trace_id": f"trace-{number}",
        "episode_id": f"episode-{number}",
        "timestamp": NOON_S,
        "memory_kind": "experience",
        "tags": [],
        "weight": 1.0,
        "meta": {"interference": interference} if interference else {},
    }
    return {**row, **changes}


def item(number: int, delta: float = 0.0, **guard: bool) -> dict[str, Any]:
    """A row of the log of forgetting."""
    return {
        "trace_id": f"trace-{number}",
        "episode_id": "",
        "memory_kind": "",
        "w_before": 1.0,
        "w_after": 1.0 + delta,
        "delta": delta,
        "factors": {"recall": 0.25, "affect": 0.0, "interference": 0.0},
        "guard": {"consent_override": False, "monument_lock": False, **guard},
        "sources": ["hub"],
    }


def turn(number: int, accepted: bool = True, **changes: Any) -> dict[str, Any]:
    """A row of trace_v1; rows of other numbers differ in their score."""
    row = {
        "schema_version": "trace_v1",
        "timestamp_ms": int(NOON_S * 1000) + number,
        "turn_id": f"turn-{number}",
        "scenario_id": "family_roles",
        "boundary": {"score": number / 1000},
        "prospection": {"accepted": accepted},
        "policy": {"throttles": {"safety_block": False}},
        "ru_v0": {"gate_action": "EXECUTE"},
    }
    return {**row, **changes}


def nightly(**changes: Any) -> dict[str, Any]:
    """reports/nightly.json of a whole night."""
    observe = {
        "duplicate_cluster_count": 1,
        "conflict_cluster_count": 4,
        "reference_candidate_count": 12,
        "rollup_candidate_count": 0,
        "id_privacy": "mask",
        "top_pairs": [{"id": "***", "similarity": 0.93}, {"id": "***", "similarity": 0.61}],
        "clusters_by_band": {"0.5-0.7": 1, "0.7-0.85": 0, "0.85-0.95": 1, ">=0.95": 0},
    }
    health = {
        "mode": "observe",
        "delta_abs_max": 0.98,
        "delta_abs_mean": 0.02,
        "delta_nonzero_count": 6,
        "delta_sign_balance": 0.0,
        "delta_sign_balance_mode": "ratio",
        "evidence_nonzero_counts": {"recall": 2, "affect": 0, "interference": 4},
        "guard_counts": {"floors_applied": 9.0, "consent_overrides": 3.0, "monument_locks": 0.0},
        "reasons": [],
    }
    report = {
        "schema": "nightly.v1",
        "ts": NOON_S,
        "nightly_id": "N-20260104-120000",
        "config_snapshot": {},
        "stats": {},
        "plots": {},
        "defrag": {"status": "observed", "mode": "observe", "observe": observe},
        "forgetting": {"status": "applied", "delta_stats": {"count": 20.0}, "forgetfulness_health": health},
    }
    return {**report, **changes}


def audit(**changes: Any) -> dict[str, Any]:
    """reports/audit/nightly_audit_DATE.json."""
    report = {
        "schema_version": "nightly_audit_v1",
        "date": DATE,
        "trace_files": ["trace_v1_week\\s04\\2026-01-04\\minimal-0e7f9e5c-a347-4f8e-802b-98d3424f2b34.jsonl"],
        "prospection": {"total": 20, "reject": 4},
        "policy": {"offer_throttle_counts": {"safety_block": 14}},
        "health": {"status": "GREEN", "reasons": []},
        "ru_v0_summary": {"gate_action_counts": {"EXECUTE": 19, "HUMAN_CONFIRM": 1}},
    }
    return {**report, **changes}
