"""How long recordings are kept: pins, and the deletion of old ones.

In: a home, an age, the present time. Out: a line for each run, deleted or kept and why. A run is deleted when it
was closed long enough ago, is not pinned, is whole, and every message to the pool-keeper was taken: a stream's
last message is compared with the receiver's own recorded inputs. Messages to the others hold nothing: actors stop
one after another, so the last words to one that has stopped are never taken, and a closed run starts nobody
again. The manifest stays, with a note of what was deleted (`pruned.json`). The journals of a run vanish at once:
they are renamed before they are removed.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from bus.files import sync_folder, write_atomically
from bus.recording import Recording
from bus.verification import Verification, verify
from schemas.base import Record
from schemas.roles import Role
from supervisor.errors import UsageError
from supervisor.home import Home
from supervisor.log_lines import utc_text
from supervisor.recorded.recordings import (
    PIN_NAME,
    PRUNED_NAME,
    NoJournalError,
    PrunedRun,
    closed_figures,
    describe_run,
    is_pinned,
    read_facts,
    read_pruned,
)
from supervisor.runs import RunFolder, list_runs

DAY_S: Final = 86_400.0
HIDDEN: Final = ".pruned-"
"""Begins the name of journals that are being deleted."""
KEEPER: Final[Role] = "pool-keeper"
CHUNK_BYTES: Final = 1024 * 1024

Action = Literal["pruned", "would prune", "kept", "failed"]


class PrunedLine(Record):
    """What becomes of one run."""

    run_id: str
    action: Action
    reason: str
    size_bytes: int


class PruneReport(Record):
    """What becomes of the recordings of a home."""

    home: str
    keep_days: float
    is_dry_run: bool
    runs: tuple[PrunedLine, ...]

    @property
    def freed_bytes(self) -> int:
        """Bytes of the runs that were deleted, or would be."""
        return sum(line.size_bytes for line in self.runs if line.action in {"pruned", "would prune"})


@dataclass(frozen=True)
class Retention:
    """What is deleted."""

    keep_days: float
    now_s: float
    """Seconds since the Unix epoch."""
    is_dry_run: bool = False
    is_abandoning: bool = False
    """Delete old runs also when they are damaged or hold messages that nobody took."""


def pin(run: RunFolder, note: str, at_s: float) -> None:
    """Keep `run` for good; raises NoJournalError when there is nothing left to keep."""
    if read_pruned(run) is not None:
        raise NoJournalError(run)
    if not run.path.is_dir():
        raise UsageError(f"run {run.run_id} has no folder {run.path} to pin it in")
    write_atomically(run.path / PIN_NAME, f"{utc_text(at_s)} {note}".strip().encode() + b"\n")


def unpin(run: RunFolder) -> bool:
    """Let `run` be pruned again; whether it was pinned."""
    was_pinned = is_pinned(run)
    (run.path / PIN_NAME).unlink(missing_ok=True)
    return was_pinned


def prune(home: Home, retention: Retention, watch: Callable[[int], None] | None = None) -> PruneReport:
    """Delete what `retention` says; what was half deleted before is finished."""
    if not retention.is_dry_run:
        _finish_deletions(home)
    runs = [run for run in list_runs(home) if read_pruned(run) is None and run.journal.is_dir()]
    lines = tuple(_prune_run(run, retention, watch) for run in runs)
    return PruneReport(home=str(home.root), keep_days=retention.keep_days, is_dry_run=retention.is_dry_run, runs=lines)


def prunable_bytes(home: Home, retention: Retention) -> int:
    """Bytes of the journals that `prune` has to read."""
    runs = [run for run in list_runs(home) if run.journal.is_dir() and _why_kept_unread(run, retention) is None]
    return sum(Recording(run.journal).size_bytes() for run in runs)


def _prune_run(run: RunFolder, retention: Retention, watch: Callable[[int], None] | None) -> PrunedLine:
    size_bytes = 0
    try:
        recording = Recording(run.journal)
        size_bytes = recording.size_bytes()
        reason = _why_kept_unread(run, retention)
        if reason is None:
            if watch is not None:
                recording.watch = watch
            reason = _why_kept(run, verify(recording), retention)
        if reason is not None:
            return PrunedLine(run_id=run.run_id, action="kept", reason=reason, size_bytes=size_bytes)
        age = _age_text(run, retention)
        if retention.is_dry_run:
            return PrunedLine(run_id=run.run_id, action="would prune", reason=age, size_bytes=size_bytes)
        _delete(run, recording, age, retention.now_s)
        return PrunedLine(run_id=run.run_id, action="pruned", reason=age, size_bytes=size_bytes)
    except OSError as error:
        reason = f"{error.filename or run.journal}: {error.strerror or error}"
        return PrunedLine(run_id=run.run_id, action="failed", reason=reason, size_bytes=size_bytes)


def _why_kept_unread(run: RunFolder, retention: Retention) -> str | None:
    """Why `run` is kept, as far as that can be told without its journals."""
    if not run.manifest_file.exists():
        return "it has no manifest that says whether it was closed; remove its journals by hand"
    if not run.closed_file.exists():
        return "not closed: it runs, or the next `supervisor up` recovers it"
    if is_pinned(run):
        return "pinned"
    return _age_text(run, retention) if _age_days(run, retention) < retention.keep_days else None


def _why_kept(run: RunFolder, verification: Verification, retention: Retention) -> str | None:
    if retention.is_abandoning:
        return None
    for segment, finding in verification.findings:
        place = f"{segment.actor}/{segment.segment} at {finding.offset}"
        return f"damaged, so nobody can tell what was taken: {place}: {finding.text}; --abandon deletes it"
    roles = read_facts(run).roles or {}
    for stream in verification.unread:
        if roles.get(stream.receiver, stream.receiver) != KEEPER:
            continue
        told = f"{stream.messages} messages of {stream.sender} to {stream.receiver} were never taken"
        return f"{told}; --abandon deletes it"
    return None


def _age_text(run: RunFolder, retention: Retention) -> str:
    return f"closed {_age_days(run, retention):.1f} days ago, kept for {retention.keep_days:g}"


def _age_days(run: RunFolder, retention: Retention) -> float:
    return (retention.now_s - _closed_at_s(run)) / DAY_S


def _closed_at_s(run: RunFolder) -> float:
    figures = closed_figures(run)
    with suppress(ValueError):
        if figures is not None:
            return datetime.fromisoformat(figures.at).timestamp()
    return run.closed_file.stat().st_mtime


def _delete(run: RunFolder, recording: Recording, reason: str, now_s: float) -> None:
    counts = describe_run(run)
    note = PrunedRun(
        run_id=run.run_id,
        at=utc_text(now_s),
        reason=reason,
        actors=counts.actors,
        steps=counts.steps,
        messages=counts.messages,
        size_bytes=counts.size_bytes,
        journal_sha256=_digest(recording),
        manifest_sha256=hashlib.sha256(run.manifest_file.read_bytes()).hexdigest(),
    )
    write_atomically(run.path / PRUNED_NAME, note.model_dump_json(indent=2).encode() + b"\n")
    hidden = run.journal.with_name(f"{HIDDEN}{run.run_id}")
    os.rename(run.journal, hidden)
    sync_folder(hidden.parent)
    shutil.rmtree(hidden)


def _finish_deletions(home: Home) -> None:
    for leftover in home.journal.glob(f"{HIDDEN}*"):
        shutil.rmtree(leftover)


def _digest(recording: Recording) -> str:
    """SHA-256 over the name and the content of every segment, in the order of actors and segments."""
    digest = hashlib.sha256()
    for actor in recording.actors():
        for _, path in recording.segments(actor):
            digest.update(f"{actor}/{path.name} {path.stat().st_size}\n".encode())
            _update(digest, path)
    return digest.hexdigest()


def _update(digest: "hashlib._Hash", path: Path) -> None:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
