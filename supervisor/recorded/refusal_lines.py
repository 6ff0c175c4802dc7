"""What was refused during a run, from the refusals files of its actors.

In: `home/logs/refusals/INSTANCE.jsonl` as `bus.refusals` writes them, and the time of the run. Out: for each sender,
kind and receiver how many were refused, and the last reason; how many refusals a flood kept out of the file. What a
sender claims to be is what the line says. Lines that are none are counted and passed over; a file that is not there
counts as empty.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

MOST_CLAIMS: Final = 1000
"""Different claims that are told apart: who floods an inbox may claim anything."""
FURTHER: Final = "(further)"
"""Sender and kind of the refusals beyond them."""

Claim = tuple[str, str, str]
"""Sender, kind and receiver."""


@dataclass
class Refused:
    """The refusals of one claim."""

    count: int = 0
    reason: str = ""
    """The last one."""


@dataclass
class RefusalLines:
    """What the refusals files say about a run."""

    claims: dict[Claim, Refused] = field(default_factory=dict)
    left_out: int = 0
    """Refusals that were counted and not written, so that nobody knows who was refused what."""
    bad_lines: int = 0
    """Lines that cannot be read, whenever they were written."""


def read_refusals(folder: Path, instances: Sequence[str], begin_ns: int, end_ns: int) -> RefusalLines:
    """The refusals of `instances` from `begin_ns` to `end_ns`, both included, nanoseconds since the Unix epoch."""
    found = RefusalLines()
    for instance in instances:
        for line in _lines(folder / f"{instance}.jsonl", found):
            if begin_ns <= line["ts_ns"] <= end_ns:
                _add(found, (line["sender"], line["kind"], instance), line["reason"])
                found.left_out += line["left_out_before"]
    return found


def _add(found: RefusalLines, claim: Claim, reason: str) -> None:
    if claim not in found.claims and len(found.claims) >= MOST_CLAIMS:
        claim = (FURTHER, FURTHER, claim[2])
    refused = found.claims.setdefault(claim, Refused())
    refused.count += 1
    refused.reason = reason


def _lines(path: Path, found: RefusalLines) -> Iterator[dict[str, Any]]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for text in file:
            line = _parsed(text)
            if line is None:
                found.bad_lines += 1
            else:
                yield line


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    fields = {"ts_ns": int, "sender": str, "kind": str, "reason": str, "left_out_before": int}
    is_sound = isinstance(line, dict) and all(isinstance(line.get(name), cls) for name, cls in fields.items())
    return line if is_sound else None
