"""The audit of a run as text.

In: an `AuditReport`. Out: lines for a terminal: the verdict, the one line on each dreamer, who heard what from whom,
what was refused besides, and where each finding shows. Names that a sender made up cannot steer the terminal.
"""

from collections.abc import Iterator
from typing import Final

from supervisor.log_lines import printable
from supervisor.recorded.auditing import AuditReport, AuditRow, Heard
from supervisor.recorded.judging import AuditFinding
from supervisor.tables import draw_table, size_text

MOST_LINES: Final = 20
"""Findings and attempts that are shown; --json holds more."""
HEADINGS: Final = ("sender", "message", "receiver", "count", "refused", "")
LEFT: Final = (0, 1, 2, 5)
VERDICTS: Final = {
    "lawful": "every input was allowed",
    "unlawful": "not every input and output was allowed",
    "damaged": "every input that can be read was allowed, but parts of the journals are damaged or missing",
}


def draw_audit(report: AuditReport) -> str:
    """The report as text."""
    so_far = " so far; the run goes on" if report.is_live else ""
    lines = [f"run {report.run_id}: {VERDICTS[report.verdict]}{so_far}"]
    lines += [draw_heard(heard, is_live=report.is_live) for heard in report.dreamers]
    lines.append(_protection(report))
    lines += ["", *draw_table([HEADINGS, *map(_row, report.rows), _total(report)], LEFT)]
    lines += _block(list(_attempts(report)))
    lines += _block(list(_findings(report)))
    speed = report.frames / report.took_s if report.took_s else 0.0
    read = f"{report.frames} frames, {size_text(report.size_bytes)}, in {report.took_s:.1f} s ({speed:.0f} frames/s)"
    return "\n".join([*lines, "", f"read {read}"])


def draw_heard(heard: Heard, *, is_live: bool = False) -> str:
    """The one line on a dreamer: all that it received."""
    doubt = _doubt(heard, is_live=is_live)
    refused = f"; {_counted(heard.refused, 'other')} refused" if heard.refused else ""
    if not heard.received:
        return f"{heard.actor} received no message{doubt}{refused}"
    lawful = ", ".join(f"{row.count} {row.message} from {row.sender}" for row in heard.by_kind if row.is_allowed)
    foreign = ", ".join(_foreign(row) for row in heard.by_kind if not row.is_allowed)
    parts = [part for part in (lawful, f"AGAINST THE LAW {foreign}" if foreign else "") if part]
    if heard.against_law:
        parts.append(f"{heard.against_law} of them with a finding")
    if not heard.is_whole:
        parts.append(f"no more{doubt}")
    elif not heard.against_law:
        parts.append(f"nothing else{doubt}")
    return f"{heard.actor} received {_counted(heard.received, 'message')}: {', '.join(parts)}{refused}"


def _doubt(heard: Heard, *, is_live: bool) -> str:
    """Why there may be more than the journal of a dreamer holds; empty where that is all."""
    if not heard.is_whole:
        return " that can be read: parts of its journal are damaged or missing"
    return "" if is_live or heard.is_ended else " as far as its journal goes: it has no closing frame"


def _protection(report: AuditReport) -> str:
    """What kept the actors of the run from each other beside the topology."""
    boxes = {None: "a box that the manifest does not name", "none": "no box around the dreamer"}
    box = boxes.get(report.isolation, f"box {report.isolation}")
    keys = "no keys, so that no inbox was locked" if report.keys == "none" else f"keys {report.keys}"
    return f"it ran with {box}, and {keys}"


def _foreign(row: AuditRow) -> str:
    return printable(f"{row.count} {row.message} from {row.sender}")


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _row(row: AuditRow) -> tuple[str, ...]:
    names = (printable(row.sender), printable(row.message), printable(row.receiver))
    return (*names, str(row.count), str(row.refused), "" if row.is_allowed else "no such row")


def _total(report: AuditReport) -> tuple[str, ...]:
    count, refused = sum(row.count for row in report.rows), sum(row.refused for row in report.rows)
    return ("total", "", "", str(count), str(refused), "")


def _attempts(report: AuditReport) -> Iterator[str]:
    if report.attempts:
        yield f"refused besides, as the senders claim to be: {sum(attempt.refused for attempt in report.attempts)}"
    for attempt in report.attempts[:MOST_LINES]:
        said = f"{attempt.refused} {attempt.message} from {attempt.sender} to {attempt.receiver}"
        yield printable(f"  {said}: {attempt.reason}" if attempt.reason else f"  {said}")
    if len(report.attempts) > MOST_LINES:
        yield f"  and {len(report.attempts) - MOST_LINES} more; see --json"
    if report.refusals_left_out:
        yield f"{report.refusals_left_out} more refusals were counted in floods, and not written one by one"
    if report.bad_refusal_lines:
        yield f"{_counted(report.bad_refusal_lines, 'line')} of the refusals files cannot be read"


def _findings(report: AuditReport) -> Iterator[str]:
    for finding in report.findings[:MOST_LINES]:
        yield printable(_finding(finding))
    more = sum(report.findings_by_kind.values()) - len(report.findings[:MOST_LINES])
    if more:
        yield f"and {_counted(more, 'more finding')}; see --json"


def _finding(finding: AuditFinding) -> str:
    step = f", step {finding.step} of epoch {finding.epoch}" if finding.step else ""
    place = f"{finding.actor}/{finding.segment} at {finding.offset}" if finding.segment else finding.actor
    return f"{finding.kind}: {place}{step}: {finding.text}"


def _block(lines: list[str]) -> list[str]:
    return ["", *lines] if lines else []
