"""The figures of epochs as text.

In: a report. Out: a table of what was reported, then a sentence for each epoch whose figures come out otherwise or
cannot be had.
"""

from schemas.feedback import Kpis
from supervisor.pool.epochs import EpochFigures, KpiReport
from supervisor.tables import draw_table

HEADINGS = ("run", "learner", "epoch", "reported", "precision", "utilization", "improvement", "coverage", "recency")


def draw_kpis(report: KpiReport) -> list[str]:
    """The report in lines."""
    if not report.epochs:
        return [*report.faults, "no epoch has been reported"]
    lines = draw_table([HEADINGS, *(_row(epoch) for epoch in report.epochs)], left={0, 1, 3})
    if not report.is_recomputed:
        return [*lines, *report.faults]
    for epoch in report.epochs:
        lines += _sentences(epoch)
    compared = [epoch for epoch in report.epochs if epoch.recomputed is not None]
    same = sum(not epoch.differences for epoch in compared)
    verdict = f"{same} of {len(report.epochs)} epochs recomputed from the logs are the same"
    return [*lines, *report.faults, verdict]


def _row(epoch: EpochFigures) -> tuple[str, ...]:
    figures = tuple(_number(getattr(epoch.reported, name)) for name in Kpis.model_fields)
    return (epoch.run_id or "-", epoch.learner, str(epoch.epoch), epoch.reported_at, *figures)


def _sentences(epoch: EpochFigures) -> list[str]:
    who = f"{epoch.run_id or '-'} {epoch.learner} epoch {epoch.epoch}"
    said = [] if epoch.reason is None else [f"{who}: {epoch.reason}"]
    for name in epoch.differences:
        found = getattr(epoch.recomputed, name)
        said.append(f"{who}: {name} was reported as {getattr(epoch.reported, name)}, the logs give {found}")
    return said


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
