"""Nights on disk for tests of what shows them."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.dream_artifact import DreamBlock, SeedLine
from schemas.dream_seeds import SEED_TYPES
from schemas.night_places import EXPIRED_FILE, NIGHTLY_FILE, night_folder
from supervisor.home import Home


def anchor(name: str, prefix: str = "h:") -> str:
    return prefix + hashlib.sha256(name.encode()).hexdigest()[:24]


def line(seed_type: str, name: str = "a", value: float = 0.6, prefix: str = "h:") -> dict[str, Any]:
    return {
        "type": seed_type,
        "tone": "slight",
        "value": value,
        "threshold": 0.4,
        "op": ">=",
        "n": 20,
        "formula": {"conflict": "conflict.bin_mix", "bridge": "bridge.edge_share"}.get(seed_type, f"{seed_type}.ratio"),
        "anchors": [anchor(f"{seed_type}/{name}", prefix)],
    }


def write_night(home: Home, date: str, seeds: Sequence[dict[str, Any]] = (), **changes: Any) -> Path:
    """A night with `seeds`; `defrag`, `forgetting` and `extra` are blocks of nightly.json, the rest is of its block."""
    blocks = {name: changes.pop(name, {}) for name in ("defrag", "forgetting", "extra")}
    counts = {name: sum(seed["type"] == name for seed in seeds) for name in SEED_TYPES}
    block = {
        "status": "skipped",
        "mode": "observe",
        "privacy": {"id_privacy": changes.pop("id_privacy", "hash"), "content": "encrypted"},
        "count": 0,
        "seeds_summary": counts,
        "artifact_refs": [],
        "skip_reason": "no_recipient",
        "content_commits": [],
        "sandbox": "landlock_abi7",
        "prev_nightly_sha256": None,
        "inputs_sha256": "a" * 64,
        "kernel_version": "1",
        "config_sha256": "b" * 64,
        "method_sha256": "c" * 64,
        "seeds": list(seeds),
        **changes,
    }
    checked = DreamBlock.model_validate_json(json.dumps(block)).model_dump(mode="json")
    required = {"schema": "nightly.v1", "config_snapshot": {}, "stats": {}, "plots": {}}
    tree = {**required, **blocks["extra"], "defrag": blocks["defrag"], "forgetting": blocks["forgetting"]}
    folder = home.root / night_folder(date)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NIGHTLY_FILE).write_text(json.dumps({**tree, "dream": checked}))
    return folder


def dreamt(date: str, count: int = 1) -> dict[str, Any]:
    """The changes of a night that has dreams."""
    digests = [hashlib.sha256(f"{date}/{at}".encode()).hexdigest() for at in range(count)]
    refs = [f"dream://{date}/{at:04d}#sha256:{digest}" for at, digest in enumerate(digests, 1)]
    return {
        "status": "generated",
        "skip_reason": None,
        "count": count,
        "artifact_refs": refs,
        "content_commits": digests,
    }


def expire(folder: Path) -> None:
    """Leave the note that the dreams of a night are over."""
    refs = DreamBlock.model_validate_json(
        json.dumps(json.loads((folder / NIGHTLY_FILE).read_text())["dream"])
    ).artifact_refs
    names = [f"{at:04d}-{ref.rpartition(':')[2][:12]}.age" for at, ref in enumerate(refs, 1)]
    note = {"schema": "nightly_expired.v1", "night": "2026-03-01", "dreams": names}
    (folder / EXPIRED_FILE).write_text(json.dumps(note))


__all__ = ["SeedLine", "anchor", "dreamt", "expire", "line", "write_night"]
