"""The log of a run: a row for every step and every epoch, chained by SHA-256, without any clock.

In: rows in order. Out: rows with their place in the chain, handed on in lots; one digest over all of them. A line is
canonical JSON, so that the file, the digest and what a reader parses cannot disagree. Refused: a line that is not
canonical, or whose link does not follow from what stands before it; the first such line is named.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol, cast

from schemas.errors import OneirosError

FIRST_LINK: Final = hashlib.sha256(b"oneiros step log 1\n").hexdigest()
ROWS_AT_ONCE: Final = 64
"""Rows that are handed on together."""
CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)

Fact = str | int | float | None


class StepLogError(OneirosError):
    """A step log is damaged; `row` counts from 0."""

    def __init__(self, row: int, place: str, reason: str) -> None:
        self.row = row
        self.place = place
        self.reason = reason
        super().__init__(f"step log, line {row + 1} ({place}): {reason}")


class StepRow(NamedTuple):
    """One step of the optimizer."""

    step: int
    """From 0, over the whole run."""
    epoch: int
    batch: int
    """From 0, in the epoch."""
    loss: float
    """Mean over the batch by weight, before the step; nats for cross entropy."""
    lr: float
    grad_norm: float
    """Euclidean, before clipping."""
    examples: int
    """Of the dataset."""
    dreams: int
    """Examples that were added."""
    batch_sha256: str
    """Over the places of its examples in the dataset, in order; behind a space, that of what was added."""


class EpochRow(NamedTuple):
    """The end of an epoch."""

    epoch: int
    steps: int
    """Taken since the run began."""
    train_loss: float
    """Mean over the epoch by weight, each batch before its step."""
    val_loss: float | None
    """None without a validation part."""
    val_accuracy: float | None
    val_examples: int
    weights_sha256: str


Row = StepRow | EpochRow


class Link(NamedTuple):
    """A row and where it stands in the chain."""

    number: int
    """From 0."""
    row: Row
    line: str
    """Canonical JSON of the row, its link as the last key; without the end of the line."""


class Sink(Protocol):
    """Whoever keeps the rows."""

    def take(self, links: Sequence[Link]) -> None:
        """The next rows, in order."""
        ...

    def settle(self) -> None:
        """Make all that was taken durable: a checkpoint that counts it is about to be written."""
        ...


class StepLog:
    """Chains rows and hands them to a sink in lots; what is chained together is chained in one hot loop."""

    def __init__(self, sink: Sink, rows_at_once: int = ROWS_AT_ONCE) -> None:
        self._sink = sink
        self._rows_at_once = rows_at_once
        self._waiting: list[Row] = []
        self._count = 0
        self._digest = FIRST_LINK

    @property
    def count(self) -> int:
        """Rows so far."""
        return self._count + len(self._waiting)

    @property
    def digest(self) -> str:
        """Link of the last row, which covers every row before it."""
        self.flush()
        return self._digest

    def add(self, row: Row) -> None:
        """Take one more row."""
        self._waiting.append(row)
        if len(self._waiting) >= self._rows_at_once:
            self.flush()

    def flush(self) -> None:
        """Chain and hand on what waits."""
        if not self._waiting:
            return
        links = []
        for row in self._waiting:
            text = _text(row)
            self._digest = _next_link(self._digest, text)
            links.append(Link(self._count, row, _line(text, self._digest)))
            self._count += 1
        self._waiting = []
        self._sink.take(links)

    def settle(self) -> None:
        """Hand on what waits and make it durable."""
        self.flush()
        self._sink.settle()

    def go_on_from(self, count: int, digest: str) -> None:
        """Go on behind so many rows that end with `digest`."""
        self._waiting = []
        self._count, self._digest = count, digest


def read_rows(lines: Iterable[str]) -> tuple[tuple[Row, ...], str]:
    """The rows in `lines` and their digest; raises StepLogError for the first line that does not follow."""
    rows: list[Row] = []
    digest = FIRST_LINK
    for number, raw in enumerate(lines):
        line = raw.removesuffix("\n")
        place = _place_after(rows)
        try:
            facts = json.loads(line)
            told = facts.pop("link")
            row = _row(facts)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise StepLogError(number, place, f"is no row of a step log ({error})") from error
        place, text = _place(row), CANONICAL.encode(facts)
        if _line(text, told) != line:
            raise StepLogError(number, place, "is not in canonical form")
        digest = _next_link(digest, text)
        if told != digest:
            raise StepLogError(number, place, "was altered, or a line before it was")
        rows.append(row)
    return tuple(rows), digest


def _text(row: Row) -> str:
    """What CANONICAL makes of a row; written out for a step, of which there are many."""
    if isinstance(row, EpochRow):
        return CANONICAL.encode({**row._asdict(), "row": "epoch"})
    return (
        f'{{"batch":{row.batch},"batch_sha256":"{row.batch_sha256}","dreams":{row.dreams},"epoch":{row.epoch},'
        f'"examples":{row.examples},"grad_norm":{row.grad_norm!r},"loss":{row.loss!r},"lr":{row.lr!r},'
        f'"row":"step","step":{row.step}}}'
    )


def _row(facts: dict[str, Fact]) -> Row:
    values = {name: value for name, value in facts.items() if name != "row"}
    row_type: type[Any] = {"step": StepRow, "epoch": EpochRow}[str(facts["row"])]
    return cast(Row, row_type(**values))  # a value of another type is not canonical, or not what was linked


def _line(text: str, link: str) -> str:
    return f'{text[:-1]},"link":"{link}"}}'


def _next_link(before: str, text: str) -> str:
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


def _place(row: Row) -> str:
    return f"step {row.step}" if isinstance(row, StepRow) else f"end of epoch {row.epoch}"


def _place_after(rows: Sequence[Row]) -> str:
    return f"after {_place(rows[-1])}" if rows else "the first"
