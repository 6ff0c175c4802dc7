"""The report of a probe as text.

In: a report. Out: lines, one an attempt, grouped by theme, those that are not as they should be marked.
"""

from supervisor.probe.probing import ProbeReport
from supervisor.probe.verdict import NEEDS, Judged


def draw(report: ProbeReport) -> str:
    """One line for each attempt, then the verdict."""
    width = max(len(one.name) for one in report.attempts)
    lines = [_heading(report)]
    for theme in dict.fromkeys(one.theme for one in report.attempts):
        lines += ["", theme, *(_line(one, width) for one in report.attempts if one.theme == theme)]
    return "\n".join([*lines, "", _verdict(report)])


def _heading(report: ProbeReport) -> str:
    abi = f" (Landlock ABI {report.landlock_abi})" if report.landlock_abi else ""
    where = "in the place of the dreamer" if report.rung != "none" else "alone"
    needs = sum(one.theme == NEEDS for one in report.attempts)
    tried = f"{len(report.attempts) - needs} ways out and {needs} needs tried"
    return f"box {report.rung}{abi}, {where}: {tried} in {report.duration_s:.1f} s"


def _line(one: Judged, width: int) -> str:
    mark = " " if one.is_expected else "!"
    return f"{mark} {one.name:<{width}}  {one.status:<9}  {one.text}"


def _verdict(report: ProbeReport) -> str:
    wrong = [one.name for one in report.attempts if not one.is_expected]
    if wrong:
        return f"the box does not hold, or hinders: {', '.join(wrong)}"
    blocked = sum(one.status in ("blocked", "contained") for one in report.attempts)
    conceded = [one.name for one in report.attempts if one.status == "through"]
    absent = sum(one.status == "not possible here" for one in report.attempts)
    beside = f", {absent} cannot be tried here" if absent else ""
    known = ", ".join(conceded) or "nothing"
    return f"the box holds: {blocked} ways out are closed{beside}; through, as is known: {known}"
