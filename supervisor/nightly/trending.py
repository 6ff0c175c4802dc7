"""The seeds of many nights, by type: a table with one row for each day, and a line of bars for each type.

In: the nights of a stretch of days. Out: what there is of each day. A day without a night is a gap and no 0; a night
whose dreams are over is marked so; where the method changed the two sides are not alike, and the row says it.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Final, Literal

from schemas.base import Record
from schemas.dream_seeds import SEED_TYPES
from supervisor.home import Home
from supervisor.nightly.reading import NightDamagedError, dates_of, read_night
from supervisor.tables import draw_table

BARS: Final = "▁▂▃▄▅▆▇█"
GAP: Final = "·"
Standing = Literal["gap", "damaged", "generated", "skipped"]
SHORT: Final = {"budget_pressure": "pressure", "guard_overuse": "guard"}


class TrendDay(Record):
    """One day."""

    date: str
    standing: Standing
    seeds: dict[str, int] | None
    """By type; None for a gap."""
    dreams: int | None
    expired: int
    """Of its dreams, those whose time is over."""
    skip_reason: str | None
    is_partial: bool
    """The day was not over when it was looked at."""
    method_changed: bool
    """Formulas or thresholds are not those of the night before."""


class Trend(Record):
    """Days, oldest first."""

    days: tuple[TrendDay, ...]

    def of(self, seed_type: str) -> list[int | None]:
        """Seeds of a type for each day."""
        return [None if day.seeds is None else day.seeds[seed_type] for day in self.days]


def trend(home: Home, days: int, last: str) -> Trend:
    """The `days` days up to `last`."""
    end, known = dt.date.fromisoformat(last), set(dates_of(home))
    found: list[TrendDay] = []
    method: tuple[str, str] | None = None
    for back in reversed(range(days)):
        date = (end - dt.timedelta(days=back)).isoformat()
        day, told = _day(home, date) if date in known else (_empty(date, "gap"), None)
        found.append(day.model_copy(update={"method_changed": None not in (method, told) and method != told}))
        method = told or method
    return Trend(days=tuple(found))


def _day(home: Home, date: str) -> tuple[TrendDay, tuple[str, str] | None]:
    try:
        night = read_night(home, date)
    except NightDamagedError:
        return _empty(date, "damaged"), None
    block = night.block
    seeds = {name: int(count) for name, count in block.seeds_summary.model_dump().items()}
    day = TrendDay(
        date=date,
        standing=block.status,
        seeds=seeds,
        dreams=block.count,
        expired=night.expired,
        skip_reason=block.skip_reason,
        is_partial=block.is_partial,
        method_changed=False,
    )
    return day, (block.kernel_version, block.method_sha256)


def _empty(date: str, standing: Standing) -> TrendDay:
    return TrendDay(
        date=date,
        standing=standing,
        seeds=None,
        dreams=None,
        expired=0,
        skip_reason=None,
        is_partial=False,
        method_changed=False,
    )


def sparkline(values: Sequence[int | None]) -> str:
    """A bar for each value, from 0 to the largest; a gap for None."""
    most = max((value for value in values if value is not None), default=0)
    return "".join(_bar(value, most) for value in values)


def _bar(value: int | None, most: int) -> str:
    if value is None:
        return GAP
    return BARS[0] if most == 0 else BARS[round(value / most * (len(BARS) - 1))]


def draw_trend(found: Trend) -> list[str]:
    """Table and bars as text."""
    names = [SHORT.get(name, name) for name in SEED_TYPES]
    rows = [["night", *names, "dreams", ""]]
    for day in found.days:
        counts = [GAP if day.seeds is None else str(day.seeds[name]) for name in SEED_TYPES]
        rows.append([day.date, *counts, GAP if day.dreams is None else str(day.dreams), _remark(day)])
    lines = draw_table(rows, left={0, len(rows[0]) - 1})
    bars = [[name, sparkline(found.of(seed_type))] for name, seed_type in zip(names, SEED_TYPES, strict=True)]
    return [*lines, "", *draw_table(bars, left={0, 1})]


def _remark(day: TrendDay) -> str:
    parts = []
    if day.standing == "gap":
        parts.append("no night")
    elif day.standing == "damaged":
        parts.append("cannot be read")
    if day.skip_reason:
        parts.append(f"skipped: {day.skip_reason}")
    if day.expired:
        parts.append("expired" if day.expired == day.dreams else f"{day.expired} expired")
    if day.is_partial:
        parts.append("partial")
    if day.method_changed:
        parts.append("method_changed")
    return ", ".join(parts)
