"""How long dreams are kept: by the dates of nights alone, never by a clock or the times of files (seed 004, 6).

In: dates of nights, that of the present one, a number of days. Out: those whose dreams are over. Nothing is touched.
"""

from collections.abc import Iterable

from schemas.night import DAY_NS, begin_of


def is_over(date: str, present: str, ttl_days: int) -> bool:
    """Whether dreams of the night of `date` are gone in the night of `present`."""
    return (begin_of(present) - begin_of(date)) // DAY_NS >= ttl_days


def over(dates: Iterable[str], present: str, ttl_days: int) -> tuple[str, ...]:
    """Those of `dates` whose dreams are over; what is no date is passed over."""
    return tuple(sorted(date for date in dates if is_date(date) and is_over(date, present, ttl_days)))


def is_date(text: str) -> bool:
    """Whether `text` is the date of a night."""
    try:
        begin_of(text)
    except ValueError:
        return False
    return True
