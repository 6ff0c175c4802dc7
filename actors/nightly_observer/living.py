"""One night from its inputs to its files, as it is lived inside its box (seed 004, section 3).

In: the order, the key of the home, a seal, what the box turned out to be. Out: dreams and `nightly.json` in the folder
of the night, the dreams of nights whose time is over removed, and a report of dates, counts and digests. A night that
was lived before and comes out the same leaves every byte as it is, and so does one that can read nothing now where an
earlier run has dreamt. As a replay it writes nothing, and tells what it
would have committed to. A fault of the inputs is a reason to skip; the disk's own reach the caller.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final

from actors.nightly_observer.anchors import commit
from actors.nightly_observer.expiry import over
from actors.nightly_observer.gathering import Gathered, gather
from actors.nightly_observer.keeping import Nights, Ref
from actors.nightly_observer.kernel import KERNEL_VERSION
from actors.nightly_observer.ordering import NightOrder, Result
from actors.nightly_observer.renderer import RENDERER_VERSION
from actors.nightly_observer.sealing import Seal
from actors.nightly_observer.stage import Decision, decide, dream, line_of, summary_of
from actors.nightly_observer.verifying import read_block
from actors.nightly_observer.writer import NightlyFileError, value_of, with_values
from schemas.dream_artifact import MAX_BLOCK_BYTES, BlockPrivacy, DreamArtifact, DreamBlock, SeedLine
from schemas.night import DAY_NS, begin_of, night_at
from schemas.night_report import NightReport

MAKER: Final = "oneiros"
VERSION: Final = version(MAKER)
"""Looked up before the box closes."""
MOST_LINES: Final = 32
Look = Callable[[NightOrder, bytes], Gathered]


@dataclass(frozen=True)
class Lived:
    """What a night came to, before anything is written."""

    looked: Gathered
    decision: Decision
    artifacts: tuple[DreamArtifact, ...]
    commits: tuple[str, ...]


def live(order: NightOrder, key: bytes, seal: Seal, sandbox: str, look: Look = gather) -> Result:
    """Live a night, or compare it; `look` is how it sees its day."""
    began = time.monotonic()
    lived = _lived(order, key, seal, look)
    manifest = None if lived.looked.manifest is None else [each._asdict() for each in lived.looked.manifest.files]
    if order.mode == "replay":
        return {"replay": _replayed(lived), "manifest": manifest}
    report = _kept(order, lived, seal, Circumstances(sandbox, began))
    return {"report": report.model_dump(mode="json"), "manifest": manifest}


@dataclass(frozen=True)
class Circumstances:
    """What is not part of what a night is committed to."""

    sandbox: str
    began_s: float


def _lived(order: NightOrder, key: bytes, seal: Seal, look: Look) -> Lived:
    settings = order.settings.dream
    looked = look(order, key)
    decision = decide(settings, looked.found, seal.fault, is_seeds_only=order.is_seeds_only)
    artifacts: tuple[DreamArtifact, ...] = ()
    if decision.count and looked.manifest is not None:
        refs = [f"sha256:{looked.manifest.digest()}"]
        artifacts = dream(order.date, looked.found, settings, decision.count, refs)
    return Lived(looked, decision, artifacts, tuple(commit(key, each.canonical()) for each in artifacts))


def _replayed(lived: Lived) -> dict[str, Any]:
    return {
        "status": lived.decision.status,
        "skip_reason": lived.decision.skip_reason,
        "content_commits": lived.commits,
        "inputs_sha256": None if lived.looked.manifest is None else lived.looked.manifest.digest(),
        "seeds": [line_of(seed).model_dump(mode="json") for seed in lived.looked.found.seeds],
        "kernel_version": KERNEL_VERSION,
        "renderer_version": RENDERER_VERSION,
        "notes": lived.looked.notes,
    }


def _kept(order: NightOrder, lived: Lived, seal: Seal, around: Circumstances) -> NightReport:
    """Store the dreams, name them, then remove what is superfluous and what is over."""
    nights, notes = Nights(order.nights), list(lived.looked.notes)
    if lived.decision.skip_reason == "input_error" and _has_dreamt(nights, order.date):
        return _left_alone(order, notes)
    former = _former(nights, order.date, notes)
    refs = _same_dreams(nights, order, lived, former, seal)
    if refs is None:
        sealed = [seal.close(each.canonical()) for each in lived.artifacts]
        refs = tuple(nights.store(order.date, number, each, seal.suffix) for number, each in enumerate(sealed, start=1))
    block = _block(order, lived, refs, nights.previous(order.date), (seal, around.sandbox))
    text = _text(order, lived, block, former, around)
    is_unchanged = former is not None and text == former
    sha256 = nights.publish(order.date, text)
    nights.keep_only(order.date, refs)
    ttl_days = order.settings.dream.ttl_days
    ended = sum(nights.expire(date, order.date) for date in over(nights.dates(), order.date, ttl_days))
    if ended:
        notes.append(f"{ended} dreams of earlier nights were over and are removed")
    return NightReport(
        night_id=order.night_id,
        date=order.date,
        source=order.source,
        standing="done",
        block=block,
        problem=None,
        notes=tuple(notes),
        is_unchanged=is_unchanged,
        sha256=sha256,
    )


def _has_dreamt(nights: Nights, date: str) -> bool:
    """Whether an earlier run of the night has left dreams that are all there."""
    try:
        block = read_block(nights, date)
    except NightlyFileError:
        return False
    refs = () if block is None else tuple(map(Ref.parse, block.artifact_refs))
    return bool(refs) and all(ref is not None and nights.is_whole(ref) for ref in refs)


def _left_alone(order: NightOrder, notes: Sequence[str]) -> NightReport:
    """A night that sees nothing takes nothing away that an earlier run has dreamt."""
    return NightReport(
        night_id=order.night_id,
        date=order.date,
        source=order.source,
        standing="failed",
        block=None,
        problem="nothing could be read now; the dreams of an earlier run stay as they are",
        notes=tuple(notes),
        is_unchanged=True,
        sha256="",
    )


def _former(nights: Nights, date: str, notes: list[str]) -> bytes | None:
    """What an earlier run has left, or somebody else; a file that is damaged is begun anew."""
    former = nights.nightly(date)
    if former is None:
        return None
    try:
        value_of(former, "dream")
    except NightlyFileError:
        notes.append("the nightly.json that was there is no JSON object; it was replaced")
        return None
    return former


def _same_dreams(
    nights: Nights, order: NightOrder, lived: Lived, former: bytes | None, seal: Seal
) -> tuple[Ref, ...] | None:
    """The dreams of an earlier run, where they are the same, are all there, and are sealed for the same."""
    if former is None:
        return None
    try:
        block = read_block(nights, order.date)
    except NightlyFileError:
        return None
    if block is None or block.content_commits != lived.commits or block.privacy.content != seal.content:
        return None
    storage = order.settings.dream.storage.model_dump(mode="json")
    snapshot = value_of(former, "config_snapshot")
    if not isinstance(snapshot, dict) or snapshot.get("dream", {}).get("storage") != storage:
        return None
    refs = tuple(ref for text in block.artifact_refs if (ref := Ref.parse(text)) is not None)
    return refs if all(nights.is_whole(ref) for ref in refs) else None


def _block(
    order: NightOrder, lived: Lived, refs: Sequence[Ref], previous: str | None, stored: tuple[Seal, str]
) -> DreamBlock:
    seal, sandbox = stored
    settings, looked = order.settings, lived.looked
    bare = DreamBlock(
        status=lived.decision.status,
        mode=settings.dream.mode,
        privacy=BlockPrivacy(id_privacy=settings.dream.privacy.id_privacy, content=seal.content),
        count=len(refs),
        seeds_summary=summary_of(looked.found.seeds),
        artifact_refs=tuple(map(str, refs)),
        skip_reason=lived.decision.skip_reason,
        content_commits=lived.commits,
        sandbox=sandbox,
        prev_nightly_sha256=previous,
        inputs_sha256=None if looked.manifest is None else looked.manifest.digest(),
        kernel_version=KERNEL_VERSION,
        config_sha256=settings.sha256(),
        method_sha256=settings.method_sha256(),
        seeds=(),
        renderer_version=RENDERER_VERSION,
        is_partial=order.is_partial,
    )
    lines = [line_of(seed) for seed in looked.found.seeds[:MOST_LINES]]
    return bare.model_copy(update={"seeds": _fitting(lines, MAX_BLOCK_BYTES - len(bare.canonical()))})


def _fitting(lines: Sequence[SeedLine], left: int) -> tuple[SeedLine, ...]:
    """The first of `lines`, as many as `left` bytes hold."""
    kept = []
    for line in lines:
        left -= len(json.dumps(line.model_dump(mode="json"), separators=(",", ":"))) + 1
        if left < 0:
            break
        kept.append(line)
    return tuple(kept)


def _text(order: NightOrder, lived: Lived, block: DreamBlock, former: bytes | None, around: Circumstances) -> bytes:
    """`nightly.json`. Of a file that somebody else made only the block is ours."""
    values: dict[str, object] = {"dream": block.model_dump(mode="json")}
    if former is not None and not _is_ours(former):
        return with_values(former, values)
    looked = lived.looked
    files = () if looked.manifest is None else looked.manifest.files
    ours = {
        "schema": "nightly.v1",
        "ts": f"{night_at(begin_of(order.date) + DAY_NS)}T00:00:00Z",
        "nightly_id": f"N-{order.date.replace('-', '')}",
        "config_snapshot": order.settings.model_dump(mode="json"),
        "stats": {"seeds": len(looked.found.seeds), "dreams": block.count},
        "plots": {},
        "defrag": looked.defrag,
        "forgetting": looked.forgetting,
        "inputs": {
            "source": order.source,
            "files": len(files),
            "counted_bytes": sum(file.counted_bytes for file in files),
            "sha256": block.inputs_sha256,
            "notes": list(looked.notes),
        },
        **values,
    }
    same = with_values(former, ours)
    if same == former:
        return former
    took_s = round(time.monotonic() - around.began_s, 3)
    meta = {"maker": MAKER, "version": VERSION, "at": datetime.now(UTC).isoformat(), "took_s": took_s}
    return with_values(same, {"run_meta": {**meta, "night_id": order.night_id}})


def _is_ours(text: bytes) -> bool:
    meta = value_of(text, "run_meta")
    return isinstance(meta, dict) and meta.get("maker") == MAKER
