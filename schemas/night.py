"""The conversation about a night: who asks for it, and what it needs of the pool (seed 004).

In: python values. Out: immutable messages. None holds an id or a line of a dream. What comes of a night is told in
`schemas.night_report`. Refused: a date that is none, a root where there is none to have.
"""

import re
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from schemas.base import Count, Message, WallNs

DAY_NS: Final = 86_400 * 1_000_000_000
EPOCH_DAYS: Final = 719_468
"""From 1 March of the year 0 to the Unix epoch."""
MAX_SETTINGS_CHARS: Final = 65_536
DATE_PATTERN: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"

Date = Annotated[str, Field(pattern=rf"^{DATE_PATTERN}$")]
"""A night: the day, UTC, that it looks back on."""
NightId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Source = Literal["own", "eqnet"]
Problem = Annotated[str, Field(max_length=400)]


def begin_of(night: str) -> int:
    """Midnight UTC at which the day of `night` begins, ns since the Unix epoch; raises ValueError for no date."""
    found = re.fullmatch(DATE_PATTERN, night)
    if found is not None:
        year, month, day = (int(part) for part in night.split("-"))
        days = _days(year, month, day)
        if month in range(1, 13) and day and _date(days) == (year, month, day) and days >= 0:
            return days * DAY_NS
    raise ValueError(f"{night!r} is no date; one is written as 2026-01-31")


def night_at(now_ns: int) -> str:
    """The day, UTC, of a moment after the Unix epoch."""
    year, month, day = _date(now_ns // DAY_NS)
    return f"{year:04d}-{month:02d}-{day:02d}"


def _days(year: int, month: int, day: int) -> int:
    """Days since the Unix epoch of a date of the Gregorian calendar, whose years are counted from March."""
    years, months = (year - 1, month + 9) if month <= 2 else (year, month - 3)
    return years * 365 + years // 4 - years // 100 + years // 400 + (153 * months + 2) // 5 + day - 1 - EPOCH_DAYS


def _date(days: int) -> tuple[int, int, int]:
    """The date so many days after the Unix epoch: the inverse."""
    era, of_era = divmod(days + EPOCH_DAYS, 146_097)
    years = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * years + years // 4 - years // 100)
    months = (5 * of_year + 2) // 153
    day = of_year - (153 * months + 2) // 5 + 1
    is_late = months >= 10
    return era * 400 + years + is_late, months - 9 if is_late else months + 3, day


class NightRequest(Message):
    """Look back on one day. supervisor -> nightly-observer."""

    is_private: ClassVar[bool] = True
    night_id: NightId
    """Of this request; its report has the same."""
    date: Date
    source: Source
    root: Annotated[str, Field(max_length=4096)]
    """Folder of the other system's files; empty for our own day."""
    is_seeds_only: bool
    """Count seeds, make no dream."""
    is_fresh: bool
    """Take a new snapshot although there is one of the whole day."""
    is_parity: bool
    """With the other system's own formulas."""
    settings_json: Annotated[str, Field(max_length=MAX_SETTINGS_CHARS)]
    """`schemas.night_settings.RuntimeSettings`, as they are when the night is asked for."""

    @model_validator(mode="after")
    def _is_a_day(self) -> Self:
        begin_of(self.date)
        if (self.source == "own") != (self.root == ""):
            raise ValueError("a root is for another system's files, and only for these")
        return self


class SnapshotRequest(Message):
    """Copy what a night needs of the pool into a file of its own. nightly-observer -> pool-keeper."""

    night_id: NightId
    date: Date
    is_fresh: bool


class SnapshotReady(Message):
    """The copy is there, or why not. pool-keeper -> nightly-observer."""

    night_id: NightId
    date: Date
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
    """Of the file; empty without one."""
    size_bytes: Count
    pool_sequence: Count
    """The last dream in it."""
    taken_at_ns: WallNs
    is_kept: bool
    """Whether it was taken for an earlier run of this night."""
    problem: Problem | None
