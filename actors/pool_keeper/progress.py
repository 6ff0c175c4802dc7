"""Rows of table `progress`: how far a run, its senders, the logs and the tallies are.

In: a position, cursors, numbers by name. Out: rows, to be committed with the data that they speak of.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from actors.pool_keeper.interface_log import LogName
from actors.pool_keeper.rows import Row
from bus.core import Cursor, StepPosition

PUT_PROGRESS: Final = "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?)"


def position_row(run_id: str, position: StepPosition) -> Row:
    """How far a run is."""
    return ("position", run_id, "", *position)


def cursor_rows(run_id: str, cursors: Mapping[str, Cursor], known: Mapping[str, Cursor]) -> Iterator[Row]:
    """How far its senders are, of whom that changed since `known`."""
    return (("cursor", run_id, sender, *at) for sender, at in cursors.items() if known.get(sender) != at)


def number_rows(kind: Literal["log", "tally"], numbers: Mapping[str, int] | Mapping[LogName, int]) -> Iterator[Row]:
    """Lengths of logs, or tallies."""
    return ((kind, "", name, 0, number) for name, number in numbers.items())
