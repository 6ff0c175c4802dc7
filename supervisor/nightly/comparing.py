"""A night lived again from what is kept of its inputs, and held against what it had committed to.

In: a home and a date. Out: whether the same dreams come of it, else which seeds and which inputs differ. It is lived in
the same box as the first time, and nothing of the home is written. Refused: a night that was never lived, one whose
inputs are over.
"""

import json
import os
from pathlib import Path
from typing import Any, Final

from actors.nightly_observer.ordering import NightOrder
from actors.nightly_observer.starting import Start, rung_of, start_night
from actors.nightly_observer.verifying import read_block
from actors.nightly_observer.world import read_key
from actors.nightly_observer.writer import value_of
from schemas.base import Record
from schemas.dream_artifact import DreamBlock
from schemas.night_places import KEY_FILE, MANIFEST_FILE, SNAPSHOT_FILE, SNAPSHOT_NOTE, inputs_folder
from schemas.night_settings import RuntimeSettings
from schemas.roles import ROLES
from schemas.settings import EngineSettings
from supervisor.errors import SupervisorError
from supervisor.home import Home
from supervisor.nightly.opening import nights_of
from supervisor.nursery import actor_environment

MISSING: Final = 2
"""Exit code where there is nothing to compare with."""


class NightGoneError(SupervisorError):
    """There is nothing to compare a night with, or to live it from."""

    exit_code = MISSING


class Compared(Record):
    """What came of living a night again."""

    date: str
    is_same: bool
    changed_seeds: tuple[str, ...]
    """Seeds that were there and are not, or the other way round, or have other numbers."""
    changed_inputs: tuple[str, ...]
    """Relative to the home; of a guest without its name."""
    wording_changed: bool
    """The renderer is another: the same scenes are told in other words, and what was committed to differs."""
    method_changed: bool
    """The formulas are other ones."""
    notes: tuple[str, ...]


def compare(home: Home, date: str, settings: EngineSettings) -> Compared:
    """Live the night of `date` again. Raises NightGoneError, OneirosError, OSError."""
    nights = nights_of(home)
    block, text = read_block(nights, date), nights.nightly(date)
    if block is None or text is None:
        raise NightGoneError(f"there is no night of {date}; `supervisor nightly verify` shows those that are there")
    folder = home.root / inputs_folder(date)
    kept = _kept(folder, date)
    try:
        runtime = RuntimeSettings.model_validate_json(json.dumps(value_of(text, "config_snapshot")))
    except ValueError:
        raise NightGoneError(f"nightly.json of {date} does not hold the settings that it was made with") from None
    order = NightOrder(
        night_id=f"{date}.replay",
        date=date,
        source=kept["source"],
        root=kept["root"],
        is_seeds_only=block.skip_reason == "seeds_only",
        is_parity=bool(kept["is_parity"]),
        settings_json=runtime.model_dump_json(),
        home=str(home.root.resolve()),
        rung=rung_of(settings.supervisor.strongest_box, settings.supervisor.isolation),
        snapshot_sha256=_snapshot(folder, kept),
        mode="replay",
        is_partial=block.is_partial,
    )
    start = Start(actor_environment(os.environ), settings.nightly.limit_s)
    ended = start_night(order, _key(home), start)
    if ended.result is None:
        raise SupervisorError(f"night of {date}: {ended.problem}")
    return held_against(block, date, kept["files"], ended.result)


def _key(home: Home) -> bytes:
    try:
        return read_key(home.root / KEY_FILE)
    except FileNotFoundError:
        raise NightGoneError(f"the key of the nights is gone: without {KEY_FILE} nothing can be compared") from None


def _kept(folder: Path, date: str) -> dict[str, Any]:
    try:
        kept: dict[str, Any] = json.loads((folder / MANIFEST_FILE).read_bytes())
    except (OSError, ValueError):
        raise NightGoneError(f"what the night of {date} looked at is not kept any more, or never was") from None
    return kept


def _snapshot(folder: Path, kept: dict[str, Any]) -> str:
    """Digest of the snapshot of the pool, which a night of another system's has none of."""
    if kept["source"] != "own":
        return ""
    try:
        note = json.loads((folder / SNAPSHOT_NOTE).read_bytes())
        return str(note["sha256"]) if (folder / SNAPSHOT_FILE).is_file() else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def held_against(block: DreamBlock, date: str, files: list[dict[str, Any]], result: dict[str, Any]) -> Compared:
    """A night's block and what it had read, against what living it again gave."""
    again = result["replay"]
    before = {_seed(line.model_dump(mode="json")) for line in block.seeds}
    after = {_seed(line) for line in again["seeds"][: len(block.seeds) or None]}
    told = {file["path"]: (file["sha256"], file["counted_bytes"]) for file in files}
    found = {file["path"]: (file["sha256"], file["counted_bytes"]) for file in result["manifest"] or ()}
    inputs = sorted({unnamed(path) for path in told.keys() | found.keys() if told.get(path) != found.get(path)})
    is_same = (
        tuple(again["content_commits"]) == block.content_commits
        and again["skip_reason"] == block.skip_reason
        and again["inputs_sha256"] == block.inputs_sha256
        and before == after
    )
    return Compared(
        date=date,
        is_same=is_same,
        changed_seeds=tuple(sorted(before ^ after)),
        changed_inputs=tuple(inputs),
        wording_changed=again["renderer_version"] != block.renderer_version,
        method_changed=again["kernel_version"] != block.kernel_version,
        notes=tuple(again["notes"]),
    )


def unnamed(path: str) -> str:
    """`path`, if it is not of a guest, whose name is its own affair."""
    folder, _, name = path.rpartition("/")
    is_of_an_actor = folder.startswith(("logs/refusals", "journal/"))
    is_known = any(name.removesuffix(".jsonl") == role or name.startswith(f"{role}-") for role in ROLES)
    return f"{folder}/ (a guest's)" if is_of_an_actor and not is_known else path


def _seed(line: dict[str, Any]) -> str:
    anchor = line["anchors"][0] if line["anchors"] else "no anchor"
    shown = f"{line['value']:g} {line['op']} {line['threshold']:g}"
    return f"{line['type']} {anchor}: {line['formula']} {shown}, n {line['n']}, {line['tone']}"
