"""Nights as their `nightly.json` tells them, for every view: nothing else of a home is read, and no dream is opened.

In: a home, dates. Out: a `NightView` for each: the checked `dream` block, and those numbers of the blocks `defrag` and
`forgetting` that are plain. Other keys and all texts stay where they are, so that no view can show what a file of
somebody else holds. Refused: a date without a night, a file that is damaged.
"""

import datetime as dt
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from actors.nightly_observer.keeping import Nights, Ref
from actors.nightly_observer.verifying import read_block
from actors.nightly_observer.writer import NightlyFileError, value_of
from schemas.dream_artifact import DreamBlock
from schemas.dream_seeds import SEED_TYPES
from supervisor.advice import advise
from supervisor.errors import SupervisorError, UsageError
from supervisor.home import Home
from supervisor.nightly.opening import nights_of

LAST: Final = "last"
"""Instead of a date: the last night there is."""
BLOCKS: Final = ("defrag", "forgetting")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,47}")


class NightDamagedError(SupervisorError):
    """A `nightly.json` that cannot be read."""

    def __init__(self, date: str, reason: str, home: Home) -> None:
        self.date = date
        super().__init__(f"the night of {date} cannot be read: {reason}; {advise(f'nightly verify {date}', home.root)}")


class Closest(NamedTuple):
    """The strongest finding of a seed type, whether it became a seed or not."""

    value: float
    op: str
    threshold: float
    n: int
    key: str
    """Type, formula and value: of the seed that it may have become."""
    numbers: Mapping[str, float]


@dataclass(frozen=True)
class NightView:
    """What a night says of itself."""

    date: str
    block: DreamBlock
    numbers: Mapping[str, float]
    """By path: `defrag.inserted`, `seeds.bridge`."""
    closest: Mapping[str, Closest]
    """By seed type; none for a type that was not looked for."""
    expired: int
    """Dreams whose time is over."""

    @property
    def is_hashed(self) -> bool:
        """Whether its anchors can be compared with those of other nights."""
        return self.block.privacy.id_privacy == "hash"


def dates_of(home: Home) -> list[str]:
    """The nights of a home that have a `nightly.json`, oldest first."""
    nights = nights_of(home)
    return [date for date in nights.dates() if nights.nightly(date) is not None]


def dated(home: Home, text: str) -> str:
    """The date that `text` is, `last` being that of the last night. Raises UsageError."""
    if text != LAST:
        try:
            return dt.date.fromisoformat(text).isoformat()
        except ValueError:
            raise UsageError(f"{text!r} is no date; a night is named like 2026-01-31, or `{LAST}`") from None
    dates = dates_of(home)
    if not dates:
        raise UsageError(f"no night has been lived yet; {advise('nightly run DATE', home.root)} lives one")
    return dates[-1]


def read_night(home: Home, date: str) -> NightView:
    """The night of `date`. Raises UsageError, NightDamagedError."""
    nights = nights_of(home)
    try:
        text, block = nights.nightly(date), read_block(nights, date)
        if text is None or block is None:
            have = ", ".join(dates_of(home)[-3:]) or "none"
            raise UsageError(f"there is no night of {date}; the last ones are: {have}")
        blocks = {name: value_of(text, name) for name in BLOCKS}
    except (NightlyFileError, OSError) as error:
        raise NightDamagedError(date, str(error), home) from error
    numbers = {path: number for name, value in blocks.items() for path, number in _numbers(name, value)}
    numbers |= {f"seeds.{name}": float(count) for name, count in block.seeds_summary.model_dump().items()}
    return NightView(date, block, dict(sorted(numbers.items())), _closest(blocks), _expired(nights, block))


def _numbers(path: str, value: object) -> Iterator[tuple[str, float]]:
    """Counts and measures by path; findings are told by the seeds."""
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        if math.isfinite(value):
            yield path, float(value)
    elif isinstance(value, dict):
        for name, each in value.items():
            if _NAME.fullmatch(name) and name != "by_type":
                yield from _numbers(f"{path}.{name}", each)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            named = each.get("guard") if isinstance(each, dict) else None
            if isinstance(named, str) and _NAME.fullmatch(named):
                yield from _numbers(f"{path}.{named}", each)
            elif isinstance(each, dict):
                yield from _numbers(f"{path}.{at}", each)


def key_of(seed_type: str, formula: object, value: object) -> str:
    """What tells one finding from another."""
    return json.dumps([seed_type, formula, value])


def _closest(blocks: Mapping[str, Any]) -> dict[str, Closest]:
    found: dict[str, Closest] = {}
    for block in blocks.values():
        by_type = block.get("by_type") if isinstance(block, dict) else None
        for seed_type, each in by_type.items() if isinstance(by_type, dict) else ():
            shown = each.get("strongest") if isinstance(each, dict) else None
            if seed_type in SEED_TYPES and isinstance(shown, dict):
                plain = dict(_numbers_of(shown))
                numbers = shown.get("numbers")
                if {"value", "threshold", "n"} <= plain.keys() and shown.get("op") in (">=", "<="):
                    found[seed_type] = Closest(
                        value=plain["value"],
                        op=shown["op"],
                        threshold=plain["threshold"],
                        n=int(plain["n"]),
                        key=key_of(seed_type, shown.get("formula"), shown["value"]),
                        numbers=dict(_numbers_of(numbers)) if isinstance(numbers, dict) else {},
                    )
    return found


def _numbers_of(numbers: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in numbers.items():
        if isinstance(value, int | float) and math.isfinite(value) and _NAME.fullmatch(name):
            yield name, float(value)


def _expired(nights: Nights, block: DreamBlock) -> int:
    refs = (Ref.parse(text) for text in block.artifact_refs)
    return sum(ref is not None and nights.is_expired(ref) for ref in refs)
