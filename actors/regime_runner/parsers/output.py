"""What every parser gives: a rate, raw samples, errors and figures; and how it says that a text is none of its own.

In: parsed JSON. Out: values of the wanted type. Refused: anything else, by name, and numbers that are no numbers.
"""

import json
from typing import Any, NamedTuple

from schemas.errors import OneirosError


class OutputRefusedError(OneirosError):
    """A program printed something else than what it prints when it has measured."""


class Output(NamedTuple):
    """What a program measured."""

    perf: float
    unit: str
    samples_ms: tuple[float, ...]
    errors: int
    figures: dict[str, float]


def object_in(text: str) -> dict[str, Any]:
    """The first JSON object of `text`; lines of warnings before it and anything after it are passed over."""
    begin = text.find("{")
    if begin < 0:
        raise OutputRefusedError("it printed no JSON object")
    try:
        read, _ = json.JSONDecoder(parse_constant=_refuse).raw_decode(text[begin:])
    except (ValueError, RecursionError) as error:
        raise OutputRefusedError(f"its JSON is broken ({str(error)[:80]})") from None
    return dict(read)


def number(holder: Any, *path: str) -> float:
    """The number at `path` inside `holder`."""
    found = member(holder, *path)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise OutputRefusedError(f"{'.'.join(path)} is no number")
    try:
        return float(found)
    except OverflowError:
        raise OutputRefusedError(f"{'.'.join(path)} is too large") from None


def member(holder: Any, *path: str) -> Any:
    """What lies at `path` inside `holder`."""
    for index, name in enumerate(path):
        if not isinstance(holder, dict) or name not in holder:
            raise OutputRefusedError(f"{'.'.join(path[: index + 1])} is missing")
        holder = holder[name]
    return holder


def spread(counts: list[tuple[float, int]], most: int) -> tuple[float, ...]:
    """The samples of a histogram, lowest first; of more than `most` every k-th, k the least that keeps to it."""
    total = sum(count for _, count in counts)
    stride = max(1, -(-total // most))
    samples, passed = list[float](), 0
    for value, count in sorted(counts):
        first = -passed % stride
        samples += [value] * len(range(first, count, stride))
        passed += count
    return tuple(samples)


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is no number")
