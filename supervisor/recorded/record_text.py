"""Recordings drawn as text.

In: the results of the `supervisor record` commands. Out: lines for a terminal, without colour. Nothing is left out
that the JSON form has and a person acts on.
"""

from collections.abc import Sequence
from typing import Final

from bus.verification import Verification
from supervisor.advice import advise
from supervisor.recorded.exporting import Exported
from supervisor.recorded.inspecting import ActorDetails, RunDetails
from supervisor.recorded.recordings import RecordedRun, RecordedRuns
from supervisor.recorded.retention import PruneReport
from supervisor.recorded.verdicts import EXIT_LOSSY, EXIT_WHOLE, verdict_code
from supervisor.rendering import duration_text
from supervisor.tables import draw_table, size_text

MOST_FINDINGS: Final = 50
"""Findings that are drawn; all of them are in the JSON form."""


def draw_recordings(found: RecordedRuns) -> str:
    """A row for each run, and what is wrong with it."""
    if not found.runs:
        return f"no recorded run in {found.home}; make one with {advise('up', found.home)}"
    headings = ("run", "state", "started", "duration", "actors", "steps", "messages", "size", "")
    rows = [_run_row(run) for run in found.runs]
    problems = [f"{run.run_id}: {run.problem}" for run in found.runs if run.problem]
    return "\n".join([*draw_table([headings, *rows], left={0, 1, 2, 8}), *problems])


def draw_details(details: RunDetails) -> str:
    """The run, what its manifest says, and each actor."""
    run, facts = details.run, details.manifest
    lines = [
        f"run {run.run_id}, {run.state_text}{_marks(run)}",
        f"started {run.started_at or 'at an unknown time'}, lasted {_duration(run)}, {size_text(run.size_bytes)}, "
        f"{run.steps} steps, {run.messages} messages",
    ]
    if facts.problem is not None:
        lines.append(facts.problem)
    else:
        lines.append(f"seed {facts.seed}, config {facts.config_sha256}")
        lines.append(f"fsync {facts.fsync}, isolation {facts.isolation}, keys {facts.keys or 'none'}")
        lines += [f"  {name:<8} {value}" for name, value in (facts.fingerprint or {}).items()]
    for actor in details.actors:
        lines += ["", *_draw_actor(actor)]
    if any(actor.damages for actor in details.actors):
        lines += ["", f"damaged: `supervisor record verify {run.run_id}` says where"]
    return "\n".join(lines)


def draw_verification(run_id: str, verification: Verification) -> str:
    """The verdict, a row for each segment, and everything that is wrong."""
    code = verdict_code(verification)
    verdict = {EXIT_WHOLE: "whole", EXIT_LOSSY: "damaged"}.get(code, "cannot be read")
    headings = ("actor", "segment", "size", "frames", "steps", "messages", "end")
    rows = [
        (
            *(segment.actor, segment.segment, size_text(segment.size_bytes)),
            *(str(segment.frames), str(segment.steps), str(segment.messages)),
            _end_text(segment.is_closed, segment.cut_bytes, segment.cut_offset),
        )
        for segment in verification.segments
    ]
    found = [
        f"{segment.actor}/{segment.segment} at {finding.offset}: {finding.text}"
        + (f" ({finding.size} bytes)" if finding.size else "")
        for segment, finding in verification.findings
    ]
    more = [f"and {len(found) - MOST_FINDINGS} more; see --json"] if len(found) > MOST_FINDINGS else []
    unread = [
        f"not taken: {stream.messages} messages of {stream.sender} to {stream.receiver}"
        for stream in verification.unread
    ]
    table = draw_table([headings, *rows], left={0, 1, 6})
    return "\n".join([f"run {run_id}: {verdict}", "", *table, *_block(found[:MOST_FINDINGS] + more), *_block(unread)])


def draw_pruning(report: PruneReport) -> str:
    """A line for each run, and what was gained."""
    lines = [
        f"{line.run_id}  {line.action:<11}  {size_text(line.size_bytes):>10}  {line.reason}" for line in report.runs
    ]
    gain = "would free" if report.is_dry_run else "freed"
    return "\n".join([*lines, f"{gain} {size_text(report.freed_bytes)}; kept for {report.keep_days:g} days"])


def draw_export(exported: Exported) -> str:
    """What was written, and what was lost."""
    lines = [f"{exported.output}: {exported.messages} messages, {size_text(exported.size_bytes)}"]
    lines += [f"lost: {loss}" for loss in exported.losses]
    if exported.lost > len(exported.losses):
        lines.append(f"lost: {exported.lost - len(exported.losses)} more")
    return "\n".join(lines)


def _run_row(run: RecordedRun) -> tuple[str, ...]:
    return (
        *(run.run_id, run.state_text, run.started_at or "-", _duration(run), str(len(run.actors))),
        *(str(run.steps), str(run.messages), size_text(run.size_bytes), _marks(run).lstrip(", ")),
    )


def _marks(run: RecordedRun) -> str:
    return (", pinned" if run.is_pinned else "") + (", pruned" if run.is_pruned else "")


def _duration(run: RecordedRun) -> str:
    return "-" if run.duration_s is None else duration_text(run.duration_s)


def _draw_actor(actor: ActorDetails) -> list[str]:
    role = f" ({actor.role})" if actor.role not in {None, actor.name} else ""
    lines = [
        f"{actor.name}{role}: {actor.steps} steps, {actor.messages} messages, {size_text(actor.size_bytes)} "
        f"in {actor.segments} segments, {len(actor.epochs)} process starts",
        f"  from {actor.first_at or '-'} to {actor.last_at or '-'}, {actor.refusals} refusals, "
        f"{actor.cut_bytes} bytes cut{f', {actor.damages} damaged stretches' if actor.damages else ''}",
    ]
    if len(actor.epochs) > 1:
        lines += [
            f"  process {start.epoch}: from {start.started_at or '-'}, {start.steps} steps, {start.cut_bytes} bytes cut"
            for start in actor.epochs
        ]
    width = max((len(count.kind) for count in actor.by_kind), default=0)
    for count in actor.by_kind:
        counted = f"{count.messages:>9} messages {size_text(count.size_bytes):>10}"
        lines.append(f"  {count.kind:<{width}} -> {count.receiver:<16} {counted}")
    return lines


def _end_text(is_closed: bool, cut_bytes: int, cut_offset: int | None) -> str:
    if cut_offset is not None:
        return f"{cut_bytes} bytes unfinished at {cut_offset}"
    return "closed" if is_closed else "open"


def _block(lines: Sequence[str]) -> list[str]:
    return ["", *lines] if lines else []
