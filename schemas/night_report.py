"""What came of a night, as the observer leaves it in `REPORTS_PATH` for whoever asked (seed 004).

In: python values. Out: immutable records of dates, counts, words of closed sets and digests. No id, no line of a dream,
no path of a user's.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.base import Record
from schemas.dream_artifact import DreamBlock
from schemas.night import Date, NightId, Problem, Source

REPORTS_PATH: Final = "data/nights.json"
"""Relative to home."""
MAX_REPORTS: Final = 32


class NightReport(Record):
    """What came of a request."""

    night_id: NightId
    date: Date
    source: Source
    standing: Literal["done", "failed"]
    block: DreamBlock | None
    """As it is in `nightly.json`; None where nothing was written."""
    problem: Problem | None
    """Why it failed."""
    notes: tuple[Problem, ...]
    """What was counted beside: bad lines, files that were not there, dreams whose time was over."""
    is_unchanged: bool
    """Whether an earlier run of this night had left the very same."""
    sha256: str
    """Of `nightly.json`; empty where nothing was written."""

    def line(self) -> str:
        """In one line."""
        if self.block is None:
            return f"night of {self.date}: failed, {self.problem}"
        kept = ", as before" if self.is_unchanged else ""
        kept += ", the day is not over" if self.block.is_partial else ""
        seeds, dreams = self.block.seeds_summary.total, self.block.count
        if self.block.status == "skipped":
            return f"night of {self.date}: skipped, {self.block.skip_reason}; {seeds} seeds{kept}"
        return f"night of {self.date}: {seeds} seeds, {dreams} dreams, {self.block.privacy.content}{kept}"


class NightReports(Record):
    """The file at `REPORTS_PATH`."""

    reports: Annotated[tuple[NightReport, ...], Field(max_length=MAX_REPORTS)]

    def of(self, night_id: str) -> NightReport | None:
        """The report on one request."""
        return next((report for report in self.reports if report.night_id == night_id), None)
