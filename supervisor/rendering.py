"""Reports drawn as text.

In: the documents of `status` and `stats`. Out: lines for a terminal; colour only where it was asked for. Nothing is
left out that the JSON form has and a person acts on.
"""

from collections.abc import Mapping
from typing import Final

from supervisor.advice import advise
from supervisor.log_lines import printable
from supervisor.reports import ActorStatus, StatusReport
from supervisor.stats import Scalar, StatsReport
from supervisor.tables import draw_table

HEADINGS: Final = (
    "name", "pid", "state", "epoch", "restarts", "memory", "in", "out", "queue", "refused", "step", "beat",
)  # fmt: skip
LEFT: Final = (0, 2)
"""Columns of words."""
GUEST_HEADINGS: Final = ("guest", "pid", "state", "epoch", "restarts", "in", "out", "refused", "influence", "beat")
STATE_COLOURS: Final[Mapping[str, str]] = {
    "ready": "\x1b[32m",
    "starting": "\x1b[36m",
    "restarting": "\x1b[33m",
    "stopping": "\x1b[33m",
    "stopped": "\x1b[33m",
    "failed": "\x1b[31m",
}
RESET: Final = "\x1b[0m"
MIB: Final = 1024 * 1024


def draw_status(report: StatusReport, is_coloured: bool) -> str:
    """The run, a table of its processes, and what needs attention."""
    table = draw_table([HEADINGS, *(_row(actor) for actor in report.actors)], LEFT)
    if is_coloured:
        table = [
            table[0],
            *(_coloured(line, actor.state) for line, actor in zip(table[1:], report.actors, strict=True)),
        ]
    return "\n".join([*_head(report), "", *table, *_guests(report), *_attention(report)])


def draw_stats(report: StatsReport) -> str:
    """Each section with its figures, one a line."""
    state = "running" if report.running else "not running; last figures"
    lines = [f"run {report.run_id} ({state}), {duration_text(report.uptime_s)}"]
    for section, figures in report.sections.items():
        width = max((len(name) for name in figures), default=0)
        lines += ["", section, *(f"  {name:<{width}}  {_figure(figures[name])}" for name in sorted(figures))]
    return "\n".join(lines)


def duration_text(seconds: float) -> str:
    """`3 s`, `2 min 5 s`, `1 h 2 min`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _head(report: StatusReport) -> list[str]:
    memory = sum(actor.memory_bytes or 0 for actor in report.actors) / MIB
    return [
        f"run {report.run_id}, up {duration_text(report.uptime_s)}, since {report.started_at}",
        f"home {report.home}, sockets {report.runtime}",
        f"isolation {report.isolation}, keys {report.keys}, fsync {report.fsync}, memory {memory:.0f} MiB, "
        f"disk {report.disk} ({report.disk_free_mib / 1024:.1f} GiB free)",
    ]


def _row(actor: ActorStatus) -> tuple[str, ...]:
    return (
        actor.name,
        _or_dash(actor.pid),
        actor.state,
        str(actor.epoch),
        str(actor.restarts),
        "-" if actor.memory_bytes is None else f"{actor.memory_bytes / MIB:.0f} MiB",
        str(actor.received),
        str(actor.sent),
        str(actor.queue),
        str(actor.refused),
        str(actor.step),
        "-" if actor.heartbeat_age_s is None else f"{actor.heartbeat_age_s:.1f} s",
    )


def _guests(report: StatusReport) -> list[str]:
    if not report.guests:
        return []
    rows = [
        (
            guest.name,
            _or_dash(guest.pid),
            guest.state if guest.process is None else f"{guest.state}, {guest.process}",
            str(guest.epoch),
            str(guest.restarts),
            str(guest.received),
            str(guest.sent),
            str(guest.refused),
            "-" if guest.influence is None else f"{guest.influence:.0%}",
            "-" if guest.heartbeat_age_s is None else f"{guest.heartbeat_age_s:.1f} s",
        )
        for guest in report.guests
    ]
    return ["", *draw_table([GUEST_HEADINGS, *rows], LEFT)]


def _attention(report: StatusReport) -> list[str]:
    lines = [f"stopping: {report.stopping}"] if report.stopping else []
    if report.isolation == "none":
        lines.append("the dreamer runs without a box; `supervisor doctor` tells what this machine has")
    if report.keys == "none":
        lines.append("inboxes have no locks (--no-curve)")
    for actor in report.actors:
        lines += _troubles(actor, report.home)
    lines += [
        f"{actor.name} lost {actor.damaged} messages to a damaged journal" for actor in report.actors if actor.damaged
    ]
    lines += [f"guest {guest.name} is {guest.process}: {guest.reason}" for guest in report.guests if guest.reason]
    lines += [f"last refusal of {name}: {refusal}" for name, refusal in report.last_refusals]
    if report.disk != "ok":
        lines.append(f"the disk is {report.disk}: {report.disk_free_mib:.0f} MiB free")
    if report.inputs_refused:
        lines.append(f"left out: {report.pictures_left_out} pictures, {report.facts_left_out} lines of facts")
        lines += [f"  {refused}" for refused in report.inputs_refused]
    return ["", *(printable(line) for line in lines)] if lines else []


def _troubles(actor: ActorStatus, home: str) -> list[str]:
    if not actor.reason:
        return []
    lines = [f"{actor.name} is {actor.state}: {actor.reason}"]
    if actor.state == "failed":
        if actor.crash_report is not None:
            lines.append(f"  crash report: {actor.crash_report}")
        lines.append(f"  {advise(f'restart {actor.name}', home)} tries again")
    return lines


def _coloured(line: str, state: str) -> str:
    return line.replace(f" {state} ", f" {STATE_COLOURS.get(state, '')}{state}{RESET} ", 1)


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)


def _figure(value: Scalar) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
