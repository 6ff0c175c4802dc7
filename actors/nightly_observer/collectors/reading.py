"""Reads the inputs of one night: the snapshot of the pool, the logs, the journals.

In: a home, a snapshot, beginning and end of the day. Out: a `Day`. Nothing is written and nothing raised for what the
files hold: what cannot be used is counted and named in the day.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from actors.nightly_observer.collectors.interface_logs import (
    FOLDER,
    FeedbackRows,
    answers_in,
    stored_in,
    take_feedback,
)
from actors.nightly_observer.collectors.log_lines import LogLines
from actors.nightly_observer.collectors.recorded import Recorded, read_recorded
from actors.nightly_observer.collectors.refusal_logs import count_refusals
from actors.nightly_observer.collectors.snapshot import Snapshot
from actors.nightly_observer.collectors.span import GuardCounts, Span, Troubles
from actors.nightly_observer.day import SNAPSHOT, Bounds, Day, InputFile, InputManifest

MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class DayPaths:
    """Where the inputs of a night lie."""

    home: Path
    snapshot: Path


def read_day(paths: DayPaths, from_ns: int, to_ns: int) -> Day:
    """The day from `from_ns` up to `to_ns`, nanoseconds since the Unix epoch, with the nights before it."""
    span, troubles = Span(from_ns, to_ns), Troubles()
    guards = GuardCounts(span)
    snapshot = Snapshot(paths.snapshot, troubles)
    committed = snapshot.committed_bytes()

    def log(name: str) -> LogLines:
        return LogLines(paths.home, f"{FOLDER}/{name}.jsonl", span, troubles, committed.get(name))

    persist, retrieval, feedback = log("persist"), log("retrieval"), log("feedback")
    seen = snapshot.see(span, stored_in(persist, span, guards, troubles))
    told = FeedbackRows()
    take_feedback(feedback, seen.row_of, told, troubles)
    snapshot.take_feedback(seen.row_of, span.history_ns if feedback.file else to_ns, told)
    answers, unknown = answers_in(retrieval, seen.row_of, troubles)
    recorded = read_recorded(paths.home, span, guards, troubles)
    refusals = count_refusals(paths.home, span, guards, troubles)
    logs = (persist, retrieval, feedback)
    files = [line.file for line in logs if line.file] + recorded.files + refusals
    if paths.snapshot.is_file():
        files.append(InputFile(SNAPSHOT, paths.snapshot.stat().st_size, *seen.digest()))
    return Day(
        from_ns=from_ns,
        to_ns=to_ns,
        pool=seen.pool,
        feedback=told.arrays(),
        answers=answers,
        guards=guards.guards(),
        bounds=_bounds(seen.bounds, recorded),
        floors_applied=recorded.floors_applied,
        lines=tuple((line.path, line.tonight) for line in logs),
        unknown_dreams=unknown + told.unknown,
        problems=troubles.problems(),
        inputs=InputManifest(tuple(sorted(files))),
        tensors=seen.tensors,
    )


def _bounds(found: Bounds, recorded: Recorded) -> Bounds:
    """With the limits of the newest run; 0 in its settings is no limit."""
    if recorded.settings is None:
        return found
    pool = recorded.settings.pool
    return found._replace(max_dreams=pool.max_dreams or None, max_bytes=pool.max_mib * MIB or None)
